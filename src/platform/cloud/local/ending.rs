//! The end of a worker: its processes, then its HOME, then the word that it is gone, in this order.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::time::{Duration, SystemTime};

use super::machine::{Lock, Machine, State};
use super::processes::{Marks, Process, descendants, end_all};
use crate::platform::cloud::InstanceState;

/// A folder without a warden is given this long for one to come.
const WARDEN_COMES_WITHIN: Duration = Duration::from_secs(10);
/// KILL works at once; this is for the kernel on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(10);

/// The present state of a worker. What a killed warden left is ended here, before anything is said of it.
pub fn settle(machine: &Machine) -> io::Result<State> {
    let Some(lock) = machine.try_lock()? else {
        let pending = || State::new(InstanceState::Pending, "");
        return Ok(machine.state()?.unwrap_or_else(pending));
    };
    // Read under the lock: the warden may have written it, and ended, just before.
    match machine.state()? {
        Some(state) if state.phase == InstanceState::Terminated => Ok(state),
        Some(state) => end_leftovers(machine, state, &lock),
        None if age(machine) < WARDEN_COMES_WITHIN => Ok(State::new(InstanceState::Pending, "")),
        None => give_up(machine, "its warden never started", &lock),
    }
}

/// Ends a worker whose warden does not run, whatever its state; false where the warden lives and must be asked.
pub fn end_without_warden(machine: &Machine) -> io::Result<bool> {
    let Some(lock) = machine.try_lock()? else { return Ok(false) };
    match machine.state()? {
        Some(state) if state.phase == InstanceState::Terminated => {}
        Some(state) => drop(end_leftovers(machine, state, &lock)?),
        None => drop(give_up(machine, "ended before its warden started", &lock)?),
    }
    Ok(true)
}

/// Says for good that a worker never was, so that a warden that comes late ends at once.
fn give_up(machine: &Machine, why: &str, _lock: &Lock) -> io::Result<State> {
    let state = State::new(InstanceState::Terminated, why);
    remove_home(&machine.home())?;
    machine.say(&state)?;
    Ok(state)
}

fn end_leftovers(machine: &Machine, mut state: State, _lock: &Lock) -> io::Result<State> {
    let marks = Marks::of(&machine.home());
    let roots: Vec<Process> = state.sshd.iter().chain(&state.warden).cloned().collect();
    let left = end_all(
        || {
            let mut found = marks.find();
            let living = roots.iter().filter(|root| root.is_alive()).map(|root| root.pid);
            found.append(&mut descendants(living.clone()));
            found.extend(living);
            found
        },
        PATIENCE,
    );
    "its warden was killed".clone_into(&mut state.why);
    finish(machine, &mut state, &left)?;
    Ok(state)
}

/// The last word of a worker whose processes were ended, if they were.
pub fn finish(machine: &Machine, state: &mut State, left: &BTreeSet<u32>) -> io::Result<()> {
    if left.is_empty() {
        remove_home(&machine.home())?;
        state.phase = InstanceState::Terminated;
    } else {
        state.phase = InstanceState::ShuttingDown;
        state.why = format!("{}; processes of another user cannot be ended: {left:?}", state.why);
    }
    machine.say(state)
}

/// Removes a worker's HOME, also where a step took away its own permission to do so.
fn remove_home(home: &Path) -> io::Result<()> {
    let mut opened = false;
    loop {
        match fs::remove_dir_all(home) {
            Ok(()) => return Ok(()),
            Err(error) if error.kind() == ErrorKind::NotFound && !home.exists() => return Ok(()),
            Err(error) if error.kind() == ErrorKind::PermissionDenied && !opened => {
                open_folders(home);
                opened = true;
            }
            Err(error) => {
                return Err(io::Error::new(error.kind(), format!("cannot remove {}: {error}", home.display())));
            }
        }
    }
}

fn open_folders(folder: &Path) {
    use std::os::unix::fs::PermissionsExt;
    let _ = fs::set_permissions(folder, fs::Permissions::from_mode(0o700));
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            open_folders(&entry.path());
        }
    }
}

fn age(machine: &Machine) -> Duration {
    let made = fs::metadata(machine.path("order.json")).and_then(|meta| meta.modified());
    made.ok().and_then(|made| SystemTime::now().duration_since(made).ok()).unwrap_or_default()
}
