//! Values as Python's `str` and `repr` write them, and as its `literal_eval` reads them.

use serde_json::{Map, Number, Value};

/// What Python's `str` makes of a value.
pub fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => repr(other),
    }
}

/// What Python's `repr` makes of a value.
pub(super) fn repr(value: &Value) -> String {
    match value {
        Value::Null => "None".to_owned(),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        Value::Number(number) => number_text(number),
        Value::String(text) => quoted(text),
        Value::Array(items) => format!("[{}]", items.iter().map(repr).collect::<Vec<_>>().join(", ")),
        Value::Object(map) => {
            let pairs: Vec<String> =
                map.iter().map(|(key, value)| format!("{}: {}", quoted(key), repr(value))).collect();
            format!("{{{}}}", pairs.join(", "))
        }
    }
}

/// The name of the value's type in Python.
pub(super) fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "NoneType",
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_f64() => "float",
        Value::Number(_) => "int",
        Value::String(_) => "str",
        Value::Array(_) => "list",
        Value::Object(_) => "dict",
    }
}

fn number_text(number: &Number) -> String {
    match number.as_f64() {
        Some(value) if number.is_f64() => float_text(value),
        _ => number.to_string(),
    }
}

fn float_text(value: f64) -> String {
    let exponent = if value == 0.0 { 0 } else { value.abs().log10().floor() as i32 };
    if (-4..16).contains(&exponent) {
        let text = format!("{value}");
        return if text.contains('.') { text } else { format!("{text}.0") };
    }
    let text = format!("{value:e}");
    let (mantissa, power) = text.split_once('e').unwrap_or((&text, "0"));
    let (sign, digits) = power.strip_prefix('-').map_or(('+', power), |digits| ('-', digits));
    format!("{mantissa}e{sign}{digits:0>2}")
}

fn quoted(text: &str) -> String {
    use std::fmt::Write as _;
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    let mut out = String::with_capacity(text.len() + 2);
    out.push(quote);
    for character in text.chars() {
        match character {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\\' => out.push_str("\\\\"),
            c if c == quote => {
                out.push('\\');
                out.push(c);
            }
            c if (c as u32) < 0x20 || c as u32 == 0x7f => {
                let _ = write!(out, "\\x{:02x}", c as u32);
            }
            c => out.push(c),
        }
    }
    out.push(quote);
    out
}

/// Deepest nesting that a literal may have.
const DEEPEST: usize = 64;

/// What Python's `literal_eval` makes of a text, where it is a literal: numbers, `True`, `None`, quoted text, lists,
/// tuples (as lists) and mappings.
pub fn literal(text: &str) -> Option<Value> {
    let mut reader = Reader { rest: text.trim_start_matches([' ', '\t']), depth: 0 };
    let value = reader.value()?;
    reader.space();
    reader.rest.is_empty().then_some(value)
}

struct Reader<'a> {
    rest: &'a str,
    depth: usize,
}

impl Reader<'_> {
    fn space(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn eat(&mut self, character: char) -> bool {
        self.space();
        let Some(rest) = self.rest.strip_prefix(character) else { return false };
        self.rest = rest;
        true
    }

    fn value(&mut self) -> Option<Value> {
        self.space();
        match self.rest.chars().next()? {
            '\'' | '"' => self.text().map(Value::String),
            '[' => self.items('[', ']').map(Value::Array),
            '(' => self.items('(', ')').map(Value::Array),
            '{' => self.mapping(),
            _ => self.word(),
        }
    }

    fn text(&mut self) -> Option<String> {
        let quote = self.rest.chars().next()?;
        let triple = String::from(quote).repeat(3);
        if let Some(rest) = self.rest.strip_prefix(&triple) {
            let (inside, rest) = rest.split_once(&triple)?;
            self.rest = rest;
            return (!inside.contains('\\')).then(|| inside.to_owned());
        }
        let mut out = String::new();
        let mut characters = self.rest.char_indices().skip(1);
        while let Some((at, character)) = characters.next() {
            match character {
                c if c == quote => {
                    self.rest = &self.rest[at + c.len_utf8()..];
                    return Some(out);
                }
                '\n' => return None,
                '\\' => match characters.next()?.1 {
                    'n' => out.push('\n'),
                    't' => out.push('\t'),
                    'r' => out.push('\r'),
                    c @ ('\\' | '\'' | '"') => out.push(c),
                    c => {
                        out.push('\\');
                        out.push(c);
                    }
                },
                c => out.push(c),
            }
        }
        None
    }

    fn deeper<T>(&mut self, read: impl FnOnce(&mut Self) -> Option<T>) -> Option<T> {
        self.depth += 1;
        let value = if self.depth > DEEPEST { None } else { read(self) };
        self.depth -= 1;
        value
    }

    fn items(&mut self, open: char, close: char) -> Option<Vec<Value>> {
        self.deeper(|reader| {
            reader.eat(open);
            let mut items = Vec::new();
            while !reader.eat(close) {
                items.push(reader.value()?);
                if !reader.eat(',') {
                    return reader.eat(close).then_some(items);
                }
            }
            Some(items)
        })
    }

    fn mapping(&mut self) -> Option<Value> {
        self.deeper(|reader| {
            reader.eat('{');
            let mut map = Map::new();
            while !reader.eat('}') {
                let key = text_of(&reader.value()?);
                if !reader.eat(':') {
                    return None;
                }
                map.insert(key, reader.value()?);
                if !reader.eat(',') {
                    return reader.eat('}').then_some(Value::Object(map));
                }
            }
            Some(Value::Object(map))
        })
    }

    fn word(&mut self) -> Option<Value> {
        let end = self.rest.find([',', ':', ']', '}', ')', ' ', '\t', '\n']).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        match word {
            "True" => Some(Value::Bool(true)),
            "False" => Some(Value::Bool(false)),
            "None" => Some(Value::Null),
            _ => number(word),
        }
    }
}

/// A number as Python writes it; a leading zero (`0644`) is no number there.
fn number(word: &str) -> Option<Value> {
    let (negative, digits) = match word.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, word.strip_prefix('+').unwrap_or(word)),
    };
    if !digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return None;
    }
    let radix =
        |prefix: &str, radix| digits.strip_prefix(prefix).and_then(|rest| i64::from_str_radix(rest, radix).ok());
    if let Some(value) = radix("0x", 16).or_else(|| radix("0o", 8)).or_else(|| radix("0b", 2)) {
        return Some(Value::from(if negative { -value } else { value }));
    }
    let plain = digits.replace('_', "");
    if plain.bytes().all(|byte| byte.is_ascii_digit()) {
        if plain.len() > 1 && plain.starts_with('0') && plain.bytes().any(|byte| byte != b'0') {
            return None;
        }
        let value: i64 = plain.parse().ok()?;
        return Some(Value::from(if negative { -value } else { value }));
    }
    if !plain.bytes().all(|byte| byte.is_ascii_digit() || b".eE+-".contains(&byte)) {
        return None;
    }
    let value: f64 = plain.parse().ok()?;
    Number::from_f64(if negative { -value } else { value }).map(Value::Number)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_written_as_python_writes_them() {
        assert_eq!(text_of(&json!([1, "a", true, null, 1.5])), "[1, 'a', True, None, 1.5]");
        assert_eq!(text_of(&json!({"it's": "\"x\"\n"})), "{\"it's\": '\"x\"\\n'}");
        assert_eq!(text_of(&json!(1e20)), "1e+20");
        assert_eq!(text_of(&json!(0.000_01)), "1e-05");
        assert_eq!(text_of(&json!(3.0)), "3.0");
        assert_eq!(text_of(&json!("plain")), "plain");
    }

    #[test]
    fn literals_are_read_as_python_reads_them() {
        assert_eq!(literal("42"), Some(json!(42)));
        assert_eq!(literal("-1.5"), Some(json!(-1.5)));
        assert_eq!(literal("0644"), None);
        assert_eq!(literal("0x1f"), Some(json!(31)));
        assert_eq!(literal("True"), Some(json!(true)));
        assert_eq!(literal("true"), None);
        assert_eq!(literal("'a b'"), Some(json!("a b")));
        assert_eq!(literal("[1, 'x', (2, 3,)]"), Some(json!([1, "x", [2, 3]])));
        assert_eq!(literal("{'a': [1], 'b': None}"), Some(json!({"a": [1], "b": null})));
        assert_eq!(literal("'''x y'''"), Some(json!("x y")));
        assert_eq!(literal("''"), Some(json!("")));
        assert_eq!(literal("a b"), None);
        assert_eq!(literal("[1"), None);
        assert_eq!(literal(&"[".repeat(100_000)), None);
    }
}
