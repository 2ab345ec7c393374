//! Big objects: bounded memory, broken streams, uploads that end badly.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use dayfly::platform::store::{Store, StoreError};
use serde_json::json;
use tokio::sync::Barrier;

use crate::pocket::{Breaking, Pocket};

const MIB: u64 = 1 << 20;

/// A file whose every block differs from every other.
fn write_big(path: &Path, mib: u64) {
    use std::io::Write;
    let mut file = std::fs::File::create(path).unwrap();
    for number in 0..mib {
        let block: Vec<u8> = (0..MIB / 8).flat_map(|word| (number << 32 | word).to_le_bytes()).collect();
        file.write_all(&block).unwrap();
    }
}

fn same(one: &Path, other: &Path) -> bool {
    use std::io::Read;
    let (mut one, mut other) = (std::fs::File::open(one).unwrap(), std::fs::File::open(other).unwrap());
    let (mut a, mut b) = (vec![0; MIB as usize], vec![0; MIB as usize]);
    loop {
        let read = one.read(&mut a).unwrap();
        if read == 0 {
            return other.read(&mut b).unwrap() == 0;
        }
        if other.read_exact(&mut b[..read]).is_err() || a[..read] != b[..read] {
            return false;
        }
    }
}

/// The most memory that this process had since it was asked to count anew, in MiB.
fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
}

fn count_memory_anew() {
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_of_any_size_take_little_memory() {
    let pocket = Pocket::start();
    let store = pocket.store("big").await;
    let folder = tempfile::tempdir().unwrap();
    let (here, there) = (folder.path().join("here"), folder.path().join("there"));
    write_big(&here, 120);
    count_memory_anew();
    let before = peak_memory();
    store.put_file("blob/big", &here).await.unwrap();
    let up = peak_memory() - before;
    count_memory_anew();
    assert!(store.get_file("blob/big", &there).await.unwrap());
    let down = peak_memory() - before;
    assert!(same(&here, &there));
    assert!(up < 80 && down < 80, "{up} MiB for upload, {down} MiB for download of 120 MiB");
    let parts = pocket.calls(&["UploadPart"]);
    assert_eq!(parts.len(), 15);
    assert!(
        parts.iter().all(|part| part["parameters"]["headers"]["x-amz-checksum-sha256"].is_string()),
        "{}",
        parts[0]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_download_goes_on_where_its_stream_broke() {
    let pocket = Pocket::start();
    let folder = tempfile::tempdir().unwrap();
    let (here, there) = (folder.path().join("here"), folder.path().join("there"));
    write_big(&here, 40);
    pocket.store("cut").await.put_file("blob/big", &here).await.unwrap();
    let way = Breaking::start(pocket.address(), 5 * MIB, 4, None).await;
    let store = pocket.store_by("cut", &way.endpoint).await;
    assert!(store.get_file("blob/big", &there).await.unwrap());
    assert!(same(&here, &there));
    assert!(way.broken.load(Ordering::SeqCst) >= 4);
    let resumed = pocket.calls(&["GetObject"]).into_iter().filter(|call| {
        let range = call["parameters"]["headers"]["range"].as_str().unwrap();
        let from: u64 = range["bytes=".len()..].split('-').next().unwrap().parse().unwrap();
        !from.is_multiple_of(16 * MIB) && call["parameters"]["headers"]["if-match"].is_string()
    });
    assert!(resumed.count() >= 4);
    // A whole object in memory is asked for again.
    let way = Breaking::start(pocket.address(), 5 * MIB, 2, None).await;
    let store = pocket.store_by("cut", &way.endpoint).await;
    assert_eq!(store.get("blob/big").await.unwrap().unwrap().len() as u64, 40 * MIB);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_download_never_mixes_two_objects() {
    let pocket = Pocket::start();
    let folder = tempfile::tempdir().unwrap();
    let (old, new, there) = (folder.path().join("old"), folder.path().join("new"), folder.path().join("there"));
    write_big(&old, 20);
    std::fs::write(&new, vec![7; 18 * MIB as usize]).unwrap();
    let direct = pocket.store("mix").await;
    direct.put_file("blob/x", &old).await.unwrap();
    let meeting = Arc::new(Barrier::new(2));
    let way = Breaking::start(pocket.address(), 5 * MIB, 1, Some(Arc::clone(&meeting))).await;
    let store = pocket.store_by("mix", &way.endpoint).await;
    let target = there.clone();
    let reading = tokio::spawn(async move { store.get_file("blob/x", &target).await });
    meeting.wait().await;
    direct.put_file("blob/x", &new).await.unwrap();
    assert!(!there.exists());
    meeting.wait().await;
    assert!(reading.await.unwrap().unwrap());
    assert!(same(&new, &there));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_that_fails_leaves_nothing() {
    let pocket = Pocket::start();
    let store = pocket.store("fails").await;
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path().join("here");
    write_big(&here, 40);
    pocket.fault(&json!({"s3_deny": {"actions": ["UploadPart"], "after": 2, "times": 10}}));
    let error = store.put_file("blob/x", &here).await.unwrap_err();
    assert!(matches!(error, StoreError::Failed { retry: true, .. }), "a denied write may pass: {error}");
    pocket.end_faults();
    assert_eq!(store.abort_uploads("").await.unwrap(), 0, "it was aborted at once");
    assert_eq!(store.get("blob/x").await.unwrap(), None);

    // Whoever loses patience leaves nothing either.
    pocket.fault(&json!({"slow": {"actions": ["UploadPart"], "seconds": 3, "times": 10}}));
    let late = tokio::time::timeout(Duration::from_millis(700), store.put_file("blob/x", &here)).await;
    assert!(late.is_err());
    pocket.end_faults();
    let aborted = || pocket.calls(&["AbortMultipartUpload"]).iter().filter(|call| call["status"] == 204).count();
    for _ in 0..100 {
        if aborted() == 2 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(aborted(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lost_and_false_answers_of_an_upload_do_no_harm() {
    let pocket = Pocket::start();
    let store = pocket.store("lost").await;
    let folder = tempfile::tempdir().unwrap();
    let (here, there) = (folder.path().join("here"), folder.path().join("there"));
    write_big(&here, 40);
    for fault in [
        json!({"s3_lost_answer": {"actions": ["UploadPart"], "times": 2}}),
        json!({"s3_lost_answer": {"actions": ["CompleteMultipartUpload"], "times": 1}}),
        json!({"s3_error_in_200": {"actions": ["CompleteMultipartUpload"], "times": 1}}),
        json!({"s3_slow_down": {"actions": ["UploadPart", "CreateMultipartUpload"], "times": 2}}),
    ] {
        pocket.fault(&fault);
        store.put_file("blob/x", &here).await.unwrap_or_else(|error| panic!("{fault}: {error}"));
        pocket.end_faults();
        assert!(store.get_file("blob/x", &there).await.unwrap());
        assert!(same(&here, &there), "{fault}");
        std::fs::remove_file(&there).unwrap();
        store.delete("blob/x").await.unwrap();
    }
}

#[tokio::test]
async fn uploads_that_nobody_finished_are_ended_by_prefix() {
    let pocket = Pocket::start();
    let store = pocket.store("left").await;
    let config = pocket.config("admin", &pocket.endpoint()).await;
    let client =
        aws_sdk_s3::Client::from_conf(aws_sdk_s3::config::Builder::from(&config).force_path_style(true).build());
    for key in ["store/left/runs/a/blob/x", "store/left/runs/a/blob/y + z", "store/left/runs/b/blob/x", "store/other"] {
        client.create_multipart_upload().bucket("dayfly-store").key(key).send().await.unwrap();
    }
    store.put("runs/a/blob/kept", Bytes::from("kept")).await.unwrap();
    assert_eq!(store.abort_uploads("runs/a/").await.unwrap(), 2);
    assert_eq!(store.abort_uploads("runs/a/").await.unwrap(), 0);
    assert_eq!(store.abort_uploads("").await.unwrap(), 1);
    assert_eq!(store.get("runs/a/blob/kept").await.unwrap().unwrap(), "kept");
}
