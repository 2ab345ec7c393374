//! Reading the whole journal, for a takeover and for everybody who only looks.

use super::JournalError;
use super::segment::{Position, Segment, unpack};
use crate::core::ids::{Epoch, RunId};
use crate::core::records::{Entry, Record};
use crate::platform::store::Store;
use crate::platform::store::layout::{journal_key, journal_prefix};

/// Everything that was written, and where the next segment stands.
pub struct Fold {
    pub entries: Vec<Entry>,
    pub next: Position,
    /// The newest master; 0 before the first.
    pub epoch: Epoch,
}

impl Fold {
    /// Reads all segments of a run, each checked against the one before.
    pub async fn read(store: &dyn Store, run: &RunId) -> Result<Self, JournalError> {
        let mut fold = Self { entries: Vec::new(), next: Position::first(), epoch: Epoch(0) };
        for listed in store.list(&journal_prefix(run), None).await? {
            let expected = journal_key(run, fold.next.segment);
            if listed.key != expected {
                let why = format!("it is missing; {} stands in its place", listed.key);
                return Err(JournalError::Corrupt { segment: expected, why });
            }
            let segment = fetch(store, run, &fold.next).await?;
            fold.add(segment);
        }
        Ok(fold)
    }

    /// Adds the next segment.
    pub fn add(&mut self, segment: Segment) {
        self.next = Position::after(&segment);
        for entry in &segment.entries {
            if let Record::EpochStarted { epoch, .. } = entry.record {
                self.epoch = self.epoch.max(epoch);
            }
        }
        self.entries.extend(segment.entries);
    }
}

/// Reads one segment that is known to exist.
pub async fn fetch(store: &dyn Store, run: &RunId, at: &Position) -> Result<Segment, JournalError> {
    let key = journal_key(run, at.segment);
    let bytes = store.get(&key).await?;
    let bytes = bytes.ok_or_else(|| JournalError::Corrupt { segment: key, why: "it vanished".to_owned() })?;
    unpack(run, at, &bytes)
}

/// Every entry with the time at which the store took its segment, by the store's own clock.
pub async fn stamped(store: &dyn Store, run: &RunId) -> Result<Vec<(i64, Entry)>, JournalError> {
    let mut at = Position::first();
    let mut entries = Vec::new();
    for listed in store.list(&journal_prefix(run), None).await? {
        let segment = fetch(store, run, &at).await?;
        at = Position::after(&segment);
        entries.extend(segment.entries.into_iter().map(|entry| (listed.modified_ms, entry)));
    }
    Ok(entries)
}
