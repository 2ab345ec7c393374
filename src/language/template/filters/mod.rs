//! Filters: Jinja's, Ansible's, and the most used ones of the collections. Each file holds one theme; all are found
//! through one table.

#![expect(clippy::unnecessary_wraps, reason = "all filters have one signature")]

mod args;
mod chance;
mod choose;
mod encoding;
mod json;
mod mappings;
mod mersenne;
mod missing;
mod moments;
mod network;
mod numbers;
mod paths;
mod regexes;
mod sequences;
mod sets;
mod strings;
mod text_layout;
mod types;
mod yaml;
mod yaml_emit;
mod yaml_scalar;

use std::collections::HashMap;
use std::sync::LazyLock;

use crate::language::template::error::{Fault, Outcome};
use crate::language::template::expr::{Given, or_marker};
use crate::language::template::machine::Machine;
use crate::language::template::val::Val;

pub use encoding::hash_password;
pub use mersenne::SeededRandom;

pub(super) use args::{Args, bind};
pub(super) use choose::attribute_path;

/// A filter: its parameters (the first is the value; `*` and `**` collect the rest) and what it does.
pub(super) struct Filter {
    pub name: &'static str,
    pub params: &'static [&'static str],
    /// Whether it wants missing values rather than passing them on.
    pub takes_missing: bool,
    pub run: fn(&Machine, &Args) -> Outcome<Val>,
}

/// An ordinary filter.
const fn filter(
    name: &'static str,
    params: &'static [&'static str],
    run: fn(&Machine, &Args) -> Outcome<Val>,
) -> Filter {
    Filter { name, params, takes_missing: false, run }
}

static TABLE: LazyLock<HashMap<&'static str, &'static Filter>> = LazyLock::new(|| {
    let tables = [
        chance::TABLE,
        choose::TABLE,
        encoding::TABLE,
        json::TABLE,
        mappings::TABLE,
        missing::TABLE,
        moments::TABLE,
        network::TABLE,
        numbers::TABLE,
        paths::TABLE,
        regexes::TABLE,
        sequences::TABLE,
        sets::TABLE,
        strings::TABLE,
        text_layout::TABLE,
        types::TABLE,
        yaml::TABLE,
    ];
    tables.into_iter().flatten().map(|filter| (filter.name, filter)).collect()
});

/// Names of all filters.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    TABLE.keys().copied()
}

/// Whether there is such a filter; a collection's name may stand before it.
pub(super) fn known(name: &str) -> bool {
    TABLE.contains_key(short(name))
}

/// The name without its collection.
pub(super) fn short(name: &str) -> &str {
    const COLLECTIONS: [&str; 7] = [
        "ansible.builtin.",
        "ansible.legacy.",
        "ansible.utils.",
        "ansible.netcommon.",
        "ansible.posix.",
        "community.general.",
        "community.crypto.",
    ];
    COLLECTIONS.iter().find_map(|prefix| name.strip_prefix(prefix)).unwrap_or(name)
}

/// Applies a filter. A missing value passes through unless the filter wants it.
pub(super) fn apply(machine: &Machine, name: &str, value: Val, mut given: Given) -> Outcome<Val> {
    let Some(filter) = TABLE.get(short(name)) else {
        return Err(Fault::new(format!("No filter named '{name}'.")));
    };
    if !filter.takes_missing {
        if let Val::Undef(_) = value {
            return Ok(value);
        }
        if let Some(missing) = given.first_missing() {
            return Ok(missing.clone());
        }
    }
    given.positional.insert(0, value);
    let result = bind(filter.name, filter.params, given).and_then(|args| (filter.run)(machine, &args));
    or_marker(result.map_err(|fault| match fault.undef {
        Some(_) => fault,
        None => Fault::new(format!("The filter plugin '{name}' failed: {}", fault.message)),
    }))
}
