//! What S3 refuses for good, and what a person is told to change.

use std::process::{Command, Output};

use bytes::Bytes;
use dayfly::platform::aws::Access;
use dayfly::platform::store::s3::S3Store;
use dayfly::platform::store::{Created, Store, StoreError, open};
use serde_json::json;

use crate::pocket::{Pocket, answering, config};

/// An error that will not pass, and says this.
fn refused<T: std::fmt::Debug>(result: Result<T, StoreError>, parts: &[&str]) {
    failed(result, false, parts);
}

/// A write that is denied now, which a policy that is being changed may allow again: it is asked for again.
fn denied<T: std::fmt::Debug>(result: Result<T, StoreError>, parts: &[&str]) {
    failed(result, true, parts);
}

fn failed<T: std::fmt::Debug>(result: Result<T, StoreError>, may_pass: bool, parts: &[&str]) {
    let error = result.unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, StoreError::Failed { retry, .. } if retry == may_pass), "{text}");
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in: {text}");
    }
}

#[tokio::test]
async fn denials_say_what_is_missing() {
    let pocket = Pocket::start();
    let location = format!("{}/denied", pocket.text("/store"));
    let nobody = pocket.config("nobody", &pocket.endpoint()).await;
    let store = S3Store::with_config(&location, &nobody).await.unwrap();
    denied(store.create("a", Bytes::new()).await, &["access denied", "s3:PutObject", "dayfly-store"]);
    denied(store.put("a", Bytes::new()).await, &["s3:PutObject"]);
    refused(store.get("a").await, &["s3:GetObject", "s3:ListBucket", "absent"]);
    refused(store.list("", None).await, &["s3:ListBucket"]);
    refused(store.delete("a").await, &["s3:DeleteObject"]);
    refused(store.abort_uploads("").await, &["s3:ListBucketMultipartUploads"]);
    let folder = tempfile::tempdir().unwrap();
    refused(store.get_file("a", &folder.path().join("a")).await, &["s3:GetObject"]);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);

    // Writes are denied for a while; what was asked then has no effect.
    let store = pocket.store("denied").await;
    pocket.fault(&json!({"s3_deny": {"seconds": 60, "times": 100}}));
    denied(store.create("a", Bytes::new()).await, &["access denied"]);
    pocket.end_faults();
    assert_eq!(store.create("a", Bytes::new()).await.unwrap(), Created::New);
}

#[tokio::test]
async fn a_bucket_that_does_not_exist_is_said_so_by_every_verb() {
    let pocket = Pocket::start();
    let admin = pocket.config("admin", &pocket.endpoint()).await;
    let store = S3Store::with_config("s3://no-such-bucket-here/x", &admin).await.unwrap();
    let what = &["no bucket \"no-such-bucket-here\"", "aws s3 mb s3://no-such-bucket-here --region eu-west-1"];
    refused(store.create("a", Bytes::new()).await, what);
    refused(store.put("a", Bytes::new()).await, what);
    refused(store.get("a").await, what);
    refused(store.list("", None).await, what);
    refused(store.delete("a").await, what);
}

#[tokio::test]
async fn keys_that_are_not_known_or_have_expired_are_said_so() {
    let pocket = Pocket::start();
    let unknown = config("AKIAUNKNOWN000000000", "x", &pocket.endpoint()).await;
    let store = S3Store::with_config("s3://dayfly-store/x", &unknown).await.unwrap();
    refused(store.get("a").await, &["access key is not known", "--profile"]);
    refused(store.create("a", Bytes::new()).await, &["access key is not known"]);
    let store = pocket.store("x").await;
    pocket.fault(&json!({"credentials_expire": {"principal": "admin"}}));
    // Credentials of a role are renewed by themselves: whoever has the patience asks again.
    denied(store.put("a", Bytes::new()).await, &["expired", "renew"]);
}

#[tokio::test]
async fn a_bucket_in_another_region_is_said_so() {
    let elsewhere = answering(
        "HTTP/1.1 301 Moved Permanently\r\nx-amz-bucket-region: us-west-2\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
    )
    .await;
    let store = S3Store::with_config("s3://bucket/x", &config("a", "b", &elsewhere).await).await.unwrap();
    let what = &["is in region us-west-2, not in eu-west-1", "--region us-west-2"];
    refused(store.get("a").await, what);
    refused(store.put("a", Bytes::new()).await, what);
    refused(store.list("", None).await, what);
    let malformed = answering(
        "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n<Error><Code>AuthorizationHeaderMalformed</Code>\
         <Message>the region is wrong</Message><Region>us-west-2</Region></Error>",
    )
    .await;
    let store = S3Store::with_config("s3://bucket/x", &config("a", "b", &malformed).await).await.unwrap();
    refused(store.create("a", Bytes::new()).await, what);
}

#[tokio::test]
async fn a_service_without_conditional_writes_is_no_store() {
    let poor = answering(
        "HTTP/1.1 501 Not Implemented\r\nConnection: close\r\n\r\n<Error><Code>NotImplemented</Code>\
         <Message>A header you provided implies functionality that is not implemented</Message></Error>",
    )
    .await;
    let store = S3Store::with_config("s3://bucket/x", &config("a", "b", &poor).await).await.unwrap();
    refused(store.create("a", Bytes::new()).await, &["conditional writes", &poor]);
}

#[tokio::test]
async fn hostile_locations_and_keys_are_refused_before_anything_is_asked() {
    for (location, part) in [
        ("s3://", "bucket's name is missing"),
        ("s3://Not_A_Bucket/x", "lower-case"),
        ("s3://bucket/../other", "plain names"),
        ("s3://bucket/a\r\nHost: x", "plain names"),
    ] {
        let error = open(location, &Access::default()).await.err().unwrap();
        assert!(error.to_string().contains(part), "{location:?}: {error}");
    }
    let nowhere = config("a", "b", "http://127.0.0.1:9").await;
    let store = S3Store::with_config("s3://bucket/x", &nowhere).await.unwrap();
    // Any other character is a file's own: S3 takes it.
    for key in ["..", "a/../b"] {
        assert!(matches!(store.put(key, Bytes::new()).await, Err(StoreError::BadKey(_))), "{key:?}");
        assert!(matches!(store.list(key, None).await, Err(StoreError::BadKey(_))), "{key:?}");
    }
    refused(store.put(&"x".repeat(1023), Bytes::new()).await, &["1025 bytes", "1024"]);
}

/// Runs the named test again with these variables, and no others that speak of AWS; `INNER` tells it so.
fn with_environment(test: &str, variables: &[(&str, &str)]) -> Output {
    let home = tempfile::tempdir().unwrap();
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env_clear()
        .env("HOME", home.path())
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("INNER", "yes")
        .envs(variables.iter().copied())
        .output()
        .unwrap()
}

fn passed(output: &Output) {
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

#[test]
fn without_credentials_it_is_said_how_to_give_them() {
    if std::env::var_os("INNER").is_none() {
        return passed(&with_environment("refusals::without_credentials_it_is_said_how_to_give_them", &[]));
    }
    block_on(async {
        let access = Access {
            region: Some("eu-west-1".to_owned()),
            endpoint_url: Some("http://127.0.0.1:9".to_owned()),
            ..Access::default()
        };
        let store = S3Store::open("s3://bucket/x", &access).await.unwrap();
        let what = &["no AWS credentials", "aws configure", "--profile", "role"];
        refused(store.get("a").await, what);
        refused(store.create("a", Bytes::new()).await, what);
        refused(store.list("", None).await, what);
        let profile = Access { profile: Some("nobody".to_owned()), ..access };
        let store = S3Store::open("s3://bucket/x", &profile).await.unwrap();
        refused(store.get("a").await, &["nobody", "--profile"]);
        // No region: the bucket's is asked for, which takes credentials too.
        refused(S3Store::open("s3://bucket/x", &Access::default()).await, &["no AWS credentials"]);
    });
}

#[test]
fn the_usual_variables_hold_and_tls_is_spoken() {
    if std::env::var_os("INNER").is_none() {
        let folder = tempfile::tempdir().unwrap();
        for tls in [false, true] {
            let pocket = if tls { Pocket::start_with_tls(folder.path()) } else { Pocket::start() };
            let (endpoint, ca) = (pocket.endpoint(), folder.path().join("ca.pem"));
            assert_eq!(endpoint.starts_with("https://"), tls);
            let (id, secret) = (pocket.text("/keys/admin/access_key_id"), pocket.text("/keys/admin/secret_access_key"));
            let mut variables = vec![
                ("AWS_ACCESS_KEY_ID", id.as_str()),
                ("AWS_SECRET_ACCESS_KEY", secret.as_str()),
                ("AWS_ENDPOINT_URL_S3", endpoint.as_str()),
            ];
            let test = "refusals::the_usual_variables_hold_and_tls_is_spoken";
            if tls {
                let distrusted = with_environment(test, &variables);
                let text = String::from_utf8_lossy(&distrusted.stderr).into_owned();
                assert!(!distrusted.status.success() && text.contains("SSL_CERT_FILE"), "{text}");
                variables.push(("SSL_CERT_FILE", ca.to_str().unwrap()));
            }
            passed(&with_environment(test, &variables));
        }
        return;
    }
    block_on(async {
        let store = open("s3://dayfly-store/by/environment", &Access::default()).await.unwrap();
        assert_eq!(store.create("a", Bytes::from("a")).await.unwrap(), Created::New);
        assert_eq!(store.get("a").await.unwrap().unwrap(), "a");
        store.delete("a").await.unwrap();
    });
}
