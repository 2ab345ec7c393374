//! Keyword values after rendering: what counts as true, and durations.

use serde_json::Value;

/// Ansible's booleans: `yes`, `on`, `1`, `true`, `t`, `y` and their opposites, in any case.
pub(super) fn truth(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(value) => Some(*value),
        Value::Null => Some(false),
        Value::Number(number) => match number.as_f64() {
            Some(1.0) => Some(true),
            Some(0.0) => Some(false),
            _ => None,
        },
        Value::String(text) => match text.trim().to_ascii_lowercase().as_str() {
            "y" | "yes" | "on" | "1" | "true" | "t" | "1.0" => Some(true),
            "n" | "no" | "off" | "0" | "false" | "f" | "0.0" | "" => Some(false),
            _ => None,
        },
        Value::Array(_) | Value::Object(_) => None,
    }
}

/// Seconds as a number, or text with a unit (`500ms`, `30s`, `5m`, `2h`), in milliseconds.
pub(super) fn duration_ms(value: &Value) -> Result<u64, String> {
    let wrong = || format!("{value} is not a duration: write seconds, or a number with ms, s, m, h or d");
    let seconds = match value {
        Value::Number(number) => number.as_f64().ok_or_else(wrong)?,
        Value::String(text) => {
            let text = text.trim();
            let split = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
            let (number, unit) = text.split_at(split);
            let factor = match unit {
                "" | "s" => 1.0,
                "ms" => 0.001,
                "m" => 60.0,
                "h" => 3600.0,
                "d" => 86400.0,
                _ => return Err(wrong()),
            };
            number.trim().parse::<f64>().map_err(|_| wrong())? * factor
        }
        _ => return Err(wrong()),
    };
    if seconds.is_finite() && seconds >= 0.0 { Ok((seconds * 1000.0).round() as u64) } else { Err(wrong()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn durations_have_units() {
        assert_eq!(duration_ms(&json!(5)), Ok(5000));
        assert_eq!(duration_ms(&json!("2h")), Ok(7_200_000));
        assert_eq!(duration_ms(&json!("250ms")), Ok(250));
        assert_eq!(duration_ms(&json!("1.5")), Ok(1500));
        assert!(duration_ms(&json!("soon")).is_err());
        assert!(duration_ms(&json!(-1)).is_err());
    }

    #[test]
    fn truth_is_ansibles() {
        assert_eq!(truth(&json!("Yes")), Some(true));
        assert_eq!(truth(&json!("off")), Some(false));
        assert_eq!(truth(&json!("perhaps")), None);
        assert_eq!(truth(&json!([])), None);
    }
}
