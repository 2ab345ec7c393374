//! Ends a step from within: a thread that waits for its timeout, or for somebody who wants it to end, and then ends the
//! whole tree. The module never has to look.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use super::cgroup::Cgroup;
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
    cgroup: Option<Cgroup>,
    on_end: Mutex<Option<Box<dyn FnOnce() + Send>>>,
}

impl Guard {
    /// A guard with the time between TERM and KILL, and the control group that the step's programs go to.
    pub fn new(grace: Duration, cgroup: Option<Cgroup>) -> Arc<Self> {
        Arc::new(Self {
            phase: Mutex::new(Phase::Running),
            changed: Condvar::new(),
            grace,
            cgroup,
            on_end: Mutex::new(None),
        })
    }

    /// What else asks the module to end, before the tree is ended; for processes that cannot be signalled from here.
    pub fn on_end(&self, ask: Box<dyn FnOnce() + Send>) {
        *self.on_end.lock().unwrap_or_else(PoisonError::into_inner) = Some(ask);
    }

    /// Takes a program into the step's control group.
    pub fn adopt(&self, pid: u32) {
        if let Some(group) = &self.cgroup {
            group.add(pid);
        }
    }

    /// Removes the control group, unless something lives in it.
    pub fn let_go(&self) {
        if let Some(group) = &self.cgroup {
            group.remove();
        }
    }

    /// How often the kernel has killed for want of memory: in the step's control group, else on the machine.
    pub fn memory_kills(&self) -> u64 {
        self.cgroup.as_ref().and_then(Cgroup::memory_kills).unwrap_or_else(|| {
            let text = std::fs::read_to_string("/proc/vmstat").unwrap_or_default();
            text.lines().find_map(|line| line.strip_prefix("oom_kill ")?.parse().ok()).unwrap_or(0)
        })
    }

    /// Whether the step is being ended.
    pub fn is_ending(&self) -> bool {
        matches!(*self.lock(), Phase::Ending(_) | Phase::Ended(_))
    }

    /// Waits a little for an end that may be about to be asked for.
    pub fn heed_end(&self, longest: Duration) {
        let phase = self.lock();
        drop(self.changed.wait_timeout_while(phase, longest, |phase| *phase == Phase::Running));
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
        self.changed.notify_all();
        let ask = self.on_end.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(ask) = ask {
            ask();
        }
        let this = std::process::id();
        tree::end(|| tree::descendants(this), self.grace);
        if let Some(group) = &self.cgroup {
            group.kill();
        }
        *self.lock() = Phase::Ended(end);
        self.changed.notify_all();
        true
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Phase> {
        self.phase.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
