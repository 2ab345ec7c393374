//! One host's handlers: which are notified, and how far a flush is (ansible-core, `PlayIterator` in its state HANDLERS).
//! Pure.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::compile::{PlanBlock, PlanItem, PlanTask, TaskPath};

/// A host's handlers on their way.
#[derive(Clone, Debug, Default)]
pub(super) struct Flush {
    /// The handlers that are to run, by their place in the play.
    notified: BTreeSet<TaskPath>,
    /// All handlers while a flush goes on.
    list: Vec<Entry>,
    /// How far the list is. A failure leaves it: the next flush begins behind the handler that failed, as in Ansible.
    next: usize,
}

#[derive(Clone, Debug)]
struct Entry {
    /// The handler's place in the play.
    place: TaskPath,
    /// The handler as a task of this flush.
    task: Arc<PlanTask>,
}

impl Flush {
    /// Begins. Each handler becomes a task below `at`, so that it is another task in a later flush.
    pub(super) fn begin(&mut self, at: &[u32], handlers: &[Arc<PlanTask>]) {
        let entry = |handler: &Arc<PlanTask>| Entry {
            place: handler.path.clone(),
            task: Arc::new(handler.moved([at, handler.path.as_slice()].concat())),
        };
        self.list = handlers.iter().map(entry).collect();
    }

    /// Takes the next notified handler; ends the flush where there is none.
    pub(super) fn advance(&mut self) -> Option<Arc<PlanTask>> {
        while let Some(entry) = self.list.get(self.next) {
            self.next += 1;
            if self.notified.remove(&entry.place) {
                return Some(entry.task.clone());
            }
        }
        if !self.list.is_empty() {
            self.next = 0;
            self.stop();
        }
        None
    }

    /// Whether a notified handler is left in this flush.
    pub(super) fn has_next(&self) -> bool {
        self.list.iter().skip(self.next).any(|entry| self.notified.contains(&entry.place))
    }

    /// Marks a handler of the play as notified.
    pub(super) fn notify(&mut self, handler: &PlanTask) {
        self.notified.insert(handler.path.clone());
    }

    /// The tasks that a handler included run next.
    pub(super) fn include(&mut self, block: &PlanBlock) {
        let mut tasks = Vec::new();
        collect(&block.block, &mut tasks);
        self.notified.extend(tasks.iter().map(|task| task.path.clone()));
        let next = self.next.min(self.list.len());
        self.list.splice(next..next, tasks.into_iter().map(|task| Entry { place: task.path.clone(), task }));
    }

    /// Ends the flush; what is notified stays so for the next one.
    pub(super) fn stop(&mut self) {
        self.list.clear();
    }
}

fn collect(items: &[PlanItem], into: &mut Vec<Arc<PlanTask>>) {
    for item in items {
        match item {
            PlanItem::Task(task) => into.push(task.clone()),
            PlanItem::Block(block) => collect(&block.block, into),
        }
    }
}
