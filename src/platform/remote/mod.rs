//! The way to a worker: one SSH connection, one channel, the agent at its end.

mod agent_link;
mod connection;
mod connector;
mod door;
mod failure;
mod settings;
mod ssh_config;
mod transfer;
mod transport;

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::mpsc;

use crate::core::event::Stream;
use crate::core::ids::{Epoch, HostSlot, RunId, StepKey};
use crate::core::records::{StepOrder, StepOutcome};
use crate::core::timing::Timing;
use crate::platform::cloud::Reach;

pub use connector::SshConnector;
pub use settings::{SshSettings, control_directory};

/// A piece of a step's output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputChunk {
    /// Where the next piece begins, to go on from after a lost connection.
    pub next_offset: u64,
    /// Which stream; none where this is the record of a gap.
    pub stream: Option<Stream>,
    /// The worker's clock, UNIX milliseconds.
    pub time_ms: i64,
    /// The bytes as the step wrote them.
    pub data: Bytes,
    /// Bytes that the worker could not keep before this piece.
    pub lost: u64,
}

/// What a worker says of itself at the first call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Greeting {
    /// Differs after every boot.
    pub boot_id: String,
    /// Whether the agent runs as root.
    pub root: bool,
    /// Login user.
    pub user: String,
    /// Login HOME: relative paths start here.
    pub home: String,
    /// Directories of steps that it knows.
    pub known_steps: Vec<String>,
}

/// A file that matched a pattern of `results:`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteFile {
    /// Below HOME where it is, else absolute without the leading `/`.
    pub path: String,
    /// Absolute path on the worker.
    pub absolute: String,
    /// Bytes.
    pub size: u64,
    /// Permission bits.
    pub mode: u32,
}

/// Load and room of a worker, for people.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sample {
    /// One-minute load.
    pub load1: f64,
    /// Bytes.
    pub memory_total: u64,
    /// Bytes.
    pub memory_available: u64,
    /// Bytes of the disk that holds HOME.
    pub disk_total: u64,
    /// Bytes.
    pub disk_free: u64,
}

/// Why a call to a worker has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// The connection broke: the state of the step is unknown. Call again; the link opens a new connection by itself.
    #[error("connection lost: {0}")]
    Unknown(String),
    /// The worker refused for good: login, host key, no agent can run there.
    #[error("{0}")]
    Unreachable(String),
    /// A newer master has taken over.
    #[error("a newer master (epoch {0}) has taken over")]
    Fenced(u32),
    /// Another order stands under this key.
    #[error("the worker holds another order under this key")]
    Diverged,
    /// The worker did what was asked and it went wrong (no such file, no room).
    #[error("{0}")]
    Refused(String),
}

/// The agent of one worker. Every call may be repeated; calls run side by side over one channel.
#[async_trait]
pub trait Link: Send + Sync {
    /// First words; brings the agent to the worker where it is missing.
    async fn hello(&self) -> Result<Greeting, LinkError>;
    /// Starts a step or, where the key is known, attaches to it from an offset. Sends output as it comes and returns the
    /// outcome. Dropping the future leaves the step alone.
    async fn run(
        &self,
        order: &StepOrder,
        from: u64,
        output: mpsc::Sender<OutputChunk>,
    ) -> Result<StepOutcome, LinkError>;
    /// Follows a step that the worker knows from an offset: the rest of its output, then its outcome.
    async fn attach(
        &self,
        key: &StepKey,
        from: u64,
        output: mpsc::Sender<OutputChunk>,
    ) -> Result<StepOutcome, LinkError>;
    /// Ends a step's whole process tree.
    async fn cancel(&self, key: &StepKey, reason: &str) -> Result<(), LinkError>;
    /// These outcomes and outputs are safe: their folders may be pruned.
    async fn acknowledge(&self, keys: &[StepKey]) -> Result<(), LinkError>;
    /// The output of a running step is safe up to an offset that a chunk gave: the worker may forget it. Without this a
    /// step with more output than a worker keeps loses the middle of it on a broken connection.
    async fn acknowledge_output(&self, key: &StepKey, offset: u64) -> Result<(), LinkError>;
    /// Brings a file of this machine to the worker, to be used by a step as `files/<sha256>` (see `StepOrder.args`);
    /// nothing is sent where the worker has it. Returns the absolute path there.
    async fn put(&self, file: &Path, sha256: &str) -> Result<String, LinkError>;
    /// Brings a file of the worker to this machine, streamed into a temporary file beside `to`, then renamed. Returns
    /// size and SHA-256.
    async fn get(&self, path: &str, to: &Path, becomes: Option<&str>) -> Result<(u64, String), LinkError>;
    /// Files that match patterns relative to HOME.
    async fn glob(&self, patterns: &[String]) -> Result<Vec<RemoteFile>, LinkError>;
    /// The worker may live this long from now.
    async fn renew(&self, duration_ms: u64) -> Result<(), LinkError>;
    /// The hard end, UNIX milliseconds.
    async fn deadline(&self, unix_ms: i64) -> Result<(), LinkError>;
    /// Load and room.
    async fn sample(&self) -> Result<Sample, LinkError>;
    /// The run needs nothing of this worker any more: what the run put there (its folder, its files) is removed, unless
    /// one of its steps is alive. The last call before [`Link::close`], for hosts that outlive the run.
    async fn forget(&self) -> Result<(), LinkError> {
        Ok(())
    }
    /// Closes the connection; steps go on.
    async fn close(&self);
}

/// Who calls, and how a worker is to be found.
#[derive(Clone, Debug)]
pub struct LinkOrder {
    /// The run.
    pub run: RunId,
    /// The caller's epoch.
    pub epoch: Epoch,
    /// The worker.
    pub slot: HostSlot,
    /// How it is reached.
    pub reach: Reach,
    /// All durations.
    pub timing: Timing,
}

/// Makes links: the real one by SSH, the simulation's by memory.
pub trait Connector: Send + Sync {
    /// A link to a worker. Does no I/O: the first call does.
    fn link(&self, order: LinkOrder) -> Arc<dyn Link>;
}
