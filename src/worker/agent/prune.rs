//! What earlier runs left on a host that outlives them goes after a while.

use std::fs;
use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime};

use super::folders::{Base, WorkerFolder};
use super::step_folder::{State, StepFolder};

/// Nothing younger than this goes.
const KEPT: Duration = Duration::from_hours(14 * 24);

/// Removes old runs, with the files that the master brought. The present worker's run stays.
pub fn prune(base: &Base, present: &WorkerFolder) {
    for run in folders(&base.0) {
        let is_present = present.0.starts_with(&run);
        let is_run = !is_present && !run.ends_with("bin");
        if is_run && folders(&run).iter().all(|worker| is_over(&WorkerFolder(worker.clone()))) {
            let _ = fs::remove_dir_all(&run);
        }
    }
}

/// Removes the folder of a worker whose run is over, unless one of its steps is alive. Must be called with the fence
/// closed, so that no step comes meanwhile.
pub fn forget(worker: &WorkerFolder) -> io::Result<()> {
    let mut held = Vec::new();
    for path in folders(&worker.steps()) {
        let step = StepFolder { path };
        match step.state()? {
            State::Running => return Ok(()),
            State::Accepted => match step.lock()? {
                // Whoever is about to start it waits for the lock, and then finds no order.
                Some(lock) => held.push(lock),
                None => return Ok(()),
            },
            State::Absent | State::Dead { .. } | State::Done(_) | State::Acked => {}
        }
    }
    // A first call's reserve may be set aside at this moment.
    fs::remove_dir_all(&worker.0).or_else(|_| fs::remove_dir_all(&worker.0))?;
    if let Some(run) = worker.0.parent() {
        // Another host of the run may be on this machine.
        let _ = fs::remove_dir(run);
    }
    Ok(())
}

fn is_over(worker: &WorkerFolder) -> bool {
    let is_quiet = |name: &str| !worker.0.join(name).exists() || is_old(&worker.0.join(name));
    let is_idle = |step: std::path::PathBuf| !StepFolder { path: step }.is_locked().unwrap_or(true);
    is_old(&worker.steps())
        && ["epoch", "until"].into_iter().all(is_quiet)
        && folders(&worker.steps()).into_iter().all(is_idle)
}

fn is_old(path: &Path) -> bool {
    let changed = fs::metadata(path).and_then(|found| found.modified());
    changed.is_ok_and(|changed| SystemTime::now().duration_since(changed).is_ok_and(|age| age > KEPT))
}

fn folders(of: &Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(of).into_iter().flatten().flatten();
    entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())).map(|entry| entry.path()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_old_goes() {
        let folder = tempfile::tempdir().unwrap();
        let base = Base(folder.path().to_owned());
        let old = SystemTime::now() - 2 * KEPT;
        for run in ["old", "young", "present"] {
            let steps = base.worker(run, "w", 1).steps();
            fs::create_dir_all(&steps).unwrap();
            if run != "young" {
                fs::File::open(&steps).unwrap().set_modified(old).unwrap();
            }
        }
        prune(&base, &base.worker("present", "w", 1));
        let left = |path: &Path| folders(path).len();
        assert_eq!(left(folder.path()), 2, "{:?}", folders(folder.path()));
        assert!(!base.0.join("old").exists());
    }
}
