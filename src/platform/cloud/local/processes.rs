//! Processes of this machine by `/proc`: trees, marks, and their end.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::time::{ClockId, clock_gettime};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

/// Between two looks for processes that are not gone yet.
const LOOK: Duration = Duration::from_millis(5);

/// A process that cannot be mistaken for a later one with its number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Process {
    pub pid: u32,
    /// Ticks from boot to its start.
    pub started: u64,
    /// The boot that it lived in.
    pub boot_id: String,
}

impl Process {
    /// The process with this number, if there is one.
    pub fn find(pid: u32) -> Option<Self> {
        Some(Self { pid, started: stat(pid)?.started, boot_id: boot_id() })
    }

    /// Whether it lives.
    pub fn is_alive(&self) -> bool {
        stat(self.pid).is_some_and(|stat| !stat.dead && stat.started == self.started) && self.boot_id == boot_id()
    }

    /// Sends a signal if it lives.
    pub fn signal(&self, signal: Signal) {
        if self.is_alive() {
            let _ = kill(Pid::from_raw(self.pid.cast_signed()), signal);
        }
    }
}

/// This boot's name; empty where the kernel does not tell it.
pub fn boot_id() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").map(|text| text.trim().to_owned()).unwrap_or_default()
}

/// Milliseconds since boot, suspension included: leases are counted in these.
pub fn boottime_ms() -> i64 {
    milliseconds(ClockId::CLOCK_BOOTTIME)
}

/// UNIX milliseconds, for the deadline.
pub fn unix_ms() -> i64 {
    milliseconds(ClockId::CLOCK_REALTIME)
}

fn milliseconds(clock: ClockId) -> i64 {
    clock_gettime(clock).map_or(0, |time| time.tv_sec() * 1000 + time.tv_nsec() / 1_000_000)
}

struct Stat {
    parent: u32,
    dead: bool,
    started: u64,
}

fn stat(pid: u32) -> Option<Stat> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may hold anything, parentheses too.
    let (_, rest) = text.rsplit_once(") ")?;
    let mut fields = rest.split(' ');
    let state = fields.next()?;
    let parent = fields.next()?.parse().ok()?;
    // `starttime` is field 22 of the file; the state was field 3.
    let started = fields.nth(17)?.parse().ok()?;
    Some(Stat { parent, dead: matches!(state, "Z" | "X"), started })
}

fn pids() -> impl Iterator<Item = u32> {
    fs::read_dir("/proc").into_iter().flatten().flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// Living processes below one, itself not included.
pub fn descendants(of: u32) -> BTreeSet<u32> {
    let mut children: BTreeMap<u32, Vec<(u32, bool)>> = BTreeMap::new();
    for pid in pids() {
        if let Some(stat) = stat(pid) {
            children.entry(stat.parent).or_default().push((pid, stat.dead));
        }
    }
    let mut found = BTreeSet::new();
    let mut next = vec![of];
    while let Some(parent) = next.pop() {
        for (pid, dead) in children.remove(&parent).unwrap_or_default() {
            if !dead {
                found.insert(pid);
            }
            next.push(pid);
        }
    }
    found
}

/// Living processes that belong to a worker by what they carry: its HOME in their environment, or an executable below it.
/// They may have left the worker's process tree (a unit of systemd, a killed warden).
pub fn marked(home: &Path) -> BTreeSet<u32> {
    let wanted = [b"HOME=", home.as_os_str().as_encoded_bytes()].concat();
    let carries = |pid: &u32| {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|entry| entry == wanted)
            || fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|path| path.starts_with(home))
    };
    let this = std::process::id();
    pids().filter(|pid| *pid != this).filter(carries).filter(|pid| stat(*pid).is_some_and(|stat| !stat.dead)).collect()
}

/// Kills until `find` finds nothing, or for this long. Returns what is left: processes of other users.
pub fn end_all(find: impl Fn() -> BTreeSet<u32>, patience: Duration) -> BTreeSet<u32> {
    let give_up = Instant::now() + patience;
    loop {
        let left = find();
        if left.is_empty() || Instant::now() >= give_up {
            return left;
        }
        for pid in &left {
            let _ = kill(Pid::from_raw(pid.cast_signed()), Signal::SIGKILL);
        }
        std::thread::sleep(LOOK);
    }
}

/// One ended child or adopted orphan: its number and how it ended. For the warden only: elsewhere it would take a child
/// that somebody else waits for.
pub fn reap_one() -> Option<(u32, String)> {
    loop {
        match waitpid(None::<Pid>, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::Exited(pid, code)) => {
                return Some((pid.as_raw().cast_unsigned(), format!("exit code {code}")));
            }
            Ok(WaitStatus::Signaled(pid, signal, _)) => {
                return Some((pid.as_raw().cast_unsigned(), signal.to_string()));
            }
            Ok(WaitStatus::StillAlive) | Err(Errno::ECHILD) => return None,
            Ok(_) | Err(Errno::EINTR) => {}
            Err(_) => return None,
        }
    }
}
