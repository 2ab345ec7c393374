//! How steps end that do not want to.

use std::time::{Duration, Instant};

use dayfly::core::ids::StepKey;
use dayfly::core::records::End;
use dayfly::platform::remote::LinkError;

use super::harness::{Worker, follow, run, shell, until, write};

/// Marks of the steps' own processes.
fn sleepers(worker: &Worker, seconds: u32) -> usize {
    worker.processes().iter().filter(|(_, line)| line.contains(&format!("sleep {seconds}"))).count()
}

#[tokio::test]
async fn a_timeout_ends_the_whole_tree_even_where_term_is_ignored() {
    let worker = Worker::child();
    let mut order = shell("k", "trap '' TERM; (setsid sleep 1001 &); sleep 1002; sleep 1003");
    order.timeout_ms = 500;
    let began = Instant::now();
    let (outcome, _) = run(&*worker.link(1), &order).await;
    assert_eq!(outcome.end, End::Timeout);
    assert!(outcome.failed());
    assert!(began.elapsed() >= Duration::from_millis(700), "KILL came before the grace: {:?}", began.elapsed());
    assert!(outcome.result["msg"].as_str().unwrap().contains("timeout"), "{outcome:?}");
    assert_eq!(sleepers(&worker, 100), 0, "{:?}", worker.processes());
}

#[tokio::test]
async fn a_polite_step_ends_at_term() {
    let worker = Worker::child();
    let mut order = shell("k", "trap 'echo bye; exit 7' TERM; sleep 1004 & wait");
    order.timeout_ms = 300;
    order.kill_grace_ms = 20_000;
    let began = Instant::now();
    let (outcome, said) = run(&*worker.link(1), &order).await;
    assert_eq!(outcome.end, End::Timeout);
    assert_eq!(said.bytes, b"bye\n");
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_cancelled_step_says_why() {
    let worker = Worker::child();
    let link = worker.link(1);
    let order = shell("k", "sleep 1005; sleep 1005");
    let ((outcome, _), ()) = tokio::join!(run(&*link, &order), async {
        until("it runs", || sleepers(&worker, 1005) > 0).await;
        link.cancel(&StepKey::from("k"), "dayfly cancel").await.unwrap();
        link.cancel(&StepKey::from("k"), "again").await.unwrap();
    });
    assert_eq!(outcome.end, End::Cancelled { reason: "dayfly cancel".into() });
    assert_eq!(sleepers(&worker, 1005), 0);
}

#[tokio::test]
async fn a_cancel_that_comes_before_its_step_keeps_it_from_starting() {
    let worker = Worker::child();
    let link = worker.link(1);
    let key = StepKey::from("k");
    link.cancel(&key, "too late").await.unwrap();
    link.cancel(&key, "again").await.unwrap();
    let order = shell("k", "touch ran; sleep 1007");
    let (outcome, said) = run(&*link, &order).await;
    assert_eq!(outcome.end, End::Cancelled { reason: "too late".into() });
    assert!(outcome.failed() && said.bytes.is_empty() && !worker.home().join("ran").exists());
    assert_eq!(run(&*link, &order).await.0, outcome);
    let (other, _) = follow(&*link, &shell("k", "true"), 0).await;
    assert_eq!(other, Err(LinkError::Diverged));
    link.acknowledge(std::slice::from_ref(&key)).await.unwrap();
    link.cancel(&key, "after all").await.unwrap();
    assert!(matches!(follow(&*link, &order, 0).await.0, Err(LinkError::Refused(_))));
}

#[tokio::test]
async fn a_cancel_does_not_wait_for_an_opening_and_comes_before_the_step_all_the_same() {
    let worker = Worker::child();
    let agent = worker.home().with_file_name("agent");
    let script = std::fs::read_to_string(&agent).unwrap().replace("exec", "[ $1 = connect ] && sleep 7\nexec");
    write(&agent, script.as_bytes());
    let link = worker.link(1);
    let order = shell("k", "touch ran");
    let began = Instant::now();
    let (outcome, (), renewed) = tokio::join!(
        run(&*link, &order),
        async {
            let cancelled = link.cancel(&StepKey::from("k"), "stop").await;
            assert!(matches!(cancelled, Err(LinkError::Unknown(_))), "{cancelled:?}");
            assert!(began.elapsed() < Duration::from_secs(6), "{:?}", began.elapsed());
        },
        link.renew(60_000)
    );
    assert!(matches!(renewed, Err(LinkError::Unknown(_))), "{renewed:?}");
    assert_eq!(outcome.0.end, End::Cancelled { reason: "stop".into() });
    assert!(!worker.home().join("ran").exists());
}

#[tokio::test]
async fn any_number_of_steps_leaves_room_for_other_calls() {
    let worker = Worker::child();
    let link = worker.link(1);
    let orders: Vec<_> = (0..130).map(|number| shell(&format!("k{number}"), "sleep 1008")).collect();
    let steps: Vec<_> = orders
        .into_iter()
        .map(|order| {
            let link = std::sync::Arc::clone(&link);
            tokio::spawn(async move { follow(&*link, &order, 0).await.0 })
        })
        .collect();
    let running = || worker.processes().iter().filter(|(_, line)| line.contains(" supervise ")).count();
    until("they run", || running() >= 96).await;
    link.renew(60_000).await.unwrap();
    link.cancel(&StepKey::from("k0"), "stop").await.unwrap();
    assert!(running() < 128, "{}", running());
    link.close().await;
    for step in steps {
        let outcome = tokio::time::timeout(Duration::from_secs(10), step).await.expect("it ends").unwrap();
        assert!(!matches!(outcome, Err(LinkError::Refused(_))), "{outcome:?}");
    }
}

#[tokio::test]
async fn nothing_of_a_run_is_left_on_a_host_that_it_forgets() {
    let worker = Worker::child();
    let link = worker.link(1);
    let source = worker.control().join("source");
    write(&source, b"secret");
    link.put(&source, &dayfly::core::ids::sha256_hex(b"secret")).await.unwrap();
    let order = shell("k", "touch began; while [ ! -e go ]; do sleep 0.05; done");
    let run_folder = worker.step("k").ancestors().nth(3).unwrap().to_owned();
    let ((outcome, _), ()) = tokio::join!(run(&*link, &order), async {
        until("it runs", || worker.home().join("began").exists()).await;
        link.forget().await.unwrap();
        assert!(worker.step("k").join("spec.json").exists(), "the folder of a living step is gone");
        write(&worker.home().join("go"), b"");
    });
    assert_eq!(outcome.end, End::Completed);
    assert_eq!(worker.link(2).hello().await.unwrap().known_steps.len(), 1);
    assert_eq!(link.forget().await, Err(LinkError::Fenced(2)));
    let link = worker.link(2);
    link.forget().await.unwrap();
    assert!(!run_folder.exists());
    let left: Vec<_> = std::fs::read_dir(run_folder.parent().unwrap()).unwrap().flatten().collect();
    assert!(left.is_empty(), "{left:?}");
    link.close().await;
}

#[tokio::test]
async fn children_left_behind_do_not_hold_a_step_and_live_on() {
    let worker = Worker::child();
    let began = Instant::now();
    // The child holds the pipe, writes into it after the end, and must not die of that.
    let script = "(sleep 0.5; echo late; sleep 0.1; echo later; echo alive > side; sleep 1006) & echo early";
    let (outcome, said) = run(&*worker.link(1), &shell("k", script)).await;
    assert!(began.elapsed() < Duration::from_millis(480), "{:?}", began.elapsed());
    assert_eq!((outcome.end, said.bytes), (End::Completed, b"early\n".to_vec()));
    until("the child writes on", || worker.home().join("side").exists()).await;
    assert_eq!(sleepers(&worker, 1006), 1);
}

#[tokio::test]
async fn a_step_that_closes_its_stdout_goes_on() {
    let worker = Worker::child();
    let (outcome, said) = run(&*worker.link(1), &shell("k", "echo here; exec >&- 2>&-; sleep 0.4; exit 5")).await;
    assert_eq!((outcome.result["rc"].as_i64(), said.bytes), (Some(5), b"here\n".to_vec()));
}

#[tokio::test]
async fn a_program_that_is_not_there_is_a_failed_step() {
    let worker = Worker::child();
    let order = super::harness::order("k", "command", serde_json::json!({"_raw_params": "no-such-program x"}), true);
    let (outcome, _) = run(&*worker.link(1), &order).await;
    assert!(outcome.failed());
    assert_eq!(outcome.result["rc"], 2);
}

#[tokio::test]
async fn nothing_is_left_of_a_closed_link() {
    let worker = Worker::child();
    let link = worker.link(1);
    run(&*link, &shell("k", "true")).await;
    link.close().await;
    until("the agent is gone", || worker.processes().is_empty()).await;
    assert!(matches!(follow(&*link, &shell("k2", "true"), 0).await.0, Err(LinkError::Unknown(_))));
}
