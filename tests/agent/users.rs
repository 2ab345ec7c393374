//! Steps that become another user.

use std::os::unix::fs::PermissionsExt as _;

use dayfly::core::records::{Become, End};

use super::harness::{Worker, run, shell, write};

#[tokio::test]
async fn root_becomes_another_user() {
    if !nix::unistd::geteuid().is_root() {
        // Becoming somebody without root needs sudo, which tests cannot bring; the protocol is the same.
        return;
    }
    let worker = Worker::child();
    let link = worker.link(1);
    let mut order = shell("k", "id -un; id -gn; echo $HOME,$USER,$GIVEN; echo err >&2; (sleep 1021 &); exit 3");
    order.becomes = Some(Become { user: "nobody".into() });
    order.environment.insert("GIVEN".into(), "given".into());
    let (outcome, said) = run(&*link, &order).await;
    assert_eq!(outcome.result["stdout"], "nobody\nnogroup\n/nonexistent,nobody,given");
    assert_eq!((outcome.result["rc"].as_i64(), outcome.end), (Some(3), End::Completed));
    assert!(said.bytes.ends_with(b"err\n"), "{:?}", String::from_utf8_lossy(&said.bytes));

    let mut order = shell("k2", "trap '' TERM; sleep 1022; sleep 1022");
    order.becomes = Some(Become { user: "nobody".into() });
    order.timeout_ms = 400;
    let (outcome, _) = run(&*link, &order).await;
    assert_eq!(outcome.end, End::Timeout);

    let mut order = shell("k3", "true");
    order.becomes = Some(Become { user: "no-such-user".into() });
    let (outcome, _) = run(&*link, &order).await;
    let told = outcome.result["msg"].as_str().unwrap();
    assert!(outcome.failed() && told.contains("no-such-user"), "{told}");
    let sleepers = super::harness::processes(|pid| {
        std::fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line.starts_with(b"sleep\x001022"))
    });
    assert!(sleepers.is_empty(), "{sleepers:?}");
}

#[tokio::test]
async fn files_of_the_master_are_lent_to_another_user() {
    if !nix::unistd::geteuid().is_root() {
        return;
    }
    let worker = Worker::child();
    let link = worker.link(1);
    let source = worker.control().join("script");
    write(&source, b"#!/bin/sh\nid -un\n");
    let sha256 = dayfly::core::ids::sha256_hex(b"#!/bin/sh\nid -un\n");
    let path = link.put(&source, &sha256).await.unwrap();
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let mut order = super::harness::order("k", "slurp", serde_json::json!({"src": path}), false);
    order.becomes = Some(Become { user: "nobody".into() });
    let (outcome, _) = run(&*link, &order).await;
    assert!(!outcome.failed(), "{outcome:?}");
}
