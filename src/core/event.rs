//! What happens in a run. The engine emits events and knows no screen; views read them and know no engine. With
//! `--output json` each is one line, so these names are a documented format (docs/formats.md).

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::ids::{Epoch, GroupName, HostName, HostSlot, InstanceId, RunId, StepKey};

/// Ansible's counters of one host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostStats {
    /// Tasks that came to a good end, changed ones included.
    pub ok: u32,
    /// Of these, tasks that changed something.
    pub changed: u32,
    /// Times that the host could not be reached.
    pub unreachable: u32,
    /// Tasks that failed and were not rescued or ignored.
    pub failed: u32,
    /// Tasks that were skipped.
    pub skipped: u32,
    /// Failures that a rescue caught.
    pub rescued: u32,
    /// Failures that were ignored.
    pub ignored: u32,
}

/// How one task ended on one host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TaskStatus {
    /// Good, nothing changed.
    Ok,
    /// Good, something changed.
    Changed,
    /// `when` was false.
    Skipped,
    /// It failed.
    Failed,
    /// It failed, and `ignore_errors` says to go on.
    Ignored,
    /// It failed inside a block with a rescue.
    Rescued,
    /// The host cannot be reached.
    Unreachable,
}

/// Which of a step's streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// An event and when it happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Format version.
    pub v: u32,
    /// UNIX milliseconds.
    pub at_ms: i64,
    /// True where it happened in an earlier epoch and is only told again.
    pub replayed: bool,
    /// What.
    #[serde(flatten)]
    pub kind: EventKind,
}

/// What happened. `play` is the play's index in the playbook, `task` the task's path in it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum EventKind {
    /// A master began to work on the run.
    RunStarted {
        /// Which run.
        run: RunId,
        /// The playbook's name.
        name: String,
        /// The master.
        epoch: Epoch,
        /// The playbook's plays: index and name.
        plays: Vec<String>,
        /// Workers that the playbook declares.
        workers: u32,
        /// UNIX milliseconds.
        deadline_ms: i64,
        /// Where its records, logs and results stand.
        store: String,
    },
    /// A group is being launched.
    GroupLaunching {
        /// Which.
        group: GroupName,
        /// How many.
        count: u32,
    },
    /// A worker exists.
    WorkerLaunched {
        /// Its name.
        slot: HostSlot,
        /// Which group.
        group: GroupName,
        /// The cloud's name.
        instance: InstanceId,
    },
    /// A worker's agent answers.
    WorkerReady {
        /// Which.
        slot: HostSlot,
        /// Its address.
        address: String,
    },
    /// Members and ranks are fixed.
    GroupSealed {
        /// Which.
        group: GroupName,
        /// Members by rank.
        members: Vec<HostName>,
    },
    /// A play begins.
    PlayStarted {
        /// Index.
        play: u32,
        /// Name.
        name: String,
        /// Its hosts.
        hosts: Vec<HostName>,
    },
    /// A play is over.
    PlayEnded {
        /// Index.
        play: u32,
    },
    /// A play has no host.
    PlaySkipped {
        /// Index.
        play: u32,
        /// Name.
        name: String,
        /// Why.
        why: String,
    },
    /// A task begins on some hosts.
    TaskStarted {
        /// Play.
        play: u32,
        /// Path.
        task: String,
        /// Its name as Ansible prints it.
        name: String,
        /// `TASK` or `RUNNING HANDLER`.
        handler: bool,
        /// Hosts.
        hosts: Vec<HostName>,
        /// `path:line` where it is written.
        place: String,
    },
    /// A step runs on a worker.
    StepStarted {
        /// Key.
        key: StepKey,
        /// Host that executes it.
        host: HostName,
        /// The task's name.
        name: String,
    },
    /// Output of a running step.
    StepOutput {
        /// Key.
        key: StepKey,
        /// Host.
        host: HostName,
        /// Which stream.
        stream: Stream,
        /// Text, invalid UTF-8 replaced; empty where the task has `no_log`.
        text: String,
    },
    /// A step ended.
    StepEnded {
        /// Key.
        key: StepKey,
        /// Host.
        host: HostName,
        /// Whether it failed.
        failed: bool,
        /// Milliseconds.
        elapsed_ms: u64,
    },
    /// One item of a loop ended on a host.
    ItemResult {
        /// Play.
        play: u32,
        /// Path.
        task: String,
        /// Host.
        host: HostName,
        /// How.
        status: TaskStatus,
        /// The item, or its label.
        item: Value,
        /// Ansible's return values, redacted.
        result: Map<String, Value>,
    },
    /// A task ended on a host.
    TaskResult {
        /// Play.
        play: u32,
        /// Path.
        task: String,
        /// The task's name.
        name: String,
        /// Host.
        host: HostName,
        /// The host that executed it, where it was delegated.
        delegated: Option<HostName>,
        /// How.
        status: TaskStatus,
        /// Ansible's return values, redacted.
        result: Map<String, Value>,
        /// Keys of its steps, the last one last: the names of its logs.
        steps: Vec<StepKey>,
        /// Module or action.
        action: String,
    },
    /// `until` is not satisfied yet.
    Retrying {
        /// Host.
        host: HostName,
        /// Task name.
        name: String,
        /// How many tries are left.
        left: u32,
    },
    /// A worker is lost.
    WorkerLost {
        /// Which.
        slot: HostSlot,
        /// How it is known.
        evidence: String,
    },
    /// A worker's logs and results are home.
    WorkerCollected {
        /// Which.
        slot: HostSlot,
        /// Files.
        files: u64,
        /// Bytes.
        bytes: u64,
        /// Whether that is all.
        complete: bool,
    },
    /// A worker is proven gone.
    WorkerGone {
        /// Which.
        slot: HostSlot,
        /// What the cloud said.
        state: String,
    },
    /// Somebody moved the hard end of the run.
    DeadlineMoved {
        /// UNIX milliseconds.
        deadline_ms: i64,
        /// Who.
        by: String,
    },
    /// The run is being stopped.
    Stopping {
        /// Why.
        why: String,
    },
    /// Something worth a look.
    Warning {
        /// What.
        message: String,
    },
    /// A remark on the course.
    Note {
        /// What.
        message: String,
    },
    /// The run is over.
    RunEnded {
        /// As in the receipt.
        outcome: super::records::Outcome,
        /// Exit code.
        exit: i32,
        /// In one sentence.
        message: String,
        /// Counters in the order of first appearance.
        stats: Vec<(HostName, HostStats)>,
        /// Milliseconds since the first master began.
        elapsed_ms: u64,
        /// Where results are, empty if there are none.
        results: String,
        /// Result files.
        result_files: u64,
        /// Ids that are not proven gone.
        unresolved: Vec<InstanceId>,
        /// How many workers were ended.
        ended: u64,
    },
}
