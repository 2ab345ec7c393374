//! Where workers come from: a few verbs, each of which can be repeated under its key.

pub mod ec2;
pub mod host_key;
pub mod inventory;
pub mod local;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::core::ids::{Epoch, GroupName, HostSlot, InstanceId, RunId};
use crate::core::records::{CloudKind, GroupSpec};

/// A place where a group's machines may be asked for, in the cloud's own words (EC2: subnet, type, market).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pick {
    /// Its number in the group's ordered list; part of the launch's key.
    pub index: u32,
    /// Picks of one rank are spread over; a higher rank is only asked once all lower ones have no more.
    pub rank: u32,
    /// For people: `c7i.large spot in subnet-0aaa (eu-west-1a)`.
    pub label: String,
    /// What only the cloud reads.
    pub place: Value,
}

impl Pick {
    /// The only place of a cloud that has one.
    pub fn only() -> Self {
        Self { index: 0, rank: 0, label: String::new(), place: Value::Null }
    }
}

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
    /// Where.
    pub pick: Pick,
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

/// Whether a pick that was refused is worth another try in this run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Again {
    /// After a pause: capacity comes and goes.
    Later,
    /// Not in this run.
    Never,
}

/// Why a launch did not happen.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    /// A definite no: nothing was launched. Another pick may do.
    #[error("{why}")]
    Refused {
        /// Why, and what to do.
        why: String,
        /// Whether this pick may do later.
        again: Again,
    },
    /// This launch happened before and all of it is over: neither success nor a refusal. Another key may do.
    #[error("{why}")]
    Over {
        /// What was launched, where the cloud still knows.
        ids: Vec<InstanceId>,
        /// How it is known.
        why: String,
    },
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

/// Something beside a machine that a run left in the cloud.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Leftover {
    /// `volume`, `network-interface`, `security-group`, `key-pair`.
    pub kind: String,
    /// The cloud's name of it.
    pub id: String,
}

/// What a master's machine is asked for by: one machine under run / epoch / pick.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MasterOrder {
    /// The run.
    pub run: RunId,
    /// Which master.
    pub epoch: Epoch,
    /// run / epoch / pick.
    pub token: String,
    /// Where.
    pub pick: Pick,
    /// What it does at its boot, byte for byte.
    pub user_data: String,
    /// Hard end, UNIX milliseconds.
    pub deadline_ms: i64,
}

/// A cloud that can give a master a machine of its own.
#[async_trait]
pub trait MasterCloud: Send + Sync {
    /// Launches one master's machine, or finds the one that this token launched before.
    async fn launch_master(&self, order: &MasterOrder) -> Result<Instance, LaunchError>;
    /// Every machine of a master of the run that still lives; the slot's incarnation is its epoch.
    async fn masters(&self, run: &RunId) -> Result<Vec<Instance>, CloudError>;
}

/// A few verbs. Every one may be called again with the same arguments.
#[async_trait]
pub trait Cloud: Send + Sync {
    /// Which.
    fn kind(&self) -> CloudKind;
    /// Makes what a group needs before its machines (a security group of the run), and says where they may be asked for.
    /// Called again it finds what it made and gives the same list.
    async fn prepare(&self, run: &RunId, group: &GroupName, spec: &GroupSpec) -> Result<Vec<Pick>, LaunchError> {
        let _ = (run, group, spec);
        Ok(vec![Pick::only()])
    }
    /// Launches the machines of an order, or finds those that this token launched before. `host_key` is the private
    /// half of the bootstrap host key (OpenSSH PEM), derived from the run key and never journaled. The answer has the
    /// machines for the first slots of the order, in their order: fewer than asked for is a success.
    async fn launch(&self, order: &LaunchOrder, host_key: &str) -> Result<Vec<Instance>, LaunchError>;
    /// The present state of machines; one that the cloud has forgotten is missing from the answer.
    async fn describe(&self, run: &RunId, ids: &[InstanceId]) -> Result<Vec<Instance>, CloudError>;
    /// Asks for the end of machines; returns at once. `describe` proves it. Never ends a machine of an inventory.
    async fn terminate(&self, run: &RunId, ids: &[InstanceId]) -> Result<(), CloudError>;
    /// Every worker's machine of a run that still lives, whoever asked for it; never a master's.
    async fn sweep(&self, run: &RunId) -> Result<Vec<Instance>, CloudError>;
    /// The last lines that a machine said before it could be reached (console output, sshd's log), for people.
    async fn console(&self, run: &RunId, id: &InstanceId) -> Option<String>;
    /// The same by the tokens of the launches: finds a machine whose tags cannot be seen yet.
    async fn sweep_tokens(&self, run: &RunId, tokens: &[String]) -> Result<Vec<Instance>, CloudError> {
        let _ = (run, tokens);
        Ok(Vec::new())
    }
    /// The hard end of machines moved; where the cloud shows it (a tag), it is shown.
    async fn extend(&self, run: &RunId, ids: &[InstanceId], deadline_ms: i64) -> Result<(), CloudError> {
        let _ = (run, ids, deadline_ms);
        Ok(())
    }
    /// What a run left beside machines (volumes, interfaces, security groups).
    async fn leftovers(&self, run: &RunId) -> Result<Vec<Leftover>, CloudError> {
        let _ = run;
        Ok(Vec::new())
    }
    /// Removes such things; those that are still held by a machine stay, and are found again.
    async fn remove(&self, run: &RunId, leftovers: &[Leftover]) -> Result<(), CloudError> {
        let _ = (run, leftovers);
        Ok(())
    }
    /// Whether a machine may stay hidden for a while after it was asked for (`Timing::closing_wait_ms`).
    fn is_eventual(&self) -> bool {
        false
    }
    /// Removes what the cloud itself kept for a run that is over (folders on this machine).
    async fn forget(&self, run: &RunId) -> Result<(), CloudError>;
}
