//! From a machine to a member: looked for in the cloud, greeted, told how long it may live; and kept alive from then on.

use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::time::Instant;

use super::lookout::Lookout;
use crate::core::event::EventKind;
use crate::core::records::CloudKind;
use crate::core::timing::ms;
use crate::platform::cloud::{Instance, InstanceState, Reach};
use crate::platform::remote::LinkError;
use crate::run::engine::EngineError;
use crate::run::engine::context::{Context, Engine, Member};

/// Why a machine is no member.
pub(super) enum Unreached {
    /// The cloud says that it is gone.
    Dead(String),
    /// It may live, but nobody can use it.
    Silent(String),
    /// Nobody waits for it any more.
    Stopped,
}

/// Waits until a machine's agent answers.
pub(super) async fn reach(
    context: &Arc<Context>,
    lookout: &Lookout,
    instance: Instance,
    is_sealed: bool,
) -> Engine<Result<Member, Unreached>> {
    let timing = &context.spec.timing;
    let started = Instant::now();
    let mut pause = ms(timing.reconnect_ms);
    let (mut seen, _wanted) = lookout.watch(&instance.id);
    let mut stop = context.stop.clone();
    stop.mark_unchanged();
    let mut instance = instance;
    let mut why = "no answer".to_owned();
    let mut member: Option<Member> = None;
    loop {
        // A worker that has worked is reached even then: what it has is collected.
        if context.is_stopping() && !is_sealed {
            return Ok(Err(Unreached::Stopped));
        }
        // A sealed member may be on the other side of a partition: it has as long as an unreachable one has.
        let patience = if is_sealed { timing.unreachable_ms.max(timing.boot_ms) } else { timing.boot_ms };
        if started.elapsed() > ms(patience) {
            return Ok(Err(Unreached::Silent(why)));
        }
        if let (None, Some(reach)) = (&member, instance.reach.clone()) {
            let link = context.link(&instance.slot, pinned(context, &instance, reach)?);
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
                Err(LinkError::Unreachable(reason)) => return Ok(Err(Unreached::Silent(reason))),
                Err(error) => why = error.to_string(),
            }
        }
        // A new look at the machine counts at once, and so does a wish to stop.
        tokio::select! {
            () = tokio::time::sleep(pause) => pause = (pause * 2).min(ms(timing.reconnect_ms) * 8),
            Ok(()) = seen.changed() => {}
            Ok(()) = stop.changed() => {}
        }
        let known = seen.borrow_and_update().get(&instance.id).cloned();
        match known {
            Some(Some(now)) if matches!(now.state, InstanceState::Terminated | InstanceState::ShuttingDown) => {
                return Ok(Err(Unreached::Dead(format!("{} is gone", instance.id))));
            }
            Some(Some(now)) => instance = Instance { slot: instance.slot, ..now },
            // For a while, one that was just launched may not be seen everywhere (EC2 Developer Guide, eventual
            // consistency).
            Some(None) if !context.cloud.is_eventual() || started.elapsed() > ms(timing.closing_wait_ms) => {
                return Ok(Err(Unreached::Dead(format!("the cloud does not know {}", instance.id))));
            }
            Some(None) | None => {}
        }
    }
}

/// A machine whose host key its cloud cannot know has the bootstrap key of its launch.
fn pinned(context: &Context, instance: &Instance, reach: Reach) -> Engine<Reach> {
    let is_made = context.cloud.kind() != CloudKind::Inventory;
    match reach {
        Reach::Ssh { address, port, user, host_keys, identity, options } if host_keys.is_empty() && is_made => {
            let mut host_keys = host_keys;
            if let Some(token) = context.launches.token_of(&instance.id) {
                host_keys.push(context.run_key.host_key(&token)?.public_line);
            }
            Ok(Reach::Ssh { address, port, user, host_keys, identity, options })
        }
        reach => Ok(reach),
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

/// Renews a worker's lease as long as its master lives, and tells it of a deadline that moved; also while the master
/// itself is fenced off from the store, until an agent refuses the epoch.
pub(in crate::run::engine) async fn keep_alive(context: Arc<Context>, member: Member) {
    let timing = &context.spec.timing;
    let mut deadline = context.deadline.clone();
    deadline.mark_changed();
    let mut told = 0;
    let mut renewal = Instant::now() + ms(timing.renew_ms);
    loop {
        let wanted = *deadline.borrow_and_update();
        if wanted != told {
            match member.link.deadline(wanted).await {
                Ok(()) => told = wanted,
                Err(LinkError::Fenced(_)) => return,
                Err(_) => {}
            }
        }
        tokio::select! {
            () = tokio::time::sleep_until(renewal) => {
                // An unreachable worker is tried again; its lease ends by itself.
                if let Err(LinkError::Fenced(_)) = member.link.renew(timing.lease_ms).await {
                    return;
                }
                renewal = Instant::now() + ms(timing.renew_ms);
            }
            Ok(()) = deadline.changed() => {}
        }
    }
}
