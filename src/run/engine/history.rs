//! What earlier masters of this run journaled, folded into answers: a replayed step asks here first.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use indexmap::IndexMap;
use serde_json::Value;

use super::launches::Resolution;
use crate::core::ids::{Epoch, GroupName, HostSlot, InstanceId, StepKey};
use crate::core::records::{Entry, Record, SealedMember, StepOutcome};

/// A step whose outcome is known.
#[derive(Clone, Debug)]
pub(super) struct KnownStep {
    pub(super) digest: String,
    pub(super) outcome: Option<StepOutcome>,
    pub(super) blob: Option<String>,
    pub(super) sealed: Option<String>,
}

/// A launch that was about to be asked for.
#[derive(Clone, Debug)]
pub(super) struct KnownIntent {
    pub(super) id: String,
    pub(super) request: Value,
}

/// Everything before this epoch.
#[derive(Clone, Debug, Default)]
pub(super) struct History {
    pub(super) steps: HashMap<StepKey, KnownStep>,
    pub(super) judged: HashMap<StepKey, StepOutcome>,
    pub(super) master_steps: HashMap<StepKey, String>,
    pub(super) pins: HashMap<String, (Value, bool)>,
    pub(super) intents: Vec<KnownIntent>,
    pub(super) resolved: HashMap<String, Resolution>,
    pub(super) sealed: IndexMap<GroupName, Vec<SealedMember>>,
    /// Groups that cannot be had: why, and the exit code.
    pub(super) failed: HashMap<GroupName, (String, i32)>,
    /// Workers that are gone for good, and how it is known.
    pub(super) lost: BTreeMap<HostSlot, String>,
    pub(super) released: HashMap<HostSlot, String>,
    pub(super) gone: HashMap<InstanceId, (String, i64)>,
    /// The hard end, where it moved.
    pub(super) deadline_ms: Option<i64>,
    /// The last request that moved it.
    pub(super) controls: BTreeSet<String>,
    pub(super) stopping: Option<String>,
    pub(super) started_ms: i64,
    pub(super) ended: Option<(String, i32)>,
    /// Whether an earlier epoch exists at all.
    pub(super) is_resumed: bool,
}

impl History {
    /// Folds the entries that stood before `epoch` began.
    pub(super) fn fold(entries: Vec<Entry>, epoch: Epoch) -> Self {
        let mut history = Self { is_resumed: epoch.0 > 1, ..Self::default() };
        for Entry { t, record, .. } in entries {
            if history.started_ms == 0 {
                history.started_ms = t;
            }
            history.take(record, t);
        }
        history
    }

    fn take(&mut self, record: Record, t: i64) {
        match record {
            Record::EpochStarted { .. } => {}
            Record::Intent { id, request, .. } => {
                self.intents.push(KnownIntent { id, request });
            }
            Record::Resolved { id, instances, error, verdict } => {
                self.resolved.insert(id, Resolution { instances, verdict, error });
            }
            Record::GroupFailed { group, why, exit } => {
                self.failed.insert(group, (why, exit));
            }
            Record::GroupSealed { group, members } => {
                self.sealed.insert(group, members);
            }
            Record::WorkerLost { slot, evidence } => {
                self.lost.insert(slot, evidence);
            }
            Record::DeadlineMoved { deadline_ms, control, .. } => {
                self.deadline_ms = Some(deadline_ms);
                self.controls.insert(control);
            }
            Record::Pinned { key, value, sealed } => {
                self.pins.insert(key, (value, sealed));
            }
            Record::StepJudged { key, outcome } => {
                self.judged.insert(key, outcome);
            }
            Record::MasterStepStarted { key, digest } => {
                self.master_steps.insert(key, digest);
            }
            Record::StepDone { key, digest, outcome, blob, sealed } => {
                self.steps.insert(key, KnownStep { digest, outcome, blob, sealed });
            }
            Record::Released { slot, manifest } => {
                self.released.insert(slot, manifest);
            }
            Record::Gone { instance, state } => {
                self.gone.insert(instance, (state, t));
            }
            Record::Phase { phase, why } => {
                if phase == "stopping" {
                    self.stopping = Some(why);
                }
            }
            Record::RunEnded { outcome, exit } => self.ended = Some((outcome, exit)),
        }
    }
}
