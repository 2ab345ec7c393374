//! Whom a play may act on beside its own hosts, as far as that is written: a group must live until then.

use crate::core::ids::HostName;
use crate::language::playbook::{Directives, Item, Play, is_template};
use crate::language::yaml::Node;

/// Targets of `delegate_to`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Delegates {
    /// Named as they are.
    pub hosts: Vec<HostName>,
    /// A template, or an include that may hold one: any host.
    pub any: bool,
}

impl Delegates {
    /// Those of a play.
    pub fn of(play: &Play) -> Self {
        let mut delegates = Self::default();
        delegates.take(&play.directives);
        for items in [&play.pre_tasks, &play.tasks, &play.post_tasks, &play.handlers] {
            delegates.walk(items);
        }
        delegates
    }

    /// Whether one of these hosts may be meant.
    pub fn need(&self, hosts: &[HostName]) -> bool {
        self.any || self.hosts.iter().any(|host| hosts.contains(host))
    }

    fn walk(&mut self, items: &[Item]) {
        for item in items {
            match item {
                Item::Task(task) => {
                    self.any |= task.action.name == "include_tasks";
                    self.take(&task.directives);
                }
                Item::Block(block) => {
                    self.take(&block.directives);
                    for items in [&block.block, &block.rescue, &block.always] {
                        self.walk(items);
                    }
                }
            }
        }
    }

    fn take(&mut self, directives: &Directives) {
        match directives.delegate_to.as_ref().map(Node::as_str) {
            None => {}
            Some(Some(name)) if !is_template(name) => self.hosts.push(HostName::new(name)),
            Some(_) => self.any = true,
        }
    }
}
