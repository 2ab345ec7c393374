//! From one type to another: `int`, `float`, `bool`, `string`, `list`.

use crate::language::template::error::{Outcome, fail};
use crate::language::template::filters::{Args, Filter, filter};
use crate::language::template::interp::push_text;
use crate::language::template::machine::Machine;
use crate::language::template::val::Val;

pub(super) const TABLE: &[Filter] = &[
    filter("int", &["value", "default", "base"], int),
    filter("float", &["value", "default"], float),
    filter("bool", &["value"], boolean),
    filter("string", &["value"], string),
    filter("list", &["value"], list),
    filter("safe", &["value"], |_, args| Ok(args.value().clone())),
    filter("attr", &["value", "name"], |machine, args| {
        let name = args.needed(1, "name")?.to_string();
        crate::language::template::access::attribute(machine, args.value(), &name)
    }),
];

fn int(_: &Machine, args: &Args) -> Outcome<Val> {
    let default = args.get(1).cloned().unwrap_or(Val::Int(0));
    let base = u32::try_from(args.int(2)?.unwrap_or(10)).unwrap_or(10);
    Ok(match args.value() {
        Val::Str(text) => match whole(text, base) {
            Some(number) => Val::Int(number),
            None => match text.trim().replace('_', "").parse::<f64>() {
                Ok(number) if number.is_finite() => Val::Int(number as i128),
                _ => default,
            },
        },
        Val::Float(number) if number.is_finite() => Val::Int(*number as i128),
        other => other.as_int().map_or(default, Val::Int),
    })
}

/// `int(text, base)`: the prefix of the base is allowed.
fn whole(text: &str, base: u32) -> Option<i128> {
    let text = text.trim();
    let (sign, digits) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let lower = digits.to_lowercase();
    let (base, digits) = match (base, lower.get(..2)) {
        (16 | 0, Some("0x")) => (16, &lower[2..]),
        (8 | 0, Some("0o")) => (8, &lower[2..]),
        (2 | 0, Some("0b")) => (2, &lower[2..]),
        (0, _) => (10, lower.as_str()),
        _ => (base, lower.as_str()),
    };
    if !(2..=36).contains(&base) || digits.starts_with(['+', '-', '_']) || digits.ends_with('_') {
        return None;
    }
    i128::from_str_radix(&digits.replace('_', ""), base).ok().map(|number| sign * number)
}

fn float(_: &Machine, args: &Args) -> Outcome<Val> {
    let default = args.get(1).cloned().unwrap_or(Val::Float(0.0));
    Ok(match args.value() {
        Val::Str(text) => text.trim().replace('_', "").parse().map_or(default, Val::Float),
        other => other.as_float().map_or(default, Val::Float),
    })
}

/// Ansible's `bool`: yes, on, true and 1 are true, everything else is false.
fn boolean(_: &Machine, args: &Args) -> Outcome<Val> {
    Ok(Val::Bool(match args.value() {
        Val::Bool(value) => *value,
        Val::Str(text) => matches!(text.to_lowercase().as_str(), "yes" | "on" | "true" | "1"),
        Val::Int(number) => *number == 1,
        Val::Float(number) => (number - 1.0).abs() < f64::EPSILON,
        _ => false,
    }))
}

fn string(_: &Machine, args: &Args) -> Outcome<Val> {
    let mut text = String::new();
    push_text(&mut text, args.value())?;
    Ok(Val::text(text))
}

fn list(_: &Machine, args: &Args) -> Outcome<Val> {
    match args.value().iterate() {
        Ok(items) => Ok(Val::list(items)),
        Err(fault) => fail!("{}", fault.message),
    }
}
