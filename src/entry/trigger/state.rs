//! What this machine keeps of runs beside the store: locks of living masters, their working folders, logs.

use std::path::{Path, PathBuf};

use anyhow::Context as _;

use crate::core::ids::RunId;

/// `$XDG_STATE_HOME/dayfly`, or `~/.local/state/dayfly`.
#[derive(Clone, Debug)]
pub struct StateFolder {
    path: PathBuf,
}

impl StateFolder {
    /// The state folder of this user.
    pub fn of_user() -> anyhow::Result<Self> {
        let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let base = absolute("XDG_STATE_HOME").or_else(|| absolute("HOME").map(|home| home.join(".local/state")));
        let base = base.context("neither XDG_STATE_HOME nor HOME is set to a folder; dayfly keeps its state there")?;
        Ok(Self { path: base.join("dayfly") })
    }
    /// The store where none is named: this folder itself.
    pub fn default_store(&self) -> String {
        self.path.to_string_lossy().into_owned()
    }
    /// The lock of a run's master.
    pub fn lock(&self, run: &RunId) -> PathBuf {
        self.path.join("locks").join(run.as_str())
    }
    /// The folder of a run's master on this machine.
    pub fn work(&self, run: &RunId) -> PathBuf {
        self.path.join("work").join(run.as_str())
    }
    /// Where the local cloud keeps its workers.
    pub fn local_cloud(&self) -> PathBuf {
        self.path.join("local")
    }
    /// What a detached master prints: in the run's own folder where the store is one, else here.
    pub fn master_log(&self, store: &str, run: &RunId) -> PathBuf {
        let root = if store.contains("://") { &self.path } else { Path::new(store) };
        root.join("runs").join(run.as_str()).join("master.log")
    }
    /// The run database of a store: inside a folder's store, else here.
    pub fn database(&self, store: &str) -> PathBuf {
        if store.contains("://") {
            let name = crate::core::ids::sha256_hex(store.as_bytes());
            self.path.join(format!("runs-{}.db", &name[..12]))
        } else {
            Path::new(store).join("runs.db")
        }
    }
    /// Removes what a run that is over left here.
    pub fn forget(&self, run: &RunId) {
        // Nothing depends on these; what cannot be removed now is only room on the disk.
        let _ = std::fs::remove_dir_all(self.work(run));
        let _ = std::fs::remove_file(self.lock(run));
    }
}
