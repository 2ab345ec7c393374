//! A group's life: asked for, launched, reached, sealed; and at its end collected, terminated, proven gone. Each part is
//! a function of the journal first and of the cloud second, so that a new master goes on where the old one stopped.
//!
//! `waves` decides what to ask for, `asking` asks, `reach` makes members of machines, `effort` is the three together;
//! `lookout` is their one look at the cloud; `collect` and `end` are a group's last hours.

mod asking;
mod collect;
mod effort;
mod end;
mod lookout;
mod reach;
mod waves;

use std::sync::Arc;

use futures::future::join_all;
use tokio::time::Instant;

use super::EngineError;
use super::context::{Context, Engine, Member};
use super::ending::Problem;
use crate::core::event::EventKind;
use crate::core::ids::{GroupName, HostName, HostSlot, InstanceId};
use crate::core::records::{GroupSpec, Record, SealedMember};
use crate::core::timing::ms;
use crate::platform::cloud::{Instance, InstanceState, LaunchError, Pick};
use crate::platform::store::layout;

pub(super) use collect::{Home, collect};
pub(super) use end::end;
pub(super) use reach::keep_alive;

use effort::Effort;
use lookout::Lookout;
use reach::{Unreached, reach};

/// What became of asking for a group.
pub(super) enum Launched {
    /// It can begin.
    Ready {
        /// By rank.
        sealed: Vec<SealedMember>,
        /// Those that can be reached; one that is lost since the seal is not among them.
        members: Vec<Member>,
        /// Machines that were launched for it and are no members: they are to be ended.
        spare: Vec<Machine>,
    },
    /// It cannot be had.
    Failed {
        /// Why, and what to do.
        problem: Problem,
        /// Machines that were launched for it: they are to be ended.
        spare: Vec<Machine>,
    },
}

/// A machine and the name that it carries.
pub(super) type Machine = (HostSlot, InstanceId);

/// The names that a group declares.
pub(super) fn declared(group: &GroupName, spec: &GroupSpec) -> Vec<HostName> {
    (0..spec.count).map(|index| HostName::new(format!("{group}-{index}"))).collect()
}

/// Brings a group up, or finds it as an earlier master left it.
pub(super) async fn bring_up(context: Arc<Context>, group: GroupName) -> Engine<Launched> {
    let Some(spec) = context.spec.cluster.groups.get(&group).cloned() else {
        return Err(EngineError::Internal(format!("no group is called {group}")));
    };
    let lookout = Lookout::new();
    if let Some(sealed) = context.history.sealed.get(&group).cloned() {
        let members = find_again(&context, &lookout, &sealed).await?;
        let spare = spare(&context, &group, &sealed, &[]).await?;
        return Ok(Launched::Ready { sealed, members, spare });
    }
    if let Some((why, exit)) = context.history.failed.get(&group).cloned() {
        let spare = spare(&context, &group, &[], &[]).await?;
        return Ok(Launched::Failed { problem: Problem { why, exit }, spare });
    }
    let picks = match picks(&context, &group, &spec).await {
        Ok(picks) => picks,
        Err(why) => {
            let problem = Problem::ours(format!("group {group}: {why}"));
            return give_up(&context, &group, problem, &[]).await;
        }
    };
    let fruit = Effort::new(&context, &group, &spec, picks, &lookout).run().await?;
    if let Some(problem) = fruit.problem {
        return give_up(&context, &group, problem, &fruit.silent).await;
    }
    let sealed: Vec<SealedMember> = fruit
        .members
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
    context.emit(EventKind::GroupSealed {
        group: group.clone(),
        members: sealed.iter().map(|member| member.host.clone()).collect(),
    });
    // Only now: before the seal a machine that says nothing might still have become a member for another master.
    let spare = spare(&context, &group, &sealed, &fruit.silent).await?;
    Ok(Launched::Ready { sealed, members: fruit.members, spare })
}

/// Where a group's machines may be asked for.
async fn picks(context: &Context, group: &GroupName, spec: &GroupSpec) -> Result<Vec<Pick>, String> {
    let timing = &context.spec.timing;
    let started = Instant::now();
    let mut pause = ms(timing.reconnect_ms);
    loop {
        context.watch.until_firm().await;
        let why = match context.cloud.prepare(&context.spec.run, group, spec).await {
            Ok(picks) => return Ok(picks),
            Err(LaunchError::Ambiguous(why)) => format!("the cloud does not answer: {why}"),
            Err(error) => return Err(error.to_string()),
        };
        if started.elapsed() > ms(timing.capacity_ms) || context.is_stopping() {
            return Err(why);
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(ms(timing.reconnect_ms) * 16);
    }
}

/// A group that cannot be had. Whoever is the master next knows it, unless the run is being stopped anyway.
async fn give_up(
    context: &Context,
    group: &GroupName,
    problem: Problem,
    silent: &[(HostSlot, InstanceId, String)],
) -> Engine<Launched> {
    if !context.is_stopping() {
        let (why, exit) = (problem.why.clone(), problem.exit);
        context.journal.record(Record::GroupFailed { group: group.clone(), why, exit }).await?;
    }
    let spare = spare(context, group, &[], silent).await?;
    Ok(Launched::Failed { problem, spare })
}

/// The machines that were launched for a group and are none of its members. What those said that never answered is
/// kept, and they count as lost.
async fn spare(
    context: &Context,
    group: &GroupName,
    sealed: &[SealedMember],
    silent: &[(HostSlot, InstanceId, String)],
) -> Engine<Vec<Machine>> {
    let launches = context.launches.of_group(group);
    let mut spare: Vec<Machine> = launches.iter().flat_map(super::launches::Launch::machines).collect();
    spare.retain(|(_, id)| !sealed.iter().any(|member| member.instance == *id));
    for (slot, id) in &spare {
        let known = silent.iter().find(|(_, other, _)| other == id).map(|(_, _, why)| why.as_str());
        let is_news = context.launches.loss(slot).is_none();
        // Where an earlier master died here, nobody knows any more what the machine did not do.
        if let (true, Some(why)) = (is_news, known.or((!sealed.is_empty()).then_some("no answer"))) {
            bury(context, slot, id, why).await?;
        }
    }
    Ok(spare)
}

/// A machine that will never be a worker counts as lost, once; what it said is kept, and people are told.
async fn bury(context: &Context, slot: &HostSlot, id: &InstanceId, why: &str) -> Engine<()> {
    if context.launches.loss(slot).is_some() {
        return Ok(());
    }
    let said = context.cloud.console(&context.spec.run, id).await.unwrap_or_default();
    let said = context.redactor.text(said.trim_end());
    let mut evidence = format!("it did not come up: {why}");
    if !said.is_empty() {
        let key = layout::console_key(&context.spec.run, slot, id);
        context.store.put(&key, said.clone().into_bytes().into()).await?;
        evidence = format!("{evidence}; what it said: {key}");
        let message = format!("the last that {slot} ({id}) said, kept as {key}:\n{said}");
        context.emit(EventKind::Warning { message });
    }
    lose(context, slot, &evidence).await
}

/// The members of a sealed group that can still be reached.
async fn find_again(context: &Arc<Context>, lookout: &Lookout, sealed: &[SealedMember]) -> Engine<Vec<Member>> {
    let mut wanted = Vec::new();
    for member in sealed {
        let slot = HostSlot { host: member.host.clone(), incarnation: member.incarnation };
        if context.launches.loss(&slot).is_none() && !context.history.released.contains_key(&slot) {
            let (id, address) = (member.instance.clone(), member.address.clone());
            wanted.push(Instance { id, slot, state: InstanceState::Pending, reach: None, address });
        }
    }
    let reached = join_all(wanted.iter().map(|instance| reach(context, lookout, instance.clone(), true)));
    let reached = tokio::select! {
        reached = reached => reached,
        () = lookout.look(context) => Vec::new(),
    };
    let mut members = Vec::new();
    for (instance, outcome) in wanted.iter().zip(reached) {
        match outcome? {
            Ok(member) => members.push(member),
            Err(Unreached::Dead(why) | Unreached::Silent(why)) => lose(context, &instance.slot, &why).await?,
            // Not for members of a sealed group.
            Err(Unreached::Stopped) => {}
        }
    }
    Ok(members)
}

/// Journals that a worker is gone for good, once.
pub(super) async fn lose(context: &Context, slot: &HostSlot, evidence: &str) -> Engine<()> {
    if context.launches.loss(slot).is_some() {
        return Ok(());
    }
    context.journal.record(Record::WorkerLost { slot: slot.clone(), evidence: evidence.to_owned() }).await?;
    context.launches.note_loss(slot, evidence);
    context.emit(EventKind::WorkerLost { slot: slot.clone(), evidence: evidence.to_owned() });
    Ok(())
}
