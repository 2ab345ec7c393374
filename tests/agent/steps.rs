//! A step from order to outcome, and what happens when it is ordered again.

use std::time::Duration;

use dayfly::core::ids::StepKey;
use dayfly::core::records::End;
use dayfly::platform::remote::LinkError;
use serde_json::json;

use super::harness::{Worker, follow, kill, order, run, shell, until, write};

#[tokio::test]
async fn a_step_returns_what_it_said_and_its_code() {
    let worker = Worker::child();
    let link = worker.link(1);
    let greeting = link.hello().await.unwrap();
    assert_eq!(greeting.home, worker.home().display().to_string());
    let (outcome, said) = run(&*link, &shell("k/1", "echo out; echo err >&2; pwd; exit 3")).await;
    assert_eq!(outcome.end, End::Completed);
    assert_eq!(outcome.result["rc"], 3);
    assert_eq!(outcome.result["stdout"], format!("out\n{}", worker.home().display()));
    assert_eq!(outcome.result["stderr"], "err");
    assert!(outcome.failed());
    assert_eq!(outcome.output_bytes, said.bytes.len() as u64);
}

#[tokio::test]
async fn only_the_allowed_environment_reaches_a_step() {
    let worker = Worker::child();
    let mut order = shell("k", "echo $LEAKED,$DAYFLY_BASE,$GIVEN,$HOME");
    order.environment.insert("GIVEN".into(), "given".into());
    let (outcome, _) = run(&*worker.link(1), &order).await;
    assert_eq!(outcome.result["stdout"], format!(",,given,{}", worker.home().display()));
}

#[tokio::test]
async fn a_step_ordered_twice_runs_once() {
    let worker = Worker::child();
    let order = shell("k", "echo start >> starts; sleep 0.3; echo done");
    let (one, two) = (worker.link(1), worker.link(1));
    let ((first, said), (second, same)) = tokio::join!(run(&*one, &order), run(&*two, &order));
    assert_eq!(first, second);
    assert_eq!(said.bytes, same.bytes);
    let (third, again) = run(&*one, &order).await;
    assert_eq!((third, again.bytes), (first, said.bytes));
    assert_eq!(std::fs::read_to_string(worker.home().join("starts")).unwrap(), "start\n");
}

#[tokio::test]
async fn another_order_under_the_same_key_is_refused() {
    let worker = Worker::child();
    let link = worker.link(1);
    run(&*link, &shell("k", "echo one")).await;
    let (outcome, _) = follow(&*link, &shell("k", "echo two"), 0).await;
    assert_eq!(outcome, Err(LinkError::Diverged));
}

#[tokio::test]
async fn an_acknowledged_step_leaves_no_trace_and_never_runs_again() {
    let worker = Worker::child();
    let link = worker.link(1);
    let order = shell("k", "echo secret | tee -a side");
    run(&*link, &order).await;
    link.acknowledge(&[StepKey::from("k")]).await.unwrap();
    let left: Vec<_> = std::fs::read_dir(worker.step("k")).unwrap().flatten().map(|entry| entry.file_name()).collect();
    assert_eq!(left, ["acked"]);
    let (outcome, _) = follow(&*link, &order, 0).await;
    assert!(matches!(outcome, Err(LinkError::Refused(_))), "{outcome:?}");
    assert_eq!(std::fs::read_to_string(worker.home().join("side")).unwrap(), "secret\n");
}

#[tokio::test]
async fn a_newer_master_shuts_out_an_older_one() {
    let worker = Worker::child();
    let (old, new) = (worker.link(1), worker.link(2));
    let order = shell("k", "echo before; sleep 1; echo after");
    let (cut, took_over) = tokio::join!(follow(&*old, &order, 0), async {
        until("the step runs", || worker.step("k").join("started").exists()).await;
        new.hello().await.unwrap();
        run(&*new, &order).await
    });
    assert_eq!(cut.0, Err(LinkError::Fenced(2)));
    assert_eq!(took_over.0.result["stdout"], "before\nafter");
    assert_eq!(old.renew(1000).await, Err(LinkError::Fenced(2)));
    assert_eq!(follow(&*old, &shell("other", "true"), 0).await.0, Err(LinkError::Fenced(2)));
    assert_eq!(worker.link(1).hello().await, Err(LinkError::Fenced(2)));
}

#[tokio::test]
async fn a_step_outlives_its_channel() {
    let worker = Worker::child();
    let link = worker.link(1);
    let order = shell("k", "for i in 1 2 3 4 5 6; do echo line $i; sleep 0.1; done");
    let (first, said) = tokio::join!(follow(&*link, &order, 0), async {
        until("output", || worker.step("k").join("out.000001").exists()).await;
        tokio::time::sleep(Duration::from_millis(150)).await;
        let agents = worker.processes();
        let (pid, _) = agents.iter().find(|(_, line)| line.contains(" connect ")).expect("a channel");
        kill(*pid);
    });
    let () = said;
    let (outcome, begin) = first;
    assert!(matches!(outcome, Err(LinkError::Unknown(_))), "{outcome:?}");
    let (outcome, rest) = follow(&*link, &order, begin.next).await;
    let all = [begin.bytes, rest.bytes].concat();
    assert_eq!(String::from_utf8(all).unwrap(), "line 1\nline 2\nline 3\nline 4\nline 5\nline 6\n");
    assert_eq!(outcome.unwrap().result["rc"], 0);
}

#[tokio::test]
async fn files_go_and_come() {
    let worker = Worker::child();
    let link = worker.link(1);
    let source = worker.control().join("source");
    let contents: Vec<u8> = (0..3_000_000_u32).map(|index| (index.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    write(&source, &contents);
    let sha256 = dayfly::core::ids::sha256_hex(&contents);
    let path = link.put(&source, &sha256).await.unwrap();
    assert_eq!(link.put(&source, &sha256).await.unwrap(), path);
    let wrong = "0".repeat(64);
    assert!(matches!(link.put(&source, &wrong).await, Err(LinkError::Refused(_))));
    run(&*link, &shell("k", &format!("mkdir out; cp {path} out/copy"))).await;
    let to = worker.control().join("back");
    assert_eq!(link.get("~/out/copy", &to, None).await.unwrap(), (contents.len() as u64, sha256));
    assert_eq!(std::fs::read(&to).unwrap(), contents);
    let found = link.glob(&["out/**".into()]).await.unwrap();
    assert_eq!((found[0].path.as_str(), found[0].size), ("out/copy", contents.len() as u64));
    assert!(matches!(link.get("none", &to, None).await, Err(LinkError::Refused(_))));
    let left = std::fs::read_dir(worker.control()).unwrap().flatten().count();
    assert_eq!(left, 2, "a temporary file stays");
}

#[tokio::test]
async fn lease_and_deadline_stand_on_the_disk() {
    let worker = Worker::child();
    let link = worker.link(1);
    link.renew(60_000).await.unwrap();
    link.deadline(1_234_567_890_123).await.unwrap();
    let folder = worker.step("k").parent().unwrap().parent().unwrap().to_owned();
    let read = |name: &str| -> serde_json::Value {
        serde_json::from_slice(&std::fs::read(folder.join(name)).unwrap()).unwrap()
    };
    let until = read("until");
    let now = nix::time::clock_gettime(nix::time::ClockId::CLOCK_BOOTTIME).unwrap();
    let left = until["boottime_ms"].as_i64().unwrap() - now.tv_sec() * 1000;
    assert!((55_000..=61_000).contains(&left), "{until}");
    assert_eq!(read("deadline"), json!({"v": 1, "unix_ms": 1_234_567_890_123_i64}));
    let sample = link.sample().await.unwrap();
    assert!(sample.memory_total > 0 && sample.disk_free > 0, "{sample:?}");
}

#[tokio::test]
async fn modules_that_run_no_program_work_too() {
    let worker = Worker::child();
    let (outcome, _) = run(&*worker.link(1), &order("k", "ping", json!({"data": "pong"}), false)).await;
    assert_eq!(outcome.result["ping"], "pong");
}
