//! The simulated world: its machines, the steps on their disks, its clock, its store, and what may go wrong.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use dayfly::core::event::Stream;
use dayfly::core::ids::{HostSlot, InstanceId, StepKey, sha256_hex};
use dayfly::core::records::{End, StepOrder, StepOutcome};
use dayfly::core::world::World;
use dayfly::platform::cloud::InstanceState;
use dayfly::platform::remote::{Connector, Greeting, Link, LinkError, LinkOrder, OutputChunk, RemoteFile, Sample};
use dayfly::platform::store::{Created, Listed, MemoryStore, Store, StoreError};
use serde_json::{Map, Value, json};
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::cloud::{Granted, Room};

/// A small generator with a seed (SplitMix64), so that every run replays exactly.
#[derive(Debug)]
pub struct Dice(AtomicU64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }
    pub fn roll(&self) -> u64 {
        let mut z = self.0.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed).wrapping_add(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
    pub fn one_in(&self, n: u64) -> bool {
        n > 0 && self.roll().is_multiple_of(n)
    }
}

/// Wall clock and chance.
pub struct SimWorld {
    start: Instant,
    dice: Dice,
}

impl SimWorld {
    pub fn new(seed: u64) -> Self {
        Self { start: Instant::now(), dice: Dice::new(seed) }
    }
}

impl World for SimWorld {
    fn unix_ms(&self) -> i64 {
        1_800_000_000_000 + self.start.elapsed().as_millis() as i64
    }
    fn random(&self, buffer: &mut [u8]) {
        for byte in buffer {
            *byte = self.dice.roll() as u8;
        }
    }
}

/// What may go wrong, and how often (one in N; zero is never).
#[derive(Clone, Copy, Debug, Default)]
pub struct Faults {
    /// A launch happens but its answer is lost.
    pub launch_answer_lost: u64,
    /// A connection breaks while a step runs.
    pub connection_lost: u64,
    /// A store write happens but its answer is lost.
    pub store_answer_lost: u64,
    /// The host that dies when it starts this step (its key contains the text).
    pub dies_at: Option<(&'static str, &'static str)>,
    /// Where machines may be asked for; none is one place without an end.
    pub places: &'static [Room],
    /// As many of the first machines end before they answer, and as many of those after them live and never answer.
    pub stillborn: usize,
    pub mute: usize,
    /// The cloud does not show a machine for so long after its launch.
    pub blind: Duration,
}

/// A step on a simulated disk.
#[derive(Clone, Debug)]
pub struct Step {
    pub digest: String,
    pub ends_at: Instant,
    pub outcome: StepOutcome,
    pub output: Vec<u8>,
}

/// A simulated machine.
#[derive(Debug)]
pub struct Machine {
    pub slot: HostSlot,
    pub state: InstanceState,
    /// The number of the pick that it came from.
    pub pick: u32,
    pub since: Instant,
    /// It lives and does not answer.
    pub is_mute: bool,
    /// The hard end, as it was told, and as the cloud shows it.
    pub deadline_ms: i64,
    pub shown_ms: i64,
    pub epoch: u32,
    pub steps: HashMap<StepKey, Step>,
    pub files: BTreeMap<String, Vec<u8>>,
}

/// Everything that is real in the simulation. It outlives masters.
pub struct Reality {
    pub faults: Faults,
    pub dice: Dice,
    machines: Mutex<BTreeMap<InstanceId, Machine>>,
    pub launches: Mutex<HashMap<String, Granted>>,
    /// What must never happen, and did.
    pub violations: Mutex<Vec<String>>,
    /// Every start of a step: key and machine.
    pub ledger: Mutex<Vec<(StepKey, InstanceId)>>,
}

impl Reality {
    pub fn new(seed: u64, faults: Faults) -> Arc<Self> {
        Arc::new(Self {
            faults,
            dice: Dice::new(seed ^ 0xdead_beef),
            machines: Mutex::default(),
            launches: Mutex::default(),
            violations: Mutex::default(),
            ledger: Mutex::default(),
        })
    }
    pub fn machines(&self) -> MutexGuard<'_, BTreeMap<InstanceId, Machine>> {
        self.machines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One master's view of the world: once it is dead, nothing that it does has an effect any more.
#[derive(Clone)]
pub struct Life {
    pub reality: Arc<Reality>,
    pub dead: Arc<AtomicBool>,
}

impl Life {
    pub fn new(reality: &Arc<Reality>) -> Self {
        Self { reality: reality.clone(), dead: Arc::default() }
    }
    pub async fn breathe(&self) {
        if self.dead.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
    }
}

/// Makes links to simulated machines.
pub struct SimConnector(pub Life);

impl Connector for SimConnector {
    fn link(&self, order: LinkOrder) -> Arc<dyn Link> {
        Arc::new(SimLink { life: self.0.clone(), order })
    }
}

struct SimLink {
    life: Life,
    order: LinkOrder,
}

impl SimLink {
    /// The machine that carries this link's worker, if it lives and has not seen a newer master.
    fn with<T>(&self, act: impl FnOnce(&InstanceId, &mut Machine) -> T) -> Result<T, LinkError> {
        let mut machines = self.life.reality.machines();
        let found = machines.iter_mut().find(|(_, machine)| machine.slot == self.order.slot);
        let answers = |machine: &Machine| machine.state == InstanceState::Running && !machine.is_mute;
        let Some((id, machine)) = found.filter(|(_, machine)| answers(machine)) else {
            return Err(LinkError::Unknown("connection refused".to_owned()));
        };
        if machine.epoch > self.order.epoch.0 {
            return Err(LinkError::Fenced(machine.epoch));
        }
        machine.epoch = self.order.epoch.0;
        Ok(act(id, machine))
    }

    /// The connection may break at any call.
    fn may_break(&self) -> Result<(), LinkError> {
        let reality = &self.life.reality;
        if reality.dice.one_in(reality.faults.connection_lost) {
            return Err(LinkError::Unknown("broken pipe".to_owned()));
        }
        Ok(())
    }
}

#[async_trait]
impl Link for SimLink {
    async fn hello(&self) -> Result<Greeting, LinkError> {
        self.life.breathe().await;
        tokio::time::sleep(Duration::from_millis(50)).await;
        self.with(|_, machine| Greeting {
            known_steps: machine.steps.keys().map(StepKey::directory).collect(),
            ..Greeting::default()
        })
    }

    async fn run(
        &self,
        order: &StepOrder,
        from: u64,
        output: mpsc::Sender<OutputChunk>,
    ) -> Result<StepOutcome, LinkError> {
        self.life.breathe().await;
        tokio::time::sleep(Duration::from_millis(2)).await;
        self.life.breathe().await;
        let reality = self.life.reality.clone();
        if let Some((host, step)) = reality.faults.dies_at
            && self.order.slot.host.as_str() == host
            && order.key.as_str().contains(step)
        {
            self.with(|_, machine| machine.state = InstanceState::Terminated)?;
            return Err(LinkError::Unknown("connection reset".to_owned()));
        }
        let digest = order.digest();
        let is_diverged = self.with(|id, machine| {
            let host = machine.slot.host.as_str().to_owned();
            let files = &mut machine.files;
            let step = machine.steps.entry(order.key.clone()).or_insert_with(|| {
                reality.ledger.lock().unwrap_or_else(PoisonError::into_inner).push((order.key.clone(), id.clone()));
                perform(order, &host, files)
            });
            step.digest != digest
        })?;
        if is_diverged {
            return Err(LinkError::Diverged);
        }
        if reality.dice.one_in(reality.faults.connection_lost) {
            tokio::time::sleep(Duration::from_millis(5)).await;
            return Err(LinkError::Unknown("broken pipe".to_owned()));
        }
        loop {
            self.life.breathe().await;
            let step = self.with(|_, machine| machine.steps.get(&order.key).cloned())?;
            let step = step.ok_or_else(|| LinkError::Refused("no such step".to_owned()))?;
            if step.ends_at <= Instant::now() {
                return finish(&step, from, output).await;
            }
            // In slices: a cancel may end it before its time.
            tokio::time::sleep_until(step.ends_at.min(Instant::now() + Duration::from_millis(100))).await;
        }
    }

    async fn attach(
        &self,
        key: &StepKey,
        from: u64,
        output: mpsc::Sender<OutputChunk>,
    ) -> Result<StepOutcome, LinkError> {
        self.life.breathe().await;
        let step = self.with(|_, machine| machine.steps.get(key).cloned())?;
        let step = step.ok_or_else(|| LinkError::Refused("no such step".to_owned()))?;
        finish(&step, from, output).await
    }

    async fn cancel(&self, key: &StepKey, reason: &str) -> Result<(), LinkError> {
        self.with(|_, machine| {
            if let Some(step) = machine.steps.get_mut(key)
                && step.ends_at > Instant::now()
            {
                step.ends_at = Instant::now();
                step.outcome.end = End::Cancelled { reason: reason.to_owned() };
            }
        })
    }
    async fn acknowledge_output(&self, _key: &StepKey, _offset: u64) -> Result<(), LinkError> {
        self.life.breathe().await;
        Ok(())
    }
    async fn acknowledge(&self, _keys: &[StepKey]) -> Result<(), LinkError> {
        self.life.breathe().await;
        Ok(())
    }
    async fn put(&self, file: &Path, sha256: &str) -> Result<String, LinkError> {
        self.life.breathe().await;
        let bytes = std::fs::read(file).map_err(|error| LinkError::Refused(error.to_string()))?;
        self.with(|_, machine| {
            machine.files.insert(format!("files/{sha256}"), bytes);
            format!("files/{sha256}")
        })
    }
    async fn get(&self, path: &str, to: &Path, _becomes: Option<&str>) -> Result<(u64, String), LinkError> {
        self.life.breathe().await;
        self.may_break()?;
        let bytes = self.with(|_, machine| machine.files.get(path).cloned())?;
        let bytes = bytes.ok_or_else(|| LinkError::Refused("no such file".to_owned()))?;
        std::fs::write(to, &bytes).map_err(|error| LinkError::Refused(error.to_string()))?;
        Ok((bytes.len() as u64, sha256_hex(&bytes)))
    }
    async fn glob(&self, patterns: &[String]) -> Result<Vec<RemoteFile>, LinkError> {
        self.life.breathe().await;
        self.may_break()?;
        self.with(|_, machine| {
            let matching = machine.files.iter().filter(|(path, _)| patterns.contains(path));
            matching
                .map(|(path, bytes)| RemoteFile {
                    path: path.clone(),
                    absolute: path.clone(),
                    size: bytes.len() as u64,
                    mode: 0o644,
                })
                .collect()
        })
    }
    async fn renew(&self, _duration_ms: u64) -> Result<(), LinkError> {
        self.life.breathe().await;
        self.with(|_, _| ())
    }
    async fn deadline(&self, unix_ms: i64) -> Result<(), LinkError> {
        self.life.breathe().await;
        self.with(|_, machine| machine.deadline_ms = unix_ms)
    }
    async fn sample(&self) -> Result<Sample, LinkError> {
        Ok(Sample::default())
    }
    async fn close(&self) {}
}

/// Sends what is left of a step's output and returns its outcome.
async fn finish(step: &Step, from: u64, output: mpsc::Sender<OutputChunk>) -> Result<StepOutcome, LinkError> {
    let rest = step.output.get(from as usize..).unwrap_or_default();
    if !rest.is_empty() {
        let chunk = OutputChunk {
            next_offset: step.output.len() as u64,
            stream: Some(Stream::Stdout),
            time_ms: 0,
            data: Bytes::copy_from_slice(rest),
            lost: 0,
        };
        if output.send(chunk).await.is_err() {
            return Err(LinkError::Unknown("nobody listens".to_owned()));
        }
    }
    Ok(step.outcome.clone())
}

/// What a module does to a simulated machine. `shell` understands a small language: `sleep MS`, `fail`, `write FILE TEXT`,
/// `flaky N` (fails until the Nth try of the key), `say TEXT`.
fn perform(order: &StepOrder, host: &str, files: &mut BTreeMap<String, Vec<u8>>) -> Step {
    let mut result: Map<String, Value> = Map::new();
    let mut took = 20;
    let mut output = Vec::new();
    result.insert("changed".to_owned(), json!(true));
    match order.module.as_str() {
        "shell" | "command" => {
            let text = order.args.get("cmd").and_then(Value::as_str).unwrap_or_default();
            let mut rc = 0;
            for word in text.split(';').map(str::trim) {
                let (verb, rest) = word.split_once(' ').unwrap_or((word, ""));
                match verb {
                    "sleep" => took += rest.parse::<u64>().unwrap_or(0),
                    "fail" => rc = 1,
                    "say" => output.extend(format!("{rest}\n").into_bytes()),
                    "write" => {
                        let (file, content) = rest.split_once(' ').unwrap_or((rest, ""));
                        files.insert(file.to_owned(), format!("{content} by {host}").into_bytes());
                    }
                    "flaky" => {
                        let attempt = order.key.as_str().rsplit('/').next().and_then(|text| text.parse::<u64>().ok());
                        rc = i32::from(attempt.unwrap_or(1) < rest.parse().unwrap_or(1));
                    }
                    _ => {}
                }
            }
            result.insert("rc".to_owned(), json!(rc));
            result.insert("stdout".to_owned(), json!(String::from_utf8_lossy(&output).trim_end()));
            if rc != 0 {
                result.insert("failed".to_owned(), json!(true));
                result.insert("msg".to_owned(), json!("non-zero return code"));
            }
        }
        "copy" | "template" => {
            let source = order.args.get("_files").and_then(|files| files[0]["source"].as_str()).unwrap_or_default();
            let dest = order.args.get("dest").and_then(Value::as_str).unwrap_or_default().to_owned();
            let bytes = files.get(source).cloned().unwrap_or_default();
            files.insert(dest, bytes);
        }
        "setup" => {
            result.insert("changed".to_owned(), json!(false));
            result.insert("ansible_facts".to_owned(), json!({"ansible_hostname": host}));
        }
        _ => {}
    }
    Step {
        digest: order.digest(),
        ends_at: Instant::now() + Duration::from_millis(took),
        outcome: StepOutcome { elapsed_ms: took, ..StepOutcome::completed(result) },
        output,
    }
}

/// One master's way to the store: dies after so many journal segments, or loses answers.
pub struct SimStore {
    pub inner: MemoryStore,
    pub life: Life,
    /// Journal segments that this master may write before it dies.
    pub segments_left: AtomicU64,
    pub died: Arc<tokio::sync::Notify>,
    /// Whether the fatal segment is still written.
    pub after: bool,
}

impl SimStore {
    fn die(&self) {
        self.life.dead.store(true, Ordering::SeqCst);
        self.died.notify_one();
    }
    fn lost(operation: &'static str, key: &str) -> StoreError {
        StoreError::Failed { operation, key: key.to_owned(), why: "timeout".to_owned(), retry: true }
    }
    fn answer_is_lost(&self) -> bool {
        self.life.reality.dice.one_in(self.life.reality.faults.store_answer_lost)
    }
}

#[async_trait]
impl Store for SimStore {
    fn location(&self) -> String {
        "memory".to_owned()
    }
    async fn create(&self, key: &str, bytes: Bytes) -> Result<Created, StoreError> {
        self.life.breathe().await;
        if key.contains("/journal/") {
            let fatal = self.segments_left.fetch_sub(1, Ordering::SeqCst) == 1;
            if fatal && !self.after {
                self.die();
                self.life.breathe().await;
            }
            let created = self.inner.create(key, bytes).await?;
            if fatal {
                self.die();
                self.life.breathe().await;
            }
            if self.answer_is_lost() {
                return Err(Self::lost("create", key));
            }
            return Ok(created);
        }
        self.inner.create(key, bytes).await
    }
    async fn put(&self, key: &str, bytes: Bytes) -> Result<(), StoreError> {
        self.life.breathe().await;
        self.inner.put(key, bytes).await
    }
    async fn put_file(&self, key: &str, path: &Path) -> Result<(), StoreError> {
        self.life.breathe().await;
        self.inner.put_file(key, path).await
    }
    async fn get(&self, key: &str) -> Result<Option<Bytes>, StoreError> {
        self.life.breathe().await;
        self.inner.get(key).await
    }
    async fn get_file(&self, key: &str, path: &Path) -> Result<bool, StoreError> {
        self.life.breathe().await;
        self.inner.get_file(key, path).await
    }
    async fn list(&self, prefix: &str, after: Option<&str>) -> Result<Vec<Listed>, StoreError> {
        self.life.breathe().await;
        self.inner.list(prefix, after).await
    }
    async fn delete(&self, key: &str) -> Result<(), StoreError> {
        self.life.breathe().await;
        self.inner.delete(key).await
    }
}
