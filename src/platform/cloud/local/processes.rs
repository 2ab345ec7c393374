//! Processes of this machine by `/proc`: trees, marks, and their end.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::time::{ClockId, clock_gettime};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

/// Below a worker's HOME; sshd's `DAYFLY_BASE` tells the agent so.
pub const AGENT_FOLDER: &str = ".dayfly";
/// The agent marks every process of a step so, with the name of the step's folder.
const STEP_MARK: &[u8] = b"DAYFLY_STEP=";
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

/// Living processes below these, themselves not included.
pub fn descendants(of: impl IntoIterator<Item = u32>) -> BTreeSet<u32> {
    let mut children: BTreeMap<u32, Vec<(u32, bool)>> = BTreeMap::new();
    for pid in pids() {
        if let Some(stat) = stat(pid) {
            children.entry(stat.parent).or_default().push((pid, stat.dead));
        }
    }
    let mut found = BTreeSet::new();
    let mut next: Vec<u32> = of.into_iter().collect();
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

/// How processes of a worker are known that have left its process tree (a unit of systemd, a killed warden): by what they
/// carry.
pub struct Marks {
    home: PathBuf,
    /// Entries of an environment that nothing but this worker's processes has.
    entries: BTreeSet<Vec<u8>>,
}

impl Marks {
    /// The marks of the worker with this HOME. Read before the HOME is removed: the agent's folders name the steps.
    pub fn of(home: &Path) -> Self {
        let below = |folder: &Path| fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
        let mut entries = BTreeSet::from([[b"HOME=", home.as_os_str().as_encoded_bytes()].concat()]);
        for run in below(&home.join(AGENT_FOLDER)) {
            for steps in below(&run).map(|worker| worker.join("steps")) {
                let mark = |step: PathBuf| Some([STEP_MARK, step.file_name()?.as_encoded_bytes()].concat());
                entries.extend(below(&steps).filter_map(mark));
            }
        }
        Self { home: home.to_owned(), entries }
    }

    /// Living processes that carry a mark, with their descendants.
    pub fn find(&self) -> BTreeSet<u32> {
        let this = std::process::id();
        let carriers = pids().filter(|pid| *pid != this && self.is_carried_by(*pid));
        let mut found: BTreeSet<u32> = carriers.filter(|pid| stat(*pid).is_some_and(|stat| !stat.dead)).collect();
        found.append(&mut descendants(found.iter().copied()));
        found.remove(&this);
        found
    }

    fn is_carried_by(&self, pid: u32) -> bool {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|entry| self.entries.contains(entry))
            || fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|path| path.starts_with(&self.home))
    }
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
