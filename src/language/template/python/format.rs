//! `str.format` and its format specifications.

use crate::language::template::access;
use crate::language::template::error::{Outcome, fail};
use crate::language::template::expr::Given;
use crate::language::template::machine::Machine;
use crate::language::template::python::repr::{float, repr};
use crate::language::template::val::Val;

/// The widest field.
const MAX_WIDTH: usize = 1_000_000;

/// What stands after the colon of a replacement field.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::language::template) struct Spec {
    pub fill: Option<char>,
    pub align: Option<char>,
    pub sign: Option<char>,
    pub alternate: bool,
    pub width: usize,
    pub grouping: Option<char>,
    pub precision: Option<usize>,
    pub kind: Option<char>,
}

/// `template.format(*args, **kwargs)`
pub(in crate::language::template) fn format(machine: &Machine, template: &str, given: &Given) -> Outcome<String> {
    let mut out = String::new();
    let mut next = 0;
    let mut rest = template;
    while let Some(at) = rest.find(['{', '}']) {
        out.push_str(&rest[..at]);
        let tail = &rest[at..];
        if let Some(after) =
            tail.strip_prefix("{{").map(|after| ('{', after)).or(tail.strip_prefix("}}").map(|after| ('}', after)))
        {
            out.push(after.0);
            rest = after.1;
            continue;
        }
        if tail.starts_with('}') {
            fail!("Single '}}' encountered in format string");
        }
        let Some(end) = closing(tail) else { fail!("expected '}}' before end of string") };
        out.push_str(&field(machine, &tail[1..end], given, &mut next)?);
        rest = &tail[end + 1..];
    }
    out.push_str(rest);
    Ok(out)
}

fn closing(text: &str) -> Option<usize> {
    let mut depth = 0;
    for (at, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => {
                depth -= 1;
                if depth == 0 {
                    return Some(at);
                }
            }
            _ => {}
        }
    }
    None
}

fn field(machine: &Machine, text: &str, given: &Given, next: &mut usize) -> Outcome<String> {
    let (head, spec) = text.split_once(':').unwrap_or((text, ""));
    let (path, conversion) = head.split_once('!').unwrap_or((head, ""));
    let end = path.find(['.', '[']).unwrap_or(path.len());
    let value = argument(&path[..end], given, next)?;
    let value = follow(machine, value, &path[end..])?;
    value.present()?;
    let value = match conversion {
        "" => value,
        "s" => Val::text(value.to_string()),
        "r" | "a" => Val::text(repr(&value)),
        other => fail!("Unknown conversion specifier '{other}'"),
    };
    let spec = if spec.contains('{') {
        format(
            machine,
            spec,
            &Given {
                positional: given.positional.get(*next..).unwrap_or_default().to_vec(),
                named: given.named.clone(),
            },
        )?
    } else {
        spec.to_owned()
    };
    if spec.is_empty() {
        return Ok(value.to_string());
    }
    apply(&value, &parse(&spec)?)
}

fn argument(name: &str, given: &Given, next: &mut usize) -> Outcome<Val> {
    let found = if name.is_empty() {
        *next += 1;
        given.positional.get(*next - 1)
    } else if let Ok(index) = name.parse::<usize>() {
        given.positional.get(index)
    } else {
        let found = given.named.iter().find(|(known, _)| known == name).map(|(_, value)| value);
        if found.is_none() {
            fail!("'{name}'");
        }
        found
    };
    match found {
        Some(value) => Ok(value.clone()),
        None => fail!(
            "Replacement index {} out of range for positional args tuple",
            if name.is_empty() { (*next - 1).to_string() } else { name.to_owned() }
        ),
    }
}

fn follow(machine: &Machine, mut value: Val, path: &str) -> Outcome<Val> {
    let mut rest = path;
    while !rest.is_empty() {
        if let Some(tail) = rest.strip_prefix('.') {
            let end = tail.find(['.', '[']).unwrap_or(tail.len());
            value = access::attribute(machine, &value, &tail[..end])?;
            rest = &tail[end..];
        } else if let Some((key, tail)) = rest[1..].split_once(']') {
            let key = key.parse().map_or_else(|_| Val::text(key), Val::Int);
            value = access::item(machine, &value, &key)?;
            rest = tail;
        } else {
            fail!("Missing ']' in format string");
        }
    }
    Ok(value)
}

/// Reads a specification.
pub(in crate::language::template) fn parse(text: &str) -> Outcome<Spec> {
    let mut spec = Spec::default();
    let letters: Vec<char> = text.chars().collect();
    let mut at = 0;
    let is_align = |c: Option<&char>| c.is_some_and(|c| matches!(c, '<' | '>' | '^' | '='));
    if is_align(letters.get(1)) {
        spec.fill = letters.first().copied();
        spec.align = letters.get(1).copied();
        at = 2;
    } else if is_align(letters.first()) {
        spec.align = letters.first().copied();
        at = 1;
    }
    if let Some(sign) = letters.get(at).filter(|c| matches!(c, '+' | '-' | ' ')) {
        spec.sign = Some(*sign);
        at += 1;
    }
    if letters.get(at) == Some(&'#') {
        spec.alternate = true;
        at += 1;
    }
    if letters.get(at) == Some(&'0') && spec.align.is_none() {
        spec.fill = Some('0');
        spec.align = Some('=');
        at += 1;
    }
    let number = |at: &mut usize| {
        let digits: String = letters[*at..].iter().take_while(|c| c.is_ascii_digit()).collect();
        *at += digits.len();
        digits.parse::<usize>().ok()
    };
    spec.width = number(&mut at).unwrap_or_default();
    if let Some(grouping) = letters.get(at).filter(|c| matches!(c, ',' | '_')) {
        spec.grouping = Some(*grouping);
        at += 1;
    }
    if letters.get(at) == Some(&'.') {
        at += 1;
        spec.precision = number(&mut at);
        if spec.precision.is_none() {
            fail!("Format specifier missing precision");
        }
    }
    spec.kind = letters.get(at).copied();
    if at + 1 < letters.len() || spec.width > MAX_WIDTH || spec.precision.is_some_and(|p| p > MAX_WIDTH) {
        fail!("Invalid format specifier '{text}'");
    }
    Ok(spec)
}

/// Formats a value.
pub(in crate::language::template) fn apply(value: &Val, spec: &Spec) -> Outcome<String> {
    let numeric =
        matches!(value, Val::Int(_) | Val::Float(_)) || (matches!(value, Val::Bool(_)) && spec.kind.is_some());
    if !numeric {
        if let Some(kind) = spec.kind.filter(|kind| *kind != 's') {
            fail!("Unknown format code '{kind}' for object of type '{}'", value.type_name());
        }
        let mut text = value.to_string();
        if let Some(precision) = spec.precision {
            text = text.chars().take(precision).collect();
        }
        return Ok(pad(&text, spec, '<'));
    }
    let (negative, digits) = digits(value, spec)?;
    let sign = match (negative, spec.sign) {
        (true, _) => "-",
        (false, Some('+')) => "+",
        (false, Some(' ')) => " ",
        _ => "",
    };
    if spec.align == Some('=') {
        let width = spec.width.saturating_sub(sign.len());
        let filled = pad(&digits, &Spec { width, align: Some('>'), ..*spec }, '>');
        return Ok(format!("{sign}{filled}"));
    }
    Ok(pad(&format!("{sign}{digits}"), spec, '>'))
}

fn digits(value: &Val, spec: &Spec) -> Outcome<(bool, String)> {
    let kind = spec.kind;
    let integer = value.as_int().filter(|_| !matches!(kind, Some('e' | 'E' | 'f' | 'F' | 'g' | 'G' | '%')));
    if let Some(number) = integer {
        let magnitude = number.unsigned_abs();
        let text = match kind {
            None | Some('d' | 'n') => group(&magnitude.to_string(), spec.grouping),
            Some('x') => format!("{}{magnitude:x}", if spec.alternate { "0x" } else { "" }),
            Some('X') => format!("{}{magnitude:X}", if spec.alternate { "0X" } else { "" }),
            Some('o') => format!("{}{magnitude:o}", if spec.alternate { "0o" } else { "" }),
            Some('b') => format!("{}{magnitude:b}", if spec.alternate { "0b" } else { "" }),
            Some('c') => u32::try_from(magnitude).ok().and_then(char::from_u32).map(String::from).unwrap_or_default(),
            Some(other) => fail!("Unknown format code '{other}' for object of type 'int'"),
        };
        return Ok((number < 0, text));
    }
    let number = value.as_float().unwrap_or_default();
    let magnitude = number.abs();
    let precision = spec.precision.unwrap_or(6);
    let text = match kind {
        None if spec.precision.is_none() => float(magnitude),
        None | Some('g' | 'G' | 'n') => general(magnitude, precision, kind.is_none()),
        Some('f' | 'F') => format!("{magnitude:.precision$}"),
        Some('e' | 'E') => exponent(magnitude, precision),
        Some('%') => format!("{:.precision$}%", magnitude * 100.0),
        Some(other) => fail!("Unknown format code '{other}' for object of type 'float'"),
    };
    let text = if matches!(kind, Some('E' | 'G')) { text.to_uppercase() } else { text };
    let (whole, fraction) = text.split_once('.').map_or((text.as_str(), None), |(a, b)| (a, Some(b)));
    let whole = if whole.bytes().all(|c| c.is_ascii_digit()) { group(whole, spec.grouping) } else { whole.to_owned() };
    let text = fraction.map_or(whole.clone(), |fraction| format!("{whole}.{fraction}"));
    Ok((number.is_sign_negative() && !number.is_nan(), text))
}

fn exponent(value: f64, precision: usize) -> String {
    let text = format!("{value:.precision$e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    format!("{digits}e{}{:02}", if exponent < 0 { '-' } else { '+' }, exponent.abs())
}

fn general(value: f64, precision: usize, keep_point: bool) -> String {
    let precision = precision.max(1);
    let scientific = format!("{value:.*e}", precision - 1);
    let power: i32 = scientific.split_once('e').and_then(|(_, power)| power.parse().ok()).unwrap_or_default();
    let trim = |text: String| {
        if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
    };
    if power < -4 || power >= precision as i32 {
        let text = exponent(value, precision - 1);
        let (digits, tail) = text.split_once('e').unwrap_or((&text, "+00"));
        return format!("{}e{tail}", trim(digits.to_owned()));
    }
    let decimals = usize::try_from(precision as i32 - 1 - power).unwrap_or_default();
    let text = trim(format!("{value:.decimals$}"));
    if keep_point && !text.contains('.') { format!("{text}.0") } else { text }
}

fn group(digits: &str, separator: Option<char>) -> String {
    let Some(separator) = separator else { return digits.to_owned() };
    let mut out = String::new();
    for (at, c) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(separator);
        }
        out.push(c);
    }
    out
}

/// Fills up to the width.
pub(in crate::language::template) fn pad(text: &str, spec: &Spec, usual: char) -> String {
    let missing = spec.width.saturating_sub(text.chars().count());
    let fill = |count: usize| spec.fill.unwrap_or(' ').to_string().repeat(count);
    match spec.align.unwrap_or(usual) {
        '>' | '=' => format!("{}{text}", fill(missing)),
        '^' => format!("{}{text}{}", fill(missing / 2), fill(missing - missing / 2)),
        _ => format!("{text}{}", fill(missing)),
    }
}
