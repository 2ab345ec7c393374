//! One run's rows, read from its records in the store.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::database::RundbError;
use super::rows::{ArchiveRow, RunRow, StepRow, WorkerRow};
use crate::core::ids::{HostSlot, InstanceId, RunId, StepKey, sha256_hex};
use crate::core::records::{CloudKind, End, Entry, Manifest, Outcome, Receipt, Record, Spec, StepOutcome};
use crate::platform::store::journal::Journal;
use crate::platform::store::{Store, layout};

/// All rows of one run.
pub(super) struct RunRows {
    pub(super) run: RunRow,
    pub(super) workers: Vec<WorkerRow>,
    pub(super) steps: Vec<StepRow>,
    pub(super) archives: Vec<ArchiveRow>,
}

/// Reads a run's records.
pub(super) async fn read_run(store: &dyn Store, run: &RunId, archive_limit: u64) -> Result<RunRows, RundbError> {
    let spec_key = layout::spec_key(run);
    let spec: Spec = record(store, &spec_key)
        .await?
        .ok_or_else(|| RundbError::Record { key: spec_key, why: "there is no spec".to_owned() })?;
    let receipt: Option<Receipt> = record(store, &layout::receipt_key(run)).await?;
    let closed = store.get(&layout::closed_key(run)).await?.is_some();
    let entries = Journal::read(store, run).await?;
    let archives = archives(store, run, archive_limit).await?;
    let (workers, steps) = fold(&entries);
    let started = entries.iter().find(|entry| matches!(entry.record, Record::EpochStarted { .. }));
    let epochs = entries.iter().filter(|entry| matches!(entry.record, Record::EpochStarted { .. })).count();
    let row = RunRow {
        run: run.to_string(),
        name: spec.name,
        store: store.location(),
        cloud: match spec.cloud {
            CloudKind::Ec2 => "ec2",
            CloudKind::Local => "local",
            CloudKind::Inventory => "inventory",
        }
        .to_owned(),
        created_ms: spec.created_ms,
        deadline_ms: spec.deadline_ms,
        started_ms: started.map(|entry| entry.t),
        ended_ms: receipt.as_ref().map(|receipt| receipt.ended_ms),
        outcome: receipt.as_ref().map(|receipt| outcome_text(receipt.outcome).to_owned()),
        exit_code: receipt.as_ref().map(|receipt| i64::from(receipt.exit)),
        epochs: epochs as i64,
        message: receipt.map(|receipt| receipt.message).unwrap_or_default(),
        closed,
    };
    Ok(RunRows { run: row, workers, steps, archives })
}

fn outcome_text(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Succeeded => "succeeded",
        Outcome::Failed => "failed",
        Outcome::Cancelled => "cancelled",
        Outcome::Expired => "expired",
        Outcome::Unproven => "unproven",
    }
}

async fn record<T: DeserializeOwned>(store: &dyn Store, key: &str) -> Result<Option<T>, RundbError> {
    let Some(bytes) = store.get(key).await? else { return Ok(None) };
    let read = serde_json::from_slice(&bytes);
    read.map(Some).map_err(|error| RundbError::Record { key: key.to_owned(), why: error.to_string() })
}

async fn archives(store: &dyn Store, run: &RunId, limit: u64) -> Result<Vec<ArchiveRow>, RundbError> {
    let mut rows = Vec::new();
    for listed in store.list(&layout::manifest_prefix(run), None).await? {
        let Some(manifest) = record::<Manifest>(store, &listed.key).await? else { continue };
        let Some(logs) = manifest.logs else { continue };
        let key = layout::log_zip_key(run, &manifest.slot);
        let mut zip = None;
        if logs.size <= limit {
            let bytes = store.get(&key).await?;
            if let Some(bytes) = bytes {
                if sha256_hex(&bytes) != logs.sha256 {
                    return Err(RundbError::Record { key, why: "its bytes are not what the manifest says".to_owned() });
                }
                zip = Some(bytes.to_vec());
            }
        }
        rows.push(ArchiveRow {
            host: manifest.slot.host.to_string(),
            incarnation: i64::from(manifest.slot.incarnation.0),
            store_key: key,
            size: logs.size as i64,
            sha256: logs.sha256,
            zip,
        });
    }
    Ok(rows)
}

/// The journal as rows: each worker's last state, each step's end.
fn fold(entries: &[Entry]) -> (Vec<WorkerRow>, Vec<StepRow>) {
    let mut workers: BTreeMap<HostSlot, WorkerRow> = BTreeMap::new();
    let mut intents: BTreeMap<&str, &[HostSlot]> = BTreeMap::new();
    let mut steps: BTreeMap<StepKey, StepRow> = BTreeMap::new();
    for entry in entries {
        match &entry.record {
            Record::Intent { id, group, slots, .. } => {
                intents.insert(id, slots);
                for slot in slots {
                    let row = worker(&mut workers, slot);
                    row.group = group.to_string();
                    "asked".clone_into(&mut row.state);
                }
            }
            Record::Resolved { id, instances, error, .. } => {
                for (at, slot) in intents.get(id.as_str()).copied().unwrap_or_default().iter().enumerate() {
                    let row = worker(&mut workers, slot);
                    if let Some(instance) = instances.get(at) {
                        row.instance = Some(instance.to_string());
                        "launched".clone_into(&mut row.state);
                    } else if let Some(error) = error {
                        row.evidence.clone_from(error);
                    }
                }
            }
            Record::GroupSealed { group, members } => {
                for (rank, member) in members.iter().enumerate() {
                    let slot = HostSlot { host: member.host.clone(), incarnation: member.incarnation };
                    let row = worker(&mut workers, &slot);
                    row.group = group.to_string();
                    row.instance = Some(member.instance.to_string());
                    row.rank = Some(rank as i64);
                    row.address = Some(member.address.clone());
                    "sealed".clone_into(&mut row.state);
                }
            }
            Record::WorkerLost { slot, evidence } => {
                let row = worker(&mut workers, slot);
                "lost".clone_into(&mut row.state);
                row.evidence.clone_from(evidence);
            }
            Record::Released { slot, .. } => "released".clone_into(&mut worker(&mut workers, slot).state),
            Record::Gone { instance, state } => gone(&mut workers, instance, state),
            Record::StepDone { key, outcome, blob, sealed, .. } => {
                let mut row = step_row(entry, key, outcome.as_ref());
                if outcome.is_none() {
                    if sealed.is_some() { "sealed" } else { "stored" }.clone_into(&mut row.ending);
                    row.blob.clone_from(blob);
                }
                steps.insert(key.clone(), row);
            }
            Record::StepJudged { key, outcome } => {
                steps.insert(key.clone(), step_row(entry, key, Some(outcome)));
            }
            _ => {}
        }
    }
    (workers.into_values().collect(), steps.into_values().collect())
}

fn worker<'a>(workers: &'a mut BTreeMap<HostSlot, WorkerRow>, slot: &HostSlot) -> &'a mut WorkerRow {
    workers.entry(slot.clone()).or_insert_with(|| WorkerRow {
        host: slot.host.to_string(),
        incarnation: i64::from(slot.incarnation.0),
        ..WorkerRow::default()
    })
}

fn gone(workers: &mut BTreeMap<HostSlot, WorkerRow>, instance: &InstanceId, state: &str) {
    for row in workers.values_mut().filter(|row| row.instance.as_deref() == Some(instance.as_str())) {
        // That it was lost says more than that it is gone now.
        if row.state != "lost" {
            "gone".clone_into(&mut row.state);
        }
        if row.evidence.is_empty() {
            state.clone_into(&mut row.evidence);
        }
    }
}

fn step_row(entry: &Entry, key: &StepKey, outcome: Option<&StepOutcome>) -> StepRow {
    let result = outcome.map(|outcome| &outcome.result);
    let value = |name: &str| result.and_then(|result| result.get(name));
    StepRow {
        key: key.to_string(),
        seq: entry.seq as i64,
        // The key ends with host.incarnation / item / try.
        host: key.as_str().rsplit('/').nth(2).unwrap_or_default().to_owned(),
        ended_ms: entry.t,
        elapsed_ms: outcome.map(|outcome| outcome.elapsed_ms as i64),
        ending: outcome.map_or("", |outcome| end_text(&outcome.end)).to_owned(),
        failed: outcome.map(StepOutcome::failed),
        changed: value("changed").and_then(Value::as_bool),
        rc: value("rc").and_then(Value::as_i64),
        msg: value("msg").and_then(Value::as_str).map(str::to_owned),
        result: outcome.map(|outcome| Value::Object(outcome.result.clone()).to_string()),
        blob: None,
    }
}

fn end_text(end: &End) -> &'static str {
    match end {
        End::Completed => "completed",
        End::Timeout => "timeout",
        End::Cancelled { .. } => "cancelled",
        End::OutOfMemory => "out_of_memory",
        End::Interrupted { .. } => "interrupted",
    }
}
