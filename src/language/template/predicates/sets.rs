//! Tests of what collections hold.

use crate::language::template::error::{Outcome, fail};
use crate::language::template::predicates::{Args, Predicate, predicate};
use crate::language::template::python::compare::contains;
use crate::language::template::val::Val;

pub(super) const TABLE: &[Predicate] = &[
    predicate("any", &["value"], |_, args| {
        args.value().iterate()?.iter().try_fold(false, |found, item| Ok(found || item.truthy()?))
    }),
    predicate("all", &["value"], |_, args| {
        args.value().iterate()?.iter().try_fold(true, |found, item| Ok(found && item.truthy()?))
    }),
    predicate("contains", &["value", "item"], |_, args| contains(args.value(), args.needed(1, "value")?)),
    predicate("subset", &["value", "other"], |_, args| within(args.value(), other(args)?)),
    predicate("issubset", &["value", "other"], |_, args| within(args.value(), other(args)?)),
    predicate("superset", &["value", "other"], |_, args| within(other(args)?, args.value())),
    predicate("issuperset", &["value", "other"], |_, args| within(other(args)?, args.value())),
];

fn other(args: &Args) -> Outcome<&Val> {
    args.needed(1, "b")
}

fn within(part: &Val, whole: &Val) -> Outcome<bool> {
    let items = whole.iterate()?;
    if items.iter().any(|item| !item.hashable()) {
        fail!("unhashable type in a set");
    }
    let items = Val::list(items);
    part.iterate()?.iter().try_fold(true, |all, item| Ok(all && contains(&items, item)?))
}
