//! One look at a group's machines for all who wait for them: the cloud is asked for many at once, never for each by
//! itself (EC2 Developer Guide, request throttling: the buckets are shared by everybody in the account).

use std::collections::{BTreeSet, HashMap};

use tokio::sync::watch;

use crate::core::ids::InstanceId;
use crate::core::timing::ms;
use crate::platform::cloud::Instance;
use crate::run::engine::context::Context;

/// What the last look said: none for a machine that the cloud did not show.
pub(super) type Seen = HashMap<InstanceId, Option<Instance>>;

/// Who is looked for, and what was seen.
pub(super) struct Lookout {
    wanted: watch::Sender<BTreeSet<InstanceId>>,
    seen: watch::Sender<Seen>,
}

impl Lookout {
    pub(super) fn new() -> Self {
        Self { wanted: watch::Sender::default(), seen: watch::Sender::default() }
    }

    /// Looks for a machine from now on, until the guard is dropped.
    pub(super) fn watch(&self, id: &InstanceId) -> (watch::Receiver<Seen>, Wanted<'_>) {
        self.wanted.send_modify(|wanted| {
            wanted.insert(id.clone());
        });
        (self.seen.subscribe(), Wanted { lookout: self, id: id.clone() })
    }

    /// Looks again and again; never completes.
    pub(super) async fn look(&self, context: &Context) {
        let timing = &context.spec.timing;
        let (shortest, longest) = (ms(timing.reconnect_ms) * 4, ms(timing.reconnect_ms) * 20);
        let mut wanted = self.wanted.subscribe();
        let mut pause = shortest;
        let mut known = BTreeSet::new();
        loop {
            let now: Vec<InstanceId> = wanted.borrow_and_update().iter().cloned().collect();
            if !now.is_empty() {
                if let Ok(found) = context.cloud.describe(&context.spec.run, &now).await {
                    let mut found: HashMap<_, _> = found.into_iter().map(|it| (it.id.clone(), it)).collect();
                    self.seen.send_replace(now.iter().map(|id| (id.clone(), found.remove(id))).collect());
                }
                if now.iter().any(|id| !known.contains(id)) {
                    pause = shortest;
                    known.extend(now);
                }
            }
            // New ones are looked for soon; that others are found is no reason to look.
            let joined = async {
                let _ = wanted.wait_for(|wanted| wanted.iter().any(|id| !known.contains(id))).await;
                tokio::time::sleep(ms(timing.reconnect_ms) / 8).await;
            };
            tokio::select! {
                () = tokio::time::sleep(pause) => pause = (pause * 3 / 2).min(longest),
                () = joined => {}
            }
        }
    }
}

/// Somebody waits for this machine.
pub(super) struct Wanted<'a> {
    lookout: &'a Lookout,
    id: InstanceId,
}

impl Drop for Wanted<'_> {
    fn drop(&mut self) {
        self.lookout.wanted.send_modify(|wanted| {
            wanted.remove(&self.id);
        });
    }
}
