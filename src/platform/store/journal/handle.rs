//! What a master holds of its journal.

use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::JournalError;
use super::reading::{Fold, fetch, stamped};
use super::segment::line;
use super::writer::{Pen, Shared, Written, run};
use crate::core::ids::{Epoch, RunId, hex};
use crate::core::records::{Entry, Record};
use crate::core::timing::Timing;
use crate::core::world::World;
use crate::platform::store::Store;
use crate::platform::store::layout::journal_key;

/// A master's journal; cheap to clone. When the last clone is dropped without [`Journal::close`], writing stops where it
/// is, as if the master had been killed.
#[derive(Clone)]
pub struct Journal {
    shared: Arc<Shared>,
    world: Arc<dyn World>,
    task: Arc<Task>,
    name: String,
}

/// The writing task; ends with its last owner.
struct Task(JoinHandle<()>);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Journal {
    /// Takes a run over: reads what stands and writes `EpochStarted` at the first free number, from which moment no other
    /// master can write. Returns everything that was written before.
    pub async fn take_over(
        store: Arc<dyn Store>,
        run_id: &RunId,
        why: &str,
        world: Arc<dyn World>,
        timing: &Timing,
    ) -> Result<(Self, Epoch, Vec<Entry>), JournalError> {
        let mut name = [0_u8; 16];
        world.random(&mut name);
        let mut pen = Pen {
            store,
            run: run_id.clone(),
            epoch: Epoch(0),
            writer: hex(&name),
            timing: timing.clone(),
            world: Arc::clone(&world),
        };
        let mut fold = Fold::read(pen.store.as_ref(), run_id).await?;
        loop {
            pen.epoch = Epoch(fold.epoch.0 + 1);
            let record = Record::EpochStarted { epoch: pen.epoch, why: why.to_owned() };
            let entry = Entry { seq: fold.next.seq, t: world.unix_ms(), record };
            let lines = line(&entry, &journal_key(run_id, fold.next.segment))?;
            match pen.write(&fold.next, &lines).await? {
                Written::Ours { sha256 } => {
                    fold.next.segment += 1;
                    fold.next.seq += 1;
                    fold.next.prev_sha256 = sha256;
                    break;
                }
                Written::Theirs => {
                    let segment = fetch(pen.store.as_ref(), run_id, &fold.next).await?;
                    fold.add(segment);
                }
            }
        }
        let epoch = pen.epoch;
        let shared = Arc::new(Shared::new(fold.next.seq));
        let task = tokio::spawn(run(pen, Arc::clone(&shared), fold.next));
        let name = run_id.to_string();
        Ok((Self { shared, world, task: Arc::new(Task(task)), name }, epoch, fold.entries))
    }

    /// Everything that was written so far, for those who only look.
    pub async fn read(store: &dyn Store, run: &RunId) -> Result<Vec<Entry>, JournalError> {
        Ok(Fold::read(store, run).await?.entries)
    }

    /// The same, each entry with the time at which the store took it, by the store's own clock.
    pub async fn read_stamped(store: &dyn Store, run: &RunId) -> Result<Vec<(i64, Entry)>, JournalError> {
        stamped(store, run).await
    }

    /// Class W: in the store when this returns, with all that was queued before.
    pub async fn record(&self, record: Record) -> Result<(), JournalError> {
        let ticket = self.note(record);
        self.durable(ticket).await
    }

    /// Class B: in the store soon. Returns a ticket for [`Journal::durable`].
    pub fn note(&self, record: Record) -> u64 {
        let t = self.world.unix_ms();
        // Records are plain data with text keys: writing them as JSON cannot fail. An empty line would be refused by
        // every reader, so that even then nothing wrong is believed.
        self.shared.push(|seq| line(&Entry { seq, t, record }, &self.name).unwrap_or_else(|_| vec![b'\n']))
    }

    /// Waits until the record with this ticket is in the store, and has it written at once.
    pub async fn durable(&self, ticket: u64) -> Result<(), JournalError> {
        let mut state = self.shared.state();
        if state.borrow().durable < ticket {
            self.shared.hurry();
        }
        let state = state.wait_for(|state| state.durable >= ticket || state.failure.is_some()).await;
        match state {
            Ok(state) if state.durable >= ticket => Ok(()),
            Ok(state) => Err(state.failure.clone().unwrap_or(JournalError::Closed)),
            Err(_) => Err(JournalError::Closed),
        }
    }

    /// Waits until a record after this one is in the store, and gives its number; none once nothing more can be written.
    pub async fn progress(&self, after: u64) -> Option<u64> {
        let mut state = self.shared.state();
        let state = state.wait_for(|state| state.durable > after || state.failure.is_some()).await.ok()?;
        Some(state.durable).filter(|durable| *durable > after)
    }

    /// Writes all that waits and ends the journal, for every clone.
    pub async fn close(self) -> Result<(), JournalError> {
        self.shared.close();
        let mut state = self.shared.state();
        let failure = match state.wait_for(|state| state.failure.is_some()).await {
            Ok(state) => state.failure.clone(),
            Err(_) => None,
        };
        drop(self.task);
        match failure {
            Some(JournalError::Closed) | None => Ok(()),
            Some(error) => Err(error),
        }
    }

    /// Turns into an error once, at the moment when nothing more can be written: another master, or the store.
    pub fn fenced(&self) -> watch::Receiver<Option<JournalError>> {
        self.shared.failure()
    }
}
