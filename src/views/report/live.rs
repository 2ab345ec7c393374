//! Events by way of the store: the master writes what happens as numbered segments, other processes read them in order.
//! Live output is never the truth: what is lost here stands in journal and logs.

use std::io::{self, Read as _};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::core::event::{Event, EventKind};
use crate::core::ids::RunId;
use crate::platform::store::{Created, Store, StoreError, layout};

/// A segment is closed at this size even before its time.
const SEGMENT_BYTES: usize = 1024 * 1024;
/// Of one step's output in a segment, no more than this: a flood must not drown the rest. Logs have all of it.
const OUTPUT_BYTES: usize = 64 * 1024;
/// A segment that unpacks to more than this is not ours.
const UNPACKED_LIMIT: u64 = 64 * 1024 * 1024;

/// Why live events could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum LiveError {
    /// The store does not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A segment is not what the format says.
    #[error("live segment {key:?} is corrupt: {why}")]
    Corrupt {
        /// Which.
        key: String,
        /// How.
        why: String,
    },
}

/// Writes a run's events as live segments, a few seconds behind at most.
pub struct LiveWriter {
    sender: mpsc::UnboundedSender<Event>,
    task: tokio::task::JoinHandle<()>,
}

impl LiveWriter {
    /// Begins to write behind the segments that are there, at most `flush` behind the events.
    pub fn start(store: Arc<dyn Store>, run: RunId, flush: Duration) -> Self {
        let (sender, events) = mpsc::unbounded_channel();
        let task = tokio::spawn(write_all(store, run, flush, events));
        Self { sender, task }
    }

    /// Takes an event; never waits.
    pub fn event(&self, event: &Event) {
        // The task ends only with the sender: a failed send means that the runtime is going down.
        let _ = self.sender.send(event.clone());
    }

    /// Writes what is left and waits until it stands.
    pub async fn finish(self) {
        drop(self.sender);
        let _ = self.task.await;
    }
}

/// What waits for its segment.
#[derive(Default)]
struct Pending {
    lines: Vec<u8>,
    /// Output of each step in this segment, by its directory.
    output: std::collections::HashMap<String, usize>,
}

impl Pending {
    fn push(&mut self, mut event: Event) {
        if let EventKind::StepOutput { key, text, .. } = &mut event.kind {
            let used = self.output.entry(key.as_str().to_owned()).or_default();
            if *used >= OUTPUT_BYTES {
                return;
            }
            *used += text.len();
            if text.len() > OUTPUT_BYTES {
                let mut at = OUTPUT_BYTES;
                while !text.is_char_boundary(at) {
                    at -= 1;
                }
                text.truncate(at);
            }
        }
        if serde_json::to_writer(&mut self.lines, &event).is_ok() {
            self.lines.push(b'\n');
        }
    }
}

async fn write_all(store: Arc<dyn Store>, run: RunId, flush: Duration, mut events: mpsc::UnboundedReceiver<Event>) {
    let mut next: Option<u64> = None;
    let mut pending = Pending::default();
    let mut due: Option<Instant> = None;
    loop {
        let received = match due {
            Some(at) => tokio::select! {
                biased;
                () = tokio::time::sleep_until(at) => None,
                event = events.recv() => Some(event),
            },
            None => Some(events.recv().await),
        };
        let mut over = false;
        match received {
            Some(Some(event)) => {
                pending.push(event);
                due.get_or_insert_with(|| Instant::now() + flush);
                if pending.lines.len() < SEGMENT_BYTES {
                    continue;
                }
            }
            Some(None) => over = true,
            None => {}
        }
        due = None;
        let lines = std::mem::take(&mut pending).lines;
        if !lines.is_empty() {
            // Sight only: a store that does not take it now must not stop the run.
            let _ = write_segment(store.as_ref(), &run, &mut next, &lines).await;
        }
        if over {
            return;
        }
    }
}

async fn write_segment(store: &dyn Store, run: &RunId, next: &mut Option<u64>, lines: &[u8]) -> Result<(), LiveError> {
    let mut number = if let Some(number) = *next {
        number
    } else {
        let there = store.list(&layout::live_prefix(run), None).await?;
        there.last().and_then(|last| layout::number_of(&last.key)).unwrap_or(0) + 1
    };
    let packed = zstd::encode_all(lines, 3)
        .map_err(|error| LiveError::Corrupt { key: layout::live_key(run, number), why: error.to_string() })?;
    let packed = Bytes::from(packed);
    // Another master may still write: whoever comes second takes the next number.
    while store.create(&layout::live_key(run, number), packed.clone()).await? == Created::Exists {
        number += 1;
    }
    *next = Some(number + 1);
    Ok(())
}

/// Reads a run's live events in order.
pub struct LiveReader {
    store: Arc<dyn Store>,
    run: RunId,
    after: Option<String>,
}

impl LiveReader {
    /// From the first segment that is still there.
    pub fn new(store: Arc<dyn Store>, run: RunId) -> Self {
        Self { store, run, after: None }
    }

    /// Whether there was nothing to read so far.
    pub fn is_at_the_start(&self) -> bool {
        self.after.is_none()
    }

    /// Every event since the last call; none where nothing is new. A kind of event that this release does not know is
    /// passed over.
    pub async fn read(&mut self) -> Result<Vec<Event>, LiveError> {
        let listed = self.store.list(&layout::live_prefix(&self.run), self.after.as_deref()).await?;
        let mut events = Vec::new();
        for entry in listed {
            if let Some(bytes) = self.store.get(&entry.key).await? {
                let lines = unpack(&bytes)
                    .map_err(|error| LiveError::Corrupt { key: entry.key.clone(), why: error.to_string() })?;
                let parsed = lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
                events.extend(parsed.filter_map(|line| serde_json::from_slice::<Event>(line).ok()));
            }
            self.after = Some(entry.key);
        }
        Ok(events)
    }
}

fn unpack(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut lines = Vec::new();
    zstd::Decoder::new(bytes)?.take(UNPACKED_LIMIT).read_to_end(&mut lines)?;
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::event::Stream;
    use crate::core::ids::{HostName, StepKey};
    use crate::platform::store::DirectoryStore;

    fn note(message: &str) -> Event {
        Event { v: 1, at_ms: 1, replayed: false, kind: EventKind::Note { message: message.to_owned() } }
    }

    #[tokio::test]
    async fn what_is_written_is_read_in_order_and_a_second_master_goes_on_behind() {
        let folder = tempfile::tempdir().unwrap();
        let store: Arc<dyn Store> = Arc::new(DirectoryStore::new(folder.path()));
        let run = RunId::new("r1");
        let mut reader = LiveReader::new(store.clone(), run.clone());
        assert_eq!(reader.read().await.unwrap(), vec![]);
        for text in ["one", "two"] {
            let writer = LiveWriter::start(store.clone(), run.clone(), Duration::from_millis(5));
            writer.event(&note(text));
            writer.finish().await;
        }
        assert_eq!(reader.read().await.unwrap(), vec![note("one"), note("two")]);
        assert_eq!(reader.read().await.unwrap(), vec![]);
    }

    #[tokio::test]
    async fn a_flood_of_output_is_cut_and_does_not_drown_the_rest() {
        let folder = tempfile::tempdir().unwrap();
        let store: Arc<dyn Store> = Arc::new(DirectoryStore::new(folder.path()));
        let run = RunId::new("r1");
        let writer = LiveWriter::start(store.clone(), run.clone(), Duration::from_hours(1));
        for _ in 0..100 {
            let kind = EventKind::StepOutput {
                key: StepKey::new("k"),
                host: HostName::new("h"),
                stream: Stream::Stdout,
                text: "ü".repeat(OUTPUT_BYTES),
            };
            writer.event(&Event { v: 1, at_ms: 1, replayed: false, kind });
        }
        writer.event(&note("after"));
        writer.finish().await;
        let events = LiveReader::new(store, run).read().await.unwrap();
        assert_eq!(events.len(), 2);
        assert_eq!(events[1], note("after"));
    }
}
