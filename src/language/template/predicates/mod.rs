//! Tests (`x is defined`): Jinja's, and Ansible's on results, versions, patterns and sets.

mod kinds;
mod paths;
mod results;
mod sets;
mod version;

use std::collections::HashMap;
use std::sync::LazyLock;

use crate::language::template::error::{Fault, Outcome};
use crate::language::template::expr::{Given, or_marker};
use crate::language::template::filters::{Args, bind, short};
use crate::language::template::machine::Machine;
use crate::language::template::val::Val;

pub(super) use version::loose_order;

/// A test: its parameters and what it asks.
pub(super) struct Predicate {
    pub name: &'static str,
    pub params: &'static [&'static str],
    pub run: fn(&Machine, &Args) -> Outcome<bool>,
}

const fn predicate(
    name: &'static str,
    params: &'static [&'static str],
    run: fn(&Machine, &Args) -> Outcome<bool>,
) -> Predicate {
    Predicate { name, params, run }
}

static TABLE: LazyLock<HashMap<&'static str, &'static Predicate>> = LazyLock::new(|| {
    let tables = [kinds::TABLE, paths::TABLE, results::TABLE, sets::TABLE, version::TABLE];
    tables.into_iter().flatten().map(|test| (test.name, test)).collect()
});

/// Tests of missing values come first: they alone may see them.
const OF_MISSING: [&str; 2] = ["defined", "undefined"];

/// Names of all tests.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    TABLE.keys().copied().chain(OF_MISSING)
}

/// Whether there is such a test.
pub(super) fn known(name: &str) -> bool {
    TABLE.contains_key(short(name)) || OF_MISSING.contains(&short(name))
}

/// Applies a test. A missing value passes through, so that using the answer fails.
pub(super) fn apply(machine: &Machine, name: &str, value: Val, mut given: Given) -> Outcome<Val> {
    if OF_MISSING.contains(&short(name)) {
        return Ok(match &value {
            Val::Undef(undef) if undef.captured => value,
            Val::Undef(_) => Val::Bool(short(name) == "undefined"),
            _ => Val::Bool(short(name) == "defined"),
        });
    }
    let Some(test) = TABLE.get(short(name)) else {
        return Err(Fault::new(format!("No test named '{name}'.")));
    };
    if let Val::Undef(_) = value {
        return Ok(value);
    }
    if let Some(missing) = given.first_missing() {
        return Ok(missing.clone());
    }
    given.positional.insert(0, value);
    let result = bind(test.name, test.params, given).and_then(|args| (test.run)(machine, &args));
    or_marker(result.map(Val::Bool).map_err(|fault| match fault.undef {
        Some(_) => fault,
        None => Fault::new(format!("The test plugin '{name}' failed: {}", fault.message)),
    }))
}
