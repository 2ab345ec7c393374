//! Durations and sizes with units.

/// `90s`, `5m`, `3h`, `1d`, `1h30m`, `250ms` in milliseconds; none where it is no duration or too large.
pub fn parse_duration(text: &str) -> Option<u64> {
    let mut rest = text.trim();
    if rest.is_empty() {
        return None;
    }
    let mut total: u64 = 0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, tail) = rest.split_at(digits);
        let end = tail.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(end);
        let unit_ms: u64 = match unit {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return None,
        };
        let part = match number.parse::<u64>() {
            Ok(whole) => whole.checked_mul(unit_ms)?,
            Err(_) => (number.parse::<f64>().ok().filter(|value| *value < 1e9)? * unit_ms as f64) as u64,
        };
        total = total.checked_add(part)?;
        rest = tail.trim_start();
    }
    Some(total)
}

/// `100GiB`, `2TiB` in GiB; none where it is no such size.
pub fn parse_gib(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().ok()?;
    match unit.trim() {
        "GiB" => Some(number),
        "TiB" => number.checked_mul(1024),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_units_and_add_up() {
        assert_eq!(parse_duration("3h"), Some(10_800_000));
        assert_eq!(parse_duration("1h30m"), Some(5_400_000));
        assert_eq!(parse_duration("1.5s"), Some(1_500));
        assert_eq!(parse_duration("250ms"), Some(250));
        for wrong in ["", "3", "h", "3 hours", "-1s", "1h 30", "99999999999999999999h", "20000000000000000d"] {
            assert_eq!(parse_duration(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn sizes_are_in_binary_units() {
        assert_eq!(parse_gib("100GiB"), Some(100));
        assert_eq!(parse_gib("2 TiB"), Some(2048));
        for wrong in ["100", "100G", "GiB", "1.5GiB"] {
            assert_eq!(parse_gib(wrong), None, "{wrong}");
        }
    }
}
