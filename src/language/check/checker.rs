//! The check as a whole: what it is given, and the order of its parts.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use crate::core::records::ClusterSpec;
use crate::core::source::{Diagnostic, FileId, Files, Severity, SourceMap, Span};
use crate::language::plan::hosts::Hosts;
use crate::language::playbook::{Inventory, Playbook, PlaybookForm};

use super::includes::Includes;
use super::names::Names;
use super::reads::Reads;
use super::templates::Scope;
use super::writes::Writes;

/// What is checked, and against what.
pub struct CheckInput<'a> {
    /// The playbook, as the loader understood it.
    pub playbook: &'a Playbook,
    /// The cluster in force: that of `--cluster`, else the playbook's own; none where an inventory replaces it.
    pub cluster: Option<&'a ClusterSpec>,
    /// The inventory in force.
    pub inventory: Option<&'a Inventory>,
    /// The names that `--extra-vars` defines.
    pub extra_vars: &'a BTreeSet<String>,
    /// `--limit`
    pub limit: Option<&'a str>,
    /// Reads files.
    pub files: &'a dyn Files,
    /// The files that were read.
    pub sources: &'a SourceMap,
    /// The folder of the playbook.
    pub folder: &'a Path,
}

/// Checks a playbook without any machine. All problems, sorted by place; those of the loader are not repeated.
pub fn check(input: CheckInput<'_>) -> Vec<Diagnostic> {
    let hosts = match (input.inventory, input.cluster) {
        (Some(inventory), _) => Hosts::of_inventory(inventory),
        (None, Some(cluster)) => Hosts::of_cluster(cluster),
        (None, None) => Hosts::default(),
    };
    let mut checker = Checker {
        input: &input,
        hosts,
        problems: Vec::new(),
        includes: Includes::default(),
        names: Names::default(),
        writes: Writes::default(),
        reads: Reads::default(),
        template_files: HashMap::new(),
    };
    checker.gather_names();
    checker.playbook_vars();
    checker.limit();
    checker.plays();
    checker.results();
    for problem in checker.reads.judged() {
        checker.report(problem);
    }
    let mut problems = checker.problems;
    problems.append(&mut checker.includes.problems);
    sort_problems(input.sources, &mut problems);
    problems
}

/// Sorts by file, line and column, and leaves each problem once. Whoever adds the loader's problems sorts again.
pub fn sort_problems(sources: &SourceMap, problems: &mut Vec<Diagnostic>) {
    // A file may have been read twice, so its path says whether a place is the same, not its number.
    let key = |problem: &Diagnostic| {
        let Span { line, column, .. } = problem.span;
        (sources.path(problem.span), line, column, problem.severity, problem.message.clone())
    };
    problems.sort_by_cached_key(key);
    problems.dedup_by_key(|problem| key(problem));
}

/// The state of one check.
pub(super) struct Checker<'a> {
    pub(super) input: &'a CheckInput<'a>,
    pub(super) hosts: Hosts,
    pub(super) problems: Vec<Diagnostic>,
    pub(super) includes: Includes,
    pub(super) names: Names,
    pub(super) writes: Writes,
    pub(super) reads: Reads,
    /// Template files that were read, each once.
    pub(super) template_files: HashMap<PathBuf, FileId>,
}

impl Checker<'_> {
    pub(super) fn report(&mut self, problem: Diagnostic) {
        if !self.problems.contains(&problem) {
            self.problems.push(problem);
        }
    }

    /// The templates in `vars` of the playbook itself.
    fn playbook_vars(&mut self) {
        for (name, node) in &self.input.playbook.vars {
            self.templates(node, &Scope::default().value_of(&name.value));
        }
    }

    /// How bad a name without a host is: with an inventory a warning, as in Ansible, else an error.
    pub(super) fn unknown_host_severity(&self) -> Severity {
        let native = self.input.playbook.form == PlaybookForm::Native;
        if self.input.inventory.is_some() && !native { Severity::Warning } else { Severity::Error }
    }
}
