//! The directory store on a real file system: create-once between threads, full and read-only disks, permissions.

#![allow(clippy::unwrap_used, reason = "in a test that is how a failure is told")]

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use bytes::Bytes;
use dayfly::platform::aws::Access;
use dayfly::platform::store::{Created, DirectoryStore, Store, StoreError, open};

fn keys(listed: &[dayfly::platform::store::Listed]) -> Vec<&str> {
    listed.iter().map(|listed| listed.key.as_str()).collect()
}

#[tokio::test]
async fn objects_come_back_as_they_were_written() {
    let folder = tempfile::tempdir().unwrap();
    let store = DirectoryStore::new(folder.path().join("deep/store"));
    assert_eq!(store.list("", None).await.unwrap(), []);
    assert_eq!(store.get("runs/a/spec.json").await.unwrap(), None);
    assert_eq!(store.create("runs/a/spec.json", Bytes::from("one")).await.unwrap(), Created::New);
    assert_eq!(store.create("runs/a/spec.json", Bytes::from("two")).await.unwrap(), Created::Exists);
    assert_eq!(store.get("runs/a/spec.json").await.unwrap().unwrap(), "one");
    store.put("runs/a/beat/000001.json", Bytes::from("1")).await.unwrap();
    store.put("runs/a/beat/000001.json", Bytes::from("22")).await.unwrap();
    store.put("runs/ab/x", Bytes::new()).await.unwrap();
    let all = store.list("", None).await.unwrap();
    assert_eq!(keys(&all), ["runs/a/beat/000001.json", "runs/a/spec.json", "runs/ab/x"]);
    assert_eq!(all[0].size, 2);
    assert!(all[0].modified_ms > 1_600_000_000_000);
    assert_eq!(keys(&store.list("runs/a", None).await.unwrap()).len(), 3);
    assert_eq!(keys(&store.list("runs/a/", Some("runs/a/beat/000001.json")).await.unwrap()), ["runs/a/spec.json"]);
    assert_eq!(keys(&store.list("runs/a/b", None).await.unwrap()), ["runs/a/beat/000001.json"]);
    assert_eq!(keys(&store.list("runs/nobody/", None).await.unwrap()).len(), 0);

    let here = folder.path().join("here");
    std::fs::write(&here, vec![7; 3 << 20]).unwrap();
    store.put_file("runs/a/blob/x", &here).await.unwrap();
    let there = folder.path().join("there");
    assert!(store.get_file("runs/a/blob/x", &there).await.unwrap());
    assert_eq!(std::fs::read(&there).unwrap(), std::fs::read(&here).unwrap());
    assert!(!store.get_file("runs/a/blob/y", &there).await.unwrap());

    for key in ["runs/a/blob/x", "runs/a/beat/000001.json", "runs/a/spec.json", "runs/ab/x", "runs/ab/x", "no"] {
        store.delete(key).await.unwrap();
    }
    assert_eq!(store.list("", None).await.unwrap(), []);
    assert!(!store.path().join("runs").exists(), "empty folders go with their last object");
}

#[tokio::test]
async fn keys_that_leave_the_store_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let store = DirectoryStore::new(folder.path().join("store"));
    for key in ["", "/etc/x", "../x", "a/../../x", "a//b", "a/", "./a", "a\0b", ".unfinished/x"] {
        let refused = |result: Result<(), StoreError>| matches!(result, Err(StoreError::BadKey(_)));
        assert!(refused(store.put(key, Bytes::new()).await), "{key:?}");
        assert!(refused(store.get(key).await.map(drop)), "{key:?}");
        assert!(refused(store.create(key, Bytes::new()).await.map(drop)), "{key:?}");
        assert!(refused(store.delete(key).await), "{key:?}");
    }
    assert!(matches!(store.list("../", None).await, Err(StoreError::BadKey(_))));
    assert!(!folder.path().join("x").exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_that_create_one_key_exactly_one_succeeds() {
    let folder = tempfile::tempdir().unwrap();
    for round in 0..20 {
        let tries = (0..16).map(|number| {
            // Each as if from its own process.
            let store = DirectoryStore::new(folder.path());
            let key = format!("journal/{round:012}");
            tokio::spawn(async move { (number, store.create(&key, Bytes::from(format!("{number}"))).await.unwrap()) })
        });
        let results = futures::future::join_all(tries).await;
        let winners: Vec<_> = results.into_iter().map(Result::unwrap).filter(|(_, c)| *c == Created::New).collect();
        assert_eq!(winners.len(), 1);
        let store = DirectoryStore::new(folder.path());
        let written = store.get(&format!("journal/{round:012}")).await.unwrap().unwrap();
        assert_eq!(written, winners[0].0.to_string());
    }
    assert_eq!(std::fs::read_dir(folder.path().join(".unfinished")).unwrap().count(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn deleting_the_last_object_of_a_folder_never_fails_a_write_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(DirectoryStore::new(folder.path()));
    let tasks = (0..4).map(|number| {
        let store = store.clone();
        tokio::spawn(async move {
            for _ in 0..50 {
                let key = format!("a/b/c/{number}");
                store.put(&key, Bytes::from("x")).await.unwrap();
                store.delete(&key).await.unwrap();
            }
        })
    });
    futures::future::join_all(tasks).await.into_iter().for_each(Result::unwrap);
}

#[tokio::test]
async fn only_the_owner_can_read() {
    let folder = tempfile::tempdir().unwrap();
    let store = DirectoryStore::new(folder.path().join("store"));
    store.create("secret/r", Bytes::from("key")).await.unwrap();
    let mode = |path: &str| std::fs::metadata(store.path().join(path)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(""), mode("secret"), mode("secret/r")), (0o700, 0o700, 0o600));
}

#[tokio::test]
async fn locations_are_told_apart() {
    let access = Access::default();
    let refused = open("gs://bucket/x", &access).await.err().unwrap().to_string();
    assert!(refused.contains("give a folder"), "{refused}");
    assert!(open("", &access).await.is_err());
    assert!(open("relative", &access).await.unwrap().location().starts_with('/'));
}

/// Runs the named test again where `mount` puts a small disk at the folder in `SMALL_DISK`.
fn on_a_small_disk(test: &str, options: &str) {
    let folder = tempfile::tempdir().unwrap();
    let script = format!("mount -t tmpfs -o {options} tmpfs \"$SMALL_DISK\" && exec \"$0\" --exact {test} --nocapture");
    let output = Command::new("unshare")
        .args(["--map-root-user", "--mount", "sh", "-c", &script])
        .arg(std::env::current_exe().unwrap())
        .env("SMALL_DISK", folder.path())
        .output()
        .expect("unshare, of util-linux, is needed");
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

#[test]
fn a_full_disk_is_an_error_that_may_pass_and_leaves_nothing_half_written() {
    let Some(disk) = std::env::var_os("SMALL_DISK") else {
        return on_a_small_disk("a_full_disk_is_an_error_that_may_pass_and_leaves_nothing_half_written", "size=256k");
    };
    block_on(async {
        let store = DirectoryStore::new(Path::new(&disk).join("store"));
        store.put("kept", Bytes::from("old")).await.unwrap();
        let big = Bytes::from(vec![1; 1 << 20]);
        for result in [store.put("kept", big.clone()).await, store.create("new", big).await.map(drop)] {
            let Err(error @ StoreError::Failed { retry: true, .. }) = result else { panic!("{result:?}") };
            assert!(error.to_string().contains("no space is left"), "{error}");
        }
        assert_eq!(store.get("kept").await.unwrap().unwrap(), "old");
        let all = store.list("", None).await.unwrap();
        assert_eq!(keys(&all), ["kept"]);
        store.put("small", Bytes::from("fits")).await.unwrap();
    });
}

#[test]
fn a_read_only_disk_is_said_so() {
    let Some(disk) = std::env::var_os("SMALL_DISK") else {
        return on_a_small_disk("a_read_only_disk_is_said_so", "size=256k,ro");
    };
    block_on(async {
        let store = DirectoryStore::new(Path::new(&disk).join("store"));
        let error = store.put("x", Bytes::new()).await.unwrap_err();
        assert!(matches!(error, StoreError::Failed { retry: false, .. }));
        assert!(error.to_string().contains("read-only") && error.to_string().contains("--store"), "{error}");
        assert_eq!(store.list("", None).await.unwrap(), []);
    });
}

#[tokio::test]
async fn kept_names_are_listed_in_order_of_their_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let store = DirectoryStore::new(folder.path());
    let names = ["a/b", "a-b", "a.b", "ab", "a/a/a", "é"];
    for name in names {
        store.put(name, Bytes::new()).await.unwrap();
    }
    let expected: BTreeSet<&str> = names.into();
    let all = store.list("", None).await.unwrap();
    assert_eq!(keys(&all), expected.into_iter().collect::<Vec<_>>());
}
