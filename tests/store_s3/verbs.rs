//! What every store does: the same for a folder and for S3.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use dayfly::platform::store::{Created, DirectoryStore, Listed, Store, StoreError};

use crate::pocket::Pocket;

fn keys(listed: &[Listed]) -> Vec<&str> {
    listed.iter().map(|listed| listed.key.as_str()).collect()
}

async fn objects_come_back(store: &dyn Store) {
    assert_eq!(store.list("", None).await.unwrap(), []);
    assert_eq!(store.get("runs/a/spec.json").await.unwrap(), None);
    assert_eq!(store.create("runs/a/spec.json", Bytes::from("one")).await.unwrap(), Created::New);
    assert_eq!(store.create("runs/a/spec.json", Bytes::from("two")).await.unwrap(), Created::Exists);
    assert_eq!(store.create("runs/a/spec.json", Bytes::from("one")).await.unwrap(), Created::Exists);
    assert_eq!(store.get("runs/a/spec.json").await.unwrap().unwrap(), "one");
    store.put("runs/a/beat/000001.json", Bytes::from("1")).await.unwrap();
    store.put("runs/a/beat/000001.json", Bytes::from("22")).await.unwrap();
    store.put("runs/ab/x", Bytes::new()).await.unwrap();
    assert_eq!(store.get("runs/ab/x").await.unwrap().unwrap(), "");
    let all = store.list("", None).await.unwrap();
    assert_eq!(keys(&all), ["runs/a/beat/000001.json", "runs/a/spec.json", "runs/ab/x"]);
    assert_eq!((all[0].size, all[2].size), (2, 0));
    assert!(all[0].modified_ms > 1_600_000_000_000, "{all:?}");
    assert_eq!(keys(&store.list("runs/a", None).await.unwrap()).len(), 3);
    assert_eq!(keys(&store.list("runs/a/", Some("runs/a/beat/000001.json")).await.unwrap()), ["runs/a/spec.json"]);
    assert_eq!(keys(&store.list("runs/a/b", None).await.unwrap()), ["runs/a/beat/000001.json"]);
    assert_eq!(keys(&store.list("runs/nobody/", None).await.unwrap()).len(), 0);
    for key in ["runs/a/beat/000001.json", "runs/a/spec.json", "runs/ab/x", "runs/ab/x", "no"] {
        store.delete(key).await.unwrap();
    }
    assert_eq!(store.list("", None).await.unwrap(), []);
}

async fn names_are_kept_and_ordered(store: &dyn Store) {
    let names = [
        "n/a/b",
        "n/a-b",
        "n/a.b",
        "n/ab",
        "n/a/a/a",
        "n/é",
        "n/a b",
        "n/a+b",
        "n/a%2Fb",
        "n/100%",
        "n/q?x=1&y=<\"'>",
        "n/#",
        "n/~*()!$@:;,",
        "n/日本語",
        "n/🦋",
        "n/ ",
        "n/...",
        "n/a\\b",
        "n/ü/+/ /x",
    ];
    for name in names {
        store.put(name, Bytes::from(name)).await.unwrap();
        assert_eq!(store.get(name).await.unwrap().unwrap(), name);
    }
    let expected: Vec<&str> = BTreeSet::from(names).into_iter().collect();
    assert_eq!(keys(&store.list("n/", None).await.unwrap()), expected);
    assert_eq!(keys(&store.list("n/", Some("n/a+b")).await.unwrap()), {
        expected.iter().copied().filter(|name| *name > "n/a+b").collect::<Vec<_>>()
    });
    assert_eq!(keys(&store.list("n/a+", None).await.unwrap()), ["n/a+b"]);
    for name in names {
        store.delete(name).await.unwrap();
    }
    assert_eq!(store.list("n/", None).await.unwrap(), []);
}

async fn keys_that_leave_the_store_are_refused(store: &dyn Store) {
    for key in ["", "/etc/x", "../x", "a/../../x", "a//b", "a/", "./a", "a\0b"] {
        let refused = |result: Result<(), StoreError>| matches!(result, Err(StoreError::BadKey(_)));
        assert!(refused(store.put(key, Bytes::new()).await), "{key:?}");
        assert!(refused(store.get(key).await.map(drop)), "{key:?}");
        assert!(refused(store.create(key, Bytes::new()).await.map(drop)), "{key:?}");
        assert!(refused(store.delete(key).await), "{key:?}");
    }
    assert!(matches!(store.list("../", None).await, Err(StoreError::BadKey(_))));
    assert_eq!(store.list("", None).await.unwrap(), []);
}

async fn of_many_exactly_one_creates(store: Arc<dyn Store>) {
    for round in 0..5 {
        let key = format!("journal/{round:012}");
        let tries = (0..16).map(|number| {
            let (store, key) = (Arc::clone(&store), key.clone());
            tokio::spawn(async move { (number, store.create(&key, Bytes::from(format!("{number}"))).await.unwrap()) })
        });
        let results = futures::future::join_all(tries).await;
        let winners: Vec<_> = results.into_iter().map(Result::unwrap).filter(|(_, c)| *c == Created::New).collect();
        assert_eq!(winners.len(), 1);
        assert_eq!(store.get(&key).await.unwrap().unwrap(), winners[0].0.to_string());
    }
}

async fn files_go_and_come(store: &dyn Store) {
    let folder = tempfile::tempdir().unwrap();
    let (here, there) = (folder.path().join("here"), folder.path().join("there"));
    for size in [0, 1, 3 << 20, (16 << 20) - 1, 16 << 20, (24 << 20) + 7] {
        let bytes: Vec<u8> = (0_u32..size).map(|number| (number.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        std::fs::write(&here, &bytes).unwrap();
        store.put_file("blob/x", &here).await.unwrap();
        assert!(store.get_file("blob/x", &there).await.unwrap());
        assert!(std::fs::read(&there).unwrap() == bytes, "{size} bytes");
        assert_eq!(store.list("blob/", None).await.unwrap()[0].size, u64::from(size));
        assert_eq!(store.get("blob/x").await.unwrap().unwrap().len(), size as usize);
    }
    assert!(!store.get_file("blob/y", &folder.path().join("new")).await.unwrap());
    assert!(store.put_file("blob/x", &folder.path().join("absent")).await.is_err());
    let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.len(), 2, "{left:?}");
}

async fn every_verb(store: Arc<dyn Store>) {
    objects_come_back(store.as_ref()).await;
    names_are_kept_and_ordered(store.as_ref()).await;
    keys_that_leave_the_store_are_refused(store.as_ref()).await;
    of_many_exactly_one_creates(Arc::clone(&store)).await;
    files_go_and_come(store.as_ref()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_folder_does_what_every_store_does() {
    let folder = tempfile::tempdir().unwrap();
    every_verb(Arc::new(DirectoryStore::new(folder.path()))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn s3_does_what_every_store_does() {
    let pocket = Pocket::start();
    let store = pocket.store("verbs").await;
    assert_eq!(store.location(), format!("{}/verbs", pocket.text("/store")));
    every_verb(Arc::new(store)).await;
}

#[tokio::test]
async fn stores_side_by_side_do_not_see_each_other() {
    let pocket = Pocket::start();
    let (one, other) = (pocket.store("a").await, pocket.store("ab").await);
    one.put("x", Bytes::from("1")).await.unwrap();
    other.put("y", Bytes::from("2")).await.unwrap();
    assert_eq!(keys(&one.list("", None).await.unwrap()), ["x"]);
    assert_eq!(keys(&other.list("", None).await.unwrap()), ["y"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_listing_has_as_many_pages_as_it_takes() {
    let pocket = Pocket::start();
    let store = pocket.store("many").await;
    let writes = futures::stream::iter((0..1_203).map(|number| {
        let store = store.clone();
        async move { store.put(&format!("k/{number:05}"), Bytes::new()).await.unwrap() }
    }));
    futures::StreamExt::for_each_concurrent(writes, 8, |write| write).await;
    let all = store.list("k/", None).await.unwrap();
    assert_eq!(all.len(), 1_203);
    assert!(all.is_sorted_by(|a, b| a.key < b.key));
    assert_eq!(store.list("k/", Some("k/01100")).await.unwrap().len(), 102);
}
