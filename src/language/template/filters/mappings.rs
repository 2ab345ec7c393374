//! Dictionaries: `combine`, `dict2items`, `items2dict`, `dictsort`, `extract`, `subelements`, …

use crate::language::template::access;
use crate::language::template::error::{Fault, Outcome, fail};
use crate::language::template::filters::sequences::{flatten, folded};
use crate::language::template::filters::{Args, Filter, filter};
use crate::language::template::machine::Machine;
use crate::language::template::python::compare::{equal, sort};
use crate::language::template::python::repr::repr;
use crate::language::template::val::{Dict, Val};

pub(super) const TABLE: &[Filter] = &[
    filter("combine", &["value", "*", "**"], combine),
    filter("dict2items", &["value", "key_name", "value_name"], dict2items),
    filter("items2dict", &["value", "key_name", "value_name"], items2dict),
    filter("rekey_on_member", &["value", "key", "duplicates"], rekey_on_member),
    filter("dictsort", &["value", "case_sensitive", "by", "reverse"], dictsort),
    filter("items", &["value"], |_, args| match args.value() {
        Val::Dict(pairs) => {
            Ok(Val::list(pairs.borrow().iter().map(|(key, value)| Val::tuple([key.clone(), value.clone()]))))
        }
        _ => fail!("Can only get item pairs from a mapping."),
    }),
    filter("dict", &["value"], |_, args| {
        let mut pairs = Vec::new();
        for pair in args.value().iterate()? {
            let pair = pair.iterate()?;
            let [key, value] = pair.as_slice() else { fail!("dict needs pairs") };
            pairs.push((hashable(key)?, value.clone()));
        }
        Ok(Val::dict(pairs))
    }),
    filter("extract", &["value", "container", "morekeys"], extract),
    filter("subelements", &["value", "subelements", "skip_missing"], subelements),
];

fn hashable(key: &Val) -> Outcome<Val> {
    if key.hashable() { Ok(key.clone()) } else { fail!("unhashable type: '{}'", key.type_name()) }
}

fn combine(_: &Machine, args: &Args) -> Outcome<Val> {
    if let Some((name, _)) = args.named.iter().find(|(name, _)| name != "recursive" && name != "list_merge") {
        fail!("'recursive' and 'list_merge' are the only valid keyword arguments, not '{name}'");
    }
    let recursive = args.named_flag("recursive", false)?;
    let list_merge = args.named("list_merge").map_or_else(|| "replace".to_owned(), ToString::to_string);
    if !["replace", "keep", "append", "prepend", "append_rp", "prepend_rp"].contains(&list_merge.as_str()) {
        fail!(
            "merge_hash: 'list_merge' argument can only be equal to 'replace', 'keep', 'append', 'prepend', 'append_rp', 'prepend_rp'"
        );
    }
    let terms = Val::list(std::iter::once(args.value()).chain(&args.rest).cloned());
    let mut dictionaries = Vec::new();
    flatten(&terms, Some(1), true, &mut dictionaries)?;
    let mut result: Option<Dict> = None;
    for dictionary in &dictionaries {
        let Val::Dict(next) = dictionary.present()? else {
            fail!("failed to combine variables, expected dicts but got a '{}'", dictionary.type_name())
        };
        result = Some(match result {
            None => next.clone(),
            Some(base) => merge(&base, next, recursive, &list_merge),
        });
    }
    Ok(result.map_or_else(|| Val::dict([]), Val::Dict))
}

fn merge(base: &Dict, over: &Dict, recursive: bool, list_merge: &str) -> Dict {
    let Val::Dict(merged) = Val::dict(base.borrow().iter().map(|(key, value)| (key.clone(), value.clone()))) else {
        return base.clone();
    };
    for (key, new) in over.borrow().iter() {
        let old = merged.borrow().get(key).cloned();
        let value = match (&old, new) {
            (Some(Val::Dict(old)), Val::Dict(new)) if recursive => Val::Dict(merge(old, new, recursive, list_merge)),
            (Some(Val::List(old)), Val::List(new)) if list_merge != "replace" => {
                merge_lists(&old.borrow(), &new.borrow(), list_merge)
            }
            _ => new.clone(),
        };
        merged.borrow_mut().insert(key.clone(), value);
    }
    merged
}

fn merge_lists(old: &[Val], new: &[Val], how: &str) -> Val {
    let without = |items: &[Val], others: &[Val]| -> Vec<Val> {
        items.iter().filter(|item| !others.iter().any(|other| equal(other, item))).cloned().collect()
    };
    Val::list(match how {
        "keep" => old.to_vec(),
        "append" => [old, new].concat(),
        "prepend" => [new, old].concat(),
        "append_rp" => [without(old, new), new.to_vec()].concat(),
        _ => [new.to_vec(), without(old, new)].concat(),
    })
}

fn dict2items(_: &Machine, args: &Args) -> Outcome<Val> {
    let (key_name, value_name) = (Val::text(args.text(1, "key")), Val::text(args.text(2, "value")));
    let Val::Dict(pairs) = args.value() else {
        fail!("dict2items requires a dictionary, got {} instead.", args.value().type_name())
    };
    Ok(Val::list(
        pairs
            .borrow()
            .iter()
            .map(|(key, value)| Val::dict([(key_name.clone(), key.clone()), (value_name.clone(), value.clone())])),
    ))
}

fn items2dict(_: &Machine, args: &Args) -> Outcome<Val> {
    let (key_name, value_name) = (args.text(1, "key"), args.text(2, "value"));
    if !args.value().is_sequence() {
        fail!("items2dict requires a list, got {} instead.", args.value().type_name());
    }
    let mut pairs = Vec::new();
    for item in args.value().iterate()? {
        let Val::Dict(item) = &item else {
            fail!("items2dict requires a list of dictionaries, got {} instead.", args.value())
        };
        let (key, value) =
            (item.borrow().get(&Val::text(&key_name)).cloned(), item.borrow().get(&Val::text(&value_name)).cloned());
        let (Some(key), Some(value)) = (key, value) else {
            fail!(
                "items2dict requires each dictionary in the list to contain the keys '{key_name}' and '{value_name}', got {} instead.",
                args.value()
            )
        };
        pairs.push((hashable(&key)?, value));
    }
    Ok(Val::dict(pairs))
}

fn rekey_on_member(_: &Machine, args: &Args) -> Outcome<Val> {
    let duplicates = args.text(2, "error");
    if !matches!(duplicates.as_str(), "error" | "overwrite") {
        fail!("duplicates parameter to rekey_on_member has unknown value '{duplicates}'");
    }
    let key = args.needed(1, "key")?;
    let items = match args.value() {
        Val::Dict(pairs) => pairs.borrow().values().cloned().collect(),
        Val::Str(_) => fail!("Type is not a valid list, set, or dict"),
        other => other.iterate()?,
    };
    let made = Val::dict([]);
    let Val::Dict(pairs) = &made else { return Ok(made) };
    for item in items {
        let Val::Dict(members) = &item else { fail!("List item is not a valid dict") };
        let Some(member) = members.borrow().get(key).cloned() else { fail!("Key {} was not found.", repr(key)) };
        let before = pairs.borrow_mut().insert(hashable(&member)?, item.clone());
        if before.is_some() && duplicates == "error" {
            fail!("Key {} is not unique, cannot convert to dict.", repr(&member));
        }
    }
    Ok(made)
}

fn dictsort(_: &Machine, args: &Args) -> Outcome<Val> {
    let Val::Dict(pairs) = args.value() else { fail!("dictsort needs a dictionary") };
    let sensitive = args.flag(1, false)?;
    let by = args.text(2, "key");
    let mut keyed = Vec::new();
    for (key, value) in pairs.borrow().iter() {
        let by = match by.as_str() {
            "key" => key,
            "value" => value,
            _ => fail!("You can only sort by either \"key\" or \"value\""),
        };
        keyed.push((folded(by.clone(), sensitive), Val::tuple([key.clone(), value.clone()])));
    }
    sort(&mut keyed, |(key, _)| key)?;
    if args.flag(3, false)? {
        keyed.reverse();
    }
    Ok(Val::list(keyed.into_iter().map(|(_, pair)| pair)))
}

fn extract(machine: &Machine, args: &Args) -> Outcome<Val> {
    let mut keys = vec![args.value().clone()];
    match args.get(2) {
        None | Some(Val::None) => {}
        Some(Val::List(more)) => keys.extend(more.borrow().iter().cloned()),
        Some(more) => keys.push(more.clone()),
    }
    let mut value = args.needed(1, "container")?.clone();
    for key in &keys {
        value = access::item(machine, &value, key)?;
    }
    match &value {
        Val::Undef(undef) => Err(Fault::missing(undef)),
        _ => Ok(value),
    }
}

fn subelements(_: &Machine, args: &Args) -> Outcome<Val> {
    let elements = match args.value() {
        Val::Dict(pairs) => pairs.borrow().values().cloned().collect(),
        Val::List(items) => items.borrow().clone(),
        _ => fail!("obj must be a list of dicts or a nested dict"),
    };
    let path: Vec<String> = match args.needed(1, "subelements")? {
        Val::List(steps) => steps.borrow().iter().map(ToString::to_string).collect(),
        Val::Str(path) => path.split('.').map(str::to_owned).collect(),
        _ => fail!("subelements must be a list or a string"),
    };
    let skip = args.flag(2, false)?;
    let mut out = Vec::new();
    for element in elements {
        let mut values = element.clone();
        for step in &path {
            let Val::Dict(pairs) = &values else {
                fail!("the key {step} should point to a dictionary, got '{values}'")
            };
            let next = pairs.borrow().get(&Val::text(step)).cloned();
            match next {
                Some(next) => values = next,
                None if skip => {
                    values = Val::list([]);
                    break;
                }
                None => fail!("could not find {} key in iterated item {}", repr(&Val::text(step)), repr(&values)),
            }
        }
        let Val::List(list) = &values else {
            fail!("the key {} should point to a list, got {}", repr(&Val::text(path.join("."))), repr(&values))
        };
        out.extend(list.borrow().iter().map(|value| Val::tuple([element.clone(), value.clone()])));
    }
    Ok(Val::list(out))
}
