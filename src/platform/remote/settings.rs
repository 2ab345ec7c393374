//! What every link of a run shares: key, agent and the folder of control sockets.

use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use crate::core::ids::RunId;

/// The longest folder whose control sockets still fit into a socket's name.
pub const LONGEST_CONTROL: usize = 61;

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
    Ok(folder)
}

/// Makes a folder that only this user can enter, or makes sure that it is one.
fn own(folder: &Path) -> io::Result<()> {
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

/// Removes what masters left that were killed: folders of sockets that nobody listens on.
pub fn clean(control_dir: &Path) {
    for entry in std::fs::read_dir(control_dir).into_iter().flatten().flatten() {
        let is_connection = entry.file_name().to_string_lossy().starts_with(".ssh-connection");
        let socket = entry.path().join("master");
        // One without a socket may be about to get it.
        if is_connection && socket.exists() && std::os::unix::net::UnixStream::connect(&socket).is_err() {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
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
}
