//! A group's life: asked for, launched, reached, sealed; and at its end collected, terminated, proven gone. Each part is
//! a function of the journal first and of the cloud second, so that a new master goes on where the old one stopped.

use std::sync::Arc;

use futures::future::join_all;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::EngineError;
use super::context::{Context, Engine, Member};
use super::ending::Problem;
use crate::core::event::EventKind;
use crate::core::ids::{GroupName, HostName, HostSlot, Incarnation, InstanceId};
use crate::core::records::{
    CloudKind, FORMAT_VERSION, GroupSpec, Manifest, ManifestFile, Record, ResultSpec, SealedMember,
};
use crate::core::timing::ms;
use crate::platform::cloud::{Instance, InstanceState, LaunchError, LaunchOrder};
use crate::platform::remote::LinkError;
use crate::platform::store::layout;
use crate::run::collect::{Wanted, archive_logs, collect_results};

/// What became of asking for a group.
pub(super) enum Launched {
    /// Its members, by rank. Those that are lost since have no member.
    Ready(Vec<SealedMember>, Vec<Member>),
    /// It cannot be had; why and what to do.
    Failed(Problem),
}

/// The names that a group declares.
pub(super) fn declared(group: &GroupName, spec: &GroupSpec) -> Vec<HostName> {
    (0..spec.count).map(|index| HostName::new(format!("{group}-{index}"))).collect()
}

/// Brings a group up, or finds it as an earlier master left it.
pub(super) async fn bring_up(context: Arc<Context>, group: GroupName) -> Engine<Launched> {
    let Some(spec) = context.spec.cluster.groups.get(&group).cloned() else {
        return Err(EngineError::Internal(format!("no group is called {group}")));
    };
    let sealed = context.history.sealed.get(&group).cloned();
    let instances = match &sealed {
        Some(members) => find_again(&context, members).await?,
        None => match launch(&context, &group, &spec).await? {
            Ok(instances) => instances,
            Err(why) => return Ok(Launched::Failed(Problem::ours(why))),
        },
    };
    let reached = join_all(instances.iter().map(|instance| reach(&context, instance, sealed.is_some()))).await;
    let mut members = Vec::new();
    let mut silent = Vec::new();
    for (instance, outcome) in instances.iter().zip(reached) {
        match outcome? {
            Ok(member) => members.push(member),
            Err(why) => silent.push((instance, why)),
        }
    }
    if let Some(sealed) = sealed {
        for (instance, why) in silent {
            lose(&context, &instance.slot, &why).await?;
        }
        return Ok(Launched::Ready(sealed, members));
    }
    for (instance, why) in &silent {
        let console = context.cloud.console(&context.spec.run, &instance.id).await.unwrap_or_default();
        let message = format!("{} did not come up: {why}\n{console}", instance.slot.host);
        context.emit(EventKind::Warning { message: message.trim_end().to_owned() });
    }
    if (members.len() as u32) < spec.min_count {
        let (have, need) = (members.len(), spec.min_count);
        let why = silent.first().map(|(_, why)| why.clone()).unwrap_or_default();
        let why = format!("group {group}: {have} of at least {need} workers came up: {why}");
        return Ok(Launched::Failed(Problem::of_hosts(why)));
    }
    let spare: Vec<InstanceId> = silent.iter().map(|(instance, _)| instance.id.clone()).collect();
    if !spare.is_empty() {
        context.cloud.terminate(&context.spec.run, &spare).await.map_err(EngineError::Cloud)?;
    }
    let sealed: Vec<SealedMember> = members
        .iter()
        .map(|member| SealedMember {
            host: member.slot.host.clone(),
            incarnation: member.slot.incarnation,
            instance: member.instance.clone().unwrap_or_else(|| InstanceId::new("")),
            address: member.address.clone(),
        })
        .collect();
    crate::fault_point!(context.world, "group.before_seal");
    context.journal.record(Record::GroupSealed { group: group.clone(), members: sealed.clone() }).await?;
    context.emit(EventKind::GroupSealed { group, members: sealed.iter().map(|member| member.host.clone()).collect() });
    Ok(Launched::Ready(sealed, members))
}

/// The machines of a sealed group that still live.
async fn find_again(context: &Arc<Context>, members: &[SealedMember]) -> Engine<Vec<Instance>> {
    let wanted: Vec<InstanceId> = members
        .iter()
        .filter(|member| {
            let slot = HostSlot { host: member.host.clone(), incarnation: member.incarnation };
            !context.history.lost.contains(&slot) && !context.history.released.contains_key(&slot)
        })
        .map(|member| member.instance.clone())
        .collect();
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let found = context.cloud.describe(&context.spec.run, &wanted).await.map_err(EngineError::Cloud)?;
    let mut alive = Vec::new();
    for member in members.iter().filter(|member| wanted.contains(&member.instance)) {
        let slot = HostSlot { host: member.host.clone(), incarnation: member.incarnation };
        match found.iter().find(|instance| instance.id == member.instance) {
            Some(instance) if matches!(instance.state, InstanceState::Running | InstanceState::Pending) => {
                alive.push(Instance { slot, ..instance.clone() });
            }
            _ => lose(context, &slot, &format!("{} is gone", member.instance)).await?,
        }
    }
    Ok(alive)
}

/// Journals that a worker is gone for good, once.
pub(super) async fn lose(context: &Context, slot: &HostSlot, evidence: &str) -> Engine<()> {
    if context.history.lost.contains(slot) {
        return Ok(());
    }
    context.journal.record(Record::WorkerLost { slot: slot.clone(), evidence: evidence.to_owned() }).await?;
    context.emit(EventKind::WorkerLost { slot: slot.clone(), evidence: evidence.to_owned() });
    Ok(())
}

/// Asks the cloud for a group under the key of its first wave; an intent that was journaled is asked again, byte for byte.
async fn launch(context: &Arc<Context>, group: &GroupName, spec: &GroupSpec) -> Engine<Result<Vec<Instance>, String>> {
    let id = format!("{}/{group}/1/0", context.spec.run);
    let known = context.history.intents.iter().find(|intent| intent.id == id);
    let order = match known {
        Some(intent) => serde_json::from_value(intent.request.clone())
            .map_err(|error| EngineError::Internal(format!("intent {id}: {error}")))?,
        None => {
            let identity = context.run_key.ssh_identity()?;
            let slots = declared(group, spec).into_iter().map(|host| HostSlot { host, incarnation: Incarnation(1) });
            let order = LaunchOrder {
                run: context.spec.run.clone(),
                group: group.clone(),
                token: id.clone(),
                slots: slots.collect(),
                spec: spec.clone(),
                pick: crate::platform::cloud::Pick::only(),
                authorized_key: identity.public_line,
                deadline_ms: context.spec.deadline_ms,
                lease_ms: context.spec.timing.lease_ms,
            };
            let request = serde_json::to_value(&order).map_err(|error| EngineError::Internal(error.to_string()))?;
            crate::fault_point!(context.world, "launch.before_intent");
            let record = Record::Intent { id: id.clone(), group: group.clone(), slots: order.slots.clone(), request };
            context.journal.record(record).await?;
            order
        }
    };
    crate::fault_point!(context.world, "launch.after_intent");
    context.emit(EventKind::GroupLaunching { group: group.clone(), count: order.slots.len() as u32 });
    let host_key = context.run_key.host_key(&order.token)?;
    let mut pause = ms(context.spec.timing.reconnect_ms);
    let started = Instant::now();
    let answer = loop {
        match context.cloud.launch(&order, &host_key.private_pem).await {
            Ok(instances) => break Ok(instances),
            Err(LaunchError::Ambiguous(why)) => {
                if started.elapsed() > ms(context.spec.timing.boot_ms) || context.is_stopping() {
                    break Err(format!("the cloud does not answer: {why}"));
                }
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(ms(context.spec.timing.reconnect_ms) * 16);
            }
            Err(error) => break Err(error.to_string()),
        }
    };
    crate::fault_point!(context.world, "launch.before_resolved");
    if !context.history.resolved.contains_key(&id) {
        let instances = answer.as_ref().map(|list| list.iter().map(|instance| instance.id.clone()).collect());
        context
            .journal
            .record(Record::Resolved {
                id,
                instances: instances.unwrap_or_default(),
                error: answer.as_ref().err().cloned(),
            })
            .await?;
    }
    for instance in answer.iter().flatten() {
        context.emit(EventKind::WorkerLaunched {
            slot: instance.slot.clone(),
            group: group.clone(),
            instance: instance.id.clone(),
        });
    }
    Ok(answer)
}

/// Waits until a machine's agent answers.
async fn reach(context: &Arc<Context>, instance: &Instance, is_sealed: bool) -> Engine<Result<Member, String>> {
    let timing = &context.spec.timing;
    let started = Instant::now();
    let mut pause = ms(timing.reconnect_ms);
    let mut instance = instance.clone();
    let mut why = "no answer".to_owned();
    let mut member: Option<Member> = None;
    loop {
        // A worker that has worked is reached even then: what it has is collected.
        if context.is_stopping() && !is_sealed {
            return Ok(Err(format!("the run was stopped ({})", context.stop_reason())));
        }
        if started.elapsed() > ms(timing.boot_ms) {
            return Ok(Err(why));
        }
        if let (None, Some(reach)) = (&member, instance.reach.clone()) {
            let link = context.link(&instance.slot, reach);
            let address = instance.address.clone();
            member = Some(Member { slot: instance.slot.clone(), instance: Some(instance.id.clone()), link, address });
        }
        if let Some(member) = &member {
            match member.link.hello().await {
                Ok(greeting) => {
                    prepare(context, member).await?;
                    recover_output(context, member, &greeting.known_steps).await;
                    context.emit(EventKind::WorkerReady { slot: member.slot.clone(), address: member.address.clone() });
                    return Ok(Ok(member.clone()));
                }
                Err(LinkError::Fenced(epoch)) => return Err(EngineError::Fenced(epoch)),
                Err(LinkError::Unreachable(reason)) => return Ok(Err(reason)),
                Err(error) => why = error.to_string(),
            }
        }
        if let Ok(found) = context.cloud.describe(&context.spec.run, std::slice::from_ref(&instance.id)).await
            && let Some(now) = found.into_iter().find(|found| found.id == instance.id)
        {
            if matches!(now.state, InstanceState::Terminated | InstanceState::ShuttingDown) {
                return Ok(Err(format!("{} is gone", instance.id)));
            }
            instance = Instance { slot: instance.slot, ..now };
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(ms(timing.reconnect_ms) * 8);
    }
}

/// First words to a worker that answers: its lease, the deadline, and a writer for its output.
async fn prepare(context: &Arc<Context>, member: &Member) -> Engine<()> {
    if context.cloud.kind() != CloudKind::Inventory {
        for outcome in
            [member.link.renew(context.spec.timing.lease_ms).await, member.link.deadline(context.deadline_ms()).await]
        {
            // Other failures do no harm: it has its first lease, and the keeper renews it.
            if let Err(LinkError::Fenced(epoch)) = outcome {
                return Err(EngineError::Fenced(epoch));
            }
        }
    }
    context.logs.begin(&member.slot, member.link.clone());
    Ok(())
}

/// Reads what a dead master had not yet put into the store of the output of steps whose outcome the journal knows.
async fn recover_output(context: &Arc<Context>, member: &Member, known_steps: &[String]) {
    for key in context.history.steps.keys() {
        if !known_steps.contains(&key.directory()) {
            continue;
        }
        let from = context.logs.offset(&member.slot, key);
        let (sender, mut receiver) = mpsc::channel(8);
        let name = key.as_str().rsplitn(3, '/').nth(2).unwrap_or(key.as_str()).to_owned();
        let secret = context.history.steps[key].sealed.is_some();
        let pump = async {
            while let Some(chunk) = receiver.recv().await {
                context.logs.append(&member.slot, key, &name, chunk, secret).await;
            }
        };
        let (outcome, ()) = tokio::join!(member.link.attach(key, from, sender), pump);
        if outcome.is_ok() {
            context.logs.finish(&member.slot, key, &name, 0).await;
        }
    }
}

/// Renews a worker's lease as long as its master lives; also while the master itself is fenced off from the store,
/// until an agent refuses the epoch.
pub(super) async fn keep_alive(context: Arc<Context>, member: Member) {
    loop {
        tokio::time::sleep(ms(context.spec.timing.renew_ms)).await;
        // An unreachable worker is tried again; its lease ends by itself.
        if let Err(LinkError::Fenced(_)) = member.link.renew(context.spec.timing.lease_ms).await {
            return;
        }
    }
}

/// What was brought home from a worker that is released.
#[derive(Clone, Debug)]
pub(super) struct Home {
    pub(super) slot: HostSlot,
    pub(super) manifest: Manifest,
    pub(super) manifest_sha256: String,
}

impl Home {
    /// A worker that the hard deadline took before it was collected.
    pub(super) fn abandoned(context: &Context, slot: &HostSlot) -> Self {
        let manifest = Manifest {
            v: FORMAT_VERSION,
            run: context.spec.run.clone(),
            slot: slot.clone(),
            results: Vec::new(),
            logs: None,
            complete: false,
            gaps: vec![format!("{slot}: the hard deadline came before its results and logs were home")],
        };
        Self { slot: slot.clone(), manifest, manifest_sha256: String::new() }
    }
}

/// Collects one worker: output to the store, results, zip, manifest. With the manifest in the store it may be ended.
pub(super) async fn collect(
    context: &Arc<Context>,
    slot: &HostSlot,
    member: Option<&Member>,
    results: &[ResultSpec],
    lost: Option<&str>,
) -> Engine<Home> {
    let run = &context.spec.run;
    let key = layout::manifest_key(run, slot);
    if let Some(bytes) = context.store.get(&key).await? {
        let manifest: Manifest = serde_json::from_slice(&bytes)
            .map_err(|error| EngineError::Internal(format!("{key} cannot be read: {error}")))?;
        return Ok(Home { slot: slot.clone(), manifest, manifest_sha256: crate::core::ids::sha256_hex(&bytes) });
    }
    let patterns: Vec<String> = results.iter().flat_map(|spec| spec.paths.clone()).collect();
    let mut gaps = Vec::new();
    let mut files: Vec<ManifestFile> = Vec::new();
    match (member, lost) {
        (Some(member), None) => {
            let timing = &context.spec.timing;
            let wanted = Wanted {
                run,
                host: &slot.host,
                link: &*member.link,
                scratch: &context.scratch,
                patience: ms(timing.unreachable_ms),
                pause: ms(timing.reconnect_ms),
            };
            let brought = match collect_results(&*context.store, &wanted, &patterns).await {
                Err(LinkError::Fenced(epoch)) => return Err(EngineError::Fenced(epoch)),
                Err(error) => return Err(EngineError::Internal(error.to_string())),
                Ok(brought) => brought,
            };
            files = brought.files;
            gaps.extend(brought.gaps);
        }
        (_, lost) => {
            if !patterns.is_empty() {
                gaps.push(format!("results of {}: {}", slot.host, lost.unwrap_or("it could not be reached")));
            }
        }
    }
    context.logs.end(slot).await;
    let logs = match archive_logs(&*context.store, run, slot, &context.scratch).await {
        Ok(logs) => Some(logs),
        Err(error) => {
            gaps.push(format!("logs of {}: {error:#}", slot.host));
            None
        }
    };
    let manifest = Manifest {
        v: FORMAT_VERSION,
        run: run.clone(),
        slot: slot.clone(),
        results: files,
        logs,
        complete: gaps.is_empty() && lost.is_none(),
        gaps,
    };
    let bytes = serde_json::to_vec_pretty(&manifest).map_err(|error| EngineError::Internal(error.to_string()))?;
    let manifest_sha256 = crate::core::ids::sha256_hex(&bytes);
    crate::fault_point!(context.world, "collect.before_manifest");
    context.store.create(&key, bytes.into()).await?;
    context.journal.record(Record::Released { slot: slot.clone(), manifest: manifest_sha256.clone() }).await?;
    // Of a host that outlives the run there is only something to say where something came home.
    if member.is_none_or(|member| member.instance.is_some()) || !manifest.results.is_empty() {
        context.emit(EventKind::WorkerCollected {
            slot: slot.clone(),
            files: manifest.results.len() as u64,
            bytes: manifest.results.iter().map(|file| file.size).sum(),
            complete: manifest.complete,
        });
    }
    Ok(Home { slot: slot.clone(), manifest, manifest_sha256 })
}

/// Ends machines and waits until the cloud says of each that it is gone. Returns what each became and those that are not
/// proven gone.
pub(super) async fn end(
    context: &Arc<Context>,
    instances: &[(HostSlot, InstanceId)],
) -> Engine<(Vec<(HostSlot, InstanceId, String)>, Vec<InstanceId>)> {
    let run = &context.spec.run;
    let mut gone = Vec::new();
    let mut open: Vec<(HostSlot, InstanceId)> = instances.to_vec();
    let started = Instant::now();
    let mut pause = ms(context.spec.timing.reconnect_ms) / 8;
    while !open.is_empty() {
        let ids: Vec<InstanceId> = open.iter().map(|(_, id)| id.clone()).collect();
        let asked = context.cloud.terminate(run, &ids).await;
        let found = match asked {
            Ok(()) => context.cloud.describe(run, &ids).await,
            Err(error) => Err(error),
        };
        if let Ok(found) = found {
            let mut still = Vec::new();
            for (slot, id) in open {
                match found.iter().find(|instance| instance.id == id) {
                    Some(instance) if instance.state == InstanceState::Terminated => {
                        let state = "terminated".to_owned();
                        let known = context.history.gone.contains_key(&id);
                        if !known {
                            let record = Record::Gone { instance: id.clone(), state: state.clone() };
                            context.journal.record(record).await?;
                        }
                        context.tell(EventKind::WorkerGone { slot: slot.clone(), state: state.clone() }, known);
                        gone.push((slot, id, state));
                    }
                    _ => still.push((slot, id)),
                }
            }
            open = still;
        }
        if open.is_empty() || started.elapsed() > ms(context.spec.timing.boot_ms) {
            break;
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(ms(context.spec.timing.reconnect_ms) * 8);
    }
    Ok((gone, open.into_iter().map(|(_, id)| id).collect()))
}
