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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::run::lookups::EnvAccess;

    #[test]
    fn paths_are_what_the_disk_says() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("file"), "").unwrap();
        std::os::unix::fs::symlink("nowhere", folder.path().join("dangling")).unwrap();
        let lookups = Lookups {
            playbook_dir: folder.path().to_owned(),
            workspace: folder.path().to_owned(),
            env: EnvAccess::Only(BTreeMap::new()),
        };
        for (test, path, expected) in [
            ("directory", ".", true),
            ("directory", "file", false),
            ("file", "file", true),
            ("exists", "dangling", false),
            ("link_exists", "dangling", true),
            ("link", "dangling", true),
            ("link", "file", false),
            ("mount", "/", true),
            ("mount", ".", false),
        ] {
            assert_eq!(lookups.path_is(test, path, None), Ok(expected), "{path} is {test}");
        }
        assert_eq!(lookups.path_is("same_file", "file", Some("./file")), Ok(true));
        assert!(lookups.path_is("same_file", "file", Some("none")).is_err());
    }
}
