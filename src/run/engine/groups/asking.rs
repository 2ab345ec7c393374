//! One launch: journaled before it is asked for, repeated byte for byte while nobody knows what became of it, and its
//! answer journaled before anything else is tried.

use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::time::Instant;

use super::waves::{Answer, Ask, Seat};
use crate::core::event::EventKind;
use crate::core::ids::{GroupName, HostName, HostSlot, Incarnation, InstanceId};
use crate::core::records::{GroupSpec, Record, Verdict};
use crate::core::timing::ms;
use crate::platform::cloud::{Again, Instance, LaunchError, LaunchOrder, Pick};
use crate::run::engine::EngineError;
use crate::run::engine::context::{Context, Engine};
use crate::run::engine::launches::Resolution;

/// The key of a launch: run / group / wave / pick.
fn token(context: &Context, group: &GroupName, wave: u32, pick: &Pick) -> String {
    format!("{}/{group}/{wave}/{}", context.spec.run, pick.index)
}

/// The wave of a launch, from its key.
pub(super) fn wave_of(token: &str) -> u32 {
    token.rsplit('/').nth(1).and_then(|wave| wave.parse().ok()).unwrap_or(0)
}

/// The names of a group as its launches ask for them.
pub(super) struct Names(pub(super) Vec<HostName>);

impl Names {
    fn slot(&self, seat: Seat) -> Option<HostSlot> {
        let host = self.0.get(seat.index as usize)?.clone();
        Some(HostSlot { host, incarnation: Incarnation(seat.incarnation) })
    }
    pub(super) fn seat(&self, slot: &HostSlot) -> Option<Seat> {
        let index = self.0.iter().position(|host| *host == slot.host)?;
        Some(Seat { index: index as u32, incarnation: slot.incarnation.0 })
    }
    pub(super) fn seats(&self, order: &LaunchOrder) -> Vec<Seat> {
        order.slots.iter().filter_map(|slot| self.seat(slot)).collect()
    }
}

/// Makes the orders of a wave durable: whoever is the master next asks for exactly these.
pub(super) async fn intend(
    context: &Context,
    group: &GroupName,
    spec: &GroupSpec,
    names: &Names,
    asks: &[Ask],
) -> Engine<Vec<LaunchOrder>> {
    let identity = context.run_key.ssh_identity()?;
    let mut orders = Vec::new();
    let mut ticket = 0;
    crate::fault_point!(context.world, "launch.before_intent");
    for ask in asks {
        let order = LaunchOrder {
            run: context.spec.run.clone(),
            group: group.clone(),
            token: token(context, group, ask.wave, &ask.pick),
            slots: ask.seats.iter().filter_map(|seat| names.slot(*seat)).collect(),
            spec: spec.clone(),
            pick: ask.pick.clone(),
            authorized_key: identity.public_line.clone(),
            deadline_ms: context.deadline_ms(),
            lease_ms: context.spec.timing.lease_ms,
        };
        let request = serde_json::to_value(&order).map_err(|error| EngineError::Internal(error.to_string()))?;
        let (id, slots) = (order.token.clone(), order.slots.clone());
        ticket = context.journal.note(Record::Intent { id, group: group.clone(), slots, request });
        orders.push(order);
    }
    context.journal.durable(ticket).await?;
    for order in &orders {
        context.launches.asked(order);
    }
    crate::fault_point!(context.world, "launch.after_intent");
    Ok(orders)
}

/// Asks the cloud until it answers definitely. `doubts` hears of the first answer that is not.
pub(super) async fn ask(
    context: &Arc<Context>,
    order: &LaunchOrder,
    doubts: mpsc::UnboundedSender<Pick>,
) -> Engine<(Answer, Vec<Instance>)> {
    let host_key = context.run_key.host_key(&order.token)?;
    let (answer, resolution, instances) = match definite(context, order, &host_key.private_pem, doubts).await {
        Ok(instances) => {
            let named = order.slots.iter().cloned().zip(instances);
            let instances: Vec<Instance> = named.map(|(slot, instance)| Instance { slot, ..instance }).collect();
            let ids = instances.iter().map(|instance| instance.id.clone()).collect();
            (Answer::Launched(instances.len()), resolved(ids, Verdict::Launched, None), instances)
        }
        Err(LaunchError::Ambiguous(why)) => {
            return Ok((Answer::Unknown(format!("the cloud does not answer: {why}")), Vec::new()));
        }
        Err(error) => {
            let why = error.to_string();
            let (answer, verdict, ids) = match error {
                LaunchError::Refused { again: Again::Later, .. } => (Answer::Later(why), Verdict::Later, Vec::new()),
                LaunchError::Refused { again: Again::Never, .. } => (Answer::Never(why), Verdict::Never, Vec::new()),
                LaunchError::Over { ids, .. } => (Answer::Over(why), Verdict::Over, ids),
                _ => (Answer::Impossible(why), Verdict::Impossible, Vec::new()),
            };
            let why = why_of(&answer);
            (answer, resolved(ids, verdict, why), Vec::new())
        }
    };
    crate::fault_point!(context.world, "launch.before_resolved");
    let Resolution { instances: ids, verdict, error } = resolution.clone();
    context.journal.record(Record::Resolved { id: order.token.clone(), instances: ids, error, verdict }).await?;
    context.launches.resolved(&order.token, resolution);
    if order.deadline_ms != context.deadline_ms() && !instances.is_empty() {
        // The deadline moved between order and answer. Where this fails the worker still hears of it by its keeper.
        let ids: Vec<InstanceId> = instances.iter().map(|instance| instance.id.clone()).collect();
        drop(context.cloud.extend(&order.run, &ids, context.deadline_ms()).await);
    }
    for instance in &instances {
        context.emit(EventKind::WorkerLaunched {
            slot: instance.slot.clone(),
            group: order.group.clone(),
            instance: instance.id.clone(),
        });
    }
    Ok((answer, instances))
}

fn resolved(instances: Vec<InstanceId>, verdict: Verdict, error: Option<String>) -> Resolution {
    Resolution { instances, verdict, error }
}

/// What an earlier master was answered.
pub(super) fn answer_of(resolution: &Resolution) -> Answer {
    let why = resolution.error.clone().unwrap_or_default();
    match resolution.verdict {
        Verdict::Launched => Answer::Launched(resolution.instances.len()),
        Verdict::Later => Answer::Later(why),
        Verdict::Never => Answer::Never(why),
        Verdict::Impossible => Answer::Impossible(why),
        Verdict::Over => Answer::Over(why),
    }
}

/// Why there are no machines; none where there are.
pub(super) fn why_of(answer: &Answer) -> Option<String> {
    match answer {
        Answer::Launched(_) => None,
        Answer::Later(why)
        | Answer::Never(why)
        | Answer::Impossible(why)
        | Answer::Over(why)
        | Answer::Unknown(why) => Some(why.clone()),
    }
}

/// The same bytes on the same pick, until the answer is definite or nobody may wait any more.
async fn definite(
    context: &Arc<Context>,
    order: &LaunchOrder,
    host_key: &str,
    doubts: mpsc::UnboundedSender<Pick>,
) -> Result<Vec<Instance>, LaunchError> {
    let timing = &context.spec.timing;
    let mut pause = ms(timing.reconnect_ms);
    let started = Instant::now();
    let mut doubted = false;
    loop {
        context.watch.until_firm().await;
        let answer = match context.cloud.launch(order, host_key).await {
            // That the caller may not ask now says nothing of the time when its answer was lost.
            Err(LaunchError::Impossible(why)) if doubted => Err(LaunchError::Ambiguous(why)),
            answer => answer,
        };
        if !matches!(answer, Err(LaunchError::Ambiguous(_)))
            || started.elapsed() > ms(timing.boot_ms)
            || context.is_stopping()
        {
            return answer;
        }
        doubted = true;
        // Nobody may listen: the group was given up.
        drop(doubts.send(order.pick.clone()));
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(ms(timing.reconnect_ms) * 16);
    }
}
