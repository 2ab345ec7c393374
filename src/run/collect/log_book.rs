//! The log book takes each step's output into the store while it runs: one writer a worker, at bounded memory; a worker
//! may forget output only when it stands in the store and its outcome in the journal.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

use super::log_line::LogLine;
use crate::core::ids::{HostSlot, RunId, StepKey};
use crate::core::redact::Redactor;
use crate::core::timing::{Timing, ms};
use crate::platform::remote::{Link, OutputChunk};
use crate::platform::store::journal::Journal;
use crate::platform::store::{Store, StoreError, layout};

/// A segment is written when this much waits.
const SEGMENT_BYTES: usize = 1 << 20;

/// A running step's output is acknowledged in between once it is longer than this; of a shorter one the worker keeps all.
const LONG_OUTPUT: u64 = 16 << 20;

/// Writes output into the store; cheap to clone.
#[derive(Clone)]
pub struct LogBook {
    inner: Arc<Inner>,
}

struct Inner {
    store: Arc<dyn Store>,
    run: RunId,
    journal: Journal,
    redactor: Redactor,
    timing: Timing,
    slots: Mutex<HashMap<HostSlot, SlotLog>>,
    failure: watch::Sender<Option<StoreError>>,
}

#[derive(Default)]
struct SlotLog {
    sender: Option<mpsc::Sender<Message>>,
    writer: Option<JoinHandle<()>>,
    offsets: HashMap<StepKey, u64>,
    segments: u64,
}

enum Message {
    Line(LogLine),
    Finished { key: StepKey, ticket: u64 },
    Flush(oneshot::Sender<()>),
}

impl LogBook {
    /// A book for a run. Where segments exist (an earlier master wrote them), goes on after them.
    pub async fn open(
        store: Arc<dyn Store>,
        run: &RunId,
        journal: Journal,
        redactor: Redactor,
        timing: &Timing,
    ) -> Result<Self, StoreError> {
        let mut slots: HashMap<HostSlot, SlotLog> = HashMap::new();
        let prefix = layout::logs_prefix(run);
        for listed in store.list(&prefix, None).await? {
            let Some((slot, number)) = parse_segment(&listed.key, &prefix) else { continue };
            let log = slots.entry(slot).or_default();
            log.segments = log.segments.max(number);
            for line in read_segment(&*store, &listed.key).await? {
                let offset = log.offsets.entry(line.key).or_default();
                *offset = line.next.max(*offset);
            }
        }
        let (slots, failure) = (Mutex::new(slots), watch::Sender::new(None));
        let inner = Inner { store, run: run.clone(), journal, redactor, timing: timing.clone(), slots, failure };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Begins to write for a worker; `link` is told what it may forget.
    pub fn begin(&self, slot: &HostSlot, link: Arc<dyn Link>) {
        let mut slots = self.inner.slots.lock().unwrap_or_else(PoisonError::into_inner);
        let log = slots.entry(slot.clone()).or_default();
        if log.sender.is_some() {
            return;
        }
        let (sender, receiver) = mpsc::channel(16);
        let writer = Writer {
            inner: self.inner.clone(),
            slot: slot.clone(),
            link,
            segment: log.segments,
            lines: Vec::new(),
            through: HashMap::new(),
            finished: Vec::new(),
            ticket: 0,
        };
        log.sender = Some(sender);
        log.writer = Some(tokio::spawn(writer.run(receiver)));
    }

    /// Where to go on with a step's output.
    pub fn offset(&self, slot: &HostSlot, key: &StepKey) -> u64 {
        let slots = self.inner.slots.lock().unwrap_or_else(PoisonError::into_inner);
        slots.get(slot).and_then(|log| log.offsets.get(key)).copied().unwrap_or(0)
    }

    /// Takes a piece of output; waits while too much is on its way to the store. A secret step leaves only its offset.
    pub async fn append(&self, slot: &HostSlot, key: &StepKey, task: &str, chunk: OutputChunk, secret: bool) {
        let mut line = LogLine {
            key: key.clone(),
            task: task.to_owned(),
            t: chunk.time_ms,
            next: chunk.next_offset,
            s: chunk.stream,
            d: String::new(),
            b: String::new(),
            lost: chunk.lost,
        };
        if !secret {
            match std::str::from_utf8(&chunk.data) {
                Ok(text) => line.d = self.inner.redactor.text(text),
                Err(_) => line.set_bytes(&chunk.data),
            }
        }
        let sender = {
            let mut slots = self.inner.slots.lock().unwrap_or_else(PoisonError::into_inner);
            let log = slots.entry(slot.clone()).or_default();
            log.offsets.insert(key.clone(), chunk.next_offset);
            log.sender.clone()
        };
        send(sender, Message::Line(line)).await;
    }

    /// A step's outcome has this journal ticket: once both are safe, the worker may forget the step. One that said
    /// nothing leaves an empty line, so that the log names every step.
    pub async fn finish(&self, slot: &HostSlot, key: &StepKey, task: &str, ticket: u64) {
        let (sender, silent) = {
            let mut slots = self.inner.slots.lock().unwrap_or_else(PoisonError::into_inner);
            let log = slots.entry(slot.clone()).or_default();
            let silent = !log.offsets.contains_key(key);
            log.offsets.entry(key.clone()).or_default();
            (log.sender.clone(), silent)
        };
        if silent {
            send(sender.clone(), Message::Line(LogLine::silent(key.clone(), task))).await;
        }
        send(sender, Message::Finished { key: key.clone(), ticket }).await;
    }

    /// Waits until all output of a worker stands in the store.
    pub async fn flush(&self, slot: &HostSlot) {
        let (done, waiting) = oneshot::channel();
        send(self.sender(slot), Message::Flush(done)).await;
        // The writer is gone where nothing was begun: then there is nothing to wait for.
        drop(waiting.await);
    }

    /// Ends the writer of a worker after a last flush.
    pub async fn end(&self, slot: &HostSlot) {
        self.flush(slot).await;
        let writer = {
            let mut slots = self.inner.slots.lock().unwrap_or_else(PoisonError::into_inner);
            slots.get_mut(slot).and_then(|log| {
                log.sender = None;
                log.writer.take()
            })
        };
        if let Some(writer) = writer {
            drop(writer.await);
        }
    }

    /// Turns into an error once, when the store took no output for longer than a master may live without it.
    pub fn failure(&self) -> watch::Receiver<Option<StoreError>> {
        self.inner.failure.subscribe()
    }

    fn sender(&self, slot: &HostSlot) -> Option<mpsc::Sender<Message>> {
        let slots = self.inner.slots.lock().unwrap_or_else(PoisonError::into_inner);
        slots.get(slot).and_then(|log| log.sender.clone())
    }
}

async fn send(sender: Option<mpsc::Sender<Message>>, message: Message) {
    if let Some(sender) = sender {
        // A writer that has ended takes nothing more: its worker is gone.
        drop(sender.send(message).await);
    }
}

struct Writer {
    inner: Arc<Inner>,
    slot: HostSlot,
    link: Arc<dyn Link>,
    segment: u64,
    lines: Vec<u8>,
    /// How far the output of each step in `lines` goes.
    through: HashMap<StepKey, u64>,
    finished: Vec<StepKey>,
    ticket: u64,
}

impl Writer {
    async fn run(mut self, mut receiver: mpsc::Receiver<Message>) {
        let period = ms(self.inner.timing.live_flush_ms);
        let mut due = tokio::time::Instant::now() + period;
        loop {
            let message = tokio::select! {
                biased;
                message = receiver.recv() => message,
                () = tokio::time::sleep_until(due), if !self.lines.is_empty() || !self.finished.is_empty() => {
                    self.write().await;
                    continue;
                }
            };
            if self.lines.is_empty() && self.finished.is_empty() {
                due = tokio::time::Instant::now() + period;
            }
            match message {
                None => {
                    self.write().await;
                    return;
                }
                Some(Message::Line(line)) => {
                    if let Ok(text) = serde_json::to_vec(&line) {
                        self.lines.extend(text);
                        self.lines.push(b'\n');
                        self.through.insert(line.key, line.next);
                    }
                    if self.lines.len() >= SEGMENT_BYTES {
                        self.write().await;
                    }
                }
                Some(Message::Finished { key, ticket }) => {
                    self.finished.push(key);
                    self.ticket = self.ticket.max(ticket);
                }
                Some(Message::Flush(done)) => {
                    self.write().await;
                    // Whoever asked may have gone.
                    let _ = done.send(());
                }
            }
        }
    }

    /// Puts what waits into the store and tells the worker what it may forget. After the book has failed, nothing is
    /// written, and the worker keeps what it has.
    async fn write(&mut self) {
        if self.inner.failure.borrow().is_some() {
            self.lines.clear();
            self.through.clear();
            self.finished.clear();
            return;
        }
        if !self.lines.is_empty() {
            let lines = std::mem::take(&mut self.lines);
            self.segment += 1;
            let key = layout::log_segment_key(&self.inner.run, &self.slot, self.segment);
            let packed = match zstd::encode_all(lines.as_slice(), 1) {
                Ok(packed) => bytes::Bytes::from(packed),
                Err(_) => return,
            };
            let mut pause = ms(self.inner.timing.reconnect_ms);
            let give_up = tokio::time::Instant::now() + ms(self.inner.timing.self_fence_ms);
            while let Err(error) = self.inner.store.put(&key, packed.clone()).await {
                if self.inner.journal.fenced().borrow().is_some() {
                    return;
                }
                if tokio::time::Instant::now() > give_up {
                    self.inner.failure.send_replace(Some(error));
                    return;
                }
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(ms(self.inner.timing.reconnect_ms) * 16);
            }
        }
        for (key, offset) in std::mem::take(&mut self.through) {
            if offset >= LONG_OUTPUT && !self.finished.contains(&key) {
                // A worker that cannot be reached keeps its output: that does no harm.
                drop(self.link.acknowledge_output(&key, offset).await);
            }
        }
        let finished = std::mem::take(&mut self.finished);
        if !finished.is_empty() && self.inner.journal.durable(self.ticket).await.is_ok() {
            // A worker that cannot be reached keeps its steps: that does no harm.
            drop(self.link.acknowledge(&finished).await);
        }
    }
}

/// The lines of a segment; one that is damaged ends where the damage begins.
pub(super) async fn read_segment(store: &dyn Store, key: &str) -> Result<Vec<LogLine>, StoreError> {
    let Some(bytes) = store.get(key).await? else { return Ok(Vec::new()) };
    let Ok(text) = zstd::decode_all(bytes.as_ref()) else { return Ok(Vec::new()) };
    Ok(text.split(|byte| *byte == b'\n').map_while(|line| serde_json::from_slice(line).ok()).collect())
}

/// Slot and number of a segment's key: `…/logs/work-0.1/000001`.
fn parse_segment(key: &str, prefix: &str) -> Option<(HostSlot, u64)> {
    let (slot, number) = key.strip_prefix(prefix)?.split_once('/')?;
    let (host, incarnation) = slot.rsplit_once('.')?;
    let incarnation = crate::core::ids::Incarnation(incarnation.parse().ok()?);
    Some((HostSlot { host: host.into(), incarnation }, number.parse().ok()?))
}
