//! Where programs are found.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use nix::unistd::{AccessFlags, access};

/// Finds a program in PATH and in the administrator's folders, as Ansible does.
pub fn find(name: &str, environment: &BTreeMap<String, String>) -> Option<PathBuf> {
    let path = environment.get("PATH").map_or("/usr/bin:/bin", String::as_str);
    path.split(':')
        .chain(["/sbin", "/usr/sbin", "/usr/local/sbin"])
        .filter(|folder| !folder.is_empty())
        .map(|folder| Path::new(folder).join(name))
        .find(|path| path.is_file() && access(path, AccessFlags::X_OK).is_ok())
}
