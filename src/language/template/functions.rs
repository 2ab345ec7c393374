//! The functions that every template has: `lookup`, `query`, `now`, `range`, `dict`, `namespace`, `cycler`, …

use std::cell::{Cell, RefCell};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Map, Value};

use crate::language::template::error::{Fault, Outcome, fail};
use crate::language::template::expr::Given;
use crate::language::template::filters::bind;
use crate::language::template::machine::Machine;
use crate::language::template::python::text::strftime;
use crate::language::template::things::{Thing, range_len};
use crate::language::template::val::Val;

const NAMES: &[&str] =
    &["cycler", "dict", "joiner", "lipsum", "lookup", "namespace", "now", "q", "query", "range", "undef"];
/// Words of [`lipsum`].
const FILLER: [&str; 16] = [
    "lorem",
    "ipsum",
    "dolor",
    "sit",
    "amet",
    "consectetur",
    "adipiscing",
    "elit",
    "sed",
    "tempor",
    "incididunt",
    "labore",
    "magna",
    "aliqua",
    "enim",
    "veniam",
];
/// The longest range.
const MAX_RANGE: i128 = 5_000_000;

/// Lookups that dayfly has.
pub(super) const LOOKUPS: &[&str] = &[
    "csvfile",
    "dict",
    "env",
    "file",
    "fileglob",
    "first_found",
    "flattened",
    "indexed_items",
    "ini",
    "items",
    "lines",
    "list",
    "nested",
    "password",
    "pipe",
    "random_choice",
    "sequence",
    "subelements",
    "template",
    "together",
    "vars",
    "varnames",
];

/// The function of a name.
pub(super) fn named(name: &str) -> Option<&'static str> {
    NAMES.iter().find(|known| **known == name).copied()
}

/// All names.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    NAMES.iter().copied()
}

/// Calls a function.
pub(super) fn call(machine: &Machine, name: &str, given: Given) -> Outcome<Val> {
    match name {
        "lookup" => lookup(machine, given, false),
        "query" | "q" => lookup(machine, given, true),
        "now" => now(machine, &given),
        "range" => range(&given),
        "dict" => dict(&given),
        "namespace" => {
            let pairs = dict(&given)?;
            let Val::Dict(pairs) = pairs else { return Ok(Val::None) };
            let names = pairs.borrow().iter().map(|(key, value)| (key.key_text(), value.clone())).collect();
            Ok(Val::thing(Thing::Namespace(RefCell::new(names))))
        }
        "cycler" if given.positional.is_empty() => fail!("at least one item has to be provided"),
        "cycler" => Ok(Val::thing(Thing::Cycler(given.positional, Cell::new(0)))),
        "lipsum" => lipsum(machine, given),
        "joiner" => {
            let first = given.positional.first().or_else(|| given.named.first().map(|(_, value)| value));
            Ok(Val::thing(Thing::Joiner(first.map_or_else(|| ", ".to_owned(), ToString::to_string), Cell::new(false))))
        }
        "undef" => {
            let hint = given.positional.first().or_else(|| given.named.first().map(|(_, value)| value));
            Ok(Val::missing(match hint {
                None | Some(Val::None) => "Mandatory variable has not been overridden".to_owned(),
                Some(hint) => hint.to_string(),
            }))
        }
        other => fail!("'{other}' is undefined"),
    }
}

fn dict(given: &Given) -> Outcome<Val> {
    let made = Val::dict([]);
    let Val::Dict(pairs) = &made else { return Ok(made) };
    for source in &given.positional {
        if let Val::Dict(source) = source {
            let copied: Vec<_> = source.borrow().iter().map(|(key, value)| (key.clone(), value.clone())).collect();
            pairs.borrow_mut().extend(copied);
            continue;
        }
        for pair in source.iterate()? {
            let pair = pair.iterate()?;
            let [key, value] = pair.as_slice() else {
                fail!("dictionary update sequence element has length {}; 2 is required", pair.len())
            };
            if !key.hashable() {
                fail!("unhashable type: '{}'", key.type_name());
            }
            pairs.borrow_mut().insert(key.clone(), value.clone());
        }
    }
    pairs.borrow_mut().extend(given.named.iter().map(|(name, value)| (Val::text(name), value.clone())));
    Ok(made)
}

/// Jinja's text that fills a page.
fn lipsum(machine: &Machine, given: Given) -> Outcome<Val> {
    let args = bind("lipsum", &["n", "html", "min", "max"], given)?;
    let number = |index: usize, default: i128| args.int(index).map(|given| given.unwrap_or(default));
    let (count, least, most) = (number(0, 5)?, number(2, 20)?, number(3, 100)?);
    let html = args.flag(1, true)?;
    if least < 1 || most <= least {
        fail!("empty range in randrange({least}, {most})");
    }
    let mut paragraphs = Vec::new();
    for _ in 0..count {
        let length = least + i128::from(random(machine)?) % (most - least);
        machine.spend(u64::try_from(length).unwrap_or(u64::MAX))?;
        let words = (0..length).map(|_| Ok(FILLER[random(machine)? as usize % FILLER.len()]));
        let mut text = words.collect::<Outcome<Vec<_>>>()?.join(" ");
        text[..1].make_ascii_uppercase();
        text.push('.');
        paragraphs.push(if html { format!("<p>{text}</p>") } else { text });
    }
    Ok(Val::text(paragraphs.join(if html { "\n" } else { "\n\n" })))
}

fn random(machine: &Machine) -> Outcome<u64> {
    machine.doors.random().map_err(Fault::new)
}

fn range(given: &Given) -> Outcome<Val> {
    let mut numbers = Vec::new();
    for value in &given.positional {
        match value.as_int() {
            Some(number) => numbers.push(number),
            None => fail!("'{}' object cannot be interpreted as an integer", value.type_name()),
        }
    }
    let (start, stop, step) = match numbers.as_slice() {
        [stop] => (0, *stop, 1),
        [start, stop] => (*start, *stop, 1),
        [start, stop, step] => (*start, *stop, *step),
        _ => fail!("range expected 1 to 3 arguments, got {}", numbers.len()),
    };
    if step == 0 {
        fail!("range() arg 3 must not be zero");
    }
    if range_len(start, stop, step) > MAX_RANGE {
        fail!("the range has more than {MAX_RANGE} numbers");
    }
    Ok(Val::thing(Thing::Range(start, stop, step)))
}

fn now(machine: &Machine, given: &Given) -> Outcome<Val> {
    let millis = machine.doors.now_ms().map_err(Fault::new)?;
    let Ok(moment) = Timestamp::from_millisecond(millis) else { fail!("the clock gives no valid time") };
    let date = moment.to_zoned(TimeZone::UTC).datetime();
    let format = given.named.iter().find(|(name, _)| name == "fmt").map(|(_, value)| value).or(given.positional.get(1));
    match format {
        None | Some(Val::None) => Ok(Val::thing(Thing::Date(date))),
        Some(format) => strftime(&format.to_string(), date).map(Val::text),
    }
}

fn lookup(machine: &Machine, given: Given, want_list: bool) -> Outcome<Val> {
    let mut terms = given.positional.into_iter();
    let Some(plugin) = terms.next() else { fail!("lookup() needs the name of a lookup") };
    let plugin = plugin.present()?.to_string();
    let name = short_lookup(&plugin);
    let mut options = Map::new();
    for (key, value) in given.named {
        options.insert(key, value.to_json()?);
    }
    let want_list = options.remove("wantlist").map_or(want_list, |value| value == Value::Bool(true));
    let errors = options.remove("errors");
    let terms = terms.map(|term| term.to_json()).collect::<Outcome<Vec<_>>>()?;
    let found = if name == "vars" {
        variables(machine, &terms, options.get("default"))
    } else {
        machine
            .doors
            .lookup(name, &terms, &options, &machine.scope)
            .map(|found| found.iter().map(Val::from_json).collect())
    };
    let found: Vec<Val> = match found {
        Ok(found) => found,
        Err(_) if errors.as_ref().is_some_and(|errors| errors == "ignore" || errors == "warn") => {
            return Ok(if want_list { Val::list([]) } else { Val::None });
        }
        Err(problem) => fail!("The lookup plugin '{plugin}' failed: {problem}"),
    };
    if want_list || found.is_empty() {
        return Ok(Val::list(found));
    }
    if found.len() == 1 {
        return Ok(found.into_iter().next().unwrap_or(Val::None));
    }
    if found.iter().all(|value| matches!(value, Val::Str(_))) {
        let parts: Vec<String> = found.iter().map(ToString::to_string).collect();
        return Ok(Val::text(parts.join(",")));
    }
    Ok(Val::list(found))
}

/// `lookup('vars', …)` is a function of the variables, so it needs no door.
fn variables(machine: &Machine, terms: &[Value], default: Option<&Value>) -> Result<Vec<Val>, String> {
    let mut found = Vec::new();
    for term in terms {
        let Value::String(name) = term else {
            return Err(format!("Invalid setting identifier, \"{term}\" is not a string"));
        };
        match (machine.variable(name), default) {
            (Val::Undef(undef), None) => return Err(undef.message.clone()),
            (Val::Undef(_), Some(default)) => found.push(Val::from_json(default)),
            (value, _) => found.push(value),
        }
    }
    Ok(found)
}

/// The name without its collection.
pub(super) fn short_lookup(name: &str) -> &str {
    ["ansible.builtin.", "ansible.legacy.", "community.general."]
        .iter()
        .find_map(|prefix| name.strip_prefix(prefix))
        .unwrap_or(name)
}
