//! Small objects when S3 is slow, busy, or loses its answers.

use std::time::{Duration, Instant};

use bytes::Bytes;
use dayfly::platform::store::{Created, Store, StoreError};
use serde_json::json;

use crate::pocket::Pocket;

#[tokio::test]
async fn a_create_whose_answer_was_lost_is_still_ours() {
    let pocket = Pocket::start();
    let store = pocket.store("lost").await;
    for lost in 1..=3 {
        let key = format!("journal/{lost:012}");
        pocket.fault(&json!({"s3_lost_answer": {"actions": ["PutObject"], "times": lost}}));
        assert_eq!(store.create(&key, Bytes::from("mine")).await.unwrap(), Created::New, "{lost}");
        pocket.end_faults();
        assert_eq!(store.create(&key, Bytes::from("mine")).await.unwrap(), Created::Exists);
    }
    // Lost on the way, and another's object stands there.
    store.put("journal/x", Bytes::from("another's")).await.unwrap();
    pocket.fault(&json!({"s3_lost_answer": {"actions": ["PutObject"], "times": 1}}));
    assert_eq!(store.create("journal/x", Bytes::from("mine")).await.unwrap(), Created::Exists);
    assert_eq!(store.get("journal/x").await.unwrap().unwrap(), "another's");
}

#[tokio::test]
async fn an_internal_error_after_the_effect_is_asked_again() {
    let pocket = Pocket::start();
    let store = pocket.store("error").await;
    pocket.fault(&json!({"error": {"actions": ["PutObject"], "times": 1, "after_effect": true, "status": 500}}));
    assert_eq!(store.create("a", Bytes::from("mine")).await.unwrap(), Created::New);
    for action in ["PutObject", "GetObject", "ListObjectsV2", "DeleteObject"] {
        pocket.fault(&json!({"error": {"actions": [action], "times": 1, "status": 500}}));
    }
    store.put("b", Bytes::from("b")).await.unwrap();
    assert_eq!(store.get("b").await.unwrap().unwrap(), "b");
    assert_eq!(store.list("", None).await.unwrap().len(), 2);
    store.delete("b").await.unwrap();
    assert_eq!(store.list("", None).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_conflict_of_conditional_writes_is_asked_again() {
    let pocket = Pocket::start();
    let store = pocket.store("conflict").await;
    pocket.fault(&json!({"s3_conflict": {"actions": ["PutObject"], "times": 3}}));
    assert_eq!(store.create("a", Bytes::from("mine")).await.unwrap(), Created::New);
    assert_eq!(store.create("a", Bytes::from("other")).await.unwrap(), Created::Exists);
    assert_eq!(pocket.calls(&["PutObject"]).iter().filter(|call| call["status"] == 409).count(), 3);
    pocket.fault(&json!({"s3_conflict": {"actions": ["PutObject"], "times": 100}}));
    let error = store.create("b", Bytes::from("mine")).await.unwrap_err();
    assert!(matches!(error, StoreError::Failed { retry: true, .. }), "{error}");
    pocket.end_faults();
    assert_eq!(store.get("b").await.unwrap(), None);
}

#[tokio::test]
async fn a_busy_s3_is_an_error_that_may_pass() {
    let pocket = Pocket::start();
    let store = pocket.store("busy").await;
    store.put("a", Bytes::from("a")).await.unwrap();
    pocket.fault(&json!({"s3_slow_down": {"seconds": 60, "times": 1000}}));
    let errors = [
        store.create("b", Bytes::new()).await.map(drop).unwrap_err(),
        store.put("a", Bytes::new()).await.unwrap_err(),
        store.get("a").await.map(drop).unwrap_err(),
        store.list("", None).await.map(drop).unwrap_err(),
        store.delete("a").await.unwrap_err(),
    ];
    for error in errors {
        assert!(matches!(error, StoreError::Failed { retry: true, .. }), "{error}");
        assert!(error.to_string().contains("SlowDown"), "{error}");
    }
    pocket.end_faults();
    assert_eq!(store.get("a").await.unwrap().unwrap(), "a");
}

#[tokio::test]
async fn a_server_that_is_gone_or_silent_is_an_error_that_may_pass() {
    let pocket = Pocket::start();
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = format!("http://{}", nobody.local_addr().unwrap());
    let gone = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}", listener.local_addr().unwrap())
    };
    let error = pocket.store_by("x", &gone).await.get("a").await.unwrap_err();
    assert!(matches!(error, StoreError::Failed { retry: true, .. }), "{error}");
    assert!(error.to_string().contains("cannot be reached") && error.to_string().contains(&gone), "{error}");
    let began = Instant::now();
    let error = pocket.store_by("x", &silent).await.get("a").await.unwrap_err();
    assert!(matches!(error, StoreError::Failed { retry: true, .. }), "{error}");
    assert!(error.to_string().contains("in time"), "{error}");
    assert!(began.elapsed() < Duration::from_secs(44), "within the fence of a master: {:?}", began.elapsed());
}
