//! `==`, `<` and `in`.

use std::cmp::Ordering;
use std::rc::Rc;

use crate::language::template::error::{Outcome, fail};
use crate::language::template::things::Thing;
use crate::language::template::val::Val;

/// `==`: numbers by value, containers by content; different types are just unequal.
pub(in crate::language::template) fn equal(left: &Val, right: &Val) -> bool {
    match (left, right) {
        (Val::None, Val::None) | (Val::Omit, Val::Omit) => true,
        (Val::Str(a), Val::Str(b)) => a == b,
        (Val::List(a), Val::List(b)) => Rc::ptr_eq(a, b) || *a.borrow() == *b.borrow(),
        (Val::Tuple(a), Val::Tuple(b)) => a == b,
        (Val::Dict(a), Val::Dict(b)) => {
            let (a, b) = (a.borrow(), b.borrow());
            a.len() == b.len() && a.iter().all(|(key, value)| b.get(key).is_some_and(|other| equal(value, other)))
        }
        (Val::Thing(a), Val::Thing(b)) => Rc::ptr_eq(a, b) || same(a, b),
        (Val::Undef(a), Val::Undef(b)) => Rc::ptr_eq(a, b),
        _ => match (left.as_int(), right.as_int()) {
            (Some(a), Some(b)) => a == b,
            _ => match (left.as_float(), right.as_float()) {
                // Python compares floats exactly.
                (Some(a), Some(b)) => a.partial_cmp(&b) == Some(Ordering::Equal),
                _ => false,
            },
        },
    }
}

fn same(left: &Thing, right: &Thing) -> bool {
    match (left, right) {
        (Thing::Date(a), Thing::Date(b)) => a == b,
        (Thing::Delta(a), Thing::Delta(b)) => a == b,
        (Thing::Range(start, stop, step), Thing::Range(other, end, stride)) => {
            (start, stop, step) == (other, end, stride)
        }
        _ => false,
    }
}

/// `<`, `<=`, `>`, `>=`: only values of one kind have an order.
pub(in crate::language::template) fn order(left: &Val, right: &Val, sign: &str) -> Outcome<Option<Ordering>> {
    left.present()?;
    right.present()?;
    Ok(match (left, right) {
        (Val::Str(a), Val::Str(b)) => Some(a.cmp(b)),
        (Val::List(a), Val::List(b)) => lexical(&a.borrow(), &b.borrow(), sign)?,
        (Val::Tuple(a), Val::Tuple(b)) => lexical(a, b, sign)?,
        (Val::Thing(a), Val::Thing(b)) => match (&**a, &**b) {
            (Thing::Date(a), Thing::Date(b)) => Some(a.cmp(b)),
            (Thing::Delta(a), Thing::Delta(b)) => Some(a.cmp(b)),
            _ => return unordered(left, right, sign),
        },
        _ => match (left.as_int(), right.as_int(), left.as_float(), right.as_float()) {
            (Some(a), Some(b), ..) => Some(a.cmp(&b)),
            (_, _, Some(a), Some(b)) => a.partial_cmp(&b),
            _ => return unordered(left, right, sign),
        },
    })
}

fn unordered<T>(left: &Val, right: &Val, sign: &str) -> Outcome<T> {
    fail!("'{sign}' not supported between instances of '{}' and '{}'", left.type_name(), right.type_name())
}

fn lexical(left: &[Val], right: &[Val], sign: &str) -> Outcome<Option<Ordering>> {
    for (a, b) in left.iter().zip(right) {
        if !equal(a, b) {
            return order(a, b, sign);
        }
    }
    Ok(Some(left.len().cmp(&right.len())))
}

/// `needle in haystack`.
pub(in crate::language::template) fn contains(haystack: &Val, needle: &Val) -> Outcome<bool> {
    haystack.present()?;
    needle.present()?;
    match (haystack, needle) {
        (Val::Str(text), Val::Str(part)) => Ok(text.contains(&**part)),
        (Val::Str(_), other) => {
            fail!("'in <string>' requires string as left operand, not {}", other.type_name())
        }
        (Val::Dict(pairs), key) => Ok(key.hashable() && pairs.borrow().contains_key(key)),
        (Val::Thing(thing), key) if thing.contains(key).is_some() => Ok(thing.contains(key).unwrap_or_default()),
        (Val::List(_) | Val::Tuple(_) | Val::Thing(_), _) => {
            for item in haystack.iterate()? {
                if equal(item.present()?, needle) {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        (other, _) => fail!("argument of type '{}' is not iterable", other.type_name()),
    }
}

/// Sorts as Python does: stable, and fails where two values have no order.
pub(in crate::language::template) fn sort<T>(items: &mut [T], key: impl Fn(&T) -> &Val) -> Outcome<()> {
    let mut problem = None;
    items.sort_by(|a, b| match order(key(a), key(b), "<") {
        Ok(found) => found.unwrap_or(Ordering::Equal),
        Err(fault) => {
            problem.get_or_insert(fault);
            Ordering::Equal
        }
    });
    problem.map_or(Ok(()), Err)
}
