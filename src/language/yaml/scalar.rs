//! What a plain scalar means in YAML 1.1, exactly as PyYAML's resolver and safe constructor have it.

/// The meaning of a plain scalar.
#[derive(Clone, Debug, PartialEq)]
pub enum Plain {
    /// `~`, `null` or nothing.
    Null,
    /// `yes`, `Off`, `TRUE`.
    Bool(bool),
    /// A whole number in any of YAML 1.1's five spellings.
    Int(i64),
    /// A whole number that 64 bits do not hold.
    TooBig,
    /// A number with a point.
    Float(f64),
    /// `<<`, which merges where it is a key.
    Merge,
    /// `=`, which YAML 1.1 reserves.
    Value,
    /// Text; dates too.
    Text,
}

/// Resolves a plain scalar.
pub fn resolve(text: &str) -> Plain {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Plain::Null,
        "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => Plain::Bool(true),
        "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => Plain::Bool(false),
        "<<" => Plain::Merge,
        "=" => Plain::Value,
        _ => number(text).unwrap_or(Plain::Text),
    }
}

fn number(text: &str) -> Option<Plain> {
    if !text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.')) {
        return None;
    }
    let (negative, body) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    integer(negative, body).or_else(|| float(text, negative, body))
}

fn integer(negative: bool, body: &str) -> Option<Plain> {
    let digits = |rest: &str, radix: u32| -> Option<Plain> {
        let fits = rest.chars().all(|c| c == '_' || c.is_digit(radix));
        let plain: String = rest.chars().filter(|c| *c != '_').collect();
        if !fits || plain.is_empty() {
            return None;
        }
        Some(signed(negative, i128::from_str_radix(&plain, radix).ok()))
    };
    if body == "0" {
        return Some(Plain::Int(0));
    }
    if let Some(rest) = body.strip_prefix("0b") {
        return digits(rest, 2);
    }
    if let Some(rest) = body.strip_prefix("0x") {
        return digits(rest, 16);
    }
    if body.starts_with('0') {
        return digits(body, 8);
    }
    if !body.starts_with(|c: char| ('1'..='9').contains(&c)) {
        return None;
    }
    if body.contains(':') {
        let (first, rest) = body.split_once(':')?;
        return Some(signed(negative, sexagesimal(first, rest)?));
    }
    digits(body, 10)
}

/// `12:30` is 750. The outer none means "not of this form", the inner one "too big".
#[expect(clippy::option_option, reason = "the two kinds of none are told apart by one caller only")]
fn sexagesimal(first: &str, rest: &str) -> Option<Option<i128>> {
    if !first.chars().all(|c| c == '_' || c.is_ascii_digit()) {
        return None;
    }
    let mut value: Option<i128> = first.replace('_', "").parse().ok();
    for part in rest.split(':') {
        value = value.and_then(|v| v.checked_mul(60)).and_then(|v| v.checked_add(i128::from(sixtieth(part)?)));
        sixtieth(part)?;
    }
    Some(value)
}

/// One part after a colon: `[0-5]?[0-9]`.
fn sixtieth(part: &str) -> Option<u8> {
    let shaped = match part.as_bytes() {
        [one] => one.is_ascii_digit(),
        [ten, one] => (b'0'..=b'5').contains(ten) && one.is_ascii_digit(),
        _ => false,
    };
    shaped.then(|| part.parse().ok()).flatten()
}

fn signed(negative: bool, value: Option<i128>) -> Plain {
    value
        .map(|value| if negative { -value } else { value })
        .and_then(|value| i64::try_from(value).ok())
        .map_or(Plain::TooBig, Plain::Int)
}

fn float(text: &str, negative: bool, body: &str) -> Option<Plain> {
    let sign = if negative { -1.0 } else { 1.0 };
    match body {
        ".inf" | ".Inf" | ".INF" => return Some(Plain::Float(sign * f64::INFINITY)),
        ".nan" | ".NaN" | ".NAN" if body.len() == text.len() => return Some(Plain::Float(f64::NAN)),
        _ => {}
    }
    let (whole, fraction) = body.split_once('.')?;
    if whole.is_empty() {
        // PyYAML knows no sign before a leading point: `-.5` is text.
        if body.len() != text.len() || !fraction.starts_with(|c: char| c.is_ascii_digit()) {
            return None;
        }
    } else if !whole.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    if whole.contains(':') {
        return sexagesimal_float(sign, whole, fraction);
    }
    let (fraction, exponent) = match fraction.split_once(['e', 'E']) {
        // The exponent needs its sign: `1.5e3` is text.
        Some((fraction, exponent)) => {
            let digits = exponent.strip_prefix(['+', '-'])?;
            if digits.is_empty() || !digits.bytes().all(|c| c.is_ascii_digit()) {
                return None;
            }
            (fraction, exponent)
        }
        None => (fraction, "+0"),
    };
    let plain = |part: &str| part.bytes().all(|c| c == b'_' || c.is_ascii_digit());
    if !plain(whole) || !plain(fraction) {
        return None;
    }
    let clean = format!("{}.{}e{exponent}", whole.replace('_', ""), fraction.replace('_', ""));
    let clean = if clean.starts_with('.') { format!("0{clean}") } else { clean };
    clean.parse::<f64>().ok().map(|value| Plain::Float(sign * value))
}

fn sexagesimal_float(sign: f64, whole: &str, fraction: &str) -> Option<Plain> {
    if !fraction.bytes().all(|c| c == b'_' || c.is_ascii_digit()) {
        return None;
    }
    let (first, rest) = whole.split_once(':')?;
    let whole = sexagesimal(first, rest)??;
    let fraction: f64 = format!("0.{}", fraction.replace('_', "")).parse().ok()?;
    Some(Plain::Float(sign * (whole as f64 + fraction)))
}
