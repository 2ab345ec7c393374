//! The one task that writes: a segment at a time, all that waits goes into the next one.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use super::JournalError;
use super::reading::fetch;
use super::segment::{Position, pack};
use crate::core::ids::{Epoch, RunId, sha256_hex};
use crate::core::records::{FORMAT_VERSION, SegmentHeader};
use crate::core::timing::{Timing, ms};
use crate::core::world::World;
use crate::fault_point;
use crate::platform::store::layout::journal_key;
use crate::platform::store::{Created, Store, StoreError};

/// Class B records are flushed when this much waits.
const FLUSH_BYTES: usize = 256 * 1024;
/// The first pause after a store error that may pass; doubles up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Who writes, and where to.
pub struct Pen {
    pub store: Arc<dyn Store>,
    pub run: RunId,
    pub epoch: Epoch,
    /// Drawn once per master process.
    pub writer: String,
    pub timing: Timing,
    /// Where a test may stop the master.
    #[cfg_attr(not(feature = "faults"), expect(dead_code, reason = "read at fault points only"))]
    pub world: Arc<dyn World>,
}

/// What became of the attempt to write a segment.
pub enum Written {
    /// It is in the store.
    Ours {
        /// Its digest.
        sha256: String,
    },
    /// Another master's segment has this number.
    Theirs,
}

/// What the handles and the task share.
pub struct Shared {
    queue: Mutex<Queue>,
    wake: Notify,
    state: watch::Sender<State>,
    failure: watch::Sender<Option<JournalError>>,
}

/// Lines that wait to be written.
struct Queue {
    lines: Vec<u8>,
    next_seq: u64,
    /// Somebody waits for the last line.
    urgent: bool,
    closing: bool,
}

/// How far the store has it.
#[derive(Clone, Debug, Default)]
pub struct State {
    /// The last sequence number that is in the store.
    pub durable: u64,
    /// Set once, when nothing more will be written.
    pub failure: Option<JournalError>,
}

impl Pen {
    /// Creates one segment, again and again while the store's error may pass and time remains.
    pub async fn write(&self, at: &Position, lines: &[u8]) -> Result<Written, JournalError> {
        let header = SegmentHeader {
            v: FORMAT_VERSION,
            run: self.run.clone(),
            epoch: self.epoch,
            seg: at.segment,
            writer: self.writer.clone(),
            first_seq: at.seq,
            prev_sha256: at.prev_sha256.clone(),
        };
        let bytes = pack(&header, lines)?;
        let sha256 = sha256_hex(&bytes);
        let key = journal_key(&self.run, at.segment);
        fault_point!(self.world, "journal.before_create");
        let created = self.patiently(|| self.store.create(&key, bytes.clone())).await?;
        // An earlier try may have been written although its answer was lost; the bytes hold the writer's name.
        let ours = match created {
            Created::New => true,
            Created::Exists => self.patiently(|| self.store.get(&key)).await?.is_some_and(|found| found == bytes),
        };
        fault_point!(self.world, "journal.after_create");
        Ok(if ours { Written::Ours { sha256 } } else { Written::Theirs })
    }

    /// Repeats a call while its error may pass, as long as a run has patience with its store. Meanwhile the master begins
    /// nothing (its pulse tells), and its workers live on.
    pub async fn patiently<T, F>(&self, call: impl Fn() -> F) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, StoreError>>,
    {
        let give_up = Instant::now() + self.patience();
        let mut pause = FIRST_PAUSE;
        loop {
            match tokio::time::timeout_at(give_up, call()).await {
                Ok(Err(StoreError::Failed { retry: true, .. })) if Instant::now() + pause < give_up => {}
                Ok(result) => return result,
                Err(_) => return Err(self.silent()),
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    fn patience(&self) -> Duration {
        ms(self.timing.store_patience_ms.max(self.timing.self_fence_ms))
    }

    fn silent(&self) -> StoreError {
        let why = format!("no answer for {} ms", self.patience().as_millis());
        StoreError::Failed { operation: "write", key: "journal".to_owned(), why, retry: true }
    }

    /// Who wrote the segment that stands where ours should.
    async fn usurper(&self, at: &Position) -> JournalError {
        match fetch(self.store.as_ref(), &self.run, at).await {
            Ok(segment) => JournalError::Fenced { by: segment.header.epoch },
            Err(error) => error,
        }
    }
}

impl Shared {
    pub fn new(next_seq: u64) -> Self {
        let queue = Queue { lines: Vec::new(), next_seq, urgent: false, closing: false };
        Self {
            queue: Mutex::new(queue),
            wake: Notify::new(),
            state: watch::Sender::new(State { durable: next_seq - 1, failure: None }),
            failure: watch::Sender::new(None),
        }
    }

    /// Queues the line that `make` builds from its sequence number.
    pub fn push(&self, make: impl FnOnce(u64) -> Vec<u8>) -> u64 {
        let mut queue = self.queue();
        let seq = queue.next_seq;
        queue.next_seq += 1;
        queue.lines.append(&mut make(seq));
        drop(queue);
        self.wake.notify_one();
        seq
    }

    /// Has everything that waits written now.
    pub fn hurry(&self) {
        self.queue().urgent = true;
        self.wake.notify_one();
    }

    /// Has everything that waits written, and the task end.
    pub fn close(&self) {
        self.queue().closing = true;
        self.wake.notify_one();
    }

    pub fn state(&self) -> watch::Receiver<State> {
        self.state.subscribe()
    }

    pub fn failure(&self) -> watch::Receiver<Option<JournalError>> {
        self.failure.subscribe()
    }

    fn fail(&self, error: &JournalError) {
        self.state.send_modify(|state| state.failure = Some(error.clone()));
        if *error != JournalError::Closed {
            self.failure.send_replace(Some(error.clone()));
        }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until lines are due; none when the journal is closed and empty.
    async fn due(&self, flush: Duration) -> Option<Batch> {
        let mut deadline: Option<Instant> = None;
        loop {
            {
                let mut queue = self.queue();
                let now = queue.urgent || queue.closing || queue.lines.len() >= FLUSH_BYTES;
                if !queue.lines.is_empty() {
                    if now || deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                        queue.urgent = false;
                        let lines = Bytes::from(std::mem::take(&mut queue.lines));
                        return Some(Batch { lines, last_seq: queue.next_seq - 1 });
                    }
                    deadline.get_or_insert_with(|| Instant::now() + flush);
                } else if queue.closing {
                    return None;
                } else {
                    queue.urgent = false;
                }
            }
            match deadline {
                Some(deadline) => {
                    let _ = tokio::time::timeout_at(deadline, self.wake.notified()).await;
                }
                None => self.wake.notified().await,
            }
        }
    }
}

/// Lines that go into one segment.
struct Batch {
    lines: Bytes,
    last_seq: u64,
}

/// Writes until the journal is closed or fails.
pub async fn run(pen: Pen, shared: Arc<Shared>, mut at: Position) {
    while let Some(batch) = shared.due(ms(pen.timing.journal_flush_ms)).await {
        match pen.write(&at, &batch.lines).await {
            Ok(Written::Ours { sha256 }) => {
                at = Position { segment: at.segment + 1, seq: batch.last_seq + 1, prev_sha256: sha256 };
                shared.state.send_modify(|state| state.durable = batch.last_seq);
            }
            Ok(Written::Theirs) => return shared.fail(&pen.usurper(&at).await),
            Err(error) => return shared.fail(&error),
        }
    }
    shared.fail(&JournalError::Closed);
}
