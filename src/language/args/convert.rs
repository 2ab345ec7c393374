//! One value to one type, as Ansible converts it, and with its words where it cannot.

use serde_json::{Map, Number, Value};

use super::python::{literal, repr, text_of, type_name};
use super::table::ArgType;

impl ArgType {
    /// The name of the type in messages.
    pub(super) const fn wanted(self) -> &'static str {
        match self {
            Self::Str => "str",
            Self::Bool => "bool",
            Self::Int => "int",
            Self::Float => "float",
            Self::Path => "path",
            Self::List | Self::Items => "list",
            Self::Dict => "dict",
            Self::Mode | Self::Raw => "raw",
        }
    }
}

/// Converts a value, or says why not.
pub(super) fn convert(ty: ArgType, value: Value) -> Result<Value, String> {
    match ty {
        ArgType::Raw => Ok(value),
        ArgType::Str | ArgType::Path => Ok(Value::String(text(&value))),
        ArgType::Bool => boolean(&value).map(Value::Bool),
        ArgType::Int => integer(value),
        ArgType::Float => float(value),
        ArgType::List => list(value),
        ArgType::Items => Ok(match value {
            Value::Array(_) => value,
            other => Value::Array(vec![other]),
        }),
        ArgType::Dict => mapping(value),
        ArgType::Mode => mode(value),
    }
}

fn text(value: &Value) -> String {
    if value.is_null() { String::new() } else { text_of(value) }
}

fn cannot(value: &Value, wanted: &str) -> String {
    format!("<class '{}'> cannot be converted to a {wanted}", type_name(value))
}

fn boolean(value: &Value) -> Result<bool, String> {
    let known = match value {
        Value::Bool(value) => Some(*value),
        Value::String(text) => match text.trim().to_lowercase().as_str() {
            "y" | "yes" | "on" | "1" | "true" | "t" => Some(true),
            "n" | "no" | "off" | "0" | "false" | "f" => Some(false),
            _ => None,
        },
        Value::Number(number) => match number.as_f64() {
            Some(1.0) => Some(true),
            Some(0.0) => Some(false),
            _ => None,
        },
        Value::Null | Value::Array(_) | Value::Object(_) => return Err(cannot(value, "bool")),
    };
    known.ok_or_else(|| {
        format!(
            "The value '{}' is not a valid boolean. Valid booleans include: 'y', 'yes', 'on', '1', 'true', 't', 1, 'n', \
             'no', 'off', '0', 'false', 'f', 0",
            text_of(value)
        )
    })
}

fn integer(value: Value) -> Result<Value, String> {
    let whole = match &value {
        Value::Bool(value) => Some(i64::from(*value)),
        Value::Number(number) => number.as_i64().or_else(|| number.as_f64().and_then(whole_number)),
        Value::String(text) => {
            let text = text.trim().replace('_', "");
            text.parse::<i64>().ok().or_else(|| text.parse::<f64>().ok().and_then(whole_number))
        }
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    };
    whole.map(Value::from).ok_or_else(|| format!("\"{}\" cannot be converted to an int", repr(&value)))
}

fn whole_number(value: f64) -> Option<i64> {
    (value.fract() == 0.0 && value.abs() < 9e15).then_some(value as i64)
}

fn float(value: Value) -> Result<Value, String> {
    let number = match &value {
        Value::Bool(value) => Some(f64::from(u8::from(*value))),
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    };
    number.and_then(Number::from_f64).map(Value::Number).ok_or_else(|| cannot(&value, "float"))
}

fn list(value: Value) -> Result<Value, String> {
    match value {
        Value::Array(_) => Ok(value),
        Value::String(text) => Ok(text.split(',').map(Value::from).collect()),
        Value::Bool(_) | Value::Number(_) => Ok(Value::Array(vec![Value::String(text_of(&value))])),
        Value::Null | Value::Object(_) => Err(cannot(&value, "list")),
    }
}

fn mapping(value: Value) -> Result<Value, String> {
    let Value::String(text) = &value else {
        return if value.is_object() { Ok(value) } else { Err(cannot(&value, "dict")) };
    };
    if text.starts_with('{') {
        return serde_json::from_str::<Value>(text)
            .ok()
            .or_else(|| literal(text))
            .filter(Value::is_object)
            .ok_or_else(|| "unable to evaluate string as dictionary".to_owned());
    }
    if !text.contains('=') {
        return Err("dictionary requested, could not parse JSON or key=value".to_owned());
    }
    let mut map = Map::new();
    for field in fields(text) {
        let (key, value) = field
            .split_once('=')
            .ok_or_else(|| "unable to evaluate string in the \"key=value\" format as dictionary".to_owned())?;
        map.insert(key.to_owned(), Value::from(value));
    }
    Ok(Value::Object(map))
}

/// `a=1, b='x y'` cut at commas and spaces outside quotes.
fn fields(text: &str) -> Vec<String> {
    let mut fields = Vec::new();
    let mut field = String::new();
    let mut quote = None;
    let mut escaped = false;
    for character in text.trim().chars() {
        match character {
            c if escaped => {
                field.push(c);
                escaped = false;
            }
            '\\' => escaped = true,
            c @ ('\'' | '"') if quote.is_none() => quote = Some(c),
            c if quote == Some(c) => quote = None,
            ',' | ' ' if quote.is_none() => fields.push(std::mem::take(&mut field)),
            c => field.push(c),
        }
    }
    fields.push(field);
    fields.retain(|field| !field.is_empty());
    fields
}

/// Permission bits become text, octal or symbolic: a number is the bits themselves, as YAML reads `0644`.
fn mode(value: Value) -> Result<Value, String> {
    match value {
        Value::Number(number) => match number.as_i64() {
            Some(bits @ 0..=0o7777) => Ok(Value::String(format!("{bits:04o}"))),
            _ => Err(format!("{number} has no meaning as permission bits; write it as '0644'")),
        },
        Value::String(text) => {
            let known = text.is_empty()
                || text == "preserve"
                || (text.len() <= 5 && text.bytes().all(|byte| (b'0'..=b'7').contains(&byte)))
                || text.strip_prefix("0o").is_some_and(|rest| rest.bytes().all(|byte| (b'0'..=b'7').contains(&byte)))
                || text.split(',').all(is_symbolic);
            let text = text.strip_prefix("0o").map_or(text.clone(), |rest| format!("0{rest}"));
            if known { Ok(Value::String(text)) } else { Err(format!("mode must be octal or symbolic, not '{text}'")) }
        }
        other => Err(format!("mode must be octal or symbolic, not {}", repr(&other))),
    }
}

/// `u+rwX`, `go=`, `a-x`.
fn is_symbolic(part: &str) -> bool {
    let Some(at) = part.find(['+', '-', '=']) else { return false };
    part[..at].chars().all(|c| "ugoa".contains(c)) && part[at..].chars().all(|c| "+-=rwxXstugo".contains(c))
}
