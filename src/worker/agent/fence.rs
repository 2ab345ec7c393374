//! Epochs: an agent that has seen a newer master serves no older one.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::PathBuf;

use nix::fcntl::{Flock, FlockArg};

use super::folders::{Durability, WorkerFolder, replace};
use super::reserve;

/// Why an epoch was not let in.
#[derive(Debug, thiserror::Error)]
pub enum FenceError {
    /// A newer master has been here.
    #[error("epoch {0} has been here")]
    Fenced(u32),
    /// The disk.
    #[error("the epoch cannot be kept: {0}")]
    Disk(#[from] io::Error),
}

/// The file that holds the highest epoch seen, and a lock that orders taking over against accepting steps.
#[derive(Clone, Debug)]
pub struct Fence {
    worker: WorkerFolder,
    file: PathBuf,
    lock: PathBuf,
}

impl Fence {
    /// The fence of a worker.
    pub fn new(worker: &WorkerFolder) -> Self {
        Self { worker: worker.clone(), file: worker.0.join("epoch"), lock: worker.0.join("epoch.lock") }
    }

    /// Claims an epoch; durable before it returns.
    pub fn claim(&self, epoch: u32) -> Result<(), FenceError> {
        let _alone = self.hold(FlockArg::LockExclusive)?;
        let seen = self.seen();
        if seen > epoch {
            return Err(FenceError::Fenced(seen));
        }
        if seen < epoch {
            let text = epoch.to_string();
            reserve::with_room(&self.worker, || replace(&self.file, text.as_bytes(), Durability::Durable))?;
        }
        Ok(())
    }

    /// Lets an epoch in. While the guard lives no newer one can take over.
    pub fn enter(&self, epoch: u32) -> Result<Flock<File>, FenceError> {
        let guard = self.hold(FlockArg::LockShared)?;
        let seen = self.seen();
        if seen > epoch { Err(FenceError::Fenced(seen)) } else { Ok(guard) }
    }

    /// Lets an epoch in for the last time: nobody else is in while it works.
    pub fn leave(&self, epoch: u32, work: impl FnOnce() -> io::Result<()>) -> Result<(), FenceError> {
        let _alone = self.hold(FlockArg::LockExclusive)?;
        let seen = self.seen();
        if seen > epoch { Err(FenceError::Fenced(seen)) } else { Ok(work()?) }
    }

    /// The highest epoch that was ever claimed; zero where none was.
    pub fn seen(&self) -> u32 {
        std::fs::read_to_string(&self.file).ok().and_then(|text| text.trim().parse().ok()).unwrap_or(0)
    }

    fn hold(&self, how: FlockArg) -> io::Result<Flock<File>> {
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(&self.lock)?;
        Flock::lock(file, how).map_err(|(_, errno)| errno.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_higher_epoch_shuts_out_a_lower_one() {
        let folder = tempfile::tempdir().unwrap();
        let fence = Fence::new(&WorkerFolder(folder.path().to_owned()));
        assert!(fence.claim(2).is_ok());
        assert!(fence.enter(2).is_ok());
        assert!(matches!(fence.claim(1), Err(FenceError::Fenced(2))));
        assert!(fence.claim(3).is_ok());
        assert!(matches!(fence.enter(2), Err(FenceError::Fenced(3))));
    }
}
