//! The lease of a master's own machine: renewed as long as its master lives, read by the machine's timers.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nix::time::{ClockId, clock_gettime};
use serde_json::json;

use crate::core::ids::{Epoch, RunId};
use crate::core::records::FORMAT_VERSION;
use crate::core::timing::{Timing, ms};

/// The folder that the timers of a master's machine read, as a worker's timers read the worker's.
fn folder_of(run: &RunId, epoch: Epoch) -> String {
    format!("/var/lib/dayfly/{run}/master.{epoch}")
}

/// This machine's permission to live. Dropped, it is renewed no more and runs out.
#[derive(Clone, Debug)]
pub struct OwnLease {
    folder: PathBuf,
    _renewing: Arc<Renewing>,
}

#[derive(Debug)]
struct Renewing(tokio::task::JoinHandle<()>);

impl Drop for Renewing {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl OwnLease {
    /// Renews from now on.
    pub fn keep(run: &RunId, epoch: Epoch, timing: &Timing) -> io::Result<Self> {
        Self::keep_in(PathBuf::from(folder_of(run, epoch)), timing)
    }

    fn keep_in(folder: PathBuf, timing: &Timing) -> io::Result<Self> {
        std::fs::create_dir_all(&folder)?;
        renew(&folder, timing.lease_ms)?;
        let (of, lease_ms, pause) = (folder.clone(), timing.lease_ms, ms(timing.renew_ms));
        let renewing = tokio::spawn(async move {
            loop {
                tokio::time::sleep(pause).await;
                // A full disk passes, or the lease runs out: then the next master has a machine with room.
                let _ = renew(&of, lease_ms);
            }
        });
        Ok(Self { folder, _renewing: Arc::new(Renewing(renewing)) })
    }

    /// Moves this machine's hard end, UNIX milliseconds.
    pub fn deadline(&self, unix_ms: i64) -> io::Result<()> {
        replace(&self.folder.join("deadline"), &json!({"v": FORMAT_VERSION, "unix_ms": unix_ms}).to_string())
    }
}

/// `until`, in this boot's own time, as docs/formats.md has it for workers.
fn renew(folder: &Path, duration_ms: u64) -> io::Result<()> {
    let now = clock_gettime(ClockId::CLOCK_BOOTTIME)?;
    let boottime_ms = (now.tv_sec() * 1000 + now.tv_nsec() / 1_000_000).saturating_add_unsigned(duration_ms);
    let boot_id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id")?;
    let until = json!({"v": FORMAT_VERSION, "boot_id": boot_id.trim(), "boottime_ms": boottime_ms});
    replace(&folder.join("until"), &until.to_string())
}

fn replace(path: &Path, text: &str) -> io::Result<()> {
    let new = path.with_extension("new");
    std::fs::write(&new, text)?;
    std::fs::rename(&new, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_lease_moves_on_while_it_is_held_and_stands_afterwards() {
        let folder = tempfile::tempdir().unwrap();
        let timing = Timing { renew_ms: 20, ..Timing::default() };
        let until = || -> i64 {
            let text = std::fs::read_to_string(folder.path().join("until")).unwrap();
            serde_json::from_str::<serde_json::Value>(&text).unwrap()["boottime_ms"].as_i64().unwrap()
        };
        let lease = OwnLease::keep_in(folder.path().to_owned(), &timing).unwrap();
        let first = until();
        tokio::time::sleep(ms(200)).await;
        let later = until();
        assert!(later > first, "{later} is not after {first}");
        lease.deadline(7).unwrap();
        assert!(std::fs::read_to_string(folder.path().join("deadline")).unwrap().contains("\"unix_ms\":7"));
        drop(lease);
        tokio::time::sleep(ms(50)).await;
        let last = until();
        tokio::time::sleep(ms(100)).await;
        assert_eq!(until(), last);
    }
}
