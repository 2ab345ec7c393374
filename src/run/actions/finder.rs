//! Where a file of the playbook is: beside the tasks that name it, then beside the playbook, then in the workspace.

use std::path::{Component, Path, PathBuf};

/// The folders that are searched, in order.
#[derive(Clone, Debug)]
pub struct Finder {
    roots: Vec<PathBuf>,
}

impl Finder {
    /// From the folder of the task's own file outward; repeated folders count once.
    pub fn new(roots: impl IntoIterator<Item = PathBuf>) -> Self {
        let mut unique: Vec<PathBuf> = Vec::new();
        for root in roots {
            if !unique.contains(&root) {
                unique.push(root);
            }
        }
        Self { roots: unique }
    }

    /// The first of `ROOT/KIND/NAME` and `ROOT/NAME` that exists; `kind` is `files`, `templates` or `vars`.
    pub fn find(&self, kind: &str, name: &str) -> Result<PathBuf, String> {
        let wanted = Path::new(name);
        if wanted.is_absolute() {
            return if wanted.exists() { Ok(tidy(wanted)) } else { Err(format!("could not find {name}")) };
        }
        let mut searched = Vec::new();
        for root in &self.roots {
            for candidate in [root.join(kind).join(wanted), root.join(wanted)] {
                if candidate.exists() {
                    return Ok(tidy(&candidate));
                }
                searched.push(candidate.display().to_string());
            }
        }
        Err(format!("could not find or access '{name}'; searched in: {}", searched.join(", ")))
    }

    /// All folders, strongest first.
    pub fn roots(&self) -> &[PathBuf] {
        &self.roots
    }
}

/// The path without `.` and `..`.
pub(super) fn tidy(path: &Path) -> PathBuf {
    let mut clean = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                clean.pop();
            }
            other => clean.push(other),
        }
    }
    clean
}
