//! The end of a run, however it came: what is left is ended, the receipt is written once, the last record journaled.

use std::collections::BTreeSet;
use std::sync::Arc;

use indexmap::IndexMap;
use tokio::time::Instant;

use super::context::{Context, Engine};
use super::dispatcher::Ended;
use super::groups::{self, Home};
use super::{EngineError, Stop};
use crate::core::event::{EventKind, HostStats};
use crate::core::ids::{HostName, HostSlot, InstanceId};
use crate::core::records::{Collected, Entry, FORMAT_VERSION, Gone, Loss, Outcome, Receipt, Record, Resource};
use crate::core::timing::ms;
use crate::platform::cloud::InstanceState;
use crate::platform::store::journal::Journal;
use crate::platform::store::{Created, layout};

/// What the dispatcher brings to the end.
#[derive(Default)]
pub(super) struct Tally {
    pub(super) stats: IndexMap<HostName, HostStats>,
    pub(super) homes: Vec<Home>,
    pub(super) ended: Vec<Ended>,
    pub(super) unresolved: Vec<InstanceId>,
    /// What went wrong beside failed tasks.
    pub(super) problems: Vec<Problem>,
    pub(super) failed: bool,
    pub(super) unreachable: bool,
    pub(super) stopped: Option<String>,
}

/// Why a run did not do what it was asked, beside failed tasks.
#[derive(Clone, Debug)]
pub(super) struct Problem {
    pub(super) why: String,
    /// The exit code that it asks for.
    pub(super) exit: i32,
}

impl Problem {
    /// dayfly itself, its machine or its store failed.
    pub(super) fn ours(why: String) -> Self {
        Self { why, exit: EXIT_OURS }
    }
    /// Hosts failed, or the playbook did.
    pub(super) fn of_hosts(why: String) -> Self {
        Self { why, exit: EXIT_FAILED }
    }
}

/// Exit codes of a run (DESIGN, "Exit"): see `entry::exit`.
const EXIT_OURS: i32 = 1;
const EXIT_FAILED: i32 = 2;
const EXIT_UNREACHABLE: i32 = 4;
const EXIT_UNPROVEN: i32 = 7;
const EXIT_CANCELLED: i32 = 130;

/// Ends what still lives and writes the receipt.
pub(super) async fn close(context: &Arc<Context>, mut tally: Tally) -> Engine<Receipt> {
    sweep(context, &mut tally).await?;
    if tally.unresolved.is_empty() {
        tidy(context).await;
    }
    let (outcome, exit, message) = judge(context, &tally);
    let receipt = Receipt {
        v: FORMAT_VERSION,
        run: context.spec.run.clone(),
        name: context.spec.name.clone(),
        outcome,
        exit,
        epochs: context.epoch.0,
        started_ms: context.started_ms(),
        ended_ms: context.world.unix_ms(),
        resources: resources(context, &tally),
        unresolved: tally.unresolved.clone(),
        collected: tally.homes.iter().map(collected).collect(),
        losses: tally.homes.iter().flat_map(losses).chain(never_up(context).await?).collect(),
        recap: tally.stats.iter().map(|(host, stats)| (host.clone(), *stats)).collect(),
        message: message.clone(),
    };
    crate::fault_point!(context.world, "ending.before_receipt");
    let bytes = serde_json::to_vec_pretty(&receipt).map_err(|error| EngineError::Internal(error.to_string()))?;
    let key = layout::receipt_key(&context.spec.run);
    let receipt = match context.store.create(&key, bytes.into()).await? {
        Created::New => receipt,
        // An earlier epoch wrote it and died before it could say so.
        Created::Exists => read_receipt(context).await?.unwrap_or(receipt),
    };
    context.journal.record(Record::RunEnded { outcome: name_of(receipt.outcome), exit: receipt.exit }).await?;
    told(context, &receipt);
    Ok(receipt)
}

/// Ends the workers of a run whose store takes nothing any more, so that nothing is left. What is ended here is not
/// journaled: whoever closes the run later proves it. Where a newer master works on the run, or where nobody can tell,
/// its workers are left to that master and to their leases.
pub(super) async fn abandon(context: &Context) {
    let run = &context.spec.run;
    let is_newer = |entry: &Entry| matches!(entry.record, Record::EpochStarted { epoch, .. } if epoch > context.epoch);
    match Journal::read(&*context.store, run).await {
        Ok(entries) if !entries.iter().any(is_newer) => {}
        _ => return,
    }
    let started = Instant::now();
    let pause = ms(context.spec.timing.reconnect_ms) / 2;
    let mut ended = 0;
    // A cloud that does not answer now is asked again; leases end what this cannot.
    while started.elapsed() < ms(context.spec.timing.boot_ms) {
        if let Ok(found) = context.cloud.sweep(run).await {
            if found.is_empty() {
                let message = format!("the store cannot be written: the run stops here, {ended} workers were ended");
                context.emit(EventKind::Warning { message });
                return;
            }
            ended = ended.max(found.len());
            let ids: Vec<InstanceId> = found.into_iter().map(|instance| instance.id).collect();
            drop(context.cloud.terminate(run, &ids).await);
        }
        tokio::time::sleep(pause).await;
    }
}

/// The receipt, where there is one.
pub(super) async fn read_receipt(context: &Context) -> Engine<Option<Receipt>> {
    let key = layout::receipt_key(&context.spec.run);
    let Some(bytes) = context.store.get(&key).await? else { return Ok(None) };
    let receipt = serde_json::from_slice(&bytes);
    receipt.map(Some).map_err(|error| EngineError::Internal(format!("{key} cannot be read: {error}")))
}

/// Tells the views of the end.
pub(super) fn told(context: &Context, receipt: &Receipt) {
    let result_files = receipt.collected.iter().map(|home| home.files).sum();
    let results = if result_files > 0 {
        format!("{}/{}", context.store.location(), layout::results_prefix(&context.spec.run))
    } else {
        String::new()
    };
    context.emit(EventKind::RunEnded {
        outcome: receipt.outcome,
        exit: receipt.exit,
        message: receipt.message.clone(),
        stats: receipt.recap.clone(),
        elapsed_ms: (receipt.ended_ms - receipt.started_ms).max(0) as u64,
        results,
        result_files,
        unresolved: receipt.unresolved.clone(),
        ended: receipt.resources.iter().filter(|resource| resource.gone.is_some()).count() as u64,
    });
}

/// Ends every machine of the run that is not proven gone, whoever asked for it: those that the journal knows, those that
/// carry the run's tag, and those that a launch's token finds although their tags cannot be seen yet.
async fn sweep(context: &Arc<Context>, tally: &mut Tally) -> Engine<()> {
    let mut left = context.launches.machines();
    left.extend(look_for_machines(context).await?);
    left.retain(|(_, id)| !tally.ended.iter().any(|(_, gone, _)| gone == id));
    let mut known = BTreeSet::new();
    left.retain(|(_, id)| known.insert(id.clone()));
    if left.is_empty() {
        return Ok(());
    }
    let (ended, unresolved) = groups::end(context, &left).await?;
    tally.unresolved.retain(|id| !ended.iter().any(|(_, gone, _)| gone == id));
    tally.ended.extend(ended);
    tally.unresolved.extend(unresolved);
    tally.unresolved.sort();
    tally.unresolved.dedup();
    Ok(())
}

/// What the run made beside its machines goes with them (a security group). It costs nothing and holds nothing: what
/// cannot be removed now is left to whoever proves the run's end.
async fn tidy(context: &Context) {
    let run = &context.spec.run;
    if let Ok(left) = context.cloud.leftovers(run).await
        && !left.is_empty()
    {
        drop(context.cloud.remove(run, &left).await);
    }
}

/// What the cloud finds of the run, by tag and by token.
async fn look_for_machines(context: &Context) -> Engine<Vec<(HostSlot, InstanceId)>> {
    let run = &context.spec.run;
    let tokens = context.launches.tokens();
    let started = Instant::now();
    let mut pause = ms(context.spec.timing.reconnect_ms);
    loop {
        let (tagged, launched) = tokio::join!(context.cloud.sweep(run), context.cloud.sweep_tokens(run, &tokens));
        match (tagged, launched) {
            (Ok(tagged), Ok(launched)) => {
                let alive = tagged.into_iter().chain(launched).filter(|it| it.state != InstanceState::Terminated);
                return Ok(alive.map(|instance| (instance.slot, instance.id)).collect());
            }
            (Err(error), _) | (_, Err(error)) if started.elapsed() > ms(context.spec.timing.boot_ms) => {
                return Err(EngineError::Cloud(error));
            }
            _ => {}
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(ms(context.spec.timing.reconnect_ms) * 16);
    }
}

fn judge(context: &Context, tally: &Tally) -> (Outcome, i32, String) {
    let failed = |stats: &HostStats| stats.failed > 0;
    let lost = |stats: &HostStats| stats.unreachable > 0;
    let names = |which: &dyn Fn(&HostStats) -> bool| {
        let names: Vec<&str> =
            tally.stats.iter().filter(|(_, stats)| which(stats)).map(|(host, _)| host.as_str()).collect();
        names.join(", ")
    };
    if !tally.unresolved.is_empty() {
        let ids: Vec<&str> = tally.unresolved.iter().map(InstanceId::as_str).collect();
        return (Outcome::Unproven, EXIT_UNPROVEN, format!("not proven gone: {}", ids.join(", ")));
    }
    if let Some(why) = &tally.stopped {
        return match *context.stop.borrow() {
            Stop::Expired => (Outcome::Expired, EXIT_FAILED, why.clone()),
            Stop::Broken { .. } => {
                (Outcome::Failed, tally.problems.first().map_or(EXIT_OURS, |problem| problem.exit), why.clone())
            }
            _ => (Outcome::Cancelled, EXIT_CANCELLED, why.clone()),
        };
    }
    if let Some(problem) = tally.problems.first() {
        return (Outcome::Failed, problem.exit, problem.why.clone());
    }
    if tally.unreachable {
        return (Outcome::Failed, EXIT_UNREACHABLE, format!("unreachable: {}", names(&lost)));
    }
    if tally.failed {
        return (Outcome::Failed, EXIT_FAILED, format!("failed: {}", names(&failed)));
    }
    if let Some(gap) = tally.homes.iter().flat_map(|home| &home.manifest.gaps).next() {
        return (Outcome::Failed, EXIT_OURS, format!("not everything came home: {gap}"));
    }
    (Outcome::Succeeded, 0, "every play came to its end".to_owned())
}

fn resources(context: &Context, tally: &Tally) -> Vec<Resource> {
    let now = context.world.unix_ms();
    let mut resources: Vec<Resource> = Vec::new();
    for (slot, id, state) in &tally.ended {
        if resources.iter().any(|known| known.id == *id) {
            continue;
        }
        let at_ms = context.history.gone.get(id).map_or(now, |(_, at)| *at);
        resources.push(Resource {
            kind: "instance".to_owned(),
            id: id.clone(),
            slot: Some(slot.clone()),
            intent: context.launches.token_of(id).unwrap_or_else(|| context.spec.run.to_string()),
            gone: Some(Gone { api: "describe".to_owned(), state: state.clone(), request_id: None, at_ms }),
        });
    }
    for id in &tally.unresolved {
        resources.push(Resource {
            kind: "instance".to_owned(),
            id: id.clone(),
            slot: None,
            intent: context.launches.token_of(id).unwrap_or_else(|| context.spec.run.to_string()),
            gone: None,
        });
    }
    resources
}

fn collected(home: &Home) -> Collected {
    Collected {
        slot: home.slot.clone(),
        manifest: home.manifest_sha256.clone(),
        files: home.manifest.results.len() as u64,
        bytes: home.manifest.results.iter().map(|file| file.size).sum(),
        complete: home.manifest.complete,
    }
}

fn losses(home: &Home) -> Vec<Loss> {
    let host = &home.slot;
    home.manifest.gaps.iter().map(|gap| Loss { what: host.to_string(), why: gap.clone(), bytes: 0 }).collect()
}

/// Machines that never became workers: what they said is in the store.
async fn never_up(context: &Context) -> Engine<Vec<Loss>> {
    let run = &context.spec.run;
    let kept = context.store.list(&layout::console_prefix(run), None).await?;
    let mut losses = Vec::new();
    for (slot, id) in context.launches.machines() {
        let key = layout::console_key(run, &slot, &id);
        if let (Some(why), true) = (context.launches.loss(&slot), kept.iter().any(|listed| listed.key == key)) {
            losses.push(Loss { what: slot.to_string(), why, bytes: 0 });
        }
    }
    Ok(losses)
}

/// An outcome's name as the records write it.
fn name_of(outcome: Outcome) -> String {
    match outcome {
        Outcome::Succeeded => "succeeded",
        Outcome::Failed => "failed",
        Outcome::Cancelled => "cancelled",
        Outcome::Expired => "expired",
        Outcome::Unproven => "unproven",
    }
    .to_owned()
}
