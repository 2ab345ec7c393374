//! One play.

use crate::core::source::{Diagnostic, Spanned};
use crate::language::yaml::{Kind, Node};

use super::keywords::{Place, is_template};
use super::model::{Directives, Play};
use super::reader::Reader;

impl Reader<'_> {
    /// Reads a play; its `needs` are resolved when all plays are known.
    pub(super) fn play(&mut self, node: &Node, index: u32) -> Option<(Play, Option<Vec<Spanned<String>>>)> {
        if !matches!(node.kind, Kind::Map(_)) {
            self.wrong(node, "a play", "a mapping");
            return None;
        }
        if let Some(found) =
            ["import_playbook", "ansible.builtin.import_playbook"].into_iter().find(|name| node.get(name).is_some())
        {
            let key = self.mapping(node, "a play").into_iter().find(|(name, _, _)| *name == found)?.1;
            self.unknown_keyword(Place::Play, "import_playbook", key);
            return None;
        }
        let mut play = Play {
            span: node.span,
            index,
            name: Spanned::new(String::new(), node.span),
            hosts: Spanned::new(String::new(), node.span),
            needs: None,
            directives: Directives::default(),
            vars_files: Vec::new(),
            gather_facts: None,
            serial: None,
            pre_tasks: Vec::new(),
            tasks: Vec::new(),
            post_tasks: Vec::new(),
            handlers: Vec::new(),
        };
        let mut needs = None;
        for (name, key, value) in self.mapping(node, "a play") {
            match name {
                "name" => play.name = self.text(value, name).unwrap_or(play.name),
                "hosts" => play.hosts = self.hosts(value).unwrap_or(play.hosts),
                "needs" => needs = Some(self.texts(value, name, false)),
                "vars_files" => play.vars_files = self.vars_files(value),
                "gather_facts" => play.gather_facts = self.boolean(value, name),
                "serial" => play.serial = self.serial(value),
                "strategy" => self.strategy(value),
                "pre_tasks" => play.pre_tasks = self.items(value, name, Place::Task),
                "tasks" => play.tasks = self.items(value, name, Place::Task),
                "post_tasks" => play.post_tasks = self.items(value, name, Place::Task),
                "handlers" => play.handlers = self.items(value, name, Place::Handler),
                "when" | "delegate_to" => self.unknown_keyword(Place::Play, name, key),
                _ if self.directive(&mut play.directives, name, value) => {}
                _ => self.unknown_keyword(Place::Play, name, key),
            }
        }
        if node.get("hosts").is_none() {
            self.report(
                Diagnostic::error(node.span, "this play has no `hosts`")
                    .label("on which hosts?")
                    .help("add hosts: with a group, a host or all"),
            );
        }
        if play.name.value.is_empty() {
            play.name = play.hosts.clone();
        }
        Some((play, needs))
    }

    fn hosts(&mut self, node: &Node) -> Option<Spanned<String>> {
        let texts: Vec<String> = self.texts(node, "hosts", false).into_iter().map(|text| text.value).collect();
        if texts.is_empty() || texts.iter().any(|text| text.trim().is_empty()) {
            self.report(
                Diagnostic::error(node.span, "`hosts` is empty")
                    .label("on which hosts?")
                    .help("name a group, a host or all"),
            );
            return None;
        }
        Some(Spanned::new(texts.join(","), node.span))
    }

    fn vars_files(&mut self, node: &Node) -> Vec<Node> {
        let mut files = Vec::new();
        for item in Self::one_or_many(node) {
            match &item.kind {
                Kind::Seq(choices) => {
                    let known = choices.iter().all(|choice| choice.as_str().is_some());
                    if known {
                        files.push(item);
                    } else {
                        self.wrong(&item, "vars_files", "file names, or lists of them");
                    }
                }
                Kind::String(_) => files.push(item),
                _ => self.wrong(&item, "vars_files", "file names, or lists of them"),
            }
        }
        files
    }

    fn serial(&mut self, node: &Node) -> Option<Node> {
        let mut fine = true;
        for item in Self::one_or_many(node) {
            let known = match &item.kind {
                Kind::Int(value) => *value >= 0,
                Kind::String(text) => {
                    is_template(text)
                        || text.strip_suffix('%').unwrap_or(text).trim().parse::<f64>().is_ok_and(|value| value >= 0.0)
                }
                _ => false,
            };
            if !known {
                self.wrong(&item, "serial", "a number of hosts or a percentage such as 30%");
                fine = false;
            }
        }
        fine.then(|| node.clone())
    }

    fn strategy(&mut self, node: &Node) {
        if node.as_str().is_some_and(|name| matches!(name, "linear" | "ansible.builtin.linear")) {
            return;
        }
        self.report(
            Diagnostic::error(node.span, "only the strategy linear is supported")
                .label("not supported yet")
                .help("leave strategy out; plays that do not need each other run side by side with needs"),
        );
    }
}
