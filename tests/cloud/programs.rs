//! dayfly and its agent as the scenarios use them: without the debug information, which every machine would download.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The program, with its agent beside it. Made once for a build, by whichever test comes first: the others wait, for a
/// program that is replaced while it runs no longer knows its own file.
pub fn dayfly() -> PathBuf {
    let built = Path::new(env!("CARGO_BIN_EXE_dayfly"));
    let changed = |path: &Path| std::fs::metadata(path).and_then(|about| about.modified()).ok();
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("stripped");
    std::fs::create_dir_all(&folder).expect("a folder");
    let lock = File::create(folder.join("lock")).expect("a lock file");
    lock.lock().expect("the lock");
    let program = folder.join("dayfly");
    if changed(&program) >= changed(built) {
        return program;
    }
    let made = tempfile::Builder::new().prefix("stripped").tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    for name in ["dayfly-agent", "dayfly"] {
        let new = made.path().join(name);
        let status = Command::new("strip").arg("-o").arg(&new).arg(built.with_file_name(name)).status();
        assert!(status.is_ok_and(|status| status.success()), "strip (package binutils) failed");
        std::fs::rename(&new, folder.join(name)).expect("a file");
    }
    program
}
