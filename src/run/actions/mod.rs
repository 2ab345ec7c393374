//! Tasks on the master: those that end here, and those that only make a step of a worker ready (copy, template, script).
//!
//! An action is a function from a [`Call`] to an [`Answer`]; it touches nothing but files of the workspace. What must
//! happen on a worker is returned as a step, so that it gets its key.

mod assertions;
mod fetched;
mod finder;
mod pause;
mod staging;
mod variables;

use std::path::PathBuf;
use std::sync::Arc;

use serde_json::{Map, Value};

pub use fetched::{FETCHED_MODE, Fetch, Landed};
pub use finder::Finder;
pub(crate) use variables::read_vars;

use crate::language::template::{Scope, Templar};

/// What an action knows.
pub struct Call<'a> {
    /// Rendered and coerced arguments.
    pub args: Map<String, Value>,
    /// Renders in the task's scope.
    pub templar: &'a Templar,
    /// The task's variables.
    pub scope: &'a Arc<dyn Scope>,
    /// Where files of the playbook are looked for.
    pub finder: &'a Finder,
    /// A private folder for files that are made here.
    pub scratch: PathBuf,
    /// `-v`
    pub verbosity: u8,
    /// `--check`
    pub check: bool,
}

/// A file that must be on the worker before the step runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileToPut {
    /// On the master.
    pub path: PathBuf,
    /// Of its content, hex.
    pub sha256: String,
    /// Below `dest`, for a folder.
    pub relative: String,
    /// Permission bits on the master.
    pub mode: u32,
}

/// What an action decided.
#[derive(Debug)]
pub enum Answer {
    /// It is over, with these return values.
    Returned(Map<String, Value>),
    /// A module must run on the worker, with these arguments and files.
    Step {
        /// Arguments of the module.
        args: Map<String, Value>,
        /// What must be there first.
        files: Vec<FileToPut>,
    },
    /// A file must be brought from the worker.
    Fetch(Fetch),
    /// Wait this long, then it is over.
    Pause {
        /// How long.
        milliseconds: u64,
        /// Return values.
        returned: Map<String, Value>,
    },
}

/// Does an action, or makes its step ready. Modules without a part on the master become steps as they are.
pub fn perform(action: &str, call: Call<'_>) -> Result<Answer, String> {
    match action {
        "debug" => assertions::debug(call),
        "assert" => assertions::assert(call),
        "fail" => Ok(assertions::fail(&call)),
        "set_fact" => variables::set_fact(call),
        "include_vars" => variables::include_vars(call),
        "pause" => Ok(pause::pause(&call)),
        "copy" => staging::copy(call),
        "template" => staging::template(call),
        "script" => staging::script(call),
        "fetch" => fetched::fetch(call),
        _ => Ok(Answer::Step { args: call.args, files: Vec::new() }),
    }
}

/// Return values of a failure.
pub fn failed(message: impl Into<String>) -> Map<String, Value> {
    let mut returned = Map::new();
    returned.insert("failed".to_owned(), Value::Bool(true));
    returned.insert("msg".to_owned(), Value::String(message.into()));
    returned
}

/// Return values that say nothing but that nothing changed.
pub(crate) fn unchanged() -> Map<String, Value> {
    let mut returned = Map::new();
    returned.insert("changed".to_owned(), Value::Bool(false));
    returned
}

fn text<'a>(args: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    args.get(name).and_then(Value::as_str)
}

fn flag(args: &Map<String, Value>, name: &str) -> bool {
    args.get(name).and_then(Value::as_bool).unwrap_or(false)
}
