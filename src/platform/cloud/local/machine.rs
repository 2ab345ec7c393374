//! One worker's folder: what was ordered, what its warden says, and the lock that tells whether the warden lives.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::processes::Process;
use crate::core::ids::{HostSlot, InstanceId, RunId, sha256_hex};
use crate::core::records::FORMAT_VERSION;
use crate::platform::cloud::host_key::known_hosts_line;
use crate::platform::cloud::{Instance, InstanceState, LaunchOrder, Reach};

/// Workers are reached here, by the master and by each other.
pub const ADDRESS: &str = "127.0.0.1";

/// What a worker is; written once, together with its folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Order {
    pub v: u32,
    pub run: RunId,
    pub token: String,
    pub slot: HostSlot,
    pub instance: InstanceId,
    /// Login user: the one who launched it.
    pub user: String,
    /// Absolute path of the sshd.
    pub sshd: PathBuf,
    /// The public half of its host key.
    pub host_key: String,
    /// UNIX milliseconds.
    pub deadline_ms: i64,
    /// First lease, from the warden's start.
    pub lease_ms: u64,
}

/// What the warden says of its worker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    pub v: u32,
    pub phase: InstanceState,
    pub port: Option<u16>,
    pub warden: Option<Process>,
    pub sshd: Option<Process>,
    /// Why it is in this state, where that is not the usual course.
    pub why: String,
}

impl State {
    pub fn new(phase: InstanceState, why: &str) -> Self {
        Self { v: FORMAT_VERSION, phase, port: None, warden: None, sshd: None, why: why.to_owned() }
    }
}

/// A worker's folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Machine {
    pub folder: PathBuf,
}

/// Held by the warden while its worker lives, and by whoever ends what a dead warden left.
pub struct Lock(#[expect(dead_code, reason = "the lock is held as long as the file is open")] File);

impl Machine {
    /// The folder of an instance.
    pub fn of(state: &Path, run: &RunId, instance: &InstanceId) -> Self {
        Self { folder: run_folder(state, run).join(plain(instance.as_str())) }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The worker's HOME.
    pub fn home(&self) -> PathBuf {
        self.path("home")
    }

    /// Makes the folder with all that a worker needs, once; false where it exists.
    pub fn create(&self, order: &Order, host_key_pem: &str, authorized_key: &str) -> io::Result<bool> {
        if self.folder.exists() {
            return Ok(false);
        }
        let parent = self.folder.parent().unwrap_or(Path::new("."));
        private_folder(parent)?;
        let draft = tempfile::Builder::new().prefix(".draft-").tempdir_in(parent)?;
        let at = Self { folder: draft.path().to_owned() };
        private_folder(&at.home())?;
        write(&at.path("order.json"), &serde_json::to_vec(order)?)?;
        write(&at.path("host_key"), host_key_pem.as_bytes())?;
        write(&at.path("authorized_keys"), format!("{}\n", authorized_key.trim_end()).as_bytes())?;
        match fs::rename(draft.path(), &self.folder) {
            Ok(()) => Ok(true),
            // Somebody else was first with the same token; a folder that is not empty cannot be replaced.
            Err(_) if self.folder.exists() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// What was ordered; none where there is no such worker.
    pub fn order(&self) -> io::Result<Option<Order>> {
        read_json(&self.path("order.json"))
    }

    /// What the warden said last; none before its first word.
    pub fn state(&self) -> io::Result<Option<State>> {
        read_json(&self.path("state.json"))
    }

    /// Replaces the state in one piece.
    pub fn say(&self, state: &State) -> io::Result<()> {
        replace(&self.path("state.json"), &serde_json::to_vec(state)?)
    }

    /// The lock, or none where it is held: then the warden lives.
    pub fn try_lock(&self) -> io::Result<Option<Lock>> {
        let file = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(self.path("lock"))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Lock(file))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}

/// The worker as the cloud tells it.
pub fn instance(order: &Order, state: &State) -> Instance {
    let reach = state.port.filter(|_| state.phase == InstanceState::Running).map(|port| Reach::Ssh {
        address: ADDRESS.to_owned(),
        port,
        user: Some(order.user.clone()),
        host_keys: vec![known_hosts_line(&order.host_key, ADDRESS, port)],
        identity: None,
        options: Vec::new(),
    });
    let (id, slot) = (order.instance.clone(), order.slot.clone());
    Instance { id, slot, state: state.phase, reach, address: ADDRESS.to_owned() }
}

/// The folder of a run's workers.
pub fn run_folder(state: &Path, run: &RunId) -> PathBuf {
    state.join(plain(run.as_str()))
}

/// A worker's name in this cloud: readable, and its own for every launch.
pub fn instance_id(order: &LaunchOrder, slot: &HostSlot) -> InstanceId {
    let run = order.run.as_str();
    // The end of a ULID is chance; its beginning is the time.
    let short: String = run.chars().skip(run.chars().count().saturating_sub(6)).collect();
    let token = sha256_hex(order.token.as_bytes());
    InstanceId::new(plain(&format!("local-{short}-{slot}-{}", token.get(..6).unwrap_or_default())))
}

/// All workers of a run.
pub fn machines(state: &Path, run: &RunId) -> io::Result<Vec<Machine>> {
    let entries = match fs::read_dir(run_folder(state, run)) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry?;
        if !entry.file_name().to_string_lossy().starts_with('.') {
            found.push(Machine { folder: entry.path() });
        }
    }
    found.sort_by(|a, b| a.folder.cmp(&b.folder));
    Ok(found)
}

/// Replaces a file in one piece.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut draft = tempfile::Builder::new().prefix(".draft-").tempfile_in(folder)?;
    draft.write_all(bytes)?;
    draft.persist(path).map(drop).map_err(|error| error.error)
}

/// A name that is one folder and not hidden.
fn plain(name: &str) -> String {
    let name = name.replace(['/', '\0'], "_");
    if name.starts_with('.') { format!("_{name}") } else { name }
}

fn private_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?.write_all(bytes)
}

fn read_json<T: serde::de::DeserializeOwned>(path: &Path) -> io::Result<Option<T>> {
    match fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes)
            .map(Some)
            .map_err(|error| io::Error::new(ErrorKind::InvalidData, format!("{}: {error}", path.display()))),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(None),
        Err(error) => Err(error),
    }
}
