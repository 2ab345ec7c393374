//! The walk over the tasks of a play.

use std::collections::HashSet;

use crate::core::source::{Diagnostic, did_you_mean};
use crate::language::plan::hosts::LOCALHOST;
use crate::language::playbook::{Directives, Item, Play, Task, is_template};
use crate::language::template;
use crate::language::yaml::{Kind, Node};

use super::checker::Checker;
use super::files::argument;
use super::handlers::Handlers;
use super::includes::{Included, MAX_DEPTH};
use super::names::loop_names;
use super::templates::Scope;

/// Where the walk stands.
struct Walk<'p> {
    play: &'p Play,
    handlers: &'p Handlers,
    in_handlers: bool,
    depth: usize,
}

impl Checker<'_> {
    pub(super) fn tasks_of(&mut self, play: &Play) {
        let handlers = self.handlers_of(play);
        self.files_of_play(play);
        let mut names: HashSet<String> = HashSet::new();
        for file in &play.vars_files {
            names.extend(self.vars_file_names(file));
        }
        let scope = inside(&play.directives, &Scope { names: vec![names], ..Scope::default() });
        self.directives(&play.directives, &scope);
        for node in play.vars_files.iter().chain(&play.serial).chain(&play.gather_facts) {
            self.templates(node, &scope);
        }
        if is_template(&play.hosts.value) {
            self.template(&play.hosts.value, play.hosts.span, template::Kind::Text, &scope);
        }
        let mut walk = Walk { play, handlers: &handlers, in_handlers: false, depth: 0 };
        for list in [&play.pre_tasks, &play.tasks, &play.post_tasks] {
            self.walk(list, &walk, &scope);
        }
        walk.in_handlers = true;
        self.walk(&play.handlers, &walk, &scope);
    }

    fn walk(&mut self, items: &[Item], walk: &Walk<'_>, scope: &Scope) {
        for item in items {
            match item {
                Item::Task(task) => self.task(task, walk, scope),
                Item::Block(block) => {
                    let inner = inside(&block.directives, scope);
                    if let Some(name) = &block.name {
                        self.template_text(&name.value, name.span, &inner.lenient());
                    }
                    self.directives(&block.directives, &inner);
                    let rescued = if block.rescue.is_empty() { inner.clone() } else { inner.caught() };
                    self.walk(&block.block, walk, &rescued);
                    self.walk(&block.rescue, walk, &inner);
                    self.walk(&block.always, walk, &inner);
                }
            }
        }
    }

    fn task(&mut self, task: &Task, walk: &Walk<'_>, scope: &Scope) {
        let before_loop = inside(&task.directives, scope);
        let inner = before_loop.with(loop_names(task));
        self.arguments(task);
        self.files_of(task, &inner);
        self.notified(task, walk.handlers);
        self.delegated(task);
        self.task_templates(task, &before_loop, &inner);
        if task.action.name == "include_tasks" {
            self.include(task, walk, &inner);
        }
        self.writes.note(walk.play, task);
    }

    fn include(&mut self, task: &Task, walk: &Walk<'_>, scope: &Scope) {
        match self.included(task, walk.in_handlers) {
            Included::Items(items) if walk.depth < MAX_DEPTH => {
                let inner = match &task.apply {
                    Some(apply) => {
                        let inner = inside(apply, scope);
                        self.directives(apply, &inner);
                        inner
                    }
                    None => scope.clone(),
                };
                self.walk(&items, &Walk { depth: walk.depth + 1, ..*walk }, &inner);
            }
            Included::Missing(name, span) => self.missing(&name, span, "include_tasks reads", None, scope.caught),
            Included::Items(_) | Included::Unknown => {}
        }
    }

    /// A host that a task is delegated to and that cannot exist.
    fn delegated(&mut self, task: &Task) {
        let Some(node) = &task.directives.delegate_to else { return };
        let Some(name) = Node::as_str(node).filter(|name| !is_template(name)) else { return };
        let known = LOCALHOST.contains(&name) || self.hosts.all.iter().any(|host| host.as_str() == name);
        if known || self.input.inventory.is_some() || self.input.cluster.is_none() {
            return;
        }
        let help = match did_you_mean(name, self.hosts.all.iter().map(AsRef::as_ref)) {
            Some(close) => format!("did you mean `{close}`?"),
            None => "name one worker, such as work-0, or localhost".to_owned(),
        };
        self.report(
            Diagnostic::error(node.span, format!("no host is named `{name}`")).label("delegated to nobody").help(help),
        );
    }

    fn task_templates(&mut self, task: &Task, before_loop: &Scope, inner: &Scope) {
        if let Some(name) = &task.name {
            self.template_text(&name.value, name.span, &inner.lenient());
        }
        self.directives(&task.directives, inner);
        if let Some(loops) = &task.loops {
            self.templates(&loops.items, before_loop);
        }
        let own: Vec<String> = task.register.iter().map(|name| name.value.clone()).collect();
        let after = inner.with(own);
        for node in [&task.loop_control.label, &task.retries, &task.delay].into_iter().flatten() {
            self.templates(node, &after);
        }
        for node in [&task.loop_control.pause, &task.loop_control.extended].into_iter().flatten() {
            self.templates(node, before_loop);
        }
        self.conditions(&task.until, &after);
        for conditions in [&task.changed_when, &task.failed_when].into_iter().flatten() {
            self.conditions(conditions, &after);
        }
        for node in &task.notify {
            self.templates(node, &after);
        }
        self.action_templates(task, inner);
    }

    fn action_templates(&mut self, task: &Task, scope: &Scope) {
        let action = &task.action;
        for text in action.free.iter().chain(&action.template) {
            self.template_text(&text.value, text.span, scope);
        }
        for (name, node) in &action.args {
            match (action.name.as_str(), name.value.as_str()) {
                // A variable that is missing is shown as such.
                ("debug", "var") => {
                    if let Some(text) = Node::as_str(node) {
                        let kind = if is_template(text) { template::Kind::Text } else { template::Kind::Expression };
                        self.template(text, node.span, kind, &scope.lenient());
                    }
                }
                ("assert", "that") => {
                    let conditions = match &node.kind {
                        Kind::Seq(items) => items.clone(),
                        _ => vec![node.clone()],
                    };
                    self.conditions(&conditions, scope);
                }
                ("template", other) if other.ends_with("_string") => {}
                _ => self.templates(node, scope),
            }
        }
        let own_marks = action.args.iter().any(|(name, _)| name.value.ends_with("_string"));
        if action.name == "template" && !own_marks {
            let src = argument(action, "src").and_then(Node::as_str).filter(|src| !is_template(src));
            if let Some(path) = src.and_then(|src| self.beside(task.span, src, Some("templates"))) {
                self.template_file(&path, scope);
            }
        }
    }

    fn template_text(&mut self, text: &str, span: crate::core::source::Span, scope: &Scope) {
        if is_template(text) {
            self.template(text, span, template::Kind::Text, scope);
        }
    }

    fn directives(&mut self, directives: &Directives, scope: &Scope) {
        for (name, node) in &directives.vars {
            self.templates(node, &scope.value_of(&name.value));
        }
        self.conditions(&directives.when, scope);
        let d = directives;
        let single = [
            &d.becomes,
            &d.become_user,
            &d.ignore_errors,
            &d.ignore_unreachable,
            &d.any_errors_fatal,
            &d.no_log,
            &d.check_mode,
            &d.diff,
            &d.delegate_to,
            &d.run_once,
            &d.timeout,
            &d.remote_user,
            &d.connection,
        ];
        for node in single.into_iter().flatten() {
            self.templates(node, scope);
        }
        for node in &d.environment {
            self.templates(node, scope);
        }
        for tag in &d.tags {
            self.template_text(&tag.value, tag.span, scope);
        }
    }
}

/// The scope inside a block or a task: its variables, and what its conditions ask for.
fn inside(directives: &Directives, scope: &Scope) -> Scope {
    let vars = directives.vars.iter().map(|(name, _)| name.value.clone());
    let inner = scope.with(vars.chain(Checker::asked(&directives.when)));
    let ignored = directives.ignore_errors.as_ref().is_some_and(|node| !matches!(node.kind, Kind::Bool(false)));
    if ignored { inner.caught() } else { inner }
}
