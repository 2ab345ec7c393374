//! Lists: `length`, `first`, `join`, `sort`, `min`, `sum`, `reverse`, `batch`, `flatten`, …

use std::cmp::Ordering;

use crate::language::template::access;
use crate::language::template::error::{Outcome, fail};
use crate::language::template::filters::{Args, Filter, attribute_path, filter};
use crate::language::template::interp::push_text;
use crate::language::template::machine::Machine;
use crate::language::template::python::compare::{order, sort};
use crate::language::template::things::{Thing, range_len};
use crate::language::template::val::Val;

pub(super) const TABLE: &[Filter] = &[
    filter("length", &["value"], length),
    filter("count", &["value"], length),
    filter("first", &["value"], |_, args| {
        Ok(args
            .value()
            .iterate()?
            .into_iter()
            .next()
            .unwrap_or_else(|| Val::missing("No first item, sequence was empty.")))
    }),
    filter("last", &["value"], |_, args| {
        Ok(args.value().iterate()?.pop().unwrap_or_else(|| Val::missing("No last item, sequence was empty.")))
    }),
    filter("join", &["value", "d", "attribute"], join),
    filter("sort", &["value", "reverse", "case_sensitive", "attribute"], sorted),
    filter("min", &["value", "case_sensitive", "attribute"], |machine, args| extreme(machine, args, Ordering::Less)),
    filter("max", &["value", "case_sensitive", "attribute"], |machine, args| extreme(machine, args, Ordering::Greater)),
    filter("sum", &["value", "attribute", "start"], sum),
    filter("reverse", &["value"], reverse),
    filter("batch", &["value", "linecount", "fill_with"], batch),
    filter("slice", &["value", "slices", "fill_with"], slices),
    filter("flatten", &["value", "levels", "skip_nulls"], |_, args| {
        let mut out = Vec::new();
        flatten(args.value(), args.int(1)?, args.flag(2, true)?, &mut out)?;
        Ok(Val::list(out))
    }),
    filter("version_sort", &["value", "reverse"], |_, args| {
        let mut items = args.value().iterate()?;
        items.sort_by(|a, b| crate::language::template::predicates::loose_order(&a.to_string(), &b.to_string()));
        if args.flag(1, false)? {
            items.reverse();
        }
        Ok(Val::list(items))
    }),
];

fn length(_: &Machine, args: &Args) -> Outcome<Val> {
    let count = match args.value() {
        Val::Str(text) => text.chars().count() as i128,
        Val::Thing(thing) => match &**thing {
            Thing::Range(start, stop, step) => range_len(*start, *stop, *step),
            other => other.iterate().map_or(0, |items| items.len() as i128),
        },
        value @ (Val::List(_) | Val::Tuple(_) | Val::Dict(_)) => value.iterate()?.len() as i128,
        other => fail!("object of type '{}' has no len()", other.type_name()),
    };
    Ok(Val::Int(count))
}

fn join(machine: &Machine, args: &Args) -> Outcome<Val> {
    let separator = args.text(1, "");
    let mut out = String::new();
    for (at, item) in args.value().iterate()?.iter().enumerate() {
        if at > 0 {
            out.push_str(&separator);
        }
        match args.some_text(2) {
            Some(path) => push_text(&mut out, &attribute_path(machine, item, &path)?)?,
            None => push_text(&mut out, item)?,
        }
    }
    Ok(Val::text(out))
}

/// Text without regard to case, as Jinja compares by default.
pub(super) fn folded(value: Val, case_sensitive: bool) -> Val {
    match value {
        Val::Str(text) if !case_sensitive => Val::text(text.to_lowercase()),
        other => other,
    }
}

fn sorted(machine: &Machine, args: &Args) -> Outcome<Val> {
    let sensitive = args.flag(2, false)?;
    let paths: Vec<String> = match args.get(3) {
        None | Some(Val::None) => Vec::new(),
        Some(path) => path.to_string().split(',').map(str::to_owned).collect(),
    };
    let mut keyed = Vec::new();
    for item in args.value().iterate()? {
        item.present()?;
        let key = if paths.is_empty() {
            folded(item.clone(), sensitive)
        } else {
            let mut parts = Vec::new();
            for path in &paths {
                let part = attribute_path(machine, &item, path)?;
                parts.push(folded(part.present()?.clone(), sensitive));
            }
            Val::tuple(parts)
        };
        keyed.push((key, item));
    }
    if args.flag(1, false)? {
        // Equal items keep their order in reverse too, as with Python's `reverse=True`.
        keyed.reverse();
        sort(&mut keyed, |(key, _)| key)?;
        keyed.reverse();
    } else {
        sort(&mut keyed, |(key, _)| key)?;
    }
    Ok(Val::list(keyed.into_iter().map(|(_, item)| item)))
}

fn extreme(machine: &Machine, args: &Args, wanted: Ordering) -> Outcome<Val> {
    let sensitive = args.flag(1, false)?;
    let mut best: Option<(Val, Val)> = None;
    for item in args.value().iterate()? {
        let key = match args.some_text(2) {
            Some(path) => attribute_path(machine, &item, &path)?,
            None => item.clone(),
        };
        let key = folded(key.present()?.clone(), sensitive);
        let better = match &best {
            None => true,
            Some((found, _)) => order(&key, found, if wanted == Ordering::Less { "<" } else { ">" })? == Some(wanted),
        };
        if better {
            best = Some((key, item));
        }
    }
    Ok(best.map_or_else(|| Val::missing("No aggregated item, sequence was empty."), |(_, item)| item))
}

fn sum(machine: &Machine, args: &Args) -> Outcome<Val> {
    use crate::language::template::python::arithmetic::{Operator, apply};
    let mut total = args.get(2).cloned().unwrap_or(Val::Int(0));
    for item in args.value().iterate()? {
        let item = match args.some_text(1) {
            Some(path) => attribute_path(machine, &item, &path)?,
            None => item,
        };
        total = apply(Operator::Add, &total, &item)?;
    }
    Ok(total)
}

fn reverse(_: &Machine, args: &Args) -> Outcome<Val> {
    if let Val::Str(_) = args.value() {
        return access::slice(args.value(), &Val::None, &Val::None, &Val::Int(-1));
    }
    let mut items = args.value().iterate()?;
    items.reverse();
    Ok(Val::list(items))
}

fn batch(_: &Machine, args: &Args) -> Outcome<Val> {
    let count = args.size(1, 0)?;
    if count == 0 {
        fail!("batch needs the number of items in a batch");
    }
    let items = args.value().iterate()?;
    let mut rows: Vec<Vec<Val>> = items.chunks(count).map(<[Val]>::to_vec).collect();
    if let (Some(fill), Some(last)) = (args.get(2).filter(|fill| !matches!(fill, Val::None)), rows.last_mut()) {
        last.resize(count, fill.clone());
    }
    Ok(Val::list(rows.into_iter().map(Val::list)))
}

fn slices(_: &Machine, args: &Args) -> Outcome<Val> {
    let count = args.size(1, 0)?;
    if count == 0 {
        fail!("slice needs the number of slices");
    }
    let items = args.value().iterate()?;
    let (each, extra) = (items.len() / count, items.len() % count);
    let mut rest = items.as_slice();
    let mut out = Vec::new();
    for number in 0..count {
        let (slice, after) = rest.split_at(each + usize::from(number < extra));
        let mut slice = slice.to_vec();
        if let Some(fill) = args.get(2).filter(|fill| !matches!(fill, Val::None) && extra > 0 && number >= extra) {
            slice.push(fill.clone());
        }
        out.push(Val::list(slice));
        rest = after;
    }
    Ok(Val::list(out))
}

/// Takes lists inside a list apart, nulls left out unless asked for.
pub(super) fn flatten(value: &Val, levels: Option<i128>, skip_nulls: bool, out: &mut Vec<Val>) -> Outcome<()> {
    for item in value.iterate()? {
        let null = matches!(&item, Val::None) || matches!(item.as_str(), Some("None" | "null"));
        if skip_nulls && null {
            continue;
        }
        match levels {
            _ if !item.is_sequence() => out.push(item),
            None => flatten(&item, None, skip_nulls, out)?,
            Some(levels) if levels >= 1 => flatten(&item, Some(levels - 1), skip_nulls, out)?,
            Some(_) => out.push(item),
        }
    }
    Ok(())
}
