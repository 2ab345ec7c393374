//! A store that is asked again while its error may pass.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::time::Instant;

use super::layout::part_of_run;
use super::{Created, Listed, Store, StoreError};
use crate::core::timing::{Timing, ms};

/// Asks a store again while its error may pass, at most for `store_patience_ms` a call, with pauses that double. For the
/// store of a master's run: a store that is down for minutes costs the run minutes, not its life.
///
/// These calls go straight through, since whoever makes them has a pace of their own:
/// - the beat: a late one would claim a life that was not there;
/// - new journal segments: their writer tries as long as a master may live without its store, then must stop;
/// - log segments: their writer looks between tries whether it has been fenced;
/// - live output: sight only, and must not hold up the end of a run;
/// - people's wishes: looked for again in a second anyway.
///
/// `create` stays true over lost answers: once an attempt has failed, an object that has just these bytes is its own work.
pub struct PatientStore {
    inner: Arc<dyn Store>,
    patience: Duration,
}

impl PatientStore {
    /// Wraps a store.
    pub fn new(inner: Arc<dyn Store>, timing: &Timing) -> Self {
        Self { inner, patience: ms(timing.store_patience_ms) }
    }

    fn patience(&self) -> Patience {
        Patience { give_up: Instant::now() + self.patience, pause: self.patience / 1_000, longest: self.patience / 20 }
    }

    async fn patiently<T, F>(&self, call: impl Fn() -> F + Send + Sync) -> Result<T, StoreError>
    where
        T: Send,
        F: Future<Output = Result<T, StoreError>> + Send,
    {
        let mut patience = self.patience();
        loop {
            match call().await {
                Ok(done) => return Ok(done),
                Err(error) => patience.wait(error).await?,
            }
        }
    }
}

/// How much longer one call may take.
struct Patience {
    give_up: Instant,
    pause: Duration,
    longest: Duration,
}

impl Patience {
    /// Waits for the next attempt, or gives the error back where there is to be none.
    async fn wait(&mut self, error: StoreError) -> Result<(), StoreError> {
        let passing = matches!(error, StoreError::Failed { retry: true, .. });
        if !passing || Instant::now() + self.pause > self.give_up {
            return Err(error);
        }
        tokio::time::sleep(self.pause).await;
        self.pause = (self.pause * 2).min(self.longest);
        Ok(())
    }
}

#[async_trait]
impl Store for PatientStore {
    fn location(&self) -> String {
        self.inner.location()
    }

    async fn create(&self, key: &str, bytes: Bytes) -> Result<Created, StoreError> {
        if matches!(part_of_run(key), Some("journal" | "live")) {
            return self.inner.create(key, bytes).await;
        }
        let mut patience = self.patience();
        let mut lost = false;
        loop {
            match self.inner.create(key, bytes.clone()).await {
                Ok(Created::Exists) if lost => {
                    let ours = self.get(key).await?.is_some_and(|found| found == bytes);
                    return Ok(if ours { Created::New } else { Created::Exists });
                }
                Ok(created) => return Ok(created),
                Err(error) => patience.wait(error).await?,
            }
            lost = true;
        }
    }

    async fn put(&self, key: &str, bytes: Bytes) -> Result<(), StoreError> {
        if matches!(part_of_run(key), Some("beat" | "logs")) {
            return self.inner.put(key, bytes).await;
        }
        self.patiently(|| self.inner.put(key, bytes.clone())).await
    }

    async fn put_file(&self, key: &str, path: &Path) -> Result<(), StoreError> {
        self.patiently(|| self.inner.put_file(key, path)).await
    }

    async fn get(&self, key: &str) -> Result<Option<Bytes>, StoreError> {
        if part_of_run(key) == Some("control") {
            return self.inner.get(key).await;
        }
        self.patiently(|| self.inner.get(key)).await
    }

    async fn get_file(&self, key: &str, path: &Path) -> Result<bool, StoreError> {
        self.patiently(|| self.inner.get_file(key, path)).await
    }

    async fn list(&self, prefix: &str, after: Option<&str>) -> Result<Vec<Listed>, StoreError> {
        if matches!(part_of_run(prefix), Some("control" | "live")) {
            return self.inner.list(prefix, after).await;
        }
        self.patiently(|| self.inner.list(prefix, after)).await
    }

    async fn delete(&self, key: &str) -> Result<(), StoreError> {
        self.patiently(|| self.inner.delete(key)).await
    }

    async fn abort_uploads(&self, prefix: &str) -> Result<usize, StoreError> {
        self.patiently(|| self.inner.abort_uploads(prefix)).await
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::core::ids::{Epoch, HostName, HostSlot, Incarnation, RunId};
    use crate::core::world::World;
    use crate::platform::store::{MemoryStore, layout};

    struct Fixed;

    impl World for Fixed {
        fn unix_ms(&self) -> i64 {
            0
        }

        fn random(&self, bytes: &mut [u8]) {
            bytes.fill(0);
        }
    }

    /// Fails its next calls, before or after their effect.
    struct Moody {
        memory: MemoryStore,
        failures: Mutex<u32>,
        calls: Mutex<u32>,
        after_effect: bool,
        passing: bool,
    }

    impl Moody {
        fn failing(failures: u32) -> Self {
            Self {
                memory: MemoryStore::new(Arc::new(Fixed)),
                failures: failures.into(),
                calls: 0.into(),
                after_effect: false,
                passing: true,
            }
        }

        fn mood<T>(&self, done: Result<T, StoreError>) -> Result<T, StoreError> {
            *self.calls.lock().unwrap() += 1;
            let mut failures = self.failures.lock().unwrap();
            if *failures == 0 {
                return done;
            }
            *failures -= 1;
            let why = "moody".to_owned();
            Err(StoreError::Failed { operation: "ask", key: String::new(), why, retry: self.passing })
        }

        fn effective(&self) -> bool {
            self.after_effect || *self.failures.lock().unwrap() == 0
        }
    }

    #[async_trait]
    impl Store for Moody {
        fn location(&self) -> String {
            "moody".to_owned()
        }
        async fn create(&self, key: &str, bytes: Bytes) -> Result<Created, StoreError> {
            let done = if self.effective() { self.memory.create(key, bytes).await } else { Ok(Created::New) };
            self.mood(done)
        }
        async fn put(&self, key: &str, bytes: Bytes) -> Result<(), StoreError> {
            let done = if self.effective() { self.memory.put(key, bytes).await } else { Ok(()) };
            self.mood(done)
        }
        async fn put_file(&self, key: &str, path: &Path) -> Result<(), StoreError> {
            self.mood(self.memory.put_file(key, path).await)
        }
        async fn get(&self, key: &str) -> Result<Option<Bytes>, StoreError> {
            self.mood(self.memory.get(key).await)
        }
        async fn get_file(&self, key: &str, path: &Path) -> Result<bool, StoreError> {
            self.mood(self.memory.get_file(key, path).await)
        }
        async fn list(&self, prefix: &str, after: Option<&str>) -> Result<Vec<Listed>, StoreError> {
            self.mood(self.memory.list(prefix, after).await)
        }
        async fn delete(&self, key: &str) -> Result<(), StoreError> {
            self.mood(self.memory.delete(key).await)
        }
    }

    fn patient(moody: Moody) -> (PatientStore, Arc<Moody>) {
        let inner = Arc::new(moody);
        (PatientStore::new(Arc::clone(&inner) as Arc<dyn Store>, &Timing::default()), inner)
    }

    #[tokio::test(start_paused = true)]
    async fn what_may_pass_is_asked_again() {
        let (store, inner) = patient(Moody::failing(6));
        store.put("a", Bytes::from("1")).await.unwrap();
        *inner.failures.lock().unwrap() = 3;
        assert_eq!(store.get("a").await.unwrap().unwrap(), "1");
        *inner.failures.lock().unwrap() = 3;
        assert_eq!(store.list("", None).await.unwrap().len(), 1);
        *inner.failures.lock().unwrap() = 3;
        store.delete("a").await.unwrap();
        assert_eq!(*inner.calls.lock().unwrap(), 7 + 4 + 4 + 4);
    }

    #[tokio::test(start_paused = true)]
    async fn patience_has_an_end_and_is_not_wasted() {
        let (store, inner) = patient(Moody::failing(u32::MAX));
        let began = Instant::now();
        assert!(store.get("a").await.is_err());
        let took = began.elapsed();
        assert!(took <= Duration::from_mins(5) && took > Duration::from_mins(4), "{took:?}");
        let calls = *inner.calls.lock().unwrap();
        assert!((10..60).contains(&calls), "{calls}");

        let (store, inner) = patient(Moody { passing: false, ..Moody::failing(1) });
        assert!(store.put("a", Bytes::new()).await.is_err());
        assert_eq!(*inner.calls.lock().unwrap(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_create_whose_answer_was_lost_is_ours_and_only_then() {
        let (store, _) = patient(Moody { after_effect: true, ..Moody::failing(2) });
        assert_eq!(store.create("a", Bytes::from("mine")).await.unwrap(), Created::New);
        assert_eq!(store.create("a", Bytes::from("mine")).await.unwrap(), Created::Exists);

        let (store, inner) = patient(Moody::failing(0));
        inner.memory.put("a", Bytes::from("another's")).await.unwrap();
        *inner.failures.lock().unwrap() = 2;
        assert_eq!(store.create("a", Bytes::from("mine")).await.unwrap(), Created::Exists);
    }

    #[tokio::test(start_paused = true)]
    async fn who_has_a_pace_of_their_own_is_not_held_up() {
        let run = RunId::new("r1");
        let slot = HostSlot { host: HostName::new("work-0"), incarnation: Incarnation(1) };
        let (store, inner) = patient(Moody::failing(u32::MAX));
        let began = Instant::now();
        assert!(store.put(&layout::beat_key(&run, Epoch(1)), Bytes::new()).await.is_err());
        assert!(store.put(&layout::log_segment_key(&run, &slot, 1), Bytes::new()).await.is_err());
        assert!(store.create(&layout::journal_key(&run, 1), Bytes::new()).await.is_err());
        assert!(store.create(&layout::live_key(&run, 1), Bytes::new()).await.is_err());
        assert!(store.list(&layout::live_prefix(&run), None).await.is_err());
        assert!(store.list(&layout::control_prefix(&run), None).await.is_err());
        assert!(store.get(&layout::control_key(&run, "x")).await.is_err());
        assert_eq!((began.elapsed(), *inner.calls.lock().unwrap()), (Duration::ZERO, 7));
        assert!(store.create(&layout::receipt_key(&run), Bytes::new()).await.is_err());
        assert!(began.elapsed() > Duration::from_mins(4));
    }
}
