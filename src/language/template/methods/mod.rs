//! Methods of Python's `str`, `list`, `dict`, `int`, `datetime` that templates call.

mod containers;
mod moments;
mod strings;

use crate::language::template::error::{Outcome, fail};
use crate::language::template::expr::Given;
use crate::language::template::machine::Machine;
use crate::language::template::things::Thing;
use crate::language::template::val::Val;

pub(super) use containers::of_dict;
pub(super) use strings::split as split_text;

/// Whether a value has a method of that name.
pub(super) fn known(value: &Val, name: &str) -> bool {
    match value {
        Val::Str(_) => strings::NAMES.contains(&name),
        Val::List(_) => containers::LIST.contains(&name),
        Val::Tuple(_) => matches!(name, "index" | "count"),
        Val::Dict(_) => of_dict(name),
        Val::Int(_) | Val::Bool(_) => {
            matches!(name, "bit_length" | "__and__" | "__or__" | "__xor__" | "__lshift__" | "__rshift__")
        }
        Val::Float(_) => name == "is_integer",
        Val::Thing(thing) => match &**thing {
            Thing::Date(_) | Thing::Delta(_) => moments::NAMES.contains(&name),
            Thing::HostVars(_) | Thing::Host(..) | Thing::Vars(_) => {
                matches!(name, "get" | "items" | "keys" | "values")
            }
            Thing::Loop(_) => matches!(name, "cycle" | "changed"),
            Thing::Cycler(..) => matches!(name, "next" | "reset"),
            _ => false,
        },
        _ => false,
    }
}

/// Calls a method.
pub(super) fn call(machine: &Machine, value: &Val, name: &str, given: &Given) -> Outcome<Val> {
    match value {
        Val::Str(text) => strings::call(machine, text, name, given),
        Val::List(items) => containers::list(items, name, given),
        Val::Tuple(items) => containers::tuple(items, name, given),
        Val::Dict(pairs) => containers::dict(pairs, name, given),
        Val::Int(_) | Val::Bool(_) => integer(value.as_int().unwrap_or_default(), name, given),
        Val::Float(number) if name == "is_integer" => Ok(Val::Bool(number.fract() == 0.0)),
        Val::Thing(thing) => match &**thing {
            Thing::Date(_) | Thing::Delta(_) => moments::call(thing, name, given),
            Thing::HostVars(_) | Thing::Host(..) | Thing::Vars(_) => containers::host(machine, value, name, given),
            Thing::Loop(state) => match name {
                "cycle" if given.positional.is_empty() => fail!("no items for cycling given"),
                "cycle" => Ok(given.positional[state.at.get() % given.positional.len()].clone()),
                _ => {
                    let before = state.last.replace(Some(given.positional.clone()));
                    Ok(Val::Bool(before.as_ref() != Some(&given.positional)))
                }
            },
            Thing::Cycler(items, at) => {
                let found = items[at.get() % items.len().max(1)].clone();
                at.set(if name == "reset" { 0 } else { at.get() + 1 });
                Ok(if name == "reset" { Val::None } else { found })
            }
            other => fail!("'{}' object has no attribute '{name}'", other.type_name()),
        },
        other => fail!("'{}' object has no attribute '{name}'", other.type_name()),
    }
}

fn integer(number: i128, name: &str, given: &Given) -> Outcome<Val> {
    let other = given.positional.first().and_then(Val::as_int);
    Ok(Val::Int(match (name, other) {
        ("bit_length", _) => i128::from(128 - number.unsigned_abs().leading_zeros()),
        ("__and__", Some(other)) => number & other,
        ("__or__", Some(other)) => number | other,
        ("__xor__", Some(other)) => number ^ other,
        ("__lshift__", Some(other @ 0..=126)) => number.checked_shl(other as u32).unwrap_or_default(),
        ("__rshift__", Some(other @ 0..=126)) => number >> other,
        _ => fail!("{name} takes one whole number"),
    }))
}

/// An argument by position or name.
fn argument<'a>(given: &'a Given, index: usize, name: &str) -> Option<&'a Val> {
    given.positional.get(index).or_else(|| given.named.iter().find(|(known, _)| known == name).map(|(_, value)| value))
}
