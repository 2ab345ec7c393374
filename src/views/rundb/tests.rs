//! The projection against a store in a folder.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::json;

use super::*;
use crate::core::ids::{HostName, HostSlot, Incarnation, InstanceId, RunId, StepKey, sha256_hex};
use crate::core::records::{
    Binaries, CloudKind, ClusterSpec, FORMAT_VERSION, Manifest, ManifestFile, Options, Record, SealedMember, Spec,
    StepOutcome, Verdict,
};
use crate::core::timing::Timing;
use crate::core::world::World;
use crate::platform::store::journal::Journal;
use crate::platform::store::{DirectoryStore, Store, layout};

struct Fixed;

impl World for Fixed {
    fn unix_ms(&self) -> i64 {
        7
    }
    fn random(&self, buffer: &mut [u8]) {
        buffer.fill(1);
    }
}

fn spec(run: &RunId) -> Spec {
    Spec {
        v: FORMAT_VERSION,
        run: run.clone(),
        name: "train".into(),
        created_ms: 1,
        deadline_ms: 2,
        soft_deadline_ms: 2,
        bin: Binaries { dayfly: String::new(), agent: String::new() },
        bundle: String::new(),
        entry: "p.yml".into(),
        foreground_folder: None,
        event: json!(null),
        extra_vars: serde_json::Map::new(),
        secrets: std::collections::BTreeMap::new(),
        cloud: CloudKind::Local,
        cluster: ClusterSpec::default(),
        resolved: serde_json::Value::Null,
        master: None,
        inventory: None,
        inventory_file: None,
        options: Options::default(),
        timing: Timing::default(),
    }
}

async fn fill(store: Arc<dyn Store>, run: &RunId) {
    let slot = HostSlot { host: HostName::new("work-0"), incarnation: Incarnation(1) };
    let put = |key: String, bytes: Vec<u8>| {
        let store = store.clone();
        async move { store.create(&key, Bytes::from(bytes)).await.unwrap() }
    };
    put(layout::index_day_key("2026-01-01", run), Vec::new()).await;
    put(layout::spec_key(run), serde_json::to_vec(&spec(run)).unwrap()).await;
    let zip = b"zip".to_vec();
    let logs = ManifestFile { path: layout::log_zip_key(run, &slot), size: 3, sha256: sha256_hex(&zip) };
    let manifest = Manifest {
        v: FORMAT_VERSION,
        run: run.clone(),
        slot: slot.clone(),
        results: vec![],
        logs: Some(logs),
        complete: true,
        gaps: vec![],
    };
    put(layout::log_zip_key(run, &slot), zip).await;
    put(layout::manifest_key(run, &slot), serde_json::to_vec(&manifest).unwrap()).await;
    let (journal, _, _) = Journal::take_over(store, run, "launch", Arc::new(Fixed), &Timing::default()).await.unwrap();
    let outcome = StepOutcome::completed(
        json!({"changed": true, "rc": 3, "failed": true, "msg": "no"}).as_object().cloned().unwrap(),
    );
    let step = |key: &str, outcome: Option<StepOutcome>, sealed: Option<String>| Record::StepDone {
        key: StepKey::new(format!("{run}/0.0/{key}/work-0.1/-/1")),
        digest: String::new(),
        outcome,
        blob: None,
        sealed,
    };
    let member = SealedMember {
        host: slot.host.clone(),
        incarnation: slot.incarnation,
        instance: InstanceId::new("i-1"),
        address: "127.0.0.1".into(),
    };
    for record in [
        Record::Intent { id: "a".into(), group: "work".into(), slots: vec![slot.clone()], request: json!({}) },
        Record::Resolved {
            id: "a".into(),
            instances: vec![InstanceId::new("i-1")],
            error: None,
            verdict: Verdict::Launched,
        },
        Record::GroupSealed { group: "work".into(), members: vec![member] },
        step("0", Some(outcome), None),
        step("1", None, Some("sealed text".into())),
        Record::Gone { instance: InstanceId::new("i-1"), state: "terminated".into() },
    ] {
        journal.record(record).await.unwrap();
    }
    journal.close().await.unwrap();
}

#[tokio::test]
async fn a_run_becomes_rows_and_twice_is_once() {
    let folder = tempfile::tempdir().unwrap();
    let store: Arc<dyn Store> = Arc::new(DirectoryStore::new(folder.path().join("store")));
    let run = RunId::new("r1");
    fill(store.clone(), &run).await;
    let database = Database::open(&folder.path().join("runs.db")).await.unwrap();
    for _ in 0..2 {
        database.project(store.as_ref(), &run).await.unwrap();
    }
    let row = database.run(&run).await.unwrap().unwrap();
    assert_eq!((row.name.as_str(), row.epochs, row.outcome, row.closed), ("train", 1, None, false));
    let workers = database.workers(&run).await.unwrap();
    assert_eq!(workers.len(), 1);
    assert_eq!((workers[0].state.as_str(), workers[0].rank), ("gone", Some(0)));
    let steps = database.steps(&run).await.unwrap();
    assert_eq!(steps.len(), 2);
    assert_eq!((steps[0].host.as_str(), steps[0].rc, steps[0].failed), ("work-0.1", Some(3), Some(true)));
    assert_eq!((steps[1].ending.as_str(), &steps[1].result), ("sealed", &None));
    let archives = database.archives(&run).await.unwrap();
    assert_eq!(archives[0].zip.as_deref(), Some(b"zip".as_slice()));
}

#[tokio::test]
async fn an_archive_above_the_limit_stays_in_the_store() {
    let folder = tempfile::tempdir().unwrap();
    let store: Arc<dyn Store> = Arc::new(DirectoryStore::new(folder.path().join("store")));
    let run = RunId::new("r1");
    fill(store.clone(), &run).await;
    let database = Database::open(&folder.path().join("runs.db")).await.unwrap().archive_limit(2);
    assert_eq!(database.sync(store.as_ref()).await.unwrap(), 1);
    let archives = database.archives(&run).await.unwrap();
    assert_eq!((archives[0].size, archives[0].zip.as_ref()), (3, None));
}

#[tokio::test]
async fn two_runs_at_once_and_a_rebuild_forgets_what_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let store: Arc<dyn Store> = Arc::new(DirectoryStore::new(folder.path().join("store")));
    let path = folder.path().join("runs.db");
    let runs = [RunId::new("r1"), RunId::new("r2")];
    for run in &runs {
        fill(store.clone(), run).await;
    }
    // Each with a connection of its own, as two processes have.
    let project = |run: RunId| {
        let (store, path) = (store.clone(), path.clone());
        async move {
            let database = Database::open(&path).await.unwrap();
            for _ in 0..5 {
                database.project(store.as_ref(), &run).await.unwrap();
            }
        }
    };
    tokio::join!(project(runs[0].clone()), project(runs[1].clone()));
    let database = Database::open(&path).await.unwrap();
    store.delete(&layout::index_day_key("2026-01-01", &runs[0])).await.unwrap();
    assert_eq!(database.sync(store.as_ref()).await.unwrap(), 1);
    assert_eq!(database.run(&runs[0]).await.unwrap(), None);
    assert_eq!(database.steps(&runs[0]).await.unwrap(), vec![]);
    assert_eq!(database.steps(&runs[1]).await.unwrap().len(), 2);
}

#[tokio::test]
async fn bytes_that_are_not_the_manifests_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let store: Arc<dyn Store> = Arc::new(DirectoryStore::new(folder.path().join("store")));
    let run = RunId::new("r1");
    fill(store.clone(), &run).await;
    let slot = HostSlot { host: HostName::new("work-0"), incarnation: Incarnation(1) };
    store.put(&layout::log_zip_key(&run, &slot), Bytes::from_static(b"bad")).await.unwrap();
    let database = Database::open(&folder.path().join("runs.db")).await.unwrap();
    let error = database.project(store.as_ref(), &run).await.unwrap_err().to_string();
    assert!(error.contains("manifest"), "{error}");
}
