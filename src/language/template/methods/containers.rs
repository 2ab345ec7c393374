//! Methods of lists, tuples, dictionaries and `hostvars`.

use std::rc::Rc;

use crate::language::template::access;
use crate::language::template::error::{Outcome, fail};
use crate::language::template::expr::Given;
use crate::language::template::machine::Machine;
use crate::language::template::methods::argument;
use crate::language::template::python::compare::{equal, sort};
use crate::language::template::python::repr::repr;
use crate::language::template::val::{Dict, List, Val};

/// Methods of a list.
pub(super) const LIST: &[&str] =
    &["append", "clear", "copy", "count", "extend", "index", "insert", "pop", "remove", "reverse", "sort"];

/// Whether a dictionary has a method of that name.
pub(in crate::language::template) fn of_dict(name: &str) -> bool {
    matches!(
        name,
        "clear"
            | "copy"
            | "get"
            | "items"
            | "keys"
            | "pop"
            | "popitem"
            | "setdefault"
            | "update"
            | "values"
            | "__setitem__"
    )
}

fn first<'a>(given: &'a Given, method: &str) -> Outcome<&'a Val> {
    match given.positional.first() {
        Some(value) => Ok(value),
        None => fail!("{method}() takes at least one argument (0 given)"),
    }
}

/// A method of a list.
pub(super) fn list(items: &List, name: &str, given: &Given) -> Outcome<Val> {
    match name {
        "append" => {
            let item = first(given, name)?.clone();
            if matches!(&item, Val::List(other) if Rc::ptr_eq(other, items)) {
                fail!("a list cannot be put into itself");
            }
            items.borrow_mut().push(item);
        }
        "extend" => {
            let more = first(given, name)?.iterate()?;
            items.borrow_mut().extend(more);
        }
        "insert" => {
            let [index, item] = given.positional.as_slice() else { fail!("insert expected 2 arguments") };
            let length = items.borrow().len();
            items.borrow_mut().insert(place(index, length)?.min(length), item.clone());
        }
        "pop" => {
            let length = items.borrow().len();
            let index = given.positional.first().map_or(Ok(length.saturating_sub(1)), |index| place(index, length))?;
            if index >= length {
                fail!("{}", if length == 0 { "pop from empty list" } else { "pop index out of range" });
            }
            return Ok(items.borrow_mut().remove(index));
        }
        "remove" => {
            let wanted = first(given, name)?;
            let at = items.borrow().iter().position(|item| equal(item, wanted));
            let Some(at) = at else { fail!("list.remove(x): x not in list") };
            items.borrow_mut().remove(at);
        }
        "reverse" => items.borrow_mut().reverse(),
        "sort" => {
            let mut sorted = items.borrow().clone();
            sort(&mut sorted, |item| item)?;
            if argument(given, 9, "reverse").is_some_and(|value| value.truthy().unwrap_or_default()) {
                sorted.reverse();
            }
            *items.borrow_mut() = sorted;
        }
        "clear" => items.borrow_mut().clear(),
        "copy" => return Ok(Val::list(items.borrow().clone())),
        "count" | "index" => return tuple(&items.borrow(), name, given),
        _ => fail!("'list' object has no attribute '{name}'"),
    }
    Ok(Val::None)
}

fn place(index: &Val, length: usize) -> Outcome<usize> {
    let Some(index) = index.as_int() else {
        fail!("'{}' object cannot be interpreted as an integer", index.type_name())
    };
    Ok(usize::try_from(if index < 0 { index + length as i128 } else { index }).unwrap_or_default())
}

/// A method of a tuple.
pub(super) fn tuple(items: &[Val], name: &str, given: &Given) -> Outcome<Val> {
    let wanted = first(given, name)?;
    if name == "count" {
        return Ok(Val::Int(items.iter().filter(|item| equal(item, wanted)).count() as i128));
    }
    match items.iter().position(|item| equal(item, wanted)) {
        Some(at) => Ok(Val::Int(at as i128)),
        None => fail!("{} is not in list", repr(wanted)),
    }
}

/// A method of a dictionary.
pub(super) fn dict(pairs: &Dict, name: &str, given: &Given) -> Outcome<Val> {
    let key = || -> Outcome<&Val> {
        let key = first(given, name)?;
        if !key.hashable() {
            fail!("unhashable type: '{}'", key.type_name());
        }
        Ok(key)
    };
    let fallback = given.positional.get(1).cloned();
    Ok(match name {
        "get" => pairs.borrow().get(key()?).cloned().or(fallback).unwrap_or(Val::None),
        "keys" => Val::list(pairs.borrow().keys().cloned()),
        "values" => Val::list(pairs.borrow().values().cloned()),
        "items" => Val::list(pairs.borrow().iter().map(|(key, value)| Val::tuple([key.clone(), value.clone()]))),
        "copy" => Val::dict(pairs.borrow().iter().map(|(key, value)| (key.clone(), value.clone()))),
        "clear" => {
            pairs.borrow_mut().clear();
            Val::None
        }
        "pop" => {
            let key = key()?;
            match pairs.borrow_mut().shift_remove(key).or(fallback) {
                Some(value) => value,
                None => fail!("{}", repr(key)),
            }
        }
        "popitem" => match pairs.borrow_mut().pop() {
            Some((key, value)) => Val::tuple([key, value]),
            None => fail!("popitem(): dictionary is empty"),
        },
        "setdefault" => {
            let key = key()?.clone();
            pairs.borrow_mut().entry(key).or_insert_with(|| fallback.unwrap_or(Val::None)).clone()
        }
        "__setitem__" => {
            pairs.borrow_mut().insert(key()?.clone(), fallback.unwrap_or(Val::None));
            Val::None
        }
        "update" => {
            for source in &given.positional {
                match source {
                    Val::Dict(other) => {
                        let copied: Vec<_> = other.borrow().iter().map(|(k, v)| (k.clone(), v.clone())).collect();
                        pairs.borrow_mut().extend(copied);
                    }
                    other => {
                        for pair in other.iterate()? {
                            let pair = pair.iterate()?;
                            let [key, value] = pair.as_slice() else { fail!("update needs pairs") };
                            pairs.borrow_mut().insert(key.clone(), value.clone());
                        }
                    }
                }
            }
            pairs.borrow_mut().extend(given.named.iter().map(|(name, value)| (Val::text(name), value.clone())));
            Val::None
        }
        _ => fail!("'dict' object has no attribute '{name}'"),
    })
}

/// `get`, `keys`, `values` and `items` of `hostvars`, one of its hosts, or `vars`.
pub(super) fn host(machine: &Machine, value: &Val, name: &str, given: &Given) -> Outcome<Val> {
    let keys = value.iterate()?;
    Ok(match name {
        "keys" => Val::list(keys),
        "get" => {
            let wanted = first(given, name)?;
            if keys.iter().any(|key| equal(key, wanted)) {
                access::item(machine, value, wanted)?
            } else {
                given.positional.get(1).cloned().unwrap_or(Val::None)
            }
        }
        _ => {
            let mut found = Vec::new();
            for key in keys {
                let item = access::item(machine, value, &key)?;
                found.push(if name == "items" { Val::tuple([key, item]) } else { item });
            }
            Val::list(found)
        }
    })
}
