//! Files that tasks read on this machine.

use crate::core::source::{Diagnostic, Severity, Span};
use crate::language::args::split_words;
use crate::language::playbook::{Action, Play, Task, is_template};
use crate::language::yaml::{Kind, Node};

use super::checker::Checker;
use super::templates::Scope;
use super::writes::Chance;

impl Checker<'_> {
    pub(super) fn files_of_play(&mut self, play: &Play) {
        for entry in &play.vars_files {
            let choices = match &entry.kind {
                Kind::Seq(choices) => choices.as_slice(),
                _ => std::slice::from_ref(entry),
            };
            let names: Vec<&str> = choices.iter().filter_map(Node::as_str).collect();
            let found =
                names.iter().any(|name| is_template(name) || self.beside(entry.span, name, Some("vars")).is_some());
            match names[..] {
                _ if found => {}
                [] => {}
                [name] => self.missing(name, entry.span, "vars_files names", Some("vars"), false),
                _ => self.missing(&names.join("` or `"), entry.span, "vars_files names", Some("vars"), false),
            }
        }
    }

    pub(super) fn files_of(&mut self, task: &Task, scope: &Scope) {
        let action = &task.action;
        match action.name.as_str() {
            "copy" => {
                let remote = argument(action, "remote_src").is_some_and(|node| !matches!(node.kind, Kind::Bool(false)));
                if !remote && let Some((name, span)) = literal(action, "src") {
                    self.must_exist(task, (&name, span), scope, "files", "copy");
                }
            }
            "template" => {
                if let Some((name, span)) = literal(action, "src") {
                    self.must_exist(task, (&name, span), scope, "templates", "template");
                }
            }
            "script" => {
                let (text, span) = match (&action.free, literal(action, "cmd")) {
                    (Some(free), _) => (free.value.clone(), free.span),
                    (None, Some(cmd)) => cmd,
                    (None, None) => return,
                };
                let words = split_words(&text).unwrap_or_default();
                if let Some(name) =
                    words.first().map(|word| word.trim().trim_matches(['\'', '"'])).filter(|name| !is_template(name))
                {
                    self.must_exist(task, (name, span), scope, "files", "script");
                }
            }
            "include_vars" => {
                let file = match (&action.free, literal(action, "file")) {
                    (Some(free), _) if !is_template(&free.value) => Some((free.value.trim().to_owned(), free.span)),
                    (_, file) => file,
                };
                if let Some((name, span)) = file {
                    self.must_exist(task, (&name, span), scope, "vars", "include_vars");
                }
            }
            _ => {}
        }
    }

    fn must_exist(&mut self, task: &Task, (name, span): (&str, Span), scope: &Scope, subfolder: &str, module: &str) {
        if name.is_empty() || name.starts_with('~') || self.beside(task.span, name, Some(subfolder)).is_some() {
            return;
        }
        self.missing(name, span, &format!("{module} reads"), Some(subfolder), scope.caught);
    }

    /// Reports a file that is not there, unless an earlier step writes it.
    pub(super) fn missing(&mut self, name: &str, span: Span, what: &str, subfolder: Option<&str>, caught: bool) {
        let chance = self.writes.chance(name);
        if chance == Chance::Likely {
            return;
        }
        let mut problem = Diagnostic::error(span, format!("{what} `{name}`, which does not exist"))
            .label("no such file")
            .help(self.looked_for(subfolder));
        if caught {
            problem.severity = Severity::Warning;
        } else if chance == Chance::Possible {
            problem.severity = Severity::Warning;
            problem = problem.help("this is fine if an earlier step writes it on this machine");
        }
        self.report(problem);
    }

    /// Where a file is looked for.
    fn looked_for(&self, subfolder: Option<&str>) -> String {
        let folder = self.folder_text();
        match subfolder {
            Some(subfolder) => {
                format!("it is looked for beside the file that names it and in {folder}, there in {subfolder}/ first")
            }
            None => format!("it is looked for beside the file that names it and in {folder}"),
        }
    }

    fn folder_text(&self) -> String {
        let text = self.input.folder.display().to_string();
        if text.is_empty() || text == "." { "the playbook's folder".to_owned() } else { text }
    }
}

/// An argument by its name.
pub(super) fn argument<'a>(action: &'a Action, name: &str) -> Option<&'a Node> {
    action.args.iter().find(|(given, _)| given.value == name).map(|(_, node)| node)
}

/// An argument that is text and no template.
fn literal(action: &Action, name: &str) -> Option<(String, Span)> {
    let node = argument(action, name)?;
    let text = node.as_str().filter(|text| !is_template(text))?;
    Some((text.to_owned(), node.span))
}
