//! Steps whose supervisor dies.

use dayfly::core::records::End;
use serde_json::json;

use super::harness::{Worker, follow, kill, order, run, shell, until};

fn supervisor(worker: &Worker) -> Option<u32> {
    worker.processes().into_iter().find(|(_, line)| line.contains(" supervise ")).map(|(pid, _)| pid)
}

#[tokio::test]
async fn a_step_without_its_supervisor_is_interrupted_and_its_tree_ends() {
    let worker = Worker::child();
    let link = worker.link(1);
    let order = shell("k", "echo start >> starts; sleep 1011; sleep 1011");
    let ((outcome, _), ()) = tokio::join!(run(&*link, &order), async {
        until("it runs", || worker.processes().iter().any(|(_, line)| line.contains("sleep 1011"))).await;
        kill(supervisor(&worker).expect("a supervisor"));
    });
    assert_eq!(outcome.end, End::Interrupted { why: "supervisor".into() });
    assert!(!worker.processes().iter().any(|(_, line)| line.contains("sleep 1011")), "{:?}", worker.processes());
    let (again, _) = run(&*link, &order).await;
    assert_eq!(again, outcome);
    assert_eq!(std::fs::read_to_string(worker.home().join("starts")).unwrap(), "start\n");
}

#[tokio::test]
async fn a_step_from_before_a_reboot_is_interrupted() {
    let worker = Worker::child();
    let link = worker.link(1);
    let order = shell("k", "echo ran >> starts");
    run(&*link, &order).await;
    let step = worker.step("k");
    std::fs::remove_file(step.join("result.json")).unwrap();
    std::fs::write(step.join("started"), json!({"v": 1, "boot_id": "another", "pid": 1}).to_string()).unwrap();
    let (outcome, _) = run(&*link, &order).await;
    assert_eq!(outcome.end, End::Interrupted { why: "reboot".into() });
}

#[tokio::test]
async fn a_step_that_may_run_again_does() {
    let worker = Worker::child();
    let link = worker.link(1);
    let order = order("k", "ping", json!({"data": "pong"}), false);
    run(&*link, &order).await;
    let step = worker.step("k");
    std::fs::remove_file(step.join("result.json")).unwrap();
    std::fs::write(step.join("started"), json!({"v": 1, "boot_id": "another", "pid": 1}).to_string()).unwrap();
    let (outcome, _) = run(&*link, &order).await;
    assert_eq!((outcome.end, outcome.result["ping"].as_str()), (End::Completed, Some("pong")));
}

#[tokio::test]
async fn the_output_of_another_attempt_follows_that_of_the_first() {
    let worker = Worker::child();
    let link = worker.link(1);
    let mut order = shell("k", "echo attempt >> starts; wc -l < starts; [ -e go ] || sleep 1041; echo end");
    order.once = false;
    let ((outcome, said), ()) = tokio::join!(run(&*link, &order), async {
        until("it runs", || worker.processes().iter().any(|(_, line)| line.contains("sleep 1041"))).await;
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        std::fs::write(worker.home().join("go"), "").unwrap();
        kill(supervisor(&worker).expect("a supervisor"));
    });
    assert_eq!((outcome.end, String::from_utf8_lossy(&said.bytes).as_ref()), (End::Completed, "1\n2\nend\n"));
    assert_eq!(said.lost, 0);

    // After a reboot a master goes on where it was, and the output of the first attempt is not there any more.
    let step = worker.step("k");
    std::fs::remove_file(step.join("result.json")).unwrap();
    std::fs::write(step.join("started"), json!({"v": 1, "boot_id": "another", "pid": 1}).to_string()).unwrap();
    let (outcome, rest) = follow(&*link, &order, said.next).await;
    assert_eq!((outcome.unwrap().end, rest.bytes), (End::Completed, b"3\nend\n".to_vec()));
    assert_eq!(rest.lost, 0);
}

#[tokio::test]
async fn an_accepted_step_that_nobody_started_is_started() {
    let worker = Worker::child();
    let link = worker.link(1);
    let order = shell("k", "echo ran");
    run(&*link, &order).await;
    let step = worker.step("k");
    for name in ["result.json", "started", "out.000001"] {
        std::fs::remove_file(step.join(name)).unwrap();
    }
    let (outcome, said) = follow(&*link, &order, 0).await;
    assert_eq!((outcome.unwrap().end, said.bytes), (End::Completed, b"ran\n".to_vec()));
}

#[tokio::test]
async fn a_shutdown_may_reach_a_step_before_its_supervisor() {
    let worker = Worker::child();
    let order =
        shell("k", "supervisor=$PPID; (sleep 0.3; kill -TERM $supervisor) >/dev/null 2>&1 & kill -TERM $$; sleep 1040");
    let (outcome, _) = run(&*worker.link(1), &order).await;
    assert_eq!(outcome.end, End::Cancelled { reason: "ended by a signal".into() });
    // A program that only ends itself by that signal has completed, badly.
    let (outcome, _) = run(&*worker.link(1), &shell("k2", "kill -TERM $$; sleep 1041")).await;
    assert_eq!((outcome.end, outcome.result["rc"].as_i64()), (End::Completed, Some(-15)));
}
