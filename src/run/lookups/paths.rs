//! What the tests of paths answer (`is file`, `is directory`, …): as Ansible, of the machine that has the playbook.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::run::lookups::Lookups;

impl Lookups {
    /// Whether a path is what a test asks; a relative path starts in the playbook's folder.
    pub fn path_is(&self, test: &str, path: &str, other: Option<&str>) -> Result<bool, String> {
        let at = |path: &str| self.workspace.join(path);
        let path = at(path);
        Ok(match test {
            "directory" => path.is_dir(),
            "file" => path.is_file(),
            "link" => path.is_symlink(),
            "exists" => path.exists(),
            "link_exists" => path.symlink_metadata().is_ok(),
            "mount" => is_mount(&path),
            "same_file" => {
                let other = at(other.ok_or("same_file needs another path")?);
                identity(&path)? == identity(&other)?
            }
            other => return Err(format!("no test of paths is called {other}")),
        })
    }
}

/// A folder whose parent is on another device, or is itself.
fn is_mount(path: &Path) -> bool {
    let (Ok(own), Ok(parent)) = (path.symlink_metadata(), path.join("..").metadata()) else { return false };
    !own.is_symlink() && (own.dev() != parent.dev() || own.ino() == parent.ino())
}

fn identity(path: &Path) -> Result<(u64, u64), String> {
    let metadata = path.metadata().map_err(|error| format!("{}: {error}", path.display()))?;
    Ok((metadata.dev(), metadata.ino()))
}
