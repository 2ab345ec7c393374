//! What one task did on one host, as the dispatcher takes it, and how it is counted and shown.

use serde_json::{Map, Value, json};

use super::context::Context;
use super::values::truth;
use crate::core::event::TaskStatus;
use crate::core::ids::{HostName, StepKey};
use crate::core::values::Vars;

/// What happened.
#[derive(Debug)]
pub(super) struct Finished {
    pub(super) host: HostName,
    /// Ansible's return values, complete.
    pub(super) result: Map<String, Value>,
    pub(super) failed: bool,
    pub(super) unreachable: bool,
    pub(super) skipped: bool,
    pub(super) changed: bool,
    pub(super) ignore_errors: bool,
    pub(super) ignore_unreachable: bool,
    pub(super) no_log: bool,
    pub(super) run_once: bool,
    /// Handler names or topics.
    pub(super) notify: Vec<String>,
    /// One for each `include_tasks` that took effect.
    pub(super) includes: Vec<Include>,
    /// The word of a `meta` task that took effect.
    pub(super) meta: Option<String>,
    /// Facts to add, item by item.
    pub(super) facts: Vec<Facts>,
    pub(super) delegated: Option<HostName>,
    pub(super) steps: Vec<StepKey>,
    /// A host that was found lost, and how it is known.
    pub(super) lost: Option<(HostName, String)>,
    pub(super) ticket: u64,
    pub(super) replayed: bool,
}

/// Where facts go.
#[derive(Debug)]
pub(super) enum Facts {
    /// `set_fact`
    Set(Map<String, Value>),
    /// `set_fact` with `cacheable`
    SetAndKept(Map<String, Value>),
    /// `include_vars`: values are templates.
    Included(Map<String, Value>),
    /// What a module measured.
    Measured(Map<String, Value>),
}

/// An included file, as one host asked for it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Include {
    pub(super) file: String,
    /// The loop's variables.
    pub(super) vars: Vars,
}

/// A boolean return value.
pub(super) fn flag(result: &Map<String, Value>, name: &str) -> bool {
    result.get(name).and_then(truth).unwrap_or(false)
}

pub(super) fn facts_of(action: &str, result: &Map<String, Value>) -> Option<Facts> {
    if flag(result, "failed") || flag(result, "skipped") {
        return None;
    }
    let facts = result.get("ansible_facts")?.as_object()?.clone();
    Some(match action {
        "set_fact" if flag(result, "_cacheable") => Facts::SetAndKept(facts),
        "set_fact" => Facts::Set(facts),
        "include_vars" => Facts::Included(facts),
        _ => Facts::Measured(facts),
    })
}

/// How a result is counted and shown.
pub(super) fn status_of(result: &Map<String, Value>, ignored: bool, rescued: bool) -> TaskStatus {
    match () {
        () if flag(result, "failed") && ignored => TaskStatus::Ignored,
        () if flag(result, "failed") && rescued => TaskStatus::Rescued,
        () if flag(result, "failed") => TaskStatus::Failed,
        () if flag(result, "unreachable") => TaskStatus::Unreachable,
        () if flag(result, "skipped") => TaskStatus::Skipped,
        () if flag(result, "changed") => TaskStatus::Changed,
        () => TaskStatus::Ok,
    }
}

/// A result as people may see it.
pub(super) fn shown(context: &Context, result: &Map<String, Value>, no_log: bool) -> Map<String, Value> {
    if !no_log {
        let Value::Object(map) = context.redactor.value(&Value::Object(result.clone())) else { return Map::new() };
        return map;
    }
    let mut censored = Map::new();
    for name in ["attempts", "changed", "retries", "failed", "unreachable", "skipped"] {
        if let Some(value) = result.get(name) {
            censored.insert(name.to_owned(), value.clone());
        }
    }
    let why = "the output has been hidden due to the fact that 'no_log: true' was specified for this result";
    censored.insert("censored".to_owned(), json!(why));
    censored
}
