use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use super::{Journal, JournalError};
use crate::core::ids::{Epoch, RunId, sha256_hex};
use crate::core::records::{Entry, Record};
use crate::core::timing::Timing;
use crate::core::world::World;
use crate::platform::store::layout::{journal_key, journal_prefix};
use crate::platform::store::{Created, Listed, MemoryStore, Store, StoreError};

/// A clock that stands still, and numbers that differ.
#[derive(Default)]
struct Still(AtomicU64);

impl World for Still {
    fn unix_ms(&self) -> i64 {
        1_000
    }
    fn random(&self, buffer: &mut [u8]) {
        let drawn = self.0.fetch_add(1, Ordering::Relaxed);
        buffer.iter_mut().zip(sha256_hex(&drawn.to_be_bytes()).bytes()).for_each(|(to, from)| *to = from);
    }
}

/// A store in memory whose `create` answers errors: before the write, or after it.
struct Moody {
    memory: MemoryStore,
    fail_before: AtomicU32,
    fail_after: AtomicU32,
    retry: bool,
    delay: Duration,
}

impl Moody {
    fn new(memory: &MemoryStore) -> Self {
        let memory = memory.clone();
        let (fail_before, fail_after) = (AtomicU32::new(0), AtomicU32::new(0));
        Self { memory, fail_before, fail_after, retry: true, delay: Duration::ZERO }
    }
    fn error(&self, key: &str) -> StoreError {
        StoreError::Failed { operation: "create", key: key.into(), why: "moody".into(), retry: self.retry }
    }
}

fn take_one(counter: &AtomicU32) -> bool {
    counter.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
}

#[async_trait]
impl Store for Moody {
    fn location(&self) -> String {
        self.memory.location()
    }
    async fn create(&self, key: &str, bytes: Bytes) -> Result<Created, StoreError> {
        tokio::time::sleep(self.delay).await;
        if take_one(&self.fail_before) {
            return Err(self.error(key));
        }
        let created = self.memory.create(key, bytes).await?;
        if take_one(&self.fail_after) { Err(self.error(key)) } else { Ok(created) }
    }
    async fn put(&self, key: &str, bytes: Bytes) -> Result<(), StoreError> {
        self.memory.put(key, bytes).await
    }
    async fn put_file(&self, key: &str, path: &std::path::Path) -> Result<(), StoreError> {
        self.memory.put_file(key, path).await
    }
    async fn get(&self, key: &str) -> Result<Option<Bytes>, StoreError> {
        self.memory.get(key).await
    }
    async fn get_file(&self, key: &str, path: &std::path::Path) -> Result<bool, StoreError> {
        self.memory.get_file(key, path).await
    }
    async fn list(&self, prefix: &str, after: Option<&str>) -> Result<Vec<Listed>, StoreError> {
        self.memory.list(prefix, after).await
    }
    async fn delete(&self, key: &str) -> Result<(), StoreError> {
        self.memory.delete(key).await
    }
}

struct Desk {
    memory: MemoryStore,
    world: Arc<Still>,
    run: RunId,
    timing: Timing,
}

impl Desk {
    fn new() -> Self {
        let world = Arc::new(Still::default());
        Self { memory: MemoryStore::new(world.clone()), world, run: RunId::new("r1"), timing: Timing::default() }
    }
    async fn open(&self) -> (Journal, Epoch, Vec<Entry>) {
        self.open_on(Arc::new(self.memory.clone())).await.unwrap()
    }
    async fn open_on(&self, store: Arc<dyn Store>) -> Result<(Journal, Epoch, Vec<Entry>), JournalError> {
        Journal::take_over(store, &self.run, "test", self.world.clone(), &self.timing).await
    }
    async fn segments(&self) -> usize {
        self.memory.list(&journal_prefix(&self.run), None).await.unwrap().len()
    }
    async fn phases(&self) -> Vec<String> {
        names(&Journal::read(&self.memory, &self.run).await.unwrap())
    }
    async fn refused(&self) -> String {
        Journal::read(&self.memory, &self.run).await.unwrap_err().to_string()
    }
}

fn names(entries: &[Entry]) -> Vec<String> {
    let phase = |entry: &Entry| match &entry.record {
        Record::Phase { phase, .. } => Some(phase.clone()),
        _ => None,
    };
    entries.iter().filter_map(phase).collect()
}

fn phase(name: &str) -> Record {
    Record::Phase { phase: name.into(), why: String::new() }
}

#[tokio::test(start_paused = true)]
async fn what_was_recorded_is_read_back_by_the_next_master() {
    let desk = Desk::new();
    let (journal, epoch, before) = desk.open().await;
    assert_eq!((epoch, before.len()), (Epoch(1), 0));
    journal.note(phase("a"));
    journal.record(phase("b")).await.unwrap();
    assert_eq!(desk.phases().await, ["a", "b"]);
    let (_, epoch, before) = desk.open().await;
    assert_eq!(epoch, Epoch(2));
    assert_eq!(names(&before), ["a", "b"]);
    assert_eq!(before.iter().map(|entry| entry.seq).collect::<Vec<_>>(), [1, 2, 3]);
}

#[tokio::test(start_paused = true)]
async fn class_b_waits_for_company_but_not_for_long() {
    let desk = Desk::new();
    let (journal, ..) = desk.open().await;
    for _ in 0..50 {
        journal.note(phase("b"));
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(desk.segments().await, 1);
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(desk.segments().await, 2);
    assert_eq!(desk.phases().await.len(), 50);
}

#[tokio::test(start_paused = true)]
async fn much_of_class_b_does_not_wait() {
    let desk = Desk::new();
    let (journal, ..) = desk.open().await;
    journal.note(phase(&"x".repeat(300 * 1024)));
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert_eq!(desk.segments().await, 2);
}

#[tokio::test(start_paused = true)]
async fn records_that_arrive_during_a_write_share_the_next_segment() {
    let desk = Desk::new();
    let mut store = Moody::new(&desk.memory);
    store.delay = Duration::from_millis(30);
    let (journal, ..) = desk.open_on(Arc::new(store)).await.unwrap();
    let all = (0..40).map(|number| {
        let journal = journal.clone();
        async move {
            tokio::time::sleep(Duration::from_millis(number % 20)).await;
            journal.record(phase("w")).await
        }
    });
    assert!(futures::future::join_all(all).await.iter().all(Result::is_ok));
    assert_eq!(desk.phases().await.len(), 40);
    assert!(desk.segments().await <= 4, "{}", desk.segments().await);
}

#[tokio::test(start_paused = true)]
async fn an_older_master_is_fenced_by_a_newer_one_and_learns_it() {
    let desk = Desk::new();
    let (old, ..) = desk.open().await;
    let fenced = old.fenced();
    old.record(phase("old")).await.unwrap();
    let (new, epoch, before) = desk.open().await;
    assert_eq!((epoch, names(&before)), (Epoch(2), vec!["old".to_owned()]));
    assert_eq!(old.record(phase("late")).await, Err(JournalError::Fenced { by: Epoch(2) }));
    assert_eq!(*fenced.borrow(), Some(JournalError::Fenced { by: Epoch(2) }));
    assert_eq!(old.record(phase("later")).await, Err(JournalError::Fenced { by: Epoch(2) }));
    new.record(phase("new")).await.unwrap();
    assert_eq!(desk.phases().await, ["old", "new"]);
    assert!(old.close().await.is_err());
}

#[tokio::test(start_paused = true)]
async fn two_masters_that_start_at_once_get_different_epochs_and_one_survives() {
    let desk = Desk::new();
    let mut store = Moody::new(&desk.memory);
    store.delay = Duration::from_millis(10);
    let store: Arc<dyn Store> = Arc::new(store);
    let (one, two) = tokio::join!(desk.open_on(store.clone()), desk.open_on(store));
    let ((one, first, _), (two, second, _)) = (one.unwrap(), two.unwrap());
    assert_ne!(first, second);
    let (older, newer) = if first < second { (one, two) } else { (two, one) };
    assert_eq!(older.record(phase("x")).await, Err(JournalError::Fenced { by: Epoch(2) }));
    assert_eq!(newer.record(phase("y")).await, Ok(()));
}

#[tokio::test(start_paused = true)]
async fn a_lost_response_is_recognised_as_our_own_write() {
    let desk = Desk::new();
    let store = Arc::new(Moody::new(&desk.memory));
    store.fail_after.store(1, Ordering::Relaxed);
    let (journal, epoch, _) = desk.open_on(store.clone()).await.unwrap();
    assert_eq!((epoch, desk.segments().await), (Epoch(1), 1));
    store.fail_after.store(1, Ordering::Relaxed);
    journal.record(phase("a")).await.unwrap();
    assert_eq!(desk.segments().await, 2);
    assert_eq!(desk.phases().await, ["a"]);
}

#[tokio::test(start_paused = true)]
async fn errors_that_pass_are_waited_out_and_others_are_not() {
    let desk = Desk::new();
    let store = Arc::new(Moody::new(&desk.memory));
    let (journal, ..) = desk.open_on(store.clone()).await.unwrap();
    store.fail_before.store(5, Ordering::Relaxed);
    journal.record(phase("a")).await.unwrap();
    let began = tokio::time::Instant::now();
    store.fail_before.store(u32::MAX, Ordering::Relaxed);
    assert!(matches!(journal.record(phase("b")).await, Err(JournalError::Store(_))));
    let waited = began.elapsed();
    assert!(waited > Duration::from_mins(4) && waited <= Duration::from_mins(5), "{waited:?}");

    let mut store = Moody::new(&desk.memory);
    store.retry = false;
    store.fail_before = AtomicU32::new(1);
    let began = tokio::time::Instant::now();
    assert!(matches!(desk.open_on(Arc::new(store)).await, Err(JournalError::Store(_))));
    assert!(began.elapsed() < Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn a_store_that_never_answers_fails_the_journal_in_time() {
    let desk = Desk::new();
    let mut store = Moody::new(&desk.memory);
    store.delay = Duration::from_hours(1);
    let began = tokio::time::Instant::now();
    assert!(matches!(desk.open_on(Arc::new(store)).await, Err(JournalError::Store(_))));
    assert!(began.elapsed() <= Duration::from_secs(301));
}

#[tokio::test(start_paused = true)]
async fn closing_writes_what_waits_and_a_dropped_journal_does_not() {
    let desk = Desk::new();
    let (journal, ..) = desk.open().await;
    let clone = journal.clone();
    journal.note(phase("kept"));
    journal.close().await.unwrap();
    assert_eq!(desk.phases().await, ["kept"]);
    assert_eq!(clone.record(phase("late")).await, Err(JournalError::Closed));
    assert!(clone.fenced().borrow().is_none());

    let (journal, ..) = desk.open().await;
    journal.note(phase("lost"));
    drop(journal);
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(desk.phases().await, ["kept"]);
}

/// A journal of three segments.
async fn three(desk: &Desk) -> (String, Bytes) {
    let (journal, ..) = desk.open().await;
    journal.record(phase("a")).await.unwrap();
    journal.record(phase("b")).await.unwrap();
    let second = journal_key(&desk.run, 2);
    let bytes = desk.memory.get(&second).await.unwrap().unwrap();
    (second, bytes)
}

#[tokio::test(start_paused = true)]
async fn a_segment_cut_or_changed_anywhere_is_refused_by_name() {
    let desk = Desk::new();
    let (key, bytes) = three(&desk).await;
    for length in 0..bytes.len() {
        desk.memory.put(&key, bytes.slice(..length)).await.unwrap();
        assert!(desk.refused().await.contains(&key), "cut to {length}");
    }
    for position in 0..bytes.len() {
        let mut changed = bytes.to_vec();
        changed[position] ^= 0x10;
        desk.memory.put(&key, changed.into()).await.unwrap();
        let why = desk.refused().await;
        // Where the change still unpacks, the next segment says that this is not the one it followed.
        assert!(why.contains(&key) || why.contains(&journal_key(&desk.run, 3)), "byte {position}: {why}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_missing_segment_and_a_newer_format_are_refused_by_name() {
    let desk = Desk::new();
    let (key, bytes) = three(&desk).await;
    desk.memory.delete(&key).await.unwrap();
    assert!(desk.refused().await.contains(&key));
    assert!(desk.open_on(Arc::new(desk.memory.clone())).await.is_err());

    let text = String::from_utf8(zstd::decode_all(bytes.as_ref()).unwrap()).unwrap();
    let newer = text.replacen("\"v\":1", "\"v\":2,\"unheard\":true", 1);
    assert_ne!(newer, text);
    desk.memory.put(&key, zstd::encode_all(newer.as_bytes(), 3).unwrap().into()).await.unwrap();
    let why = desk.refused().await;
    assert!(why.contains(&key) && why.contains("format version 2"), "{why}");
}
