//! Filters that apply other filters and tests: `map`, `select`, `rejectattr`, `groupby`, `unique`.

use crate::language::template::access;
use crate::language::template::error::{Outcome, fail};
use crate::language::template::expr::Given;
use crate::language::template::filters::sequences::folded;
use crate::language::template::filters::{self, Args, Filter, filter};
use crate::language::template::machine::Machine;
use crate::language::template::predicates;
use crate::language::template::python::compare::{equal, sort};
use crate::language::template::things::Thing;
use crate::language::template::val::Val;

pub(super) const TABLE: &[Filter] = &[
    filter("map", &["value", "*", "**"], map),
    filter("select", &["value", "*", "**"], |machine, args| choose(machine, args, false, true)),
    filter("reject", &["value", "*", "**"], |machine, args| choose(machine, args, false, false)),
    filter("selectattr", &["value", "*", "**"], |machine, args| choose(machine, args, true, true)),
    filter("rejectattr", &["value", "*", "**"], |machine, args| choose(machine, args, true, false)),
    filter("groupby", &["value", "attribute", "default", "case_sensitive"], group_by),
    filter("unique", &["value", "case_sensitive", "attribute"], |machine, args| {
        unique(machine, args.value().iterate()?, args.flag(1, false)?, args.some_text(2).as_deref())
    }),
];

/// `a.b.0` looked up step by step, items before attributes, as Jinja's filters do.
pub(in crate::language::template) fn attribute_path(machine: &Machine, value: &Val, path: &str) -> Outcome<Val> {
    let mut value = value.clone();
    for step in path.split('.') {
        let key = step.parse().map_or_else(|_| Val::text(step), Val::Int);
        value = access::item(machine, &value, &key)?;
    }
    Ok(value)
}

fn map(machine: &Machine, args: &Args) -> Outcome<Val> {
    let mut out = Vec::new();
    let items = args.value().iterate()?;
    if args.rest.is_empty()
        && let Some(path) = args.named("attribute")
    {
        let path = path.to_string();
        for item in items {
            let found = attribute_path(machine, &item, &path)?;
            out.push(match (&found, args.named("default")) {
                (Val::Undef(_), Some(default)) => default.clone(),
                _ => found,
            });
        }
        return Ok(Val::list(out));
    }
    let Some((name, rest)) = args.rest.split_first() else { fail!("map requires a filter argument") };
    let name = name.to_string();
    for item in items {
        let given = Given { positional: rest.to_vec(), named: args.named.clone() };
        out.push(filters::apply(machine, &name, item, given)?);
    }
    Ok(Val::list(out))
}

fn choose(machine: &Machine, args: &Args, by_attribute: bool, keep: bool) -> Outcome<Val> {
    let mut rest = args.rest.as_slice();
    let mut path = None;
    if by_attribute {
        let Some((first, after)) = rest.split_first() else { fail!("missing parameter for attribute name") };
        path = Some(first.to_string());
        rest = after;
    }
    let mut out = Vec::new();
    for item in args.value().iterate()? {
        let tested = match &path {
            Some(path) => attribute_path(machine, &item, path)?,
            None => item.clone(),
        };
        let holds = match rest.split_first() {
            Some((test, more)) => {
                let given = Given { positional: more.to_vec(), named: args.named.clone() };
                predicates::apply(machine, &test.to_string(), tested, given)?.truthy()?
            }
            None => tested.truthy()?,
        };
        if holds == keep {
            out.push(item);
        }
    }
    Ok(Val::list(out))
}

fn group_by(machine: &Machine, args: &Args) -> Outcome<Val> {
    let path = args.needed(1, "attribute")?.to_string();
    let sensitive = args.flag(3, false)?;
    let mut keyed = Vec::new();
    for item in args.value().iterate()? {
        let found = attribute_path(machine, &item, &path)?;
        let found = match (&found, args.get(2)) {
            (Val::Undef(_), Some(default)) if !matches!(default, Val::None) => default.clone(),
            _ => found.present()?.clone(),
        };
        keyed.push((folded(found.clone(), sensitive), found, item));
    }
    sort(&mut keyed, |(key, ..)| key)?;
    let mut groups: Vec<(Val, Val, Vec<Val>)> = Vec::new();
    for (key, shown, item) in keyed {
        match groups.last_mut() {
            Some((last, _, items)) if equal(last, &key) => items.push(item),
            _ => groups.push((key, shown, vec![item])),
        }
    }
    Ok(Val::list(groups.into_iter().map(|(_, shown, items)| Val::thing(Thing::Group(shown, Val::list(items))))))
}

/// The first of each value.
pub(super) fn unique(machine: &Machine, items: Vec<Val>, case_sensitive: bool, path: Option<&str>) -> Outcome<Val> {
    let mut seen = std::collections::HashSet::new();
    let mut others: Vec<Val> = Vec::new();
    let mut out = Vec::new();
    for item in items {
        let key = match path {
            Some(path) => attribute_path(machine, &item, path)?,
            None => item.clone(),
        };
        let key = folded(key.present()?.clone(), case_sensitive);
        if key.hashable() {
            if !seen.insert(key) {
                continue;
            }
        } else if others.iter().any(|other| equal(other, &key)) {
            continue;
        } else {
            others.push(key);
        }
        out.push(item);
    }
    Ok(Val::list(out))
}
