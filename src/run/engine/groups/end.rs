//! The end of machines, and its proof.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::core::event::EventKind;
use crate::core::ids::{HostSlot, InstanceId};
use crate::core::records::Record;
use crate::core::timing::ms;
use crate::platform::cloud::{Instance, InstanceState};
use crate::run::engine::context::{Context, Engine};
use crate::run::engine::dispatcher::Ended;

/// A machine that the cloud does not show although it never said `terminated` counts as gone after this many closing
/// waits: an hour (EC2 User Guide, instance lifecycle: terminated instances stay visible for about an hour).
const FORGOTTEN_AFTER: u32 = 6;

/// Ends machines and waits until the cloud says of each that it is gone. Returns what each became and those that are not
/// proven gone. That a machine is not shown proves nothing by itself: it may be too young to be seen.
pub(in crate::run::engine) async fn end(
    context: &Arc<Context>,
    machines: &[(HostSlot, InstanceId)],
) -> Engine<(Vec<Ended>, Vec<InstanceId>)> {
    let timing = &context.spec.timing;
    let started = Instant::now();
    let longest = ms(timing.reconnect_ms) * 8;
    let mut pause = if context.cloud.is_eventual() { longest / 2 } else { longest / 64 };
    let mut gone = Vec::new();
    let mut open: Vec<(HostSlot, InstanceId)> = machines.to_vec();
    let mut to_end: Vec<InstanceId> = open.iter().map(|(_, id)| id.clone()).collect();
    while !open.is_empty() {
        context.watch.until_firm().await;
        let found = look(context, &open, &mut to_end).await;
        let mut still = Vec::new();
        for (slot, id) in open {
            let known = found.as_ref().map(|found| found.iter().find(|instance| instance.id == id));
            let state = match known {
                Some(Some(instance)) if instance.state == InstanceState::Terminated => "terminated",
                Some(None) if context.launches.is_ended(&id) => "terminated",
                Some(None) if is_forgotten(context, &id).await => "forgotten",
                _ => {
                    still.push((slot, id));
                    continue;
                }
            };
            let is_news = context.launches.note_end(&id);
            if is_news {
                context.journal.record(Record::Gone { instance: id.clone(), state: state.to_owned() }).await?;
            }
            context.tell(EventKind::WorkerGone { slot: slot.clone(), state: state.to_owned() }, !is_news);
            gone.push((slot, id, state.to_owned()));
        }
        open = still;
        if open.is_empty() || started.elapsed() > ms(timing.boot_ms) {
            break;
        }
        tokio::time::sleep(pause).await;
        if pause >= longest {
            // One that takes long is told again.
            to_end = open.iter().map(|(_, id)| id.clone()).collect();
        }
        pause = (pause * 2).min(longest);
    }
    Ok((gone, open.into_iter().map(|(_, id)| id).collect()))
}

/// Asks for the end of those that are not known to be ending, and looks at all; none where the cloud did not answer.
async fn look(
    context: &Context,
    open: &[(HostSlot, InstanceId)],
    to_end: &mut Vec<InstanceId>,
) -> Option<Vec<Instance>> {
    let run = &context.spec.run;
    if !to_end.is_empty() {
        context.cloud.terminate(run, to_end).await.ok()?;
    }
    let ids: Vec<InstanceId> = open.iter().map(|(_, id)| id.clone()).collect();
    let found = context.cloud.describe(run, &ids).await.ok()?;
    let is_ending = |it: &Instance| matches!(it.state, InstanceState::ShuttingDown | InstanceState::Terminated);
    *to_end = ids;
    to_end.retain(|id| !found.iter().any(|instance| instance.id == *id && is_ending(instance)));
    Some(found)
}

/// Whether the cloud has had so much time to show a machine that it cannot exist any more, and finds nothing under the
/// token of its launch either.
async fn is_forgotten(context: &Context, id: &InstanceId) -> bool {
    let long: Duration = ms(context.spec.timing.closing_wait_ms) * FORGOTTEN_AFTER;
    if !context.cloud.is_eventual() || context.launches.age() < long {
        return false;
    }
    let Some(token) = context.launches.token_of(id) else { return false };
    context
        .cloud
        .sweep_tokens(&context.spec.run, &[token])
        .await
        .is_ok_and(|found| found.iter().all(|machine| machine.id != *id))
}
