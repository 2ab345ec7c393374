//! The way by SSH.

use std::time::Duration;

use dayfly::platform::cloud::Reach;
use dayfly::platform::remote::LinkError;

use super::harness::{Worker, follow, kill, processes, run, shell, until};

fn masters(worker: &Worker) -> Vec<(u32, String)> {
    let control = worker.control().display().to_string();
    processes(|pid| {
        std::fs::read(format!("/proc/{pid}/cmdline"))
            .is_ok_and(|line| String::from_utf8_lossy(&line).contains(&control))
    })
}

#[tokio::test]
async fn the_agent_is_brought_once_and_runs() {
    let worker = Worker::ssh();
    let link = worker.link(1);
    let (outcome, _) = run(&*link, &shell("k", "echo $HOME,$LEAKED,$SSH_CONNECTION")).await;
    assert_eq!(outcome.result["stdout"], format!("{},,", worker.home().display()));
    link.close().await;
    let bin = worker.home().join(".dayfly/bin");
    let agent = std::fs::read_dir(bin).unwrap().next().unwrap().unwrap().path().join("dayfly-agent");
    let before = std::fs::metadata(&agent).unwrap().modified().unwrap();
    let link = worker.link(2);
    assert_eq!(link.hello().await.unwrap().known_steps.len(), 1);
    assert_eq!(std::fs::metadata(&agent).unwrap().modified().unwrap(), before);
    link.close().await;
    until("nothing is left", || worker.processes().is_empty() && masters(&worker).is_empty()).await;
    until("the control folder is gone", || !worker.control().exists()).await;
}

#[tokio::test]
async fn a_lost_connection_is_opened_again() {
    let worker = Worker::ssh();
    let link = worker.link(1);
    let order = shell("k", "for i in 1 2 3 4 5 6 7 8; do echo line $i; sleep 0.1; done");
    let ((outcome, begin), ()) = tokio::join!(follow(&*link, &order, 0), async {
        until("output", || worker.step("k").join("out.000001").exists()).await;
        tokio::time::sleep(Duration::from_millis(150)).await;
        for (pid, _) in masters(&worker) {
            kill(pid);
        }
    });
    assert!(matches!(outcome, Err(LinkError::Unknown(_))), "{outcome:?}");
    let (outcome, rest) = follow(&*link, &order, begin.next).await;
    assert_eq!(outcome.unwrap().result["rc"], 0);
    let all = String::from_utf8([begin.bytes, rest.bytes].concat()).unwrap();
    assert_eq!(all.lines().count(), 8, "{all}");
    link.close().await;
}

#[tokio::test]
async fn another_host_key_is_refused_for_good() {
    let mut worker = Worker::ssh();
    let other = Worker::ssh();
    let port = other.port();
    let Reach::Ssh { port: reached, .. } = worker.reach() else { panic!("by ssh") };
    *reached = port;
    let error = worker.link(1).hello().await.unwrap_err();
    assert!(matches!(&error, LinkError::Unreachable(text) if text.contains("host key")), "{error:?}");
}

#[tokio::test]
async fn a_refused_login_is_refused_for_good() {
    let mut worker = Worker::ssh();
    let other = worker.control().join("host_key_of_nobody");
    let made =
        std::process::Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&other).status();
    assert!(made.unwrap().success());
    let Reach::Ssh { identity, .. } = worker.reach() else { panic!("by ssh") };
    *identity = Some(other.display().to_string());
    let error = worker.link(1).hello().await.unwrap_err();
    assert!(matches!(&error, LinkError::Unreachable(text) if text.contains("Permission denied")), "{error:?}");
}

#[tokio::test]
async fn a_worker_that_does_not_listen_yet_is_unknown() {
    let mut worker = Worker::ssh();
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let Reach::Ssh { port, .. } = worker.reach() else { panic!("by ssh") };
    *port = free;
    let error = worker.link(1).hello().await.unwrap_err();
    assert!(matches!(&error, LinkError::Unknown(text) if text.contains("refused")), "{error:?}");
}

#[tokio::test]
async fn whoever_waits_for_an_opening_shares_its_end_and_a_close_waits_for_none() {
    let mut worker = Worker::ssh();
    // It takes connections and never says a word.
    let mute = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let Reach::Ssh { port, .. } = worker.reach() else { panic!("by ssh") };
    *port = mute.local_addr().unwrap().port();
    let link = worker.link(1);
    let waiting: Vec<_> = (0..3)
        .map(|_| {
            let link = std::sync::Arc::clone(&link);
            tokio::spawn(async move { link.sample().await })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(300)).await;
    tokio::time::timeout(Duration::from_secs(3), link.close()).await.expect("it closes");
    for call in waiting {
        let answer = tokio::time::timeout(Duration::from_secs(3), call).await.expect("it ends").unwrap();
        assert!(matches!(answer, Err(LinkError::Unknown(_))), "{answer:?}");
    }
    until("the control folder is gone", || !worker.control().exists()).await;
}

#[tokio::test]
async fn a_host_of_an_inventory_is_met_as_the_users_ssh_would() {
    let mut worker = Worker::ssh();
    let control = worker.control();
    let known_hosts = control.join("known_hosts");
    let identity = control.parent().unwrap().join("identity").display().to_string();
    let Reach::Ssh { host_keys, options, identity: chosen, .. } = worker.reach() else { panic!("by ssh") };
    host_keys.clear();
    *chosen = Some(identity);
    *options = vec![format!("UserKnownHostsFile={}", known_hosts.display()), "StrictHostKeyChecking=yes".into()];
    let error = worker.link(1).hello().await.unwrap_err();
    assert!(matches!(&error, LinkError::Unreachable(text) if text.contains("host key")), "{error:?}");
    let Reach::Ssh { options, .. } = worker.reach() else { panic!("by ssh") };
    options[1] = "StrictHostKeyChecking=accept-new".into();
    let link = worker.link(1);
    assert_eq!(link.hello().await.unwrap().home, worker.home().display().to_string());
    link.close().await;
    let learned = std::fs::read_to_string(&known_hosts).unwrap();
    assert!(learned.contains("ssh-ed25519"), "{learned}");
}
