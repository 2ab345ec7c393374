//! The journal's records. Class W is durable before it takes effect; class B follows within a quarter of a second.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::step::StepOutcome;
use crate::core::ids::{Epoch, GroupName, HostName, HostSlot, Incarnation, InstanceId, RunId, StepKey};

/// The first line of a segment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SegmentHeader {
    /// Format version.
    pub v: u32,
    /// The run.
    pub run: RunId,
    /// The master that wrote it.
    pub epoch: Epoch,
    /// The segment's number.
    pub seg: u64,
    /// Drawn once per master process: tells my own write from another's.
    pub writer: String,
    /// Sequence number of the first entry.
    pub first_seq: u64,
    /// SHA-256 of the segment before, empty for the first.
    pub prev_sha256: String,
}

/// One line of a segment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Gapless over all segments, from 1.
    pub seq: u64,
    /// UNIX milliseconds, for people, never for decisions.
    pub t: i64,
    /// What.
    pub record: Record,
}

/// What is journaled.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "k", deny_unknown_fields)]
pub enum Record {
    /// W. A new master took over (or the first began).
    EpochStarted {
        /// Its number.
        epoch: Epoch,
        /// `launch`, `resume`, `restart`.
        why: String,
    },
    /// W. A launch is about to be asked for, by exactly this request.
    Intent {
        /// run / group / wave / pick.
        id: String,
        /// Which group.
        group: GroupName,
        /// The names that the instances will carry.
        slots: Vec<HostSlot>,
        /// The full request.
        request: Value,
    },
    /// W. What became of an intent; no ids means that nothing was launched. While nobody knows, nothing is written: the
    /// intent stays open and is asked again.
    Resolved {
        /// The intent.
        id: String,
        /// Instances in the order of the slots; the later slots of a launch that gave fewer have none.
        instances: Vec<InstanceId>,
        /// Why there are none, or why those that there were are over.
        error: Option<String>,
        /// Whether the place is worth another try.
        #[serde(default)]
        verdict: Verdict,
    },
    /// W. A group cannot be had: its plays do not run, whoever is the master.
    GroupFailed {
        /// Which group.
        group: GroupName,
        /// Why, and what to do.
        why: String,
        /// The exit code that it asks for.
        exit: i32,
    },
    /// W. A group's members, ranks (index) and addresses are fixed.
    GroupSealed {
        /// Which group.
        group: GroupName,
        /// Its members in the order of their ranks.
        members: Vec<SealedMember>,
    },
    /// W. A worker is gone for good.
    WorkerLost {
        /// Which.
        slot: HostSlot,
        /// How it is known.
        evidence: String,
    },
    /// W. The hard deadline moved.
    DeadlineMoved {
        /// UNIX milliseconds.
        deadline_ms: i64,
        /// Who asked.
        by: String,
        /// The key of the request in the store: those up to it have had their effect.
        #[serde(default)]
        control: String,
    },
    /// W. A value that is not a function of the journal: time, chance, a lookup, a password.
    Pinned {
        /// Step key and ordinal.
        key: String,
        /// The value, or its sealed form where it is sensitive.
        value: Value,
        /// True where `value` is sealed text.
        sealed: bool,
    },
    /// W. A timeout or loss that the master judged for a step.
    StepJudged {
        /// The step.
        key: StepKey,
        /// Its outcome by that judgement.
        outcome: StepOutcome,
    },
    /// W. A step on the master begins.
    MasterStepStarted {
        /// The step.
        key: StepKey,
        /// Digest of its rendered order.
        digest: String,
    },
    /// B (W for steps on the master). A step has its outcome.
    StepDone {
        /// The step.
        key: StepKey,
        /// Digest of its rendered order: a replay that renders otherwise stops.
        digest: String,
        /// The outcome, where small and not secret.
        outcome: Option<StepOutcome>,
        /// SHA-256 of the outcome's blob in the store, where large.
        blob: Option<String>,
        /// The outcome sealed, where the task has `no_log`.
        sealed: Option<String>,
    },
    /// W. A worker was released: its manifest is in the store.
    Released {
        /// Which.
        slot: HostSlot,
        /// SHA-256 of the manifest, empty where nothing could be collected.
        manifest: String,
    },
    /// W. The cloud said that an instance is gone.
    Gone {
        /// Which.
        instance: InstanceId,
        /// What the cloud said.
        state: String,
    },
    /// W. The run entered another phase: `plays`, `stopping`, `collecting`, `terminating`.
    Phase {
        /// Which.
        phase: String,
        /// Why, where it is not the usual course.
        why: String,
    },
    /// W. The last entry.
    RunEnded {
        /// As in the receipt.
        outcome: String,
        /// Exit code.
        exit: i32,
    },
}

/// What an answer to a launch says of its place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Machines were launched there: as many as there are ids.
    #[default]
    Launched,
    /// Refused for now: capacity comes and goes.
    Later,
    /// Refused for this run.
    Never,
    /// Refused, and no other place would do better.
    Impossible,
    /// It was launched before, and all of it is over.
    Over,
}

/// A member of a sealed group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SealedMember {
    /// Name.
    pub host: HostName,
    /// Machine.
    pub incarnation: Incarnation,
    /// The cloud's name of the machine.
    pub instance: InstanceId,
    /// Address that peers reach it by.
    pub address: String,
}
