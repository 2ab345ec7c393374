//! What runs beside the plays: the beat, the ear for people's wishes, the deadline. Each ends with the run.

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use tokio::sync::watch;

use super::Stop;
use crate::core::ids::{Epoch, RunId};
use crate::core::records::{Beat, FORMAT_VERSION, Record};
use crate::core::timing::{Timing, ms};
use crate::core::world::World;
use crate::platform::store::journal::Journal;
use crate::platform::store::{Store, layout};

/// What the watchers need of a run.
#[derive(Clone)]
pub(super) struct Watch {
    pub(super) store: Arc<dyn Store>,
    pub(super) world: Arc<dyn World>,
    pub(super) run: RunId,
    pub(super) epoch: Epoch,
    pub(super) timing: Timing,
    pub(super) stop: watch::Sender<Stop>,
    pub(super) journal: Journal,
}

/// A wish that a person left in the store.
#[derive(Debug, Deserialize)]
struct Control {
    what: String,
    #[serde(default)]
    by: String,
}

impl Watch {
    /// Writes the sign of life until the run is over.
    pub(super) async fn beat(self) {
        let host = nix::unistd::gethostname().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let key = layout::beat_key(&self.run, self.epoch);
        for count in 1.. {
            let beat = Beat {
                v: FORMAT_VERSION,
                epoch: self.epoch,
                at_ms: self.world.unix_ms(),
                pid: std::process::id(),
                host: host.clone(),
                count,
                phase: phase_of(&self.stop.borrow()).to_owned(),
            };
            if let Ok(bytes) = serde_json::to_vec(&beat) {
                // A beat that cannot be written is a beat that is missing: others see that, and so does the journal.
                drop(self.store.put(&key, bytes.into()).await);
            }
            tokio::time::sleep(ms(self.timing.beat_ms)).await;
        }
    }

    /// Looks for wishes until one ends the run.
    pub(super) async fn listen(self) {
        let prefix = layout::control_prefix(&self.run);
        let mut last: Option<String> = None;
        loop {
            for listed in self.store.list(&prefix, last.as_deref()).await.unwrap_or_default() {
                // One that cannot be read now is read again.
                let Ok(Some(bytes)) = self.store.get(&listed.key).await else { break };
                last = Some(listed.key.clone());
                if let Ok(Control { what, by }) = serde_json::from_slice::<Control>(&bytes)
                    && what == "cancel"
                {
                    self.wish(Stop::Cancel { by: if by.is_empty() { "dayfly cancel".to_owned() } else { by } }).await;
                    return;
                }
            }
            tokio::time::sleep(ms(self.timing.control_ms)).await;
        }
    }

    /// Asks for the end at the soft deadline, UNIX milliseconds.
    pub(super) async fn expire(self, soft_deadline_ms: i64) {
        let left = soft_deadline_ms - self.world.unix_ms();
        tokio::time::sleep(Duration::from_millis(left.max(0) as u64)).await;
        self.wish(Stop::Expired).await;
    }

    /// Passes on what the process was asked from outside.
    pub(super) async fn forward(self, mut outside: watch::Receiver<Stop>) {
        let wish = outside.wait_for(|stop| *stop != Stop::No).await.map(|stop| stop.clone());
        match wish {
            Ok(wish) => self.wish(wish).await,
            // Nobody can ask any more.
            Err(_) => std::future::pending().await,
        }
    }

    /// Makes a wish durable, so that the next master has it too, and asks for it.
    async fn wish(&self, wish: Stop) {
        let why = match &wish {
            Stop::Cancel { by } => by.clone(),
            _ => DEADLINE.to_owned(),
        };
        let record = self.journal.record(Record::Phase { phase: "stopping".to_owned(), why });
        // A store that does not answer does not hold up the end.
        drop(tokio::time::timeout(ms(self.timing.journal_flush_ms) * 20, record).await);
        self.ask(wish);
    }

    /// The first wish counts.
    pub(super) fn ask(&self, wish: Stop) {
        self.stop.send_if_modified(|stop| {
            let first = *stop == Stop::No;
            if first {
                *stop = wish;
            }
            first
        });
    }
}

/// Why a run is being stopped, in the journal, where the soft deadline came.
const DEADLINE: &str = "deadline";

/// What an earlier master was asked, from its journal.
pub(super) fn standing_wish(stopping: Option<&str>) -> Stop {
    match stopping {
        None => Stop::No,
        Some(DEADLINE) => Stop::Expired,
        Some(by) => Stop::Cancel { by: by.to_owned() },
    }
}

fn phase_of(stop: &Stop) -> &'static str {
    if *stop == Stop::No { "plays" } else { "stopping" }
}
