//! Tells followers that something changed in a folder: one inotify for a whole channel, and a slow look at the clock
//! where the kernel has none left to give.

use std::collections::HashMap;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify, WatchDescriptor};
use tokio::io::unix::AsyncFd;
use tokio::sync::Notify;

use super::channel::watched;

/// With inotify, a look without a reason comes this often.
const SELDOM: Duration = Duration::from_secs(2);
/// Without it, every look is of this kind.
const OFTEN: Duration = Duration::from_millis(25);

struct Kernel(Inotify);

impl AsFd for Kernel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl std::os::fd::AsRawFd for Kernel {
    fn as_raw_fd(&self) -> i32 {
        self.0.as_fd().as_raw_fd()
    }
}

type Waiting = Arc<Mutex<HashMap<WatchDescriptor, Vec<Arc<Bell>>>>>;

/// Rung for one follower.
#[derive(Default)]
struct Bell {
    notify: Notify,
    lock_closed: AtomicBool,
}

/// What woke a follower.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Something in the folder.
    Folder,
    /// Whoever held the step's lock closed it.
    LockClosed,
    /// Nothing that is known of.
    Time,
}

/// Watches folders.
#[derive(Clone)]
pub struct Changes {
    kernel: Option<Arc<AsyncFd<Kernel>>>,
    waiting: Waiting,
}

impl Changes {
    /// Must be called in a runtime.
    pub fn new() -> Self {
        let waiting = Waiting::default();
        let kernel = Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC)
            .ok()
            .and_then(|kernel| watched(Kernel(kernel)).ok())
            .map(Arc::new);
        if let Some(kernel) = &kernel {
            tokio::spawn(tell(Arc::clone(kernel), Arc::clone(&waiting)));
        }
        Self { kernel, waiting }
    }

    /// Watches a folder until the answer is dropped.
    pub fn watch(&self, folder: &Path) -> Watch {
        let flags = AddWatchFlags::IN_MODIFY
            | AddWatchFlags::IN_CREATE
            | AddWatchFlags::IN_MOVED_TO
            | AddWatchFlags::IN_CLOSE_WRITE
            | AddWatchFlags::IN_ONLYDIR;
        let bell = Arc::new(Bell::default());
        let descriptor = self.kernel.as_ref().and_then(|kernel| kernel.get_ref().0.add_watch(folder, flags).ok());
        if let Some(descriptor) = descriptor {
            self.lock().entry(descriptor).or_default().push(Arc::clone(&bell));
        }
        Watch { changes: self.clone(), descriptor, bell }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<WatchDescriptor, Vec<Arc<Bell>>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A folder that is watched.
pub struct Watch {
    changes: Changes,
    descriptor: Option<WatchDescriptor>,
    bell: Arc<Bell>,
}

impl Watch {
    /// Returns after a change since the last call, or after a while.
    pub async fn changed(&self) -> Change {
        let patience = if self.descriptor.is_some() { SELDOM } else { OFTEN };
        let rung = tokio::time::timeout(patience, self.bell.notify.notified()).await;
        match (rung, self.bell.lock_closed.swap(false, Ordering::Relaxed)) {
            (_, true) => Change::LockClosed,
            (Ok(()), false) => Change::Folder,
            (Err(_), false) => Change::Time,
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let Some(descriptor) = self.descriptor else { return };
        let mut waiting = self.changes.lock();
        let Some(others) = waiting.get_mut(&descriptor) else { return };
        others.retain(|other| !Arc::ptr_eq(other, &self.bell));
        if others.is_empty() {
            waiting.remove(&descriptor);
            if let Some(kernel) = &self.changes.kernel {
                let _ = kernel.get_ref().0.rm_watch(descriptor);
            }
        }
    }
}

async fn tell(kernel: Arc<AsyncFd<Kernel>>, waiting: Waiting) {
    loop {
        let Ok(mut ready) = kernel.readable().await else { return };
        let Ok(events) = ready.try_io(|kernel| Ok(kernel.get_ref().0.read_events()?)) else { continue };
        let waiting = waiting.lock().unwrap_or_else(PoisonError::into_inner);
        for event in events.unwrap_or_default() {
            let lock_closed = event.mask.contains(AddWatchFlags::IN_CLOSE_WRITE)
                && event.name.as_deref().is_some_and(|name| name == "lock");
            for bell in waiting.get(&event.wd).into_iter().flatten() {
                bell.lock_closed.fetch_or(lock_closed, Ordering::Relaxed);
                bell.notify.notify_one();
            }
            if event.mask.contains(AddWatchFlags::IN_Q_OVERFLOW) {
                waiting.values().flatten().for_each(|bell| bell.notify.notify_one());
            }
        }
    }
}
