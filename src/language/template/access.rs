//! `value.name`, `value[key]` and `value[a:b]`, as Jinja looks them up and as Ansible words what is missing.

use std::rc::Rc;

use crate::language::template::error::{Outcome, Undef, fail};
use crate::language::template::machine::Machine;
use crate::language::template::methods;
use crate::language::template::python::repr::repr;
use crate::language::template::things::{Loop, Thing, delta_parts};
use crate::language::template::val::Val;

/// The marker for an attribute that is not there.
pub(super) fn no_attribute(type_name: &str, name: &str) -> Val {
    Val::Undef(Rc::new(Undef {
        message: format!("object of type '{type_name}' has no attribute {}", repr(&Val::text(name))),
        name: Some(name.to_owned()),
        captured: false,
        soft: false,
    }))
}

/// `value.name`: a method or field first, then an item.
pub(super) fn attribute(machine: &Machine, value: &Val, name: &str) -> Outcome<Val> {
    if let Val::Undef(_) = value {
        return Ok(value.clone());
    }
    if let Val::Thing(thing) = value
        && let Some(found) = field(thing, name)
    {
        return Ok(found);
    }
    if methods::known(value, name) {
        return Ok(Val::thing(Thing::Method(value.clone(), name.to_owned())));
    }
    match value {
        Val::Dict(pairs) => {
            Ok(pairs.borrow().get(&Val::text(name)).cloned().unwrap_or_else(|| no_attribute("dict", name)))
        }
        Val::Thing(thing) => match &**thing {
            Thing::HostVars(_) | Thing::Host(..) | Thing::Vars(_) => item(machine, value, &Val::text(name)),
            _ => Ok(no_attribute(value.type_name(), name)),
        },
        other => Ok(no_attribute(other.type_name(), name)),
    }
}

/// `value[key]`: an item first, then, for text, an attribute.
pub(super) fn item(machine: &Machine, value: &Val, key: &Val) -> Outcome<Val> {
    if let Val::Undef(_) = value {
        return Ok(value.clone());
    }
    key.present()?;
    let found = match (value, key) {
        (Val::Dict(pairs), key) if key.hashable() => pairs.borrow().get(key).cloned(),
        (Val::List(items), key) => key.as_int().and_then(|index| at(&items.borrow(), index)),
        (Val::Tuple(items), key) => key.as_int().and_then(|index| at(items, index)),
        (Val::Str(text), key) if key.as_int().is_some() => {
            let letters: Vec<char> = text.chars().collect();
            let index = position(letters.len(), key.as_int().unwrap_or_default());
            index.map(|index| Val::text(letters[index].to_string()))
        }
        (Val::Thing(thing), key) => match (&**thing, key) {
            (Thing::HostVars(_), Val::Str(host)) => Some(machine.host(host)),
            (Thing::Host(host, _), Val::Str(name)) => Some(machine.host_variable(host, name)?),
            (Thing::Vars(_), Val::Str(name)) if machine.scope.get(name).is_some() => Some(machine.variable(name)),
            (_, key) => match (thing.iterate(), key.as_int()) {
                (Some(items), Some(index)) => at(&items, index),
                _ => None,
            },
        },
        _ => None,
    };
    if let Some(found) = found {
        return Ok(found);
    }
    match key {
        Val::Str(name) => match value {
            Val::Thing(thing) if matches!(**thing, Thing::Vars(_)) => Ok(no_attribute("dict", name)),
            Val::Dict(_) if !methods::known(value, name) => Ok(no_attribute("dict", name)),
            _ => attribute(machine, value, name),
        },
        Val::Int(0) => Ok(Val::missing(format!("{} object has no element 0", value.type_name()))),
        key => Ok(Val::missing(format!("object of type '{}' has no attribute {}", value.type_name(), repr(key)))),
    }
}

/// The place of a Python index, negative ones from the end.
fn position(length: usize, index: i128) -> Option<usize> {
    let index = if index < 0 { index + length as i128 } else { index };
    usize::try_from(index).ok().filter(|index| *index < length)
}

fn at(items: &[Val], index: i128) -> Option<Val> {
    position(items.len(), index).map(|index| items[index].clone())
}

fn field(thing: &Thing, name: &str) -> Option<Val> {
    match thing {
        Thing::Loop(state) => loop_field(state, name),
        Thing::Namespace(names) => {
            Some(names.borrow().get(name).cloned().unwrap_or_else(|| no_attribute("Namespace", name)))
        }
        Thing::Group(grouper, list) => match name {
            "grouper" => Some(grouper.clone()),
            "list" => Some(list.clone()),
            _ => None,
        },
        Thing::Cycler(items, at) => (name == "current").then(|| items[at.get() % items.len().max(1)].clone()),
        Thing::Date(date) => {
            let number = match name {
                "year" => i128::from(date.year()),
                "month" => i128::from(date.month()),
                "day" => i128::from(date.day()),
                "hour" => i128::from(date.hour()),
                "minute" => i128::from(date.minute()),
                "second" => i128::from(date.second()),
                "microsecond" => i128::from(date.subsec_nanosecond() / 1000),
                _ => return None,
            };
            Some(Val::Int(number))
        }
        Thing::Delta(micros) => {
            let (days, seconds, rest) = delta_parts(*micros);
            let number = match name {
                "days" => days,
                "seconds" => seconds,
                "microseconds" => rest,
                _ => return None,
            };
            Some(Val::Int(i128::from(number)))
        }
        _ => None,
    }
}

fn loop_field(state: &Loop, name: &str) -> Option<Val> {
    let (at, length) = (state.at.get(), state.items.len());
    let neighbour = |index: Option<usize>| {
        index
            .and_then(|index| state.items.get(index).cloned())
            .unwrap_or_else(|| Val::missing(format!("there is no {name}")))
    };
    Some(match name {
        "index" => Val::Int(at as i128 + 1),
        "index0" => Val::Int(at as i128),
        "revindex" => Val::Int(length as i128 - at as i128),
        "revindex0" => Val::Int(length as i128 - at as i128 - 1),
        "first" => Val::Bool(at == 0),
        "last" => Val::Bool(at + 1 == length),
        "length" => Val::Int(length as i128),
        "depth" => Val::Int(state.depth as i128 + 1),
        "depth0" => Val::Int(state.depth as i128),
        "previtem" => neighbour(at.checked_sub(1)),
        "nextitem" => neighbour(Some(at + 1)),
        _ => return None,
    })
}

/// `value[start:stop:step]`
pub(super) fn slice(value: &Val, start: &Val, stop: &Val, step: &Val) -> Outcome<Val> {
    let bound = |bound: &Val| -> Outcome<Option<i128>> {
        match bound.present()? {
            Val::None => Ok(None),
            other => match other.as_int() {
                Some(index) => Ok(Some(index)),
                None => fail!("slice indices must be integers or None or have an __index__ method"),
            },
        }
    };
    let step = bound(step)?.unwrap_or(1);
    if step == 0 {
        fail!("slice step cannot be zero");
    }
    let (start, stop) = (bound(start)?, bound(stop)?);
    Ok(match value {
        Val::Undef(_) => value.clone(),
        Val::Str(text) => {
            let letters: Vec<char> = text.chars().collect();
            let picked: String = picks(letters.len(), start, stop, step).into_iter().map(|at| letters[at]).collect();
            Val::text(picked)
        }
        Val::List(items) => {
            let items = items.borrow();
            Val::list(picks(items.len(), start, stop, step).into_iter().map(|at| items[at].clone()))
        }
        Val::Tuple(items) => Val::tuple(picks(items.len(), start, stop, step).into_iter().map(|at| items[at].clone())),
        other => match other.iterate() {
            Ok(items) if other.is_sequence() => {
                Val::list(picks(items.len(), start, stop, step).into_iter().map(|at| items[at].clone()))
            }
            _ => fail!("'{}' object is not subscriptable", other.type_name()),
        },
    })
}

fn picks(length: usize, start: Option<i128>, stop: Option<i128>, step: i128) -> Vec<usize> {
    let length = length as i128;
    let (low, high) = if step > 0 { (0, length) } else { (-1, length - 1) };
    let clamp = |index: i128| (if index < 0 { index + length } else { index }).clamp(low, high);
    let mut at = start.map_or(if step > 0 { low } else { high }, clamp);
    let end = stop.map_or(if step > 0 { high } else { low }, clamp);
    let mut picked = Vec::new();
    while (step > 0 && at < end) || (step < 0 && at > end) {
        picked.push(at as usize);
        at += step;
    }
    picked
}
