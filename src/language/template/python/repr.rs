//! `str()` and `repr()`.

use std::fmt::{self, Display, Write as _};

use crate::language::template::val::Val;

const MAX_DEPTH: usize = 128;

/// `str(value)`.
impl Display for Val {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Str(text) => out.write_str(text),
            other => {
                let mut text = String::new();
                write(&mut text, other, 0)?;
                out.write_str(&text)
            }
        }
    }
}

/// `repr(value)`.
pub(in crate::language::template) fn repr(value: &Val) -> String {
    let mut text = String::new();
    let _ = write(&mut text, value, 0);
    text
}

fn write(out: &mut String, value: &Val, depth: usize) -> fmt::Result {
    if depth > MAX_DEPTH {
        return out.write_str("...");
    }
    match value {
        Val::Undef(undef) => out.write_str(&undef.message),
        Val::None => out.write_str("None"),
        Val::Bool(value) => out.write_str(if *value { "True" } else { "False" }),
        Val::Int(value) => write!(out, "{value}"),
        Val::Float(value) => out.write_str(&float(*value)),
        Val::Str(text) => quoted(out, text),
        Val::List(items) => {
            out.push('[');
            sequence(out, &items.borrow(), depth)?;
            out.write_char(']')
        }
        Val::Tuple(items) => {
            out.push('(');
            sequence(out, items, depth)?;
            out.write_str(if items.len() == 1 { ",)" } else { ")" })
        }
        Val::Dict(pairs) => {
            out.push('{');
            let mut first = true;
            for (key, value) in pairs.borrow().iter().filter(|(_, value)| !matches!(value, Val::Omit)) {
                if !std::mem::take(&mut first) {
                    out.push_str(", ");
                }
                write(out, key, depth + 1)?;
                out.push_str(": ");
                write(out, value, depth + 1)?;
            }
            out.write_char('}')
        }
        Val::Omit => Ok(()),
        Val::Thing(thing) => out.write_str(&thing.text()),
    }
}

fn sequence(out: &mut String, items: &[Val], depth: usize) -> fmt::Result {
    let mut first = true;
    for item in items.iter().filter(|item| !matches!(item, Val::Omit)) {
        if !std::mem::take(&mut first) {
            out.push_str(", ");
        }
        write(out, item, depth + 1)?;
    }
    Ok(())
}

/// Single quotes unless the text has some and no double ones.
fn quoted(out: &mut String, text: &str) -> fmt::Result {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    out.push(quote);
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c == quote => {
                out.push('\\');
                out.push(c);
            }
            c if (c as u32) < 0x20 || (0x7f..0xa1).contains(&(c as u32)) || c == '\u{ad}' => {
                write!(out, "\\x{:02x}", c as u32)?;
            }
            '\u{2028}' | '\u{2029}' | '\u{200b}'..='\u{200f}' | '\u{feff}' => write!(out, "\\u{:04x}", c as u32)?,
            c => out.push(c),
        }
    }
    out.write_char(quote)
}

/// The shortest digits that read back as the same number; an exponent below -4 and from 16 on.
pub(in crate::language::template) fn float(value: f64) -> String {
    if value.is_nan() {
        return "nan".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "inf" } else { "-inf" }.to_owned();
    }
    let scientific = format!("{value:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    if (-4..16).contains(&exponent) {
        let text = format!("{value}");
        if text.contains('.') { text } else { format!("{text}.0") }
    } else {
        let sign = if exponent < 0 { '-' } else { '+' };
        format!("{digits}e{sign}{:02}", exponent.abs())
    }
}
