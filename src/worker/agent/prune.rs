//! What earlier runs left on a host that outlives them goes after a while.

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use super::folders::{Base, WorkerFolder};
use super::step_folder::StepFolder;

/// Nothing younger than this goes.
const KEPT: Duration = Duration::from_hours(14 * 24);

/// Removes old runs, and old files that the master brought. The present worker's run stays.
pub fn prune(base: &Base, present: &WorkerFolder) {
    for run in folders(&base.0) {
        let is_present = present.0.starts_with(&run);
        let is_run = !is_present && !run.ends_with("bin") && !run.ends_with("files");
        if is_run && folders(&run).iter().all(|worker| is_over(&WorkerFolder(worker.clone()))) {
            let _ = fs::remove_dir_all(&run);
        }
    }
    for file in fs::read_dir(base.files()).into_iter().flatten().flatten() {
        if is_old(&file.path()) {
            let _ = fs::remove_file(file.path());
        }
    }
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
        fs::create_dir(base.files()).unwrap();
        for name in ["one", "two"] {
            fs::write(base.files().join(name), name).unwrap();
        }
        fs::File::open(base.files().join("one")).unwrap().set_modified(old).unwrap();
        prune(&base, &base.worker("present", "w", 1));
        let left = |path: &Path| folders(path).len();
        assert_eq!(left(folder.path()), 3, "{:?}", folders(folder.path()));
        assert!(!base.0.join("old").exists() && !base.files().join("one").exists());
        assert!(base.files().join("two").exists());
    }
}
