//! What every link of a run shares: key, agent and the folder of control sockets.

use std::fs::DirEntry;
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::core::ids::RunId;

/// The longest folder whose control sockets still fit into a socket's name.
pub const LONGEST_CONTROL: usize = 61;

/// A control folder that was not touched for this long has no connection that is being opened.
const QUIET: Duration = Duration::from_mins(10);

/// What the real connector needs.
#[derive(Clone, Debug)]
pub struct SshSettings {
    /// A private folder of this run for control sockets and ssh's configuration; see [`control_directory`].
    pub control_dir: PathBuf,
    /// The run's own private key.
    pub identity: PathBuf,
    /// The agent's static binary.
    pub agent: PathBuf,
    /// Its SHA-256: its name on workers.
    pub agent_sha256: String,
}

/// The folder of a run's control sockets: below `$XDG_RUNTIME_DIR/dayfly`, else below a private folder in /tmp; made
/// where it is missing, and refused where it is another user's.
pub fn control_directory(run: &RunId) -> io::Result<PathBuf> {
    let user = nix::unistd::geteuid();
    let usual = std::env::var_os("XDG_RUNTIME_DIR").map(|folder| Path::new(&folder).join("dayfly"));
    let name: String = run.as_str().chars().take(26).collect();
    let fits = |parent: &PathBuf| parent.is_absolute() && parent.as_os_str().len() + 1 + name.len() <= LONGEST_CONTROL;
    let parent = usual.filter(fits).filter(|parent| own(parent).is_ok());
    let parent = if let Some(parent) = parent {
        parent
    } else {
        let parent = PathBuf::from(format!("/tmp/dayfly-{user}"));
        own(&parent)?;
        parent
    };
    let folder = parent.join(name);
    own(&folder)?;
    clean_dead(&parent, &folder);
    Ok(folder)
}

/// Makes a folder that only this user can enter, or makes sure that it is one.
pub fn own(folder: &Path) -> io::Result<()> {
    if let Err(error) = std::fs::DirBuilder::new().mode(0o700).create(folder)
        && error.kind() != io::ErrorKind::AlreadyExists
    {
        return Err(error);
    }
    let found = std::fs::symlink_metadata(folder)?;
    let is_ours = found.is_dir() && found.uid() == nix::unistd::geteuid().as_raw();
    if is_ours && found.permissions().mode() & 0o777 == 0o700 {
        return Ok(());
    }
    let told = format!("{} is not a private folder of this user", folder.display());
    Err(io::Error::new(io::ErrorKind::PermissionDenied, told))
}

/// Removes what masters left that were killed: folders of sockets that nobody listens on, and files of processes that
/// are gone.
pub fn clean(control_dir: &Path) {
    for entry in entries(control_dir) {
        let path = entry.path();
        if is_connection(&entry) {
            let socket = path.join("master");
            // One without a socket may be about to get it.
            if socket.exists() && !listens(&socket) {
                let _ = std::fs::remove_dir_all(path);
            }
        } else if let Some(maker) = maker(&path)
            && !Path::new("/proc").join(maker).exists()
        {
            let _ = std::fs::remove_file(path);
        }
    }
}

/// The name of a connection's own file: it tells which process made it.
pub fn file_name(connection: &str, count: u64, kind: &str) -> String {
    format!("{connection}-{}-{count}.{kind}", std::process::id())
}

/// The number of the process that made a file of a connection.
fn maker(file: &Path) -> Option<&str> {
    let is_ours = file.extension().is_some_and(|kind| kind == "config" || kind == "hosts");
    let maker = file.file_stem()?.to_str()?.rsplit('-').nth(1)?;
    Some(maker).filter(|maker| is_ours && maker.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Removes a control folder that has nothing in it.
pub fn leave(control_dir: &Path) {
    let _ = std::fs::remove_dir(control_dir);
}

/// Removes the control folders of other runs that nobody uses any more. One that was touched a moment ago may belong to
/// a connection that is being opened.
fn clean_dead(parent: &Path, present: &Path) {
    for entry in entries(parent) {
        let folder = entry.path();
        let touched = entry.metadata().and_then(|found| found.modified());
        let is_old = touched.is_ok_and(|at| SystemTime::now().duration_since(at).is_ok_and(|age| age > QUIET));
        if is_old && folder != present && entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            clean(&folder);
            let is_dead = |left: &DirEntry| is_connection(left) && !left.path().join("master").exists();
            for left in entries(&folder).filter(is_dead) {
                let _ = std::fs::remove_dir_all(left.path());
            }
            leave(&folder);
        }
    }
}

fn entries(folder: &Path) -> impl Iterator<Item = DirEntry> {
    std::fs::read_dir(folder).into_iter().flatten().flatten()
}

fn is_connection(entry: &DirEntry) -> bool {
    entry.file_name().to_string_lossy().starts_with(".ssh-connection")
}

fn listens(socket: &Path) -> bool {
    std::os::unix::net::UnixStream::connect(socket).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_others_can_enter_is_refused() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("control");
        assert!(own(&folder).is_ok());
        assert!(own(&folder).is_ok());
        std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o755)).unwrap();
        assert!(own(&folder).is_err());
    }

    #[test]
    fn what_dead_runs_left_goes() {
        let parent = tempfile::tempdir().unwrap();
        let old = SystemTime::now() - 2 * QUIET;
        for run in ["dead", "alive", "young"] {
            let connection = parent.path().join(run).join(".ssh-connection1");
            std::fs::create_dir_all(&connection).unwrap();
            // No process has this number.
            std::fs::write(parent.path().join(run).join("abc-4194999-0.config"), "").unwrap();
        }
        let own_file = parent.path().join("alive").join(file_name("abc", 1, "hosts"));
        std::fs::write(&own_file, "").unwrap();
        let socket = parent.path().join("alive/.ssh-connection1/master");
        let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        for run in ["dead", "alive"] {
            std::fs::File::open(parent.path().join(run)).unwrap().set_modified(old).unwrap();
        }
        clean_dead(parent.path(), &parent.path().join("present"));
        assert!(!parent.path().join("dead").exists());
        assert!(parent.path().join("young/.ssh-connection1").exists());
        assert!(socket.exists() && own_file.exists());
        assert!(!parent.path().join("alive/abc-4194999-0.config").exists());
    }
}
