//! A file's next content, written beside it and renamed over it in one step; what it replaces may be kept.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use serde_json::json;

use super::failure::Failure;
use super::moment::Moment;
use super::place;
use super::{Context, Program, mode, words};

/// Content that waits beside its destination. Dropped before it is put in place, it vanishes.
#[derive(Debug)]
pub struct Staged {
    path: PathBuf,
    in_place: bool,
}

impl Staged {
    /// Copies a file beside a destination.
    pub fn copy(source: &Path, destination: &Path) -> io::Result<Self> {
        let (staged, mut file) = Self::create(destination)?;
        io::copy(&mut File::open(source)?, &mut file)?;
        Ok(staged)
    }
    /// Writes bytes beside a destination.
    pub fn write(bytes: &[u8], destination: &Path) -> io::Result<Self> {
        let (staged, mut file) = Self::create(destination)?;
        file.write_all(bytes)?;
        Ok(staged)
    }
    fn create(destination: &Path) -> io::Result<(Self, File)> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let folder = destination.parent().unwrap_or(Path::new("/"));
        loop {
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            // The ending stays, since a program that validates it may go by it.
            let mut name = std::ffi::OsString::from(format!(".dayfly-{}-{number}", std::process::id()));
            if let Some(ending) = destination.extension() {
                name.push(".");
                name.push(ending);
            }
            let path = folder.join(name);
            match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path) {
                Ok(file) => return Ok((Self { path, in_place: false }, file)),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
    }
    /// Where it waits.
    pub fn path(&self) -> &Path {
        &self.path
    }
    /// Runs a `validate` command on it; `%s` stands for its path.
    pub fn validate(&self, validate: &str, context: &mut Context) -> Result<(), Rejection> {
        if !validate.contains("%s") {
            return Err(Rejection::Refused(Failure::new(format!("validate must contain %s: {validate}"))));
        }
        let line = validate.replace("%s", &self.path.to_string_lossy());
        let argv = words::split(&line).map_err(|error| Rejection::Refused(Failure::uncaught(error)))?;
        let argv = argv.iter().map(|word| place::expand(word, context)).collect();
        let end = context.programs.run(Program { argv, ..Program::default() }).map_err(|error| {
            let code = error.raw_os_error().unwrap_or(257);
            Rejection::Refused(
                Failure::new("Error executing command.").with("rc", code).with("cmd", line).because(error),
            )
        })?;
        if end.rc == 0 {
            return Ok(());
        }
        Err(Rejection::Failed { rc: end.rc, stdout: end.stdout, stderr: end.stderr })
    }
    /// Replaces the destination: owner and mode of what was there stay, a new file gets what the umask leaves.
    pub fn put_in_place(self, destination: &Path) -> io::Result<()> {
        match fs::metadata(destination) {
            Ok(old) => {
                keep_owner(&self.path, old.uid(), old.gid())?;
                fs::set_permissions(&self.path, fs::Permissions::from_mode(old.mode() & 0o7777))?;
            }
            Err(_) => self.settle_as_new(destination)?,
        }
        self.rename(destination)
    }
    /// Replaces the destination as a copy of another file of this machine: mode and times of the source, or what the
    /// umask leaves where nothing was there.
    pub fn put_in_place_like(self, source: &Path, destination: &Path) -> io::Result<()> {
        let like = fs::metadata(source)?;
        if destination.exists() {
            fs::set_permissions(&self.path, fs::Permissions::from_mode(like.mode() & 0o7777))?;
        } else {
            self.settle_as_new(destination)?;
        }
        copy_times(&like, &self.path)?;
        self.rename(destination)
    }
    fn settle_as_new(&self, destination: &Path) -> io::Result<()> {
        fs::set_permissions(&self.path, fs::Permissions::from_mode(0o666 & !mode::umask()))?;
        let folder = destination.parent().map(fs::metadata).transpose()?;
        match folder {
            Some(folder) if folder.mode() & 0o2000 != 0 => {
                keep_owner(&self.path, nix::unistd::geteuid().as_raw(), folder.gid())
            }
            _ => Ok(()),
        }
    }
    fn rename(mut self, destination: &Path) -> io::Result<()> {
        fs::rename(&self.path, destination)?;
        self.in_place = true;
        Ok(())
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        if !self.in_place {
            // Nobody can be told; the next run does not care.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Why a `validate` command did not let content pass.
#[derive(Debug)]
pub enum Rejection {
    /// It could not be run.
    Refused(Failure),
    /// It ran and failed.
    Failed {
        /// Its exit code.
        rc: i32,
        /// Its output.
        stdout: String,
        /// Its complaints.
        stderr: String,
    },
}

impl Rejection {
    /// As `copy` and `template` return it.
    pub fn into_failure(self) -> Failure {
        match self {
            Self::Refused(failure) => failure,
            Self::Failed { rc, stdout, stderr } => Failure::new("failed to validate")
                .with("exit_status", rc)
                .with("stdout_lines", json!(words::lines(&stdout)))
                .with("stderr_lines", json!(words::lines(&stderr)))
                .with("stdout", stdout)
                .with("stderr", stderr),
        }
    }
}

/// Who may not give files away keeps what they get.
fn keep_owner(path: &Path, uid: u32, gid: u32) -> io::Result<()> {
    match std::os::unix::fs::chown(path, Some(uid), Some(gid)) {
        Err(error) if error.kind() != io::ErrorKind::PermissionDenied => Err(error),
        _ => Ok(()),
    }
}

/// Gives a file the times of another.
pub fn copy_times(like: &fs::Metadata, path: &Path) -> io::Result<()> {
    let accessed = like.accessed().unwrap_or_else(|_| SystemTime::now());
    let times = fs::FileTimes::new().set_accessed(accessed).set_modified(like.modified()?);
    File::options().write(true).open(path)?.set_times(times)
}

/// Keeps a copy of a file beside it, with owner, mode and times, and returns its name; none where there is no file.
pub fn back_up(path: &Path) -> io::Result<Option<String>> {
    let Ok(old) = fs::metadata(path) else { return Ok(None) };
    let now = Moment::now();
    let name = format!("{}.{}.{}@{}~", path.to_string_lossy(), std::process::id(), now.date(), now.time());
    fs::copy(path, &name)?;
    keep_owner(Path::new(&name), old.uid(), old.gid())?;
    fs::set_permissions(&name, fs::Permissions::from_mode(old.mode() & 0o7777))?;
    // Times are a courtesy: a read-only copy of somebody else's file cannot always get them.
    let _ = copy_times(&old, Path::new(&name));
    Ok(Some(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replaces_and_keeps_the_mode() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f.conf");
        fs::write(&path, "old").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        Staged::write(b"new", &path).unwrap().put_in_place(&path).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o640);
        let fresh = folder.path().join("g");
        Staged::write(b"new", &fresh).unwrap().put_in_place(&fresh).unwrap();
        assert_eq!(fs::metadata(&fresh).unwrap().mode() & 0o777, 0o666 & !mode::umask());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[test]
    fn what_is_not_put_in_place_vanishes() {
        let folder = tempfile::tempdir().unwrap();
        let staged = Staged::write(b"new", &folder.path().join("f.conf")).unwrap();
        let waiting = staged.path().to_owned();
        assert!(waiting.exists() && waiting.extension().unwrap() == "conf");
        drop(staged);
        assert!(!waiting.exists());
    }

    #[test]
    fn a_backup_has_ansibles_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f");
        assert_eq!(back_up(&path).unwrap(), None);
        fs::write(&path, "old").unwrap();
        let name = back_up(&path).unwrap().unwrap();
        let pattern = format!(r"/f\.{}\.\d{{4}}-\d\d-\d\d@\d\d:\d\d:\d\d~$", std::process::id());
        assert!(fancy_regex::Regex::new(&pattern).unwrap().is_match(&name).unwrap(), "{name}");
        assert_eq!(fs::read_to_string(name).unwrap(), "old");
    }
}
