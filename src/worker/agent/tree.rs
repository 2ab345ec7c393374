//! The process tree of a step: who belongs to it, and its end.
//!
//! A supervisor is the reaper of its orphans, so every process that a step left is below it; the mark in the
//! environment finds them after the supervisor itself is gone.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// The environment variable that marks every process of a step with the name of its folder.
pub const MARK: &str = "DAYFLY_STEP";

const LOOK: Duration = Duration::from_millis(20);

/// Living processes below one, itself not included.
pub fn descendants(of: u32) -> BTreeSet<u32> {
    let mut children: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    let mut dead = BTreeSet::new();
    for (pid, parent, zombie) in processes() {
        children.entry(parent).or_default().push(pid);
        if zombie {
            dead.insert(pid);
        }
    }
    let mut found = BTreeSet::new();
    let mut next = vec![of];
    while let Some(parent) = next.pop() {
        for pid in children.remove(&parent).unwrap_or_default() {
            found.insert(pid);
            next.push(pid);
        }
    }
    &found - &dead
}

/// Living processes that carry a step's mark.
pub fn marked(mark: &str) -> BTreeSet<u32> {
    let wanted = format!("{MARK}={mark}");
    let this = std::process::id();
    let carries = |pid: &u32| {
        std::fs::read(format!("/proc/{pid}/environ"))
            .is_ok_and(|environment| environment.split(|byte| *byte == 0).any(|entry| entry == wanted.as_bytes()))
    };
    processes().filter(|(pid, _, zombie)| !zombie && *pid != this).map(|(pid, ..)| pid).filter(carries).collect()
}

/// Ends processes: TERM, at most `grace` until there are none, then KILL until there are none. Says whether all are
/// gone.
pub fn end(find: impl Fn() -> BTreeSet<u32>, grace: Duration) -> bool {
    signal(&find(), Signal::SIGTERM);
    let patience = Instant::now() + grace;
    while Instant::now() < patience {
        if find().is_empty() {
            return true;
        }
        std::thread::sleep(LOOK.min(grace));
    }
    // A process that forks while it is looked for is met again; five seconds are for the kernel, not for the step.
    let patience = Instant::now() + Duration::from_secs(5);
    while Instant::now() < patience {
        let left = find();
        if left.is_empty() {
            return true;
        }
        signal(&left, Signal::SIGKILL);
        std::thread::sleep(LOOK / 4);
    }
    find().is_empty()
}

fn signal(pids: &BTreeSet<u32>, signal: Signal) {
    for pid in pids {
        let pid = Pid::from_raw(pid.cast_signed());
        let _ = kill(pid, signal);
        // One that is stopped would never hear TERM.
        let _ = kill(pid, Signal::SIGCONT);
    }
}

/// Every process: its number, its parent, whether it is dead and waits to be reaped.
fn processes() -> impl Iterator<Item = (u32, u32, bool)> {
    std::fs::read_dir("/proc").into_iter().flatten().flatten().filter_map(|entry| {
        let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
        let stat = std::fs::read_to_string(entry.path().join("stat")).ok()?;
        // The name in parentheses may hold anything, parentheses too.
        let (_, rest) = stat.rsplit_once(") ")?;
        let mut fields = rest.split(' ');
        let state = fields.next()?;
        Some((pid, fields.next()?.parse().ok()?, state == "Z" || state == "X"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_is_found_and_ended() {
        let mut child = std::process::Command::new("/bin/sh").args(["-c", "sleep 60 & sleep 60"]).spawn().unwrap();
        let below = || {
            let mut tree = descendants(child.id());
            if descendants(std::process::id()).contains(&child.id()) {
                tree.insert(child.id());
            }
            tree
        };
        let patience = Instant::now() + Duration::from_secs(10);
        while below().len() < 3 && Instant::now() < patience {
            std::thread::sleep(LOOK);
        }
        let all = below();
        assert_eq!(all.len(), 3, "{all:?}");
        assert!(end(|| all.iter().copied().filter(|pid| is_alive(*pid)).collect(), Duration::from_secs(10)));
        child.wait().unwrap();
    }

    fn is_alive(wanted: u32) -> bool {
        processes().any(|(pid, _, zombie)| pid == wanted && !zombie)
    }
}
