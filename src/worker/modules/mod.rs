//! Modules: the state is queried before it is changed, so that `changed`, `--check` and `--diff` are true.
//!
//! A module gets typed arguments and a [`Context`], and returns Ansible's return values. It runs in the step's
//! supervisor, as the user that `become` asks for.

mod arguments;
mod attributes;
mod command;
mod content_diff;
mod copy;
mod digest;
mod dispatch;
mod failure;
mod file;
mod find;
mod inode;
mod line_edit;
mod lineinfile;
mod mode;
mod moment;
mod pattern;
mod ping;
mod place;
mod python_regex;
mod raw;
#[cfg(test)]
mod rehearsal;
mod script;
mod search_path;
mod setup;
mod slurp;
mod staged;
mod stat;
mod words;

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::{Map, Value};

pub use dispatch::run;

/// A program that a module wants to run. The supervisor owns the process: its group, timeout, output and end.
#[derive(Clone, Debug, Default)]
pub struct Program {
    /// Program and arguments; `argv[0]` is searched in PATH.
    pub argv: Vec<String>,
    /// Working folder; the login HOME where none.
    pub chdir: Option<PathBuf>,
    /// What it reads; an empty stdin where none.
    pub stdin: Option<Vec<u8>>,
    /// Added to the step's environment.
    pub environment: BTreeMap<String, String>,
    /// Its output is the step's output: spooled, streamed to the master, kept with head and tail. False for helper
    /// programs (`validate`), whose output is only returned.
    pub is_main: bool,
}

/// How a program ended.
#[derive(Clone, Debug, Default)]
pub struct ProgramEnd {
    /// Exit code; minus the signal's number where a signal ended it.
    pub rc: i32,
    /// Head and tail of at most 1 MiB together, invalid UTF-8 replaced.
    pub stdout: String,
    /// The same of standard error.
    pub stderr: String,
    /// True where `stdout` or `stderr` was cut.
    pub cut: bool,
    /// UNIX milliseconds.
    pub started_ms: i64,
    /// UNIX milliseconds.
    pub ended_ms: i64,
}

/// Runs programs for modules.
pub trait Programs {
    /// Runs a program to its end.
    fn run(&mut self, program: Program) -> std::io::Result<ProgramEnd>;
}

/// What a module knows beside its arguments.
pub struct Context<'a> {
    /// `--check`
    pub check: bool,
    /// `--diff`
    pub diff: bool,
    /// The step's environment.
    pub environment: &'a BTreeMap<String, String>,
    /// Login HOME: relative paths start here.
    pub home: PathBuf,
    /// Runs programs.
    pub programs: &'a mut dyn Programs,
}

/// Ansible's return values.
pub type Returned = Map<String, Value>;
