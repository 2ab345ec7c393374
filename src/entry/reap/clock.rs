//! What time it is for the store: beats, claims and receipts carry its times, so a reaper's own clock may be wrong.

use tokio::time::Instant;

use crate::core::world::World as _;
use crate::entry::exit::Problem;
use crate::entry::trigger::{SystemWorld, store_failed};
use crate::platform::store::{Store, layout};

/// The store's clock, read once and carried on by the time that passed here.
#[derive(Clone, Copy, Debug)]
pub struct StoreClock {
    at_ms: i64,
    since: Instant,
}

impl StoreClock {
    /// Reads it: an object that was just written carries the present time.
    pub async fn read(store: &dyn Store) -> Result<Self, Problem> {
        let text = SystemWorld.unix_ms().to_string();
        store.put(layout::CLOCK, text.into()).await.map_err(store_failed)?;
        let since = Instant::now();
        let listed = store.list(layout::CLOCK, None).await.map_err(store_failed)?;
        let written = listed.into_iter().find(|entry| entry.key == layout::CLOCK);
        let written = written.ok_or_else(|| {
            Problem::failed(format!("the store {} does not show what was just written to it", store.location()))
        })?;
        Ok(Self { at_ms: written.modified_ms, since })
    }

    /// Now, UNIX milliseconds.
    pub fn now_ms(&self) -> i64 {
        self.at_ms + self.since.elapsed().as_millis() as i64
    }

    /// How far this machine's clock is ahead of the store's.
    pub fn offset_ms(&self) -> i64 {
        SystemWorld.unix_ms() - self.now_ms()
    }
}
