//! A run's last words: what was collected, what is gone, what was lost.

use serde::{Deserialize, Serialize};

use crate::core::ids::{HostName, HostSlot, InstanceId, RunId};

/// What was collected from one worker; written once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Format version.
    pub v: u32,
    /// The run.
    pub run: RunId,
    /// The worker.
    pub slot: HostSlot,
    /// Result files.
    pub results: Vec<ManifestFile>,
    /// The zip of its logs.
    pub logs: Option<ManifestFile>,
    /// Whether everything that was asked for is here.
    pub complete: bool,
    /// What is not, in plain words.
    pub gaps: Vec<String>,
}

/// One file of a manifest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ManifestFile {
    /// Path below the worker's HOME, or the store's key for logs.
    pub path: String,
    /// Bytes.
    pub size: u64,
    /// Hex.
    pub sha256: String,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Every play came to its end without a failed host.
    Succeeded,
    /// A host failed or was unreachable.
    Failed,
    /// Somebody ended it.
    Cancelled,
    /// The deadline ended it.
    Expired,
    /// It ended, but something is not proven gone.
    Unproven,
}

/// How the cloud confirmed that a resource is gone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gone {
    /// The call that said so.
    pub api: String,
    /// The state that it returned.
    pub state: String,
    /// The call's request id, where there is one.
    pub request_id: Option<String>,
    /// UNIX milliseconds.
    pub at_ms: i64,
}

/// One thing that the run made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resource {
    /// `instance`, `volume`, …
    pub kind: String,
    /// The cloud's name.
    pub id: InstanceId,
    /// The worker that it carried.
    pub slot: Option<HostSlot>,
    /// The intent that asked for it.
    pub intent: String,
    /// How it is known to be gone.
    pub gone: Option<Gone>,
}

/// What was collected from one worker, in short.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Collected {
    /// The worker.
    pub slot: HostSlot,
    /// SHA-256 of the manifest.
    pub manifest: String,
    /// Result files.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Whether that is all.
    pub complete: bool,
}

/// What could not be kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Loss {
    /// What.
    pub what: String,
    /// Why.
    pub why: String,
    /// How much, where known.
    pub bytes: u64,
}

/// The master's last word; written once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Receipt {
    /// Format version.
    pub v: u32,
    /// The run.
    pub run: RunId,
    /// The playbook's name.
    pub name: String,
    /// How it ended.
    pub outcome: Outcome,
    /// Exit code of the run.
    pub exit: i32,
    /// Masters it took.
    pub epochs: u32,
    /// UNIX milliseconds.
    pub started_ms: i64,
    /// UNIX milliseconds.
    pub ended_ms: i64,
    /// Everything made.
    pub resources: Vec<Resource>,
    /// Ids that are not proven gone.
    pub unresolved: Vec<InstanceId>,
    /// What came home.
    pub collected: Vec<Collected>,
    /// What did not.
    pub losses: Vec<Loss>,
    /// Per host: ok, changed, unreachable, failed, skipped, rescued, ignored.
    pub recap: Vec<(HostName, crate::core::event::HostStats)>,
    /// The run's end in one sentence.
    pub message: String,
}

/// One look for leftovers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sweep {
    /// `tag` or `token`; beside machines `master`, `leftovers`, `uploads`.
    pub by: String,
    /// The region, where the cloud has regions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// How many were found alive.
    pub found: u64,
    /// UNIX milliseconds.
    pub at_ms: i64,
}

/// The proof that nothing is left, written by another than the master; written once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Closed {
    /// Format version.
    pub v: u32,
    /// SHA-256 of the receipt, empty where a dead run left none.
    pub receipt_sha256: String,
    /// What is known of the master.
    pub master_state: String,
    /// The looks.
    pub sweeps: Vec<Sweep>,
}
