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
    /// Where what the present handler includes goes.
    insert: usize,
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
            self.insert = self.next;
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

    /// The tasks that the present handler includes run next, those of several inclusions in their order.
    pub(super) fn include(&mut self, block: &PlanBlock) {
        let mut tasks = Vec::new();
        collect(&block.block, &mut tasks);
        self.notified.extend(tasks.iter().map(|task| task.path.clone()));
        let at = self.insert.min(self.list.len());
        self.insert = at + tasks.len();
        self.list.splice(at..at, tasks.into_iter().map(|task| Entry { place: task.path.clone(), task }));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::values::Vars;
    use crate::language::plan::tests::play;
    use crate::language::plan::{TagFilter, compile_handlers, compile_included};

    fn handlers() -> Vec<Arc<PlanTask>> {
        compile_handlers(&play(
            "- {hosts: all, handlers: [{name: a, debug: }, {name: b, debug: }, {name: c, debug: }]}",
        ))
    }

    fn taken(flush: &mut Flush) -> Vec<String> {
        std::iter::from_fn(|| flush.advance()).map(|task| task.path_text()).collect()
    }

    #[test]
    fn each_flush_has_tasks_of_its_own() {
        let handlers = handlers();
        let mut flush = Flush::default();
        flush.notify(&handlers[2]);
        flush.notify(&handlers[0]);
        flush.begin(&[2], &handlers);
        assert_eq!(taken(&mut flush), ["2.9.0", "2.9.2"]);
        flush.notify(&handlers[0]);
        flush.begin(&[4], &handlers);
        assert_eq!(taken(&mut flush), ["4.9.0"]);
    }

    #[test]
    fn a_handler_notifies_later_ones_now_and_earlier_ones_for_the_next_flush() {
        let handlers = handlers();
        let mut flush = Flush::default();
        flush.notify(&handlers[1]);
        flush.begin(&[2], &handlers);
        assert!(flush.advance().is_some());
        flush.notify(&handlers[0]);
        flush.notify(&handlers[2]);
        assert_eq!(taken(&mut flush), ["2.9.2"]);
        flush.begin(&[4], &handlers);
        assert_eq!(taken(&mut flush), ["4.9.0"]);
    }

    #[test]
    fn after_a_failure_the_next_flush_goes_on_behind_it() {
        let handlers = handlers();
        let mut flush = Flush::default();
        flush.notify(&handlers[1]);
        flush.notify(&handlers[2]);
        flush.begin(&[2], &handlers);
        assert!(flush.advance().is_some());
        flush.stop();
        assert!(!flush.has_next());
        flush.begin(&[4], &handlers);
        assert_eq!(taken(&mut flush), ["4.9.2"]);
    }

    #[test]
    fn inclusions_of_one_handler_run_in_their_order_before_what_follows() {
        use crate::language::playbook::Item;
        let handlers = handlers();
        let mut flush = Flush::default();
        flush.notify(&handlers[0]);
        flush.notify(&handlers[1]);
        flush.begin(&[2], &handlers);
        let Some(first) = flush.advance() else { panic!("the first handler") };
        for number in 0..2 {
            let items = [Item::Task(Box::new(first.task.clone()))];
            let filter = TagFilter::default();
            flush.include(&compile_included(&items, &first, number, &Vars::new(), &filter));
        }
        assert_eq!(taken(&mut flush), ["2.9.0.0.0", "2.9.0.1.0", "2.9.1"]);
    }
}
