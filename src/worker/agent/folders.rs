//! Where the agent keeps things on a worker's disk.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// The environment variable that moves the agent's folder.
pub const BASE_VARIABLE: &str = "DAYFLY_BASE";

/// The agent's own folder: /var/lib/dayfly as root, else ~/.dayfly.
#[derive(Clone, Debug)]
pub struct Base(pub PathBuf);

impl Base {
    /// The folder that was asked for, else the usual one.
    pub fn find(given: Option<PathBuf>, home: &Path) -> Self {
        let set = given.or_else(|| std::env::var_os(BASE_VARIABLE).filter(|set| !set.is_empty()).map(PathBuf::from));
        Self(set.map_or_else(
            || if nix::unistd::geteuid().is_root() { "/var/lib/dayfly".into() } else { home.join(".dayfly") },
            |path| home.join(path),
        ))
    }
    /// What belongs to one worker of one run.
    pub fn worker(&self, run: &str, host: &str, incarnation: u32) -> WorkerFolder {
        WorkerFolder(self.0.join(plain(run)).join(format!("{}.{incarnation}", plain(host))))
    }
}

/// The folder of one worker of one run.
#[derive(Clone, Debug)]
pub struct WorkerFolder(pub PathBuf);

impl WorkerFolder {
    /// The steps, each a folder.
    pub fn steps(&self) -> PathBuf {
        self.0.join("steps")
    }
    /// Files that the master brought, each named by its SHA-256. They may hold secrets: they go with the folder.
    pub fn files(&self) -> PathBuf {
        self.0.join("files")
    }
}

/// A name of a run or a host as a file name.
fn plain(name: &str) -> String {
    if name.starts_with('.') { format!("_{name}") } else { name.to_owned() }.replace(['/', '\0'], "_")
}

/// Makes a folder, and its parents, that only this user can enter.
pub fn private(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Whether an entry's own contents must survive a loss of power.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// As the kernel likes.
    Relaxed,
    /// Before this returns.
    Durable,
}

/// Replaces a file at once: whoever reads sees the old or the new contents, never a part.
pub fn replace(path: &Path, contents: &[u8], durability: Durability) -> io::Result<()> {
    let temporary = path.with_extension(format!("new-{}", std::process::id()));
    let written = (|| {
        let mut file = fs::OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(&temporary)?;
        file.write_all(contents)?;
        if durability == Durability::Durable {
            file.sync_data()?;
        }
        fs::rename(&temporary, path)
    })();
    if written.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    written?;
    if durability == Durability::Durable
        && let Some(folder) = path.parent()
    {
        File::open(folder)?.sync_all()?;
    }
    Ok(())
}
