//! Ends a step from within: a thread that waits for its timeout, or for somebody who wants it to end, and then ends the
//! whole tree. The module never has to look.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use super::tree;
use crate::core::records::End;

/// How far the step is.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Phase {
    Running,
    Ending(End),
    Ended(End),
    Finished,
}

/// Shared by the module's thread and the one that may end it.
pub struct Guard {
    phase: Mutex<Phase>,
    changed: Condvar,
    grace: Duration,
    on_end: Mutex<Option<Box<dyn FnOnce() + Send>>>,
}

impl Guard {
    /// A guard with the time between TERM and KILL.
    pub fn new(grace: Duration) -> Arc<Self> {
        Arc::new(Self { phase: Mutex::new(Phase::Running), changed: Condvar::new(), grace, on_end: Mutex::new(None) })
    }

    /// What else asks the module to end, before the tree is ended; for processes that cannot be signalled from here.
    pub fn on_end(&self, ask: Box<dyn FnOnce() + Send>) {
        *self.on_end.lock().unwrap_or_else(PoisonError::into_inner) = Some(ask);
    }

    /// Whether the step is being ended.
    pub fn is_ending(&self) -> bool {
        matches!(*self.lock(), Phase::Ending(_) | Phase::Ended(_))
    }

    /// The module has returned. Where the step is being ended, waits until its tree is gone and says why.
    pub fn finish(&self) -> Option<End> {
        let mut phase = self.lock();
        loop {
            match &*phase {
                Phase::Running | Phase::Finished => {
                    *phase = Phase::Finished;
                    return None;
                }
                Phase::Ended(end) => return Some(end.clone()),
                Phase::Ending(_) => phase = self.changed.wait(phase).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }

    /// Ends the tree below this process. Says whether the module has yet to return by itself; false where it had
    /// finished before.
    pub fn end(&self, end: End) -> bool {
        {
            let mut phase = self.lock();
            if *phase != Phase::Running {
                return false;
            }
            *phase = Phase::Ending(end.clone());
        }
        let ask = self.on_end.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(ask) = ask {
            ask();
        }
        let this = std::process::id();
        tree::end(|| tree::descendants(this), self.grace);
        *self.lock() = Phase::Ended(end);
        self.changed.notify_all();
        true
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Phase> {
        self.phase.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
