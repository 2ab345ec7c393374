//! The hard end of a run, which people may move: how far, and who is told.

use std::sync::Arc;

use super::context::Context;
use crate::core::ids::InstanceId;
use crate::core::timing::ms;

/// A run may not be put off further than this from now.
const FURTHEST_MS: i64 = 30 * 24 * 3_600_000;

/// The deadline that a wish comes to: never so early that nothing could be collected any more, nor for ever.
pub(super) fn bounded(wanted_ms: i64, now_ms: i64, reserve_ms: i64) -> i64 {
    wanted_ms.clamp(now_ms + reserve_ms, now_ms + FURTHEST_MS.max(reserve_ms))
}

/// Shows a deadline that moved in the cloud, on every machine of the run; the workers themselves are told by their
/// keepers. Never completes.
pub(super) async fn follow(context: Arc<Context>) {
    let mut deadline = context.deadline.clone();
    // Machines were launched with the deadline of their time: an earlier master may have died before it told them.
    let mut shown = context.spec.deadline_ms;
    loop {
        let wanted = *deadline.borrow_and_update();
        if wanted != shown {
            let machines = context.launches.machines().into_iter().map(|(_, id)| id);
            let alive: Vec<InstanceId> = machines.filter(|id| !context.launches.is_ended(id)).collect();
            context.watch.until_firm().await;
            if context.cloud.extend(&context.spec.run, &alive, wanted).await.is_ok() {
                shown = wanted;
            } else {
                tokio::time::sleep(ms(context.spec.timing.reconnect_ms) * 4).await;
                continue;
            }
        }
        if deadline.changed().await.is_err() {
            return std::future::pending().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_leaves_time_to_collect_and_is_not_for_ever() {
        assert_eq!(bounded(5_000, 1_000, 300), 5_000);
        assert_eq!(bounded(0, 1_000, 300), 1_300);
        assert_eq!(bounded(i64::MAX, 1_000, 300), 1_000 + FURTHEST_MS);
    }
}
