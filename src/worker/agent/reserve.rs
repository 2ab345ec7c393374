//! Room set aside on the worker's disk. It is given up when the disk is full, so that a step that makes room again can
//! still be taken.

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;

use nix::fcntl::{FallocateFlags, fallocate};

use super::folders::WorkerFolder;

/// Enough for a few steps: each needs its order, its marks and [`super::step_folder::OUTCOME_ROOM`].
const ROOM: usize = 256 << 10;

fn file(worker: &WorkerFolder) -> PathBuf {
    worker.0.join("reserve")
}

/// Sets the room aside, unless it is or there is none.
pub fn keep(worker: &WorkerFolder) {
    let path = file(worker);
    let Ok(room) = OpenOptions::new().create_new(true).write(true).mode(0o600).open(&path) else { return };
    let is_kept = match fallocate(&room, FallocateFlags::empty(), 0, ROOM as i64) {
        Ok(()) => true,
        // This file system cannot, or the disk is full: writing tells.
        Err(_) => (&room).write_all(&vec![0; ROOM]).is_ok(),
    };
    if !is_kept {
        // Without it things are as before.
        let _ = fs::remove_file(path);
    }
}

/// Does something that needs a little room; where there is none, once more in the room that was set aside.
pub fn with_room<T>(worker: &WorkerFolder, work: impl Fn() -> io::Result<T>) -> io::Result<T> {
    match work() {
        Err(error) if is_full(&error) && fs::remove_file(file(worker)).is_ok() => work(),
        other => other,
    }
}

fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn a_full_disk_costs_the_reserve_once() {
        let folder = tempfile::tempdir().unwrap();
        let worker = WorkerFolder(folder.path().to_owned());
        keep(&worker);
        assert_eq!(fs::metadata(file(&worker)).unwrap().len(), ROOM as u64);
        let tries = Cell::new(0);
        let work = || {
            tries.set(tries.get() + 1);
            if file(&worker).exists() { Err(io::Error::from(ErrorKind::StorageFull)) } else { Ok(()) }
        };
        assert!(with_room(&worker, work).is_ok());
        assert_eq!(tries.get(), 2);

        let refused = with_room(&worker, || io::Result::<()>::Err(ErrorKind::StorageFull.into()));
        assert!(refused.is_err(), "there is nothing more to give up");
        keep(&worker);
        let other = with_room(&worker, || io::Result::<()>::Err(ErrorKind::NotFound.into()));
        assert!(other.is_err() && file(&worker).exists(), "only a full disk costs it");
    }
}
