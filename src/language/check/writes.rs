//! What earlier steps may have written into the workspace: a file that is missing now may be there when it is needed.

use crate::language::plan::hosts::LOCALHOST;
use crate::language::playbook::{Play, Task, is_template};
use crate::language::yaml::Node;

/// What was seen so far.
#[derive(Debug, Default)]
pub(super) struct Writes {
    /// Folders that a `fetch` writes to.
    fetched: Vec<String>,
    /// Some step may have written anywhere: on this machine, or to a place that is a template.
    anywhere: bool,
}

/// Whether a missing file may be there in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Chance {
    /// A `fetch` writes to that folder.
    Likely,
    /// A step on this machine may write it.
    Possible,
    /// Nothing writes it.
    None,
}

impl Writes {
    /// Notes what a task may write on this machine.
    pub(super) fn note(&mut self, play: &Play, task: &Task) {
        let name = task.action.name.as_str();
        if name == "fetch" {
            let dest =
                task.action.args.iter().find(|(name, _)| name.value == "dest").and_then(|(_, node)| node.as_str());
            match dest {
                Some(dest) if !is_template(dest) => self.fetched.push(folder(dest)),
                _ => self.anywhere = true,
            }
            return;
        }
        let runs_here = task.directives.delegate_to.is_some()
            || LOCALHOST.contains(&play.hosts.value.as_str())
            || [&play.directives.connection, &task.directives.connection]
                .into_iter()
                .flatten()
                .any(|connection| Node::as_str(connection) == Some("local"));
        self.anywhere |=
            runs_here && matches!(name, "command" | "shell" | "raw" | "script" | "copy" | "template" | "file");
    }

    /// How likely it is that a file of this name is written in time.
    pub(super) fn chance(&self, name: &str) -> Chance {
        let name = name.trim_start_matches("./");
        let written = self.fetched.iter().any(|dest| {
            dest.is_empty()
                || name == dest
                || name.strip_prefix(dest.as_str()).is_some_and(|rest| rest.starts_with('/'))
        });
        match (written, self.anywhere) {
            (true, _) => Chance::Likely,
            (false, true) => Chance::Possible,
            (false, false) => Chance::None,
        }
    }
}

/// `./parts/` and `parts` are one folder; `.` is every one.
fn folder(dest: &str) -> String {
    let dest = dest.trim_start_matches("./").trim_end_matches('/');
    if dest == "." { String::new() } else { dest.to_owned() }
}
