//! A play on its way: its batches, one cursor a host, handlers and what was notified. Picks the next task for all hosts
//! that are in step, as Ansible's strategy `linear` does.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use indexmap::IndexMap;

use super::finished::Finished;
use super::state::View;
use crate::core::ids::HostName;
use crate::core::values::Vars;
use crate::language::plan::{Cursor, CursorState, Delegates, PlanBlock, PlanTask};
use crate::language::playbook::Play;

/// How far a play is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Other plays come first.
    Waiting,
    /// Its groups are being brought up.
    Launching,
    /// Tasks run.
    Running,
    /// It is over; `broke`: every host of a batch failed, so that what depends on it does not run.
    Over {
        /// See above.
        broke: bool,
    },
}

/// A task and the hosts that are in step at it.
pub(super) struct Turn {
    pub(super) task: Arc<PlanTask>,
    pub(super) hosts: Vec<HostName>,
}

/// A play on its way.
pub(super) struct PlayRun {
    pub(super) play: Arc<Play>,
    pub(super) phase: Phase,
    /// Which groups it sees as sealed; none before it begins.
    pub(super) view: Option<Arc<View>>,
    /// Hosts that its pattern names, before losses.
    pub(super) declared: Vec<HostName>,
    /// Whom its tasks may act on beside them.
    pub(super) delegates: Delegates,
    pub(super) hosts: Vec<HostName>,
    pub(super) batches: VecDeque<Vec<HostName>>,
    pub(super) batch: Vec<HostName>,
    pub(super) batch_number: u32,
    pub(super) cursors: IndexMap<HostName, Cursor>,
    /// Hosts that `ansible_play_hosts` has no more: failed, lost or ended.
    pub(super) removed: BTreeSet<HostName>,
    pub(super) block: Option<Arc<PlanBlock>>,
    pub(super) handlers: Vec<Arc<PlanTask>>,
    notified: HashMap<HostName, Vec<String>>,
    pub(super) vars: Arc<Vars>,
    /// Vars files as each host sees them: their names may be templates.
    pub(super) vars_files: HashMap<HostName, Arc<Vars>>,
    pub(super) turn: Option<Turn>,
    pub(super) open: usize,
    pub(super) finished: Vec<Finished>,
    inclusions: HashMap<Vec<u32>, u32>,
}

impl PlayRun {
    pub(super) fn new(play: Arc<Play>, declared: Vec<HostName>, vars: Arc<Vars>) -> Self {
        Self {
            delegates: Delegates::of(&play),
            play,
            phase: Phase::Waiting,
            view: None,
            declared,
            hosts: Vec::new(),
            batches: VecDeque::new(),
            batch: Vec::new(),
            batch_number: 0,
            cursors: IndexMap::new(),
            removed: BTreeSet::new(),
            block: None,
            handlers: Vec::new(),
            notified: HashMap::new(),
            vars,
            vars_files: HashMap::new(),
            turn: None,
            open: 0,
            finished: Vec::new(),
            inclusions: HashMap::new(),
        }
    }

    /// Whether it is done, one way or the other.
    pub(super) fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Over { .. })
    }

    /// Puts the hosts of the next batch at the start of the play; `failed` are those that failed before.
    pub(super) fn begin_batch(&mut self, hosts: Vec<HostName>, going: &[HostName], failed: &BTreeSet<HostName>) {
        let Some(block) = self.block.clone() else { return };
        self.cursors = going.iter().map(|host| (host.clone(), Cursor::new(block.clone()))).collect();
        self.batch = hosts;
        self.removed.clone_from(failed);
        self.notified.clear();
        self.inclusions.clear();
        self.batch_number += 1;
    }

    /// Hosts of the batch that were not lost: what a task with `run_once` does, it does for them.
    pub(super) fn reachable(&self) -> Vec<HostName> {
        let lost = |cursor: &Cursor| cursor.state() == CursorState::Unreachable;
        self.cursors.iter().filter(|(_, cursor)| !lost(cursor)).map(|(host, _)| host.clone()).collect()
    }

    /// A failure of a host's present task.
    pub(super) fn fail(&mut self, host: &HostName) {
        if let Some(cursor) = self.cursors.get_mut(host) {
            cursor.fail();
            self.removed.insert(host.clone());
        }
    }

    /// A host is done with this play.
    pub(super) fn end(&mut self, host: &HostName, state: CursorState) {
        if let Some(cursor) = self.cursors.get_mut(host) {
            cursor.end(state);
            self.removed.insert(host.clone());
        }
    }

    /// The next task and its hosts; none where the batch is through. Flushes of handlers happen on the way.
    pub(super) fn next_turn(&mut self, handler_names: &dyn Fn(&PlanTask) -> Option<String>) -> Option<Turn> {
        loop {
            let mut heads: Vec<(HostName, bool, Arc<PlanTask>)> = Vec::new();
            for (host, cursor) in &mut self.cursors {
                match cursor.peek() {
                    Some(task) => heads.push((host.clone(), cursor.is_flushing(), task)),
                    // It is through; a failure that waited for its `always` comes out now.
                    None => drop(cursor.advance()),
                }
            }
            // Notified handlers come before anything else, for all hosts: a flush is a point that they pass together.
            let flushing = heads.iter().any(|(_, flushing, _)| *flushing);
            let first = heads
                .iter()
                .filter(|(_, is_flushing, _)| *is_flushing == flushing)
                .min_by(|a, b| a.2.path.cmp(&b.2.path))
                .map(|(_, _, task)| task.clone())?;
            let hosts: Vec<HostName> = heads
                .into_iter()
                .filter(|(_, is_flushing, task)| *is_flushing == flushing && task.path == first.path)
                .map(|(host, _, _)| host)
                .collect();
            for host in &hosts {
                if let Some(cursor) = self.cursors.get_mut(host) {
                    cursor.advance();
                }
            }
            match meta_word(&first) {
                Some("noop") => {}
                Some("flush_handlers") => {
                    for host in &hosts {
                        self.flush(host, &first.path, handler_names);
                    }
                }
                _ => return Some(Turn { task: first, hosts }),
            }
        }
    }

    /// Notifications name handlers only now: what was included since may be among them.
    fn flush(&mut self, host: &HostName, at: &[u32], handler_names: &dyn Fn(&PlanTask) -> Option<String>) {
        let notified = self.notified.remove(host).unwrap_or_default();
        let Some(cursor) = self.cursors.get_mut(host) else { return };
        for name in &notified {
            for handler in matching(&self.handlers, name, handler_names) {
                cursor.notify(&handler);
            }
        }
        cursor.flush(at, &self.handlers);
    }

    /// Remembers a notification; false where no handler listens to it.
    pub(super) fn notify(
        &mut self,
        host: &HostName,
        name: &str,
        handler_names: &dyn Fn(&PlanTask) -> Option<String>,
    ) -> bool {
        let handlers = matching(&self.handlers, name, handler_names);
        if handlers.is_empty() {
            return false;
        }
        let Some(cursor) = self.cursors.get_mut(host) else { return true };
        let by_handler = self.turn.as_ref().is_some_and(|turn| turn.task.handler);
        if by_handler {
            for handler in handlers {
                cursor.notify(&handler);
            }
        } else {
            let names = self.notified.entry(host.clone()).or_default();
            if !names.iter().any(|known| known == name) {
                names.push(name.to_owned());
            }
        }
        true
    }

    /// The number of the next inclusion by a task.
    pub(super) fn next_inclusion(&mut self, path: &[u32]) -> u32 {
        let next = self.inclusions.entry(path.to_vec()).or_default();
        *next += 1;
        *next - 1
    }
}

/// The word of a `meta` task that is done between turns: these know no condition of their own, and one that comes down
/// from a block does not hold them up (ansible-core, `_execute_meta`).
fn meta_word(task: &PlanTask) -> Option<&str> {
    let word = task.task.action.free.as_ref().map(|free| free.value.trim())?;
    (task.task.action.name == "meta" && matches!(word, "noop" | "flush_handlers")).then_some(word)
}

/// The handlers that a notification means: the first one of that name, and all that listen to it (ansible-core,
/// `search_handlers_by_notification`).
fn matching(
    handlers: &[Arc<PlanTask>],
    notification: &str,
    name_of: &dyn Fn(&PlanTask) -> Option<String>,
) -> Vec<Arc<PlanTask>> {
    let mut found: Vec<Arc<PlanTask>> = Vec::new();
    found.extend(handlers.iter().find(|handler| name_of(handler).as_deref() == Some(notification)).cloned());
    let mut seen: Vec<String> = Vec::new();
    for handler in handlers {
        if !handler.task.listen.iter().any(|topic| topic.value == notification) {
            continue;
        }
        if let Some(name) = name_of(handler) {
            if seen.contains(&name) {
                continue;
            }
            seen.push(name);
        }
        if !found.iter().any(|known| known.path == handler.path) {
            found.push(handler.clone());
        }
    }
    found
}
