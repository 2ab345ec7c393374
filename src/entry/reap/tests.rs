//! Whole lives of runs, minute by minute: a store whose clock the test moves, a cloud in memory, the real reaper.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use serde_json::Value;

use super::clock::StoreClock;
use super::detached::{Callers, Detached};
use super::reaper::Reaped;
use crate::core::ids::{Epoch, GroupName, HostSlot, Incarnation, InstanceId, RunId};
use crate::core::records::{Binaries, Closed, CloudKind, ClusterSpec, FORMAT_VERSION, Options, Record, Spec};
use crate::core::timing::Timing;
use crate::core::world::World;
use crate::entry::exit::Problem;
use crate::entry::trigger::{MasterCall, MasterClaim, MasterLaunchError};
use crate::platform::cloud::{
    Cloud, CloudError, Instance, InstanceState, LaunchError, LaunchOrder, Leftover, MasterCloud, MasterOrder, Pick,
};
use crate::platform::store::journal::Journal;
use crate::platform::store::{Created, MemoryStore, Store, layout};

const S: i64 = 1_000;
const M: i64 = 60 * S;
const BEGIN: i64 = 1_700_000_000_000;

/// A clock that the test moves.
#[derive(Default)]
struct Hand(AtomicI64);

impl World for Hand {
    fn unix_ms(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }
    fn random(&self, buffer: &mut [u8]) {
        buffer.fill(7);
    }
}

/// What lives in the cloud.
#[derive(Default)]
struct There {
    masters: Vec<InstanceId>,
    workers: Vec<InstanceId>,
    /// Alive, but no list by tag shows it yet.
    hidden: Vec<InstanceId>,
    leftovers: Vec<Leftover>,
    /// Everything that was ever asked to end.
    ended: Vec<InstanceId>,
    /// Masters die in their boot.
    stillborn: bool,
    launched: usize,
}

#[derive(Default)]
struct Sky(Mutex<There>);

fn instance(id: &InstanceId) -> Instance {
    Instance {
        id: id.clone(),
        slot: HostSlot { host: "x".into(), incarnation: Incarnation(1) },
        state: InstanceState::Running,
        reach: None,
        address: String::new(),
    }
}

fn instances(ids: &[InstanceId]) -> Vec<Instance> {
    ids.iter().map(instance).collect()
}

#[async_trait]
impl Cloud for Sky {
    fn kind(&self) -> CloudKind {
        CloudKind::Ec2
    }
    async fn launch(&self, _: &LaunchOrder, _: &str) -> Result<Vec<Instance>, LaunchError> {
        Err(LaunchError::Impossible("a reaper launches no workers".to_owned()))
    }
    async fn describe(&self, _: &RunId, _: &[InstanceId]) -> Result<Vec<Instance>, CloudError> {
        Ok(Vec::new())
    }
    async fn terminate(&self, _: &RunId, ids: &[InstanceId]) -> Result<(), CloudError> {
        let mut there = self.0.lock().unwrap();
        there.ended.extend(ids.iter().cloned());
        there.masters.retain(|id| !ids.contains(id));
        there.workers.retain(|id| !ids.contains(id));
        there.hidden.retain(|id| !ids.contains(id));
        Ok(())
    }
    async fn sweep(&self, _: &RunId) -> Result<Vec<Instance>, CloudError> {
        Ok(instances(&self.0.lock().unwrap().workers))
    }
    async fn console(&self, _: &RunId, _: &InstanceId) -> Option<String> {
        None
    }
    async fn sweep_tokens(&self, _: &RunId, tokens: &[String]) -> Result<Vec<Instance>, CloudError> {
        let there = self.0.lock().unwrap();
        Ok(if tokens.iter().any(|token| token == "r/work/0/0") { instances(&there.hidden) } else { Vec::new() })
    }
    async fn leftovers(&self, _: &RunId) -> Result<Vec<Leftover>, CloudError> {
        Ok(self.0.lock().unwrap().leftovers.clone())
    }
    async fn remove(&self, _: &RunId, leftovers: &[Leftover]) -> Result<(), CloudError> {
        self.0.lock().unwrap().leftovers.retain(|thing| !leftovers.contains(thing));
        Ok(())
    }
    fn is_eventual(&self) -> bool {
        true
    }
    async fn forget(&self, _: &RunId) -> Result<(), CloudError> {
        Ok(())
    }
}

#[async_trait]
impl MasterCloud for Sky {
    async fn launch_master(&self, _: &MasterOrder) -> Result<Instance, LaunchError> {
        Err(LaunchError::Impossible("asked for by its claim".to_owned()))
    }
    async fn masters(&self, _: &RunId) -> Result<Vec<Instance>, CloudError> {
        Ok(instances(&self.0.lock().unwrap().masters))
    }
}

/// A run, and a whole world around it.
struct Scene {
    hand: Arc<Hand>,
    store: Arc<MemoryStore>,
    sky: Sky,
    spec: Spec,
}

/// Claims as the trigger does, and launches into the sky: once for each claim.
#[async_trait]
impl Callers for Scene {
    async fn call(&self, spec: &Spec, call: &MasterCall) -> Result<InstanceId, Problem> {
        let id = InstanceId::new(format!("i-m{}", call.epoch));
        let created = self.claim(call.epoch.0).await;
        let mut there = self.sky.0.lock().unwrap();
        if created == Created::New {
            there.launched += 1;
            if !there.stillborn {
                there.masters.push(id.clone());
            }
        } else if !there.masters.contains(&id) {
            let why = "terminated".to_owned();
            let over = MasterLaunchError::Over { run: spec.run.clone(), epoch: call.epoch, why };
            return Err(Problem::Failed(anyhow::Error::new(over)));
        }
        Ok(id)
    }
}

impl Scene {
    /// A run that was ordered a moment ago, with a deadline in two hours.
    async fn new() -> Self {
        let hand = Arc::new(Hand(AtomicI64::new(BEGIN)));
        let store = Arc::new(MemoryStore::new(hand.clone()));
        let spec = Spec {
            v: FORMAT_VERSION,
            run: RunId::new("r"),
            name: "a playbook".to_owned(),
            created_ms: BEGIN,
            deadline_ms: BEGIN + 120 * M,
            soft_deadline_ms: BEGIN + 115 * M,
            bin: Binaries { dayfly: String::new(), agent: String::new() },
            bundle: String::new(),
            entry: "p.yml".to_owned(),
            foreground_folder: None,
            event: Value::Null,
            extra_vars: serde_json::Map::new(),
            secrets: std::collections::BTreeMap::new(),
            cloud: CloudKind::Ec2,
            cluster: ClusterSpec { region: Some("eu-west-1".to_owned()), ..ClusterSpec::default() },
            resolved: Value::Null,
            master: Some(Value::Null),
            inventory: None,
            inventory_file: None,
            options: Options::default(),
            timing: Timing::default(),
        };
        let scene = Self { hand, store, sky: Sky::default(), spec };
        scene.put(&layout::index_open_key(&scene.spec.run), "").await;
        scene.put(&layout::spec_key(&scene.spec.run), &serde_json::to_string(&scene.spec).unwrap()).await;
        scene
    }

    fn later(&self, ms: i64) {
        self.hand.0.fetch_add(ms, Ordering::SeqCst);
    }

    async fn put(&self, key: &str, text: &str) {
        self.store.put(key, text.to_owned().into()).await.unwrap();
    }

    async fn claim(&self, epoch: u32) -> Created {
        let claim = MasterClaim {
            v: FORMAT_VERSION,
            epoch: Epoch(epoch),
            by: "a test".to_owned(),
            why: "launch".to_owned(),
            at_ms: 0,
            picks: vec![Pick::only()],
            user_data: String::new(),
            deadline_ms: self.spec.deadline_ms,
        };
        let bytes = serde_json::to_vec(&claim).unwrap();
        self.store.create(&layout::epoch_key(&self.spec.run, Epoch(epoch)), bytes.into()).await.unwrap()
    }

    async fn beat(&self, epoch: u32) {
        self.put(&layout::beat_key(&self.spec.run, Epoch(epoch)), "{}").await;
    }

    async fn record(&self, record: Record) {
        let store: Arc<dyn Store> = self.store.clone();
        let timing = Timing::default();
        let (journal, ..) =
            Journal::take_over(store, &self.spec.run, "test", self.hand.clone(), &timing).await.unwrap();
        journal.record(record).await.unwrap();
        journal.close().await.unwrap();
    }

    async fn intent(&self) {
        let request = serde_json::json!({"token": "r/work/0/0"});
        let group = GroupName::new("work");
        self.record(Record::Intent { id: "r/work/0/0".to_owned(), group, slots: Vec::new(), request }).await;
    }

    /// Half an hour later the master has ended everything, itself last, and said its last word.
    async fn ends_well(&self) {
        self.there(|there| {
            there.workers.clear();
            there.masters.clear();
        });
        self.later(30 * M);
        self.put(&layout::receipt_key(&self.spec.run), "{}").await;
    }

    /// One look of a reaper.
    async fn reap(&self) -> Reaped {
        let run = Detached {
            store: self.store.as_ref(),
            spec: &self.spec,
            cloud: &self.sky,
            masters: &self.sky,
            callers: self,
            clock: StoreClock::read(self.store.as_ref()).await.unwrap(),
        };
        run.look_after().await.unwrap()
    }

    fn there<T>(&self, look: impl FnOnce(&mut There) -> T) -> T {
        look(&mut self.sky.0.lock().unwrap())
    }

    async fn closed(&self) -> Option<Closed> {
        let bytes = self.store.get(&layout::closed_key(&self.spec.run)).await.unwrap();
        bytes.map(|bytes| serde_json::from_slice(&bytes).unwrap())
    }

    async fn is_open(&self) -> bool {
        self.store.get(&layout::index_open_key(&self.spec.run)).await.unwrap().is_some()
    }

    /// A master that came and works.
    async fn at_work() -> Self {
        let scene = Self::new().await;
        scene.claim(1).await;
        scene.there(|there| there.masters.push("i-m1".into()));
        scene.beat(1).await;
        scene.intent().await;
        scene.there(|there| there.workers.push("i-w1".into()));
        scene
    }
}

fn launched(epoch: u32, again: bool) -> Reaped {
    Reaped::Launched { epoch: Epoch(epoch), machine: InstanceId::new(format!("i-m{epoch}")), again }
}

#[tokio::test(start_paused = true)]
async fn a_living_master_is_only_looked_at() {
    let scene = Scene::at_work().await;
    for _ in 0..30 {
        scene.later(50 * S);
        assert_eq!(scene.reap().await, Reaped::Alive);
        scene.beat(1).await;
    }
    assert_eq!(scene.there(|there| there.ended.len()), 0);
    assert!(scene.is_open().await);
}

#[tokio::test(start_paused = true)]
async fn a_dead_master_gets_one_successor_however_many_look() {
    let scene = Scene::at_work().await;
    scene.later(10 * M);
    assert_eq!(scene.reap().await, launched(2, false));
    for _ in 0..4 {
        assert!(matches!(scene.reap().await, Reaped::Waiting { over: false, .. }));
        scene.later(M);
    }
    assert_eq!(scene.there(|there| (there.launched, there.ended.len())), (1, 0), "one machine, and nothing was ended");
}

#[tokio::test(start_paused = true)]
async fn a_master_that_never_comes_is_asked_for_again_and_one_that_died_in_its_boot_is_succeeded_at_once() {
    let scene = Scene::new().await;
    scene.claim(1).await;
    scene.there(|there| there.masters.push("i-m1".into()));
    scene.later(4 * M);
    assert!(matches!(scene.reap().await, Reaped::Waiting { .. }));
    scene.later(M);
    assert_eq!(scene.reap().await, launched(1, true));
    scene.there(|there| there.masters.clear());
    assert_eq!(scene.reap().await, launched(2, false));
}

#[tokio::test(start_paused = true)]
async fn a_trigger_that_died_before_its_claim_is_finished_by_the_reaper() {
    let scene = Scene::new().await;
    scene.later(5 * M);
    assert_eq!(scene.reap().await, launched(1, false));
}

#[tokio::test(start_paused = true)]
async fn five_masters_are_enough_then_everything_ends_and_the_proof_says_so() {
    let scene = Scene::at_work().await;
    scene.there(|there| {
        there.stillborn = true;
        there.masters.clear();
    });
    let mut looks = 0;
    let last = loop {
        scene.later(M);
        looks += 1;
        match scene.reap().await {
            Reaped::GivenUp { why } => break why,
            _ if looks > 90 => panic!("it never gave up"),
            _ => {}
        }
    };
    assert!(last.contains("5 masters"), "{last}");
    assert_eq!(scene.there(|there| there.launched), 4, "the trigger launched the first");
    assert_eq!(scene.there(|there| there.ended.clone()), ["i-w1".into()]);
    assert_eq!(scene.closed().await.unwrap().receipt_sha256, "");
    assert!(!scene.is_open().await);
    assert!(scene.store.get(&layout::looks_key(&scene.spec.run)).await.unwrap().is_none());
}

#[tokio::test(start_paused = true)]
async fn after_the_last_word_the_master_has_time_to_end_itself_then_it_is_ended() {
    let scene = Scene::at_work().await;
    scene.there(|there| there.workers.clear());
    scene.later(30 * M);
    scene.put(&layout::receipt_key(&scene.spec.run), "{}").await;
    scene.later(M);
    assert!(matches!(scene.reap().await, Reaped::Waiting { over: true, .. }));
    assert_eq!(scene.there(|there| there.ended.len()), 0);
    scene.later(M);
    let ending = Reaped::Ending { machines: vec!["i-m1".into()], things: Vec::new() };
    assert_eq!(scene.reap().await, ending);
    scene.later(M);
    assert_eq!(scene.reap().await, Reaped::Looked { proof_in_ms: 60_000 });
    assert!(scene.closed().await.is_none());
    scene.later(M);
    assert_eq!(scene.reap().await, Reaped::Closed { ended: 0 });
    let closed = scene.closed().await.unwrap();
    let sweeps: Vec<_> = closed.sweeps.iter().map(|sweep| (sweep.by.as_str(), sweep.found)).collect();
    assert_eq!(sweeps, [("tag", 1), ("token", 0), ("tag", 0), ("token", 0)]);
    assert_eq!(closed.sweeps[0].region.as_deref(), Some("eu-west-1"));
    assert_ne!(closed.receipt_sha256, "");
    assert!(!scene.is_open().await);
}

#[tokio::test(start_paused = true)]
async fn there_is_no_proof_before_the_closing_wait_after_the_last_launch() {
    let scene = Scene::at_work().await;
    scene.there(|there| {
        there.workers.clear();
        there.masters.clear();
    });
    scene.later(M);
    scene.put(&layout::receipt_key(&scene.spec.run), "{}").await;
    let mut minutes = 1;
    while scene.closed().await.is_none() {
        scene.reap().await;
        scene.later(M);
        minutes += 1;
        assert!(minutes < 30);
    }
    assert_eq!(minutes - 1, 10, "minutes from the last request to the proof");
}

#[tokio::test(start_paused = true)]
async fn what_shows_late_is_found_by_its_token_ended_and_puts_the_proof_off() {
    let scene = Scene::at_work().await;
    scene.ends_well().await;
    assert_eq!(scene.reap().await, Reaped::Looked { proof_in_ms: 120_000 });
    scene.later(2 * M);
    scene.there(|there| {
        there.hidden.push("i-w2".into());
        there.leftovers.push(Leftover { kind: "volume".to_owned(), id: "vol-1".to_owned() });
    });
    let ending = Reaped::Ending { machines: vec!["i-w2".into()], things: vec!["volume vol-1".to_owned()] };
    assert_eq!(scene.reap().await, ending);
    scene.later(M);
    assert_eq!(scene.reap().await, Reaped::Looked { proof_in_ms: 60_000 });
    scene.later(M);
    assert_eq!(scene.reap().await, Reaped::Closed { ended: 0 });
}

#[tokio::test(start_paused = true)]
async fn two_that_close_at_once_write_one_proof() {
    let scene = Scene::at_work().await;
    scene.ends_well().await;
    tokio::join!(scene.reap(), scene.reap());
    scene.later(2 * M);
    let both = tokio::join!(scene.reap(), scene.reap());
    assert_eq!(both, (Reaped::Closed { ended: 0 }, Reaped::Closed { ended: 0 }));
    assert!(scene.closed().await.is_some());
    // A proof whose writer died before it took the run off the list.
    scene.put(&layout::index_open_key(&scene.spec.run), "").await;
    assert_eq!(scene.reap().await, Reaped::Closed { ended: 0 });
    assert!(!scene.is_open().await);
}

#[tokio::test(start_paused = true)]
async fn past_the_deadline_everything_ends_unless_the_journal_moved_it() {
    let scene = Scene::at_work().await;
    scene
        .record(Record::DeadlineMoved {
            deadline_ms: BEGIN + 240 * M,
            by: "a person".to_owned(),
            control: String::new(),
        })
        .await;
    scene.later(123 * M);
    scene.beat(3).await;
    assert_eq!(scene.reap().await, Reaped::Alive);
    scene.later(120 * M);
    scene.beat(3).await;
    let ending = Reaped::Ending { machines: vec!["i-m1".into(), "i-w1".into()], things: Vec::new() };
    assert_eq!(scene.reap().await, ending);
    scene.later(2 * M);
    assert!(matches!(scene.reap().await, Reaped::GivenUp { .. }));
    assert!(scene.closed().await.unwrap().master_state.contains("deadline"));
}
