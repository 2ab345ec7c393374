//! Plays as a whole: their hosts, their order, and what `results` asks for.

use std::collections::BTreeSet;

use crate::core::ids::HostName;
use crate::core::source::{Diagnostic, Severity, Span, did_you_mean};
use crate::language::plan::hosts::{LOCALHOST, PatternError, plain_names, select, unmatched};
use crate::language::playbook::{Play, is_template};

use super::checker::Checker;

impl Checker<'_> {
    pub(super) fn plays(&mut self) {
        let playbook = self.input.playbook;
        for play in &playbook.plays {
            self.hosts_of(play);
            self.tasks_of(play);
        }
        if !self.circles() {
            self.shared_hosts();
        }
    }

    pub(super) fn results(&mut self) {
        for result in &self.input.playbook.results {
            let from = &result.value.from;
            if !from.is_empty() && !is_template(from) {
                self.pattern(from, self.value_of(result.span, "from", from), "results come from");
            }
        }
    }

    /// Where the value of a key stands inside a mapping; the mapping where it is not written in one piece.
    fn value_of(&self, mapping: Span, key: &str, value: &str) -> Span {
        let Some(file) = self.input.sources.file(mapping.file) else { return mapping };
        let last = mapping.end_line.max(mapping.line) as usize;
        for (index, line) in file.text.lines().enumerate().take(last).skip((mapping.line as usize).saturating_sub(1)) {
            let Some(after) = line.find(&format!("{key}:")).map(|at| at + key.len() + 1) else { continue };
            let Some(at) = line[after..].find(value).map(|at| after + at) else { continue };
            let column = line[..at].chars().count() as u32 + 1;
            let (line, end_column) = (index as u32 + 1, column + value.chars().count() as u32);
            return Span { file: mapping.file, line, column, end_line: line, end_column };
        }
        mapping
    }

    /// `--limit`, which stands in no file.
    pub(super) fn limit(&mut self) {
        let Some(limit) = self.input.limit else { return };
        match select(limit, &self.hosts) {
            Ok(left) if left.is_empty() => {
                let groups: Vec<&str> = self.hosts.groups.keys().map(AsRef::as_ref).collect();
                self.report(
                    Diagnostic::error(Span::default(), format!("--limit `{limit}` leaves no host"))
                        .label("nothing left")
                        .help(format!("the groups are {}", groups.join(", "))),
                );
            }
            Ok(_) => {}
            Err(error) => {
                self.report(Diagnostic::error(Span::default(), format!("--limit: {error}")).label("this pattern"));
            }
        }
    }

    fn hosts_of(&mut self, play: &Play) {
        let pattern = &play.hosts.value;
        if pattern.is_empty() || is_template(pattern) {
            return;
        }
        if self.input.cluster.is_none() && self.input.inventory.is_none() {
            let remote = plain_names(pattern).into_iter().find(|name| !LOCALHOST.contains(&name.as_str()));
            let remote = remote.or_else(|| plain_names(pattern).is_empty().then(|| pattern.clone()));
            if let Some(name) = remote {
                self.report(
                    Diagnostic::error(play.hosts.span, format!("there are no hosts for `{name}`: neither a cluster nor an inventory"))
                        .label("only localhost is there")
                        .help("give --inventory FILE for hosts that exist, or --cluster FILE for hosts to be made (--local needs a cluster too)"),
                );
            }
            return;
        }
        self.pattern(pattern, play.hosts.span, "the play runs on");
    }

    /// Checks that a pattern can choose hosts.
    fn pattern(&mut self, pattern: &str, span: Span, what: &str) {
        let severity = self.unknown_host_severity();
        for name in unmatched(pattern, &self.hosts) {
            let mut problem = Diagnostic::error(span, format!("{what} `{name}`, which is no group and no host"))
                .label(format!("`{name}` is unknown"));
            problem.severity = severity;
            let groups: Vec<&str> = self
                .hosts
                .groups
                .keys()
                .map(AsRef::as_ref)
                .filter(|group| !matches!(*group, "all" | "ungrouped"))
                .collect();
            let known = groups.iter().copied().chain(self.hosts.all.iter().map(HostName::as_str));
            problem = match did_you_mean(&name, known) {
                Some(close) => problem.help(format!("did you mean `{close}`?")),
                None if groups.is_empty() => problem.help("there are no groups at all"),
                None => problem.help(format!("the groups are {}", groups.join(", "))),
            };
            self.report(problem);
        }
        match select(pattern, &self.hosts) {
            Err(PatternError::Subscript { pattern, has }) => self.report(
                Diagnostic::error(span, format!("{what} `{pattern}`, but there are only {has} of them"))
                    .label(format!("{has} hosts, counted from 0"))
                    .help(format!("the last one is [{}] or [-1]", has.saturating_sub(1))),
            ),
            Err(error @ PatternError::Regex { .. }) => {
                self.report(Diagnostic::error(span, error.to_string()).label("this pattern"));
            }
            Ok(chosen) if chosen.is_empty() && unmatched(pattern, &self.hosts).is_empty() => {
                let empty = plain_names(pattern)
                    .into_iter()
                    .find(|name| self.hosts.groups.get(name.as_str()).is_some_and(Vec::is_empty));
                let mut problem = match empty {
                    Some(group) => {
                        let help = match self.input.inventory {
                            Some(_) => "add hosts to the inventory, or leave it out",
                            None => "set its count to 1 or more, or leave it out",
                        };
                        Diagnostic::error(span, format!("{what} `{pattern}`, but the group `{group}` has no hosts"))
                            .help(help)
                    }
                    None => Diagnostic::error(span, format!("{what} `{pattern}`, which leaves no host"))
                        .help("it excludes all that it chooses"),
                };
                problem = problem.label("no host");
                if self.input.inventory.is_some() {
                    problem.severity = Severity::Warning;
                }
                self.report(problem);
            }
            Ok(_) => {}
        }
    }

    /// Plays that wait for each other; true where there are some.
    fn circles(&mut self) -> bool {
        let plays = &self.input.playbook.plays;
        let mut reported: BTreeSet<Vec<u32>> = BTreeSet::new();
        for play in plays {
            let Some(circle) = circle_from(plays, play.index) else { continue };
            let mut members = circle.clone();
            members.sort_unstable();
            if !reported.insert(members) {
                continue;
            }
            let names: Vec<String> = circle
                .iter()
                .chain(circle.first())
                .map(|&index| format!("`{}`", plays[index as usize].name.value))
                .collect();
            let mut problem =
                Diagnostic::error(play.name.span, format!("plays need each other: {}", names.join(" needs ")))
                    .label("can never begin")
                    .help("take one of them out of `needs`");
            for &index in circle.iter().filter(|&&index| index != play.index) {
                problem = problem.related(plays[index as usize].name.span, "nor can this one");
            }
            self.report(problem);
        }
        !reported.is_empty()
    }

    /// Plays without order that use one host get an order; worth knowing.
    fn shared_hosts(&mut self) {
        let plays = &self.input.playbook.plays;
        let chosen: Vec<Vec<HostName>> = plays
            .iter()
            .map(|play| {
                let literal = !is_template(&play.hosts.value);
                if literal { select(&play.hosts.value, &self.hosts).unwrap_or_default() } else { Vec::new() }
            })
            .collect();
        for later in plays.iter().filter(|play| play.needs.is_some()) {
            for earlier in &plays[..later.index as usize] {
                let (first, second) = (earlier.index, later.index);
                let host = chosen[second as usize].iter().find(|host| chosen[first as usize].contains(host));
                let Some(host) = host else { continue };
                if reaches(plays, second, first) || reaches(plays, first, second) {
                    continue;
                }
                self.report(
                    Diagnostic::warning(
                        later.name.span,
                        format!(
                            "the plays `{}` and `{}` share the host `{host}`, so they do not run side by side",
                            earlier.name.value, later.name.value
                        ),
                    )
                    .label("waits for the other")
                    .related(earlier.name.span, "this one goes first")
                    .help(format!("add `{}` to its needs, or use other hosts", earlier.name.value)),
                );
            }
        }
    }
}

/// The plays that a play waits for.
fn waits_for(plays: &[Play], index: u32) -> Vec<u32> {
    match &plays[index as usize].needs {
        Some(needs) => needs.clone(),
        None => index.checked_sub(1).into_iter().collect(),
    }
}

/// The circle of needs that a play stands in, from itself on.
fn circle_from(plays: &[Play], start: u32) -> Option<Vec<u32>> {
    let mut came_from = vec![None; plays.len()];
    let mut queue = vec![start];
    let mut at = 0;
    while at < queue.len() {
        let play = queue[at];
        for next in waits_for(plays, play) {
            if next == start {
                let mut circle = vec![play];
                let mut back = play;
                while let Some(before) = came_from[back as usize] {
                    circle.push(before);
                    back = before;
                }
                circle.reverse();
                return Some(circle);
            }
            if came_from[next as usize].is_none() && next != start {
                came_from[next as usize] = Some(play);
                queue.push(next);
            }
        }
        at += 1;
    }
    None
}

/// Whether a play waits for another, directly or not.
fn reaches(plays: &[Play], from: u32, to: u32) -> bool {
    let mut seen = vec![false; plays.len()];
    let mut stack = vec![from];
    while let Some(play) = stack.pop() {
        if play == to {
            return true;
        }
        if !std::mem::replace(&mut seen[play as usize], true) {
            stack.extend(waits_for(plays, play));
        }
    }
    false
}
