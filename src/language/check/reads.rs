//! Which variables are ever read: the value of one that nobody reads does no harm, however wrong it is.

use std::collections::{HashMap, HashSet};

use crate::core::source::{Diagnostic, Severity};

/// Who reads what, and what is wrong in the values of variables.
#[derive(Debug, Default)]
pub(super) struct Reads {
    /// Names that tasks read.
    by_tasks: HashSet<String>,
    /// Names that the values of variables read.
    by_values: HashMap<String, HashSet<String>>,
    problems: Vec<(String, Diagnostic)>,
}

impl Reads {
    /// Notes that a name is read, by a task or by the value of a variable.
    pub(super) fn note(&mut self, value_of: Option<&str>, name: &str) {
        match value_of {
            Some(owner) => self.by_values.entry(owner.to_owned()).or_default().insert(name.to_owned()),
            None => self.by_tasks.insert(name.to_owned()),
        };
    }

    /// Notes a problem in the value of a variable.
    pub(super) fn problem(&mut self, owner: &str, problem: Diagnostic) {
        self.problems.push((owner.to_owned(), problem));
    }

    /// The problems: errors where a task reads the variable, directly or not, else warnings.
    pub(super) fn judged(&mut self) -> Vec<Diagnostic> {
        let mut read = self.by_tasks.clone();
        let mut more: Vec<String> = read.iter().cloned().collect();
        while let Some(name) = more.pop() {
            for other in self.by_values.get(&name).into_iter().flatten() {
                if read.insert(other.clone()) {
                    more.push(other.clone());
                }
            }
        }
        let problems = std::mem::take(&mut self.problems);
        problems
            .into_iter()
            .map(|(owner, problem)| {
                let severity = if read.contains(&owner) { problem.severity } else { Severity::Warning };
                Diagnostic { severity, ..problem }
            })
            .collect()
    }
}
