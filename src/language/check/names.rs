//! Which variables anything at all can define.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::{Path, PathBuf};

use crate::core::source::{Diagnostic, Span};
use crate::language::playbook::{Directives, Item, Task, is_template};
use crate::language::yaml::{Kind, Node, parse_bytes};

use super::checker::Checker;
use super::includes::{Included, MAX_DEPTH};
use super::magic::{MAGIC, is_ansible_magic};

/// Names by how far they reach.
#[derive(Debug, Default)]
pub(super) struct Names {
    /// Defined for the rest of the run: extra vars, inventory, registered, facts.
    pub(super) lasting: HashSet<String>,
    /// Defined somewhere, if only for one task. What is rendered later than it is written may use any of them.
    pub(super) anywhere: BTreeSet<String>,
    /// Something may define any name: a template for a file name or for a variable name.
    pub(super) open: bool,
    /// Some play gathers facts, or a setup task does.
    pub(super) facts: bool,
    /// The names in files of variables that were read, each once.
    files: HashMap<PathBuf, Vec<String>>,
}

impl Names {
    /// Whether a name is there, given what the place itself defines.
    pub(super) fn knows(&self, name: &str, scopes: &[HashSet<String>]) -> bool {
        self.open
            || MAGIC.contains(&name)
            || is_ansible_magic(name)
            || (self.facts && name.starts_with("ansible_"))
            || self.lasting.contains(name)
            || scopes.iter().any(|scope| scope.contains(name))
    }

    fn lasting(&mut self, name: &str) {
        self.lasting.insert(name.to_owned());
        self.anywhere.insert(name.to_owned());
    }
}

impl Checker<'_> {
    /// Reads through the whole playbook once for what it defines.
    pub(super) fn gather_names(&mut self) {
        let input = self.input;
        for name in input.extra_vars {
            self.names.lasting(name);
        }
        for (name, _) in &input.playbook.vars {
            self.names.lasting(&name.value);
        }
        if let Some(cluster) = input.cluster {
            for name in cluster.groups.values().flat_map(|group| group.vars.keys()) {
                self.names.lasting(name);
            }
        }
        if let Some(inventory) = input.inventory {
            let groups = inventory.groups.values().map(|group| &group.vars);
            for name in groups.chain(inventory.hosts.values().map(|host| &host.vars)).flat_map(|vars| vars.keys()) {
                self.names.lasting(name);
            }
        }
        for play in &input.playbook.plays {
            let off = play.gather_facts.as_ref().is_some_and(|node| {
                matches!(node.kind, Kind::Bool(false) | Kind::Int(0))
                    || node.as_str().is_some_and(|text| text == "no" || text == "false")
            });
            self.names.facts |= !off;
            self.directive_names(&play.directives);
            for file in &play.vars_files {
                for name in self.vars_file_names(file) {
                    self.names.anywhere.insert(name);
                }
            }
            for list in [&play.pre_tasks, &play.tasks, &play.post_tasks] {
                self.gather_items(list, false, 0);
            }
            self.gather_items(&play.handlers, true, 0);
        }
    }

    fn directive_names(&mut self, directives: &Directives) {
        self.names.anywhere.extend(directives.vars.iter().map(|(name, _)| name.value.clone()));
    }

    fn gather_items(&mut self, items: &[Item], handlers: bool, depth: usize) {
        for item in items {
            match item {
                Item::Block(block) => {
                    self.directive_names(&block.directives);
                    for list in [&block.block, &block.rescue, &block.always] {
                        self.gather_items(list, handlers, depth);
                    }
                }
                Item::Task(task) => self.gather_task(task, handlers, depth),
            }
        }
    }

    fn gather_task(&mut self, task: &Task, handlers: bool, depth: usize) {
        self.directive_names(&task.directives);
        if let Some(apply) = &task.apply {
            self.directive_names(apply);
        }
        if let Some(register) = &task.register {
            self.names.lasting(&register.value);
        }
        self.names.anywhere.extend(loop_names(task));
        let action = &task.action;
        self.names.open |= action.template.is_some() && matches!(action.name.as_str(), "set_fact" | "include_vars");
        match action.name.as_str() {
            "setup" => self.names.facts = true,
            "set_fact" => {
                for (name, _) in &action.args {
                    self.names.open |= is_template(&name.value);
                    self.names.lasting(&name.value);
                }
            }
            "include_vars" => {
                for name in self.include_vars_names(task) {
                    self.names.lasting(&name);
                }
            }
            "include_tasks" if depth < MAX_DEPTH => match self.included(task, handlers) {
                Included::Items(items) => self.gather_items(&items, handlers, depth + 1),
                Included::Unknown => self.names.open = true,
                Included::Missing(..) => {}
            },
            _ => {}
        }
    }

    fn include_vars_names(&mut self, task: &Task) -> Vec<String> {
        let argument =
            |wanted: &str| task.action.args.iter().find(|(name, _)| name.value == wanted).map(|(_, node)| node);
        if let Some(name) = argument("name").and_then(Node::as_str) {
            self.names.open |= is_template(name);
            return vec![name.to_owned()];
        }
        let file = match (&task.action.free, argument("file")) {
            (Some(free), _) => Some(free.value.trim().to_owned()),
            (None, Some(node)) => node.as_str().map(str::to_owned),
            (None, None) => None,
        };
        let path = file.filter(|file| !is_template(file)).and_then(|file| self.beside(task.span, &file, Some("vars")));
        if let Some(path) = path {
            return self.names_in(&path, task.action.span);
        }
        self.names.open = true;
        Vec::new()
    }

    /// The names that an entry of `vars_files` defines; a template or a file that is not there yet may define any.
    pub(super) fn vars_file_names(&mut self, entry: &Node) -> Vec<String> {
        let choices = match &entry.kind {
            Kind::Seq(choices) => choices.as_slice(),
            _ => std::slice::from_ref(entry),
        };
        let mut names = Vec::new();
        for choice in choices {
            let Some(name) = choice.as_str() else { continue };
            if is_template(name) {
                self.names.open = true;
                continue;
            }
            if let Some(path) = self.beside(choice.span, name, Some("vars")) {
                names.extend(self.names_in(&path, choice.span));
            }
        }
        names
    }

    /// The keys of a file of variables; what is wrong in it is reported.
    fn names_in(&mut self, path: &Path, asked: Span) -> Vec<String> {
        if let Some(names) = self.names.files.get(path) {
            return names.clone();
        }
        let names = self.read_names(path, asked);
        self.names.files.insert(path.to_owned(), names.clone());
        names
    }

    fn read_names(&mut self, path: &Path, asked: Span) -> Vec<String> {
        let Ok(bytes) = self.input.files.read(path) else { return Vec::new() };
        if bytes.starts_with(b"$ANSIBLE_VAULT") {
            self.names.open = true;
            self.report(
                Diagnostic::error(asked, format!("{} is encrypted, which is not supported yet", path.display()))
                    .label("an encrypted file")
                    .help("keep the variables in clear text, or pass them with --extra-vars"),
            );
            return Vec::new();
        }
        let node = match parse_bytes(self.input.sources, path, &bytes).1 {
            Ok(node) => node,
            Err(problems) => {
                self.names.open = true;
                self.problems.extend(
                    problems
                        .into_iter()
                        .map(|problem| if problem.label.is_empty() { problem.label("here") } else { problem }),
                );
                return Vec::new();
            }
        };
        match &node.kind {
            Kind::Map(pairs) => pairs.iter().map(|(key, _)| key.key_text()).collect(),
            Kind::Null => Vec::new(),
            _ => {
                self.report(
                    Diagnostic::error(
                        asked,
                        format!("{} is not a mapping of variables but {}", path.display(), node.describe()),
                    )
                    .label("named here")
                    .help("write `name: value` lines"),
                );
                Vec::new()
            }
        }
    }
}

/// The names that a task's loop defines.
pub(super) fn loop_names(task: &Task) -> Vec<String> {
    let mut names = Vec::new();
    if task.loops.is_some() {
        names.push(task.loop_control.loop_var.as_ref().map_or_else(|| "item".to_owned(), |name| name.value.clone()));
        names.extend(task.loop_control.index_var.as_ref().map(|name| name.value.clone()));
    }
    names
}
