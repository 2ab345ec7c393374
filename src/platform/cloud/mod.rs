//! Where workers come from: a few verbs, each of which can be repeated under its key.

pub mod host_key;
pub mod inventory;
pub mod local;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::core::ids::{GroupName, HostSlot, InstanceId, RunId};
use crate::core::records::{CloudKind, GroupSpec};

/// What a launch asks for. It holds nothing that is not in spec or journal, so a retry is equal byte for byte.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LaunchOrder {
    /// The run.
    pub run: RunId,
    /// The group.
    pub group: GroupName,
    /// run / group / wave / pick: doing it twice under one token is doing it once.
    pub token: String,
    /// Names that the instances will carry, in order.
    pub slots: Vec<HostSlot>,
    /// What each is.
    pub spec: GroupSpec,
    /// The run's public key, one line as in `authorized_keys`.
    pub authorized_key: String,
    /// Hard end, UNIX milliseconds.
    pub deadline_ms: i64,
    /// First worker lease, milliseconds from boot.
    pub lease_ms: u64,
}

/// The state of a machine as its cloud tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum InstanceState {
    /// Not reachable yet.
    Pending,
    /// Running.
    Running,
    /// Being ended.
    ShuttingDown,
    /// Proven gone.
    Terminated,
}

/// How a worker is reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "via", rename_all = "lowercase", deny_unknown_fields)]
pub enum Reach {
    /// By SSH.
    Ssh {
        /// Address or name.
        address: String,
        /// Port.
        port: u16,
        /// Login user; the SSH client's default where none.
        user: Option<String>,
        /// Lines for a `known_hosts` file that pin the host key; empty: the user's own known_hosts decide.
        host_keys: Vec<String>,
        /// A private key file of the user's; none: the run's own key.
        identity: Option<String>,
        /// Further `-o` options from the inventory.
        options: Vec<String>,
    },
    /// The agent as a child process of the master (`ansible_connection=local`, localhost).
    Child,
}

/// One machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Instance {
    /// The cloud's name of it.
    pub id: InstanceId,
    /// The worker that it carries.
    pub slot: HostSlot,
    /// What it does.
    pub state: InstanceState,
    /// How it is reached; none before it has an address.
    pub reach: Option<Reach>,
    /// The address by which other workers reach it.
    pub address: String,
}

/// Why a launch did not happen.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    /// A definite no: nothing was launched. Another pick may do.
    #[error("{0}")]
    Refused(String),
    /// A definite no that no other pick cures; says what to change.
    #[error("{0}")]
    Impossible(String),
    /// Nobody knows: resolve on the same pick with the same bytes.
    #[error("no answer: {0}")]
    Ambiguous(String),
}

/// Why a cloud did not answer.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct CloudError(pub String);

/// A few verbs. Every one may be called again with the same arguments.
#[async_trait]
pub trait Cloud: Send + Sync {
    /// Which.
    fn kind(&self) -> CloudKind;
    /// Launches the machines of an order, or finds those that this token launched before. `host_key` is the private
    /// half of the bootstrap host key (OpenSSH PEM), derived from the run key and never journaled.
    async fn launch(&self, order: &LaunchOrder, host_key: &str) -> Result<Vec<Instance>, LaunchError>;
    /// The present state of machines; one that the cloud has forgotten is missing from the answer.
    async fn describe(&self, run: &RunId, ids: &[InstanceId]) -> Result<Vec<Instance>, CloudError>;
    /// Asks for the end of machines; returns at once. `describe` proves it. Never ends a machine of an inventory.
    async fn terminate(&self, run: &RunId, ids: &[InstanceId]) -> Result<(), CloudError>;
    /// Every machine of a run that still lives, whoever asked for it.
    async fn sweep(&self, run: &RunId) -> Result<Vec<Instance>, CloudError>;
    /// The last lines that a machine said before it could be reached (console output, sshd's log), for people.
    async fn console(&self, run: &RunId, id: &InstanceId) -> Option<String>;
    /// Removes what the cloud itself kept for a run that is over (folders on this machine).
    async fn forget(&self, run: &RunId) -> Result<(), CloudError>;
}
