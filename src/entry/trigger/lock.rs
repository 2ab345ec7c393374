//! The lock on this machine that tells whether a run's master lives here. The journal is the fence between masters;
//! this only spares people a takeover by mistake.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, Write as _};
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use nix::fcntl::{Flock, FlockArg};

/// Held as long as the master lives; the kernel lets go of it when the process ends, however it ends.
#[derive(Debug)]
pub struct MasterLock {
    _held: Flock<File>,
}

impl MasterLock {
    /// Takes the lock, or says which process holds it.
    pub fn take(path: &Path) -> anyhow::Result<Result<Self, u32>> {
        let what = || format!("lock {}", path.display());
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).with_context(what)?;
        }
        let mut file = open(path).with_context(what)?;
        let mut tries = TRIES;
        loop {
            match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
                Ok(held) => return Ok(Ok(Self { _held: signed(held).with_context(what)? })),
                // Somebody may only be looking ([`MasterLock::holder`] holds it for a moment).
                Err((unlocked, nix::errno::Errno::EWOULDBLOCK)) if tries > 0 => {
                    file = unlocked;
                    tries -= 1;
                    std::thread::sleep(Duration::from_millis(20));
                }
                Err((mut file, nix::errno::Errno::EWOULDBLOCK)) => return Ok(Err(pid_in(&mut file))),
                Err((_, error)) => return Err(error).with_context(what),
            }
        }
    }

    /// Whether a master of the run ever lived on this machine.
    pub fn was_here(path: &Path) -> bool {
        path.exists()
    }

    /// The process that holds the lock, if one does.
    pub fn holder(path: &Path) -> Option<u32> {
        let file = OpenOptions::new().read(true).open(path).ok()?;
        match Flock::lock(file, FlockArg::LockSharedNonblock) {
            Ok(_free) => None,
            Err((mut file, _)) => Some(pid_in(&mut file)),
        }
    }
}

/// How often a lock that is held is tried again.
const TRIES: u32 = 5;

fn signed(mut held: Flock<File>) -> std::io::Result<Flock<File>> {
    held.set_len(0)?;
    held.rewind()?;
    write!(held, "{}", std::process::id())?;
    Ok(held)
}

fn open(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)
}

fn pid_in(file: &mut File) -> u32 {
    let mut text = String::new();
    // A holder that has not written its number yet is number zero: "somebody".
    let _ = file.read_to_string(&mut text);
    text.trim().parse().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_holder_at_a_time_and_free_after_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("locks/r1");
        assert_eq!(MasterLock::holder(&path), None);
        let held = MasterLock::take(&path).unwrap().unwrap();
        assert_eq!(MasterLock::holder(&path), Some(std::process::id()));
        assert_eq!(MasterLock::take(&path).unwrap().unwrap_err(), std::process::id());
        drop(held);
        assert_eq!(MasterLock::holder(&path), None);
        assert!(MasterLock::take(&path).unwrap().is_ok());
    }
}
