//! A run in the simulation: its playbook, its store, and its masters one after the other.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use dayfly::core::event::Event;
use dayfly::core::ids::{GroupName, RunId};
use dayfly::core::records::{Binaries, CloudKind, ClusterSpec, FORMAT_VERSION, GroupSpec, Options, Receipt, Spec};
use dayfly::core::timing::Timing;
use dayfly::core::world::World;
use dayfly::platform::secrets::RunKey;
use dayfly::platform::store::MemoryStore;
use dayfly::run::engine::{self, EngineError, Master, Stop};
use serde_json::{Map, Value};
use tokio::sync::{Notify, mpsc, watch};

use crate::cloud::SimCloud;
use crate::world::{Faults, Life, Reality, SimConnector, SimStore, SimWorld};

/// A run and the world that it happens in.
pub struct Scenario {
    pub reality: Arc<Reality>,
    pub store: MemoryStore,
    pub world: Arc<SimWorld>,
    pub spec: Spec,
    /// Somebody cancels the run this long after a master began.
    pub cancel_after: Option<Duration>,
    folder: tempfile::TempDir,
}

/// When a master is killed.
#[derive(Clone, Copy, Debug)]
pub enum Kill {
    Never,
    /// At its Nth journal segment: before it is written, or right after.
    AtSegment {
        number: u64,
        after: bool,
    },
}

impl Scenario {
    pub async fn new(seed: u64, faults: Faults, playbook: &str) -> Self {
        let world = Arc::new(SimWorld::new(seed));
        let store = MemoryStore::new(world.clone() as Arc<dyn World>);
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::create_dir_all(folder.path().join("workspace")).expect("a workspace");
        std::fs::write(folder.path().join("workspace/site.yml"), playbook).expect("the playbook");
        let run = RunId::new("sim");
        RunKey::create(&store, &run, world.clone() as Arc<dyn World>).await.expect("a run key");
        let mut groups = indexmap::IndexMap::new();
        groups.insert(GroupName::new("prep"), GroupSpec::default());
        groups.insert(GroupName::new("work"), GroupSpec { count: 3, min_count: 3, ..GroupSpec::default() });
        let now = world.unix_ms();
        let spec = Spec {
            v: FORMAT_VERSION,
            run,
            name: "site".to_owned(),
            created_ms: now,
            deadline_ms: now + 3_600_000,
            soft_deadline_ms: now + 3_300_000,
            bin: Binaries { dayfly: String::new(), agent: String::new() },
            bundle: String::new(),
            entry: "site.yml".to_owned(),
            foreground_folder: None,
            event: Value::Null,
            extra_vars: Map::new(),
            secrets: std::collections::BTreeMap::new(),
            cloud: CloudKind::Local,
            cluster: ClusterSpec { ttl_ms: 3_600_000, groups, ..ClusterSpec::default() },
            resolved: serde_json::Value::Null,
            master: None,
            inventory: None,
            inventory_file: None,
            options: Options::default(),
            timing: Timing::default(),
        };
        Self { reality: Reality::new(seed, faults), store, world, spec, cancel_after: None, folder }
    }

    /// The same scene with another playbook.
    pub fn with_playbook(self, playbook: &str) -> Self {
        std::fs::write(self.folder.path().join("workspace/site.yml"), playbook).expect("the playbook");
        self
    }

    /// One master; none where it was killed on the way. Its workspace is its own: another machine.
    pub async fn master(&self, kill: Kill) -> Option<(Result<Receipt, EngineError>, Vec<Event>)> {
        let life = Life::new(&self.reality);
        let died = Arc::new(Notify::new());
        let (left, after) = match kill {
            Kill::Never => (u64::MAX, true),
            Kill::AtSegment { number, after } => (number, after),
        };
        let store = SimStore {
            inner: self.store.clone(),
            life: life.clone(),
            segments_left: AtomicU64::new(left),
            died: died.clone(),
            after,
        };
        let (events, mut received) = mpsc::unbounded_channel();
        let (stop, stopped) = watch::channel(Stop::No);
        let cancel = async {
            match self.cancel_after {
                Some(after) => tokio::time::sleep(after).await,
                None => std::future::pending().await,
            }
            stop.send_replace(Stop::Cancel { by: "a person".to_owned() });
            std::future::pending::<()>().await;
        };
        let workspace = self.fresh_workspace();
        let scratch = tempfile::tempdir_in(self.folder.path()).expect("a folder");
        let master = Master {
            spec: self.spec.clone(),
            store: Arc::new(store),
            cloud: Arc::new(SimCloud(life.clone())),
            connector: Arc::new(SimConnector(life.clone())),
            world: self.world.clone(),
            workspace,
            scratch: scratch.path().to_owned(),
            why: "launch".to_owned(),
            events,
            stop: stopped,
        };
        let outcome = tokio::select! {
            biased;
            () = died.notified() => None,
            () = cancel => None,
            outcome = engine::run(master) => Some(outcome),
        };
        life.dead.store(true, Ordering::SeqCst);
        let mut told = Vec::new();
        while let Ok(event) = received.try_recv() {
            told.push(event);
        }
        outcome.map(|outcome| (outcome, told))
    }

    fn fresh_workspace(&self) -> PathBuf {
        let folder = tempfile::tempdir_in(self.folder.path()).expect("a folder").keep();
        std::fs::copy(self.folder.path().join("workspace/site.yml"), folder.join("site.yml")).expect("the playbook");
        folder
    }
}

/// The pipeline of the scenarios: facts, a pinned value, a flaky task, a rescue, fetch and copy, a handler, a loop, parallel
/// plays and results.
pub const PIPELINE: &str = r#"
name: site
cluster:
  ttl: 1h
  groups:
    prep: {count: 1}
    work: {count: 3}
vars:
  token: "{{ lookup('password', '/dev/null length=12 chars=ascii_letters') }}"
plays:
  - name: Prepare
    hosts: prep
    tasks:
      - set_fact:
          stamp: "{{ now().year }}-{{ 100000 | random }}"
      - shell: "sleep 400; write parts/all part {{ stamp }}"
      - fetch: {src: parts/all, dest: parts/all, flat: true}
  - name: Work
    hosts: work
    tasks:
      - copy: {src: parts/all, dest: in/all}
      - name: Share
        shell: "sleep {{ 100 * (dayfly.rank + 1) }}; say share {{ dayfly.rank }} of {{ dayfly.world_size }} {{ hostvars['prep-0'].stamp }}"
        register: share
        notify: tidy
      - name: Flaky
        shell: "flaky 3"
        register: flaky
        until: flaky.rc == 0
        retries: 4
        delay: 1
      - name: Loop
        shell: "say item {{ item }}"
        loop: [a, b, c]
        register: looped
      - block:
          - name: Breaks
            shell: "fail"
          - name: Not reached
            shell: "say never"
        rescue:
          - name: Rescue
            shell: "say rescued {{ ansible_failed_result.rc }}"
        always:
          - name: Always
            shell: "say always"
      - name: Result
        shell: "sleep 50; write out/result {{ share.stdout }} {{ looped.results | length }}"
    handlers:
      - name: tidy
        shell: "say tidy"
  - name: Beside
    hosts: prep
    needs: [Prepare]
    tasks:
      - shell: "sleep 700; say beside"
  - name: First
    hosts: work[0]
    needs: [Work]
    tasks:
      - shell: "say {{ hostvars['work-2'].share.stdout }}"
        register: last
      - assert: {that: "last.stdout == 'share 2 of 3 ' ~ hostvars['prep-0'].stamp"}
results:
  - {from: work, paths: [out/result]}
"#;
