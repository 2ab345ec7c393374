//! What `notify` names.

use std::collections::BTreeSet;

use crate::core::source::{Diagnostic, did_you_mean};
use crate::language::playbook::{Item, Play, Task, is_template};
use crate::language::yaml::Node;

use super::checker::Checker;
use super::includes::{Included, MAX_DEPTH};

/// The handlers of a play, by name and by topic.
#[derive(Debug, Default)]
pub(super) struct Handlers {
    names: BTreeSet<String>,
    /// Some handler's name is known only when it runs.
    open: bool,
}

impl Checker<'_> {
    pub(super) fn handlers_of(&mut self, play: &Play) -> Handlers {
        let mut handlers = Handlers::default();
        self.collect_handlers(&play.handlers, &mut handlers, 0);
        handlers
    }

    fn collect_handlers(&mut self, items: &[Item], handlers: &mut Handlers, depth: usize) {
        for item in items {
            match item {
                Item::Block(block) => self.collect_handlers(&block.block, handlers, depth),
                Item::Task(task) => {
                    if let Some(name) = &task.name {
                        handlers.open |= is_template(&name.value);
                        handlers.names.insert(name.value.clone());
                    }
                    handlers.names.extend(task.listen.iter().map(|topic| topic.value.clone()));
                    if task.action.name == "include_tasks" && depth < MAX_DEPTH {
                        match self.included(task, true) {
                            Included::Items(items) => self.collect_handlers(&items, handlers, depth + 1),
                            _ => handlers.open = true,
                        }
                    }
                }
            }
        }
    }

    pub(super) fn notified(&mut self, task: &Task, handlers: &Handlers) {
        for node in &task.notify {
            let Some(name) = Node::as_str(node) else { continue };
            if handlers.open || is_template(name) || handlers.names.contains(name) {
                continue;
            }
            let help = match did_you_mean(name, handlers.names.iter().map(String::as_str)) {
                Some(close) => format!("did you mean `{close}`?"),
                None if handlers.names.is_empty() => "the play has no handlers; add them under handlers".to_owned(),
                None => {
                    let names: Vec<&str> = handlers.names.iter().map(String::as_str).collect();
                    format!("the handlers are {}", names.join(", "))
                }
            };
            self.report(
                Diagnostic::error(node.span, format!("no handler is named `{name}` or listens to it"))
                    .label("unknown handler")
                    .help(help),
            );
        }
    }
}
