//! What runs beside the plays: the beat, the ear for people's wishes, the deadline. Each ends with the run.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use tokio::sync::{mpsc, watch};

use super::Stop;
use super::deadline::bounded;
use super::pulse::Pulse;
use crate::core::event::{Event, EventKind};
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
    pub(super) pulse: Arc<Pulse>,
    /// The hard end, UNIX milliseconds.
    pub(super) deadline: watch::Sender<i64>,
    /// As long before the hard end, steps are stopped and collected.
    pub(super) reserve_ms: i64,
    /// The requests that moved the deadline before, under earlier masters.
    pub(super) controls: BTreeSet<String>,
    pub(super) events: mpsc::UnboundedSender<Event>,
}

/// A wish that a person left in the store.
#[derive(Debug, Deserialize)]
struct Control {
    what: String,
    #[serde(default)]
    by: String,
    #[serde(default)]
    deadline_ms: Option<i64>,
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
                // A beat that cannot be written is a beat that is missing: others see that, and so does the pulse.
                let put = self.store.put(&key, bytes.into());
                if let Ok(Ok(())) = tokio::time::timeout(ms(self.timing.self_fence_ms), put).await {
                    self.pulse.beat();
                }
            }
            tokio::time::sleep(ms(self.timing.beat_ms)).await;
        }
    }

    /// Notes every append of the journal as a sign of life.
    pub(super) async fn appends(self) {
        let mut last = 0;
        while let Some(durable) = self.journal.progress(last).await {
            last = durable;
            self.pulse.beat();
        }
        std::future::pending::<()>().await;
    }

    /// Waits while it is too long ago that the store took a beat or a record: until then nothing is launched,
    /// terminated, released or dispatched.
    pub(super) async fn until_firm(&self) {
        while self.pulse.age() > ms(self.timing.self_fence_ms) {
            tokio::time::sleep(ms(self.timing.journal_flush_ms)).await;
        }
    }

    /// Looks for wishes as long as the run goes on.
    pub(super) async fn listen(self) {
        let prefix = layout::control_prefix(&self.run);
        // Keys are made by the clocks of many people: a later wish may sort before an earlier one.
        let mut heard: BTreeSet<String> = BTreeSet::new();
        loop {
            for listed in self.store.list(&prefix, None).await.unwrap_or_default() {
                if heard.contains(&listed.key) {
                    continue;
                }
                // One that cannot be read now is read again.
                let Ok(Some(bytes)) = self.store.get(&listed.key).await else { break };
                heard.insert(listed.key.clone());
                let Ok(Control { what, by, deadline_ms }) = serde_json::from_slice::<Control>(&bytes) else { continue };
                match (what.as_str(), deadline_ms) {
                    ("cancel", _) => {
                        self.wish(Stop::Cancel { by: if by.is_empty() { "dayfly cancel".to_owned() } else { by } })
                            .await;
                    }
                    ("extend", Some(wanted)) if !self.controls.contains(&listed.key) => {
                        self.move_deadline(wanted, by, listed.key).await;
                    }
                    _ => {}
                }
            }
            tokio::time::sleep(ms(self.timing.control_ms)).await;
        }
    }

    /// Moves the hard end, durably first, so that every later master has it too.
    async fn move_deadline(&self, wanted_ms: i64, by: String, control: String) {
        let now = self.world.unix_ms();
        let deadline_ms = bounded(wanted_ms, now, self.reserve_ms);
        let record = Record::DeadlineMoved { deadline_ms, by: by.clone(), control };
        // Where it cannot be written the run is about to end anyway.
        if self.journal.record(record).await.is_err() {
            return;
        }
        self.deadline.send_replace(deadline_ms);
        let kind = EventKind::DeadlineMoved { deadline_ms, by };
        drop(self.events.send(Event { v: FORMAT_VERSION, at_ms: now, replayed: false, kind }));
    }

    /// Asks for the end at the soft deadline, wherever that moves.
    pub(super) async fn expire(self) {
        self.until(self.reserve_ms).await;
        self.wish(Stop::Expired).await;
    }

    /// Waits for the hard deadline.
    pub(super) async fn hard_deadline(&self) {
        self.until(0).await;
    }

    /// Waits for a moment before the hard deadline.
    async fn until(&self, before_ms: i64) {
        let mut deadline = self.deadline.subscribe();
        loop {
            let left = *deadline.borrow_and_update() - before_ms - self.world.unix_ms();
            if left <= 0 {
                return;
            }
            tokio::select! {
                () = tokio::time::sleep(Duration::from_millis(left as u64)) => {}
                Ok(()) = deadline.changed() => {}
            }
        }
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
