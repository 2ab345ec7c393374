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

/// A `sudo` for one test: a shell that keeps the rights its file gives it. Ours is no root-owned program of the machine,
/// so it is made for the test and goes with it.
fn make_sudo(folder: &std::path::Path) {
    std::fs::create_dir(folder).unwrap();
    let shell = folder.join("shell");
    std::fs::copy("/bin/dash", &shell).unwrap();
    std::fs::set_permissions(&shell, std::fs::Permissions::from_mode(0o4755)).unwrap();
    let script = format!("#!{} -p\nwhile [ \"$1\" != -- ]; do shift; done\nshift\nexec \"$@\"\n", shell.display());
    write(&folder.join("sudo"), script.as_bytes());
    std::fs::set_permissions(folder.join("sudo"), std::fs::Permissions::from_mode(0o755)).unwrap();
}

#[tokio::test]
async fn a_login_user_becomes_root_and_another_through_sudo() {
    if !nix::unistd::geteuid().is_root() {
        return;
    }
    let worker = Worker::child_as("nobody");
    make_sudo(&worker.control().join("bin"));
    let link = worker.link(1);
    let greeting = link.hello().await.unwrap();
    assert_eq!((greeting.user.as_str(), greeting.root), ("nobody", false));
    for (user, group) in [("root", "root"), ("daemon", "daemon"), ("nobody", "nogroup")] {
        let mut order = shell(user, "id -un; id -gn; echo $SECRET");
        order.environment.insert("SECRET".into(), "hidden".into());
        order.becomes = Some(Become { user: user.into() });
        let (outcome, _) = run(&*link, &order).await;
        assert_eq!(outcome.result["stdout"], format!("{user}\n{group}\nhidden"), "{outcome:?}");
    }
    // What belongs to root cannot be signalled by the login user, and yet it ends.
    let mut order = shell("k", "trap '' TERM; sleep 1031; sleep 1031");
    order.becomes = Some(Become { user: "root".into() });
    order.timeout_ms = 400;
    let (outcome, _) = run(&*link, &order).await;
    assert_eq!(outcome.end, End::Timeout);
    let is_sleeper =
        |pid| std::fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line.starts_with(b"sleep\x001031"));
    assert!(super::harness::processes(is_sleeper).is_empty());
}
