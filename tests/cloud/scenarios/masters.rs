//! The master dies, hangs, is told to stop or to stay longer; the run ends all the same, and once.

use std::time::Duration;

use serde_json::{Value, json};

use crate::cloud::Cloud;
use crate::desk::{Desk, PIPELINE};
use crate::oracle;

/// Durations short enough to see a takeover.
const SWIFT: &str = r#"{"closing_wait_ms": 4000, "take_over_ms": 15000, "beat_ms": 1000, "beat_dead_ms": 5000,
    "reconnect_ms": 200, "self_fence_ms": 3500}"#;

fn id(life: &Value) -> String {
    life["id"].as_str().expect("an id").to_owned()
}

/// Waits for a mark that contains a text.
fn mark(cloud: &Cloud, run: &str, text: &str) {
    cloud.until(&format!("the mark {text:?}"), Duration::from_secs(90), || {
        oracle::marks(cloud, run).into_iter().find(|mark| mark.contains(text))
    });
}

/// Lets the reaper look every few seconds until the run is closed, as a schedule would.
fn reap_until_closed(desk: &Desk, run: &str) {
    desk.close(run);
    oracle::satisfied(desk, run);
}

#[test]
fn a_master_whose_process_is_killed_goes_on_by_itself() {
    let cloud = Cloud::start();
    let desk = Desk::new(&cloud).env("DAYFLY_TIMING", SWIFT);
    desk.playbook("p.yml", &PIPELINE.replace("seconds | default(1)", "12"));
    let run = desk.launch("p.yml");
    mark(&cloud, &run, "begin while");
    let master = id(&oracle::masters(&cloud, &run)[0]);
    cloud.run_on(&master, "pkill -9 -f 'dayfly master'");
    desk.attach(&run).exits(0);
    reap_until_closed(&desk, &run);
    assert_eq!(oracle::masters(&cloud, &run).len(), 1, "the unit restarts it on the same machine");
    let receipt = desk.receipt(&run);
    assert_eq!(receipt["epochs"], 2);
}

#[test]
fn a_master_whose_machine_is_gone_is_replaced_by_the_reaper() {
    let cloud = Cloud::start();
    let desk = Desk::new(&cloud).env("DAYFLY_TIMING", SWIFT);
    desk.playbook("p.yml", &PIPELINE.replace("seconds | default(1)", "25"));
    let run = desk.launch("p.yml");
    mark(&cloud, &run, "begin while");
    cloud.host(&id(&oracle::masters(&cloud, &run)[0]), "crash", &json!({}));
    reap_until_closed(&desk, &run);
    assert_eq!(oracle::masters(&cloud, &run).len(), 2);
    assert_eq!(oracle::workers(&cloud, &run).len(), 2, "the workers lived through it");
    assert_eq!(desk.receipt(&run)["outcome"], "succeeded");
}

#[test]
fn a_master_that_never_boots_is_asked_for_again() {
    let cloud = Cloud::start();
    let desk = Desk::new(&cloud).env("DAYFLY_TIMING", SWIFT);
    desk.playbook("p.yml", PIPELINE);
    cloud.next_hosts(&json!({"count": 1, "boots": false}));
    let run = desk.launch("p.yml");
    reap_until_closed(&desk, &run);
    assert_eq!(desk.receipt(&run)["outcome"], "succeeded");
    assert_eq!(oracle::masters(&cloud, &run).len(), 2);
}

#[test]
fn a_frozen_master_that_comes_back_after_its_takeover_does_nothing() {
    let cloud = Cloud::start();
    let desk = Desk::new(&cloud).env("DAYFLY_TIMING", SWIFT);
    desk.playbook("p.yml", &PIPELINE.replace("seconds | default(1)", "30"));
    let run = desk.launch("p.yml");
    mark(&cloud, &run, "begin while");
    let old = id(&oracle::masters(&cloud, &run)[0]);
    cloud.host(&old, "freeze", &json!({}));
    cloud.until("a second master", Duration::from_secs(60), || {
        desk.dayfly(&["reap"]);
        (oracle::masters(&cloud, &run).len() == 2).then_some(())
    });
    let second = cloud.until("the second epoch at work", Duration::from_secs(60), || {
        desk.object(&format!("runs/{run}/beat/000002.json"))
    });
    assert!(second.contains("\"epoch\":2"), "{second}");
    cloud.host(&old, "thaw", &json!({}));
    reap_until_closed(&desk, &run);
    assert_eq!(desk.receipt(&run)["outcome"], "succeeded");
    assert_eq!(desk.receipt(&run)["epochs"], 2);
}

#[test]
fn a_run_is_cancelled_while_its_steps_run() {
    let cloud = Cloud::start();
    let desk = Desk::new(&cloud).env("DAYFLY_TIMING", SWIFT);
    desk.playbook("p.yml", &PIPELINE.replace("seconds | default(1)", "120"));
    let run = desk.launch("p.yml");
    mark(&cloud, &run, "begin while");
    desk.dayfly(&["cancel", &run]).exits(0);
    desk.attach(&run).exits(130);
    reap_until_closed(&desk, &run);
    assert_eq!(desk.receipt(&run)["outcome"], "cancelled");
}

#[test]
fn a_run_is_cancelled_before_its_master_booted() {
    let cloud = Cloud::start();
    let desk = Desk::new(&cloud).env("DAYFLY_TIMING", SWIFT);
    desk.playbook("p.yml", PIPELINE);
    let run = desk.launch("p.yml");
    desk.dayfly(&["cancel", &run]).exits(0);
    reap_until_closed(&desk, &run);
    assert_eq!(desk.receipt(&run)["outcome"], "cancelled");
    assert!(oracle::marks(&cloud, &run).is_empty());
}

#[test]
fn ttl_ends_everything() {
    let cloud = Cloud::start();
    let desk = Desk::new(&cloud).env("DAYFLY_TIMING", SWIFT);
    desk.playbook("p.yml", &PIPELINE.replace("seconds | default(1)", "600").replace("ttl: 15m", "ttl: 60s"));
    let run = desk.launch("p.yml");
    reap_until_closed(&desk, &run);
    assert_eq!(desk.receipt(&run)["outcome"], "expired");
}

#[test]
fn an_extended_run_lives_longer() {
    let cloud = Cloud::start();
    let desk = Desk::new(&cloud).env("DAYFLY_TIMING", SWIFT);
    desk.playbook("p.yml", &PIPELINE.replace("seconds | default(1)", "70").replace("ttl: 15m", "ttl: 60s"));
    let run = desk.launch("p.yml");
    mark(&cloud, &run, "begin while");
    desk.dayfly(&["extend", &run, "10m"]).exits(0);
    desk.attach(&run).exits(0);
    desk.close(&run);
    assert_eq!(desk.receipt(&run)["outcome"], "succeeded");
    oracle::nothing_lives(&cloud, &run);
    oracle::no_step_twice(&cloud, &run);
}

#[test]
fn a_store_that_denies_writes_for_a_while_loses_nothing() {
    let cloud = Cloud::start();
    let desk = Desk::new(&cloud).env("DAYFLY_TIMING", r#"{"closing_wait_ms": 4000, "store_patience_ms": 60000}"#);
    desk.playbook("p.yml", &PIPELINE.replace("seconds | default(1)", "5"));
    let run = desk.launch("p.yml");
    mark(&cloud, &run, "begin while");
    cloud.fault(&json!({"s3_deny": {"seconds": 10}}));
    desk.attach(&run);
    reap_until_closed(&desk, &run);
    assert_eq!(desk.receipt(&run)["outcome"], "succeeded");
}

#[test]
fn without_master_and_reaper_every_machine_ends_by_its_own_timers() {
    let cloud = Cloud::start();
    let desk =
        Desk::new(&cloud).env("DAYFLY_TIMING", r#"{"closing_wait_ms": 4000, "lease_ms": 20000, "renew_ms": 3000}"#);
    desk.playbook("p.yml", &PIPELINE.replace("seconds | default(1)", "600"));
    let run = desk.launch("p.yml");
    mark(&cloud, &run, "begin while");
    cloud.host(&id(&oracle::masters(&cloud, &run)[0]), "crash", &json!({}));
    // Nobody looks: the leases of the workers end.
    cloud.until("the end of all workers", Duration::from_secs(90), || {
        oracle::workers(&cloud, &run).iter().all(|life| !life["ended"].is_null()).then_some(())
    });
}

#[test]
fn a_worker_that_reboots_is_the_same_worker() {
    let cloud = Cloud::start();
    let desk = Desk::new(&cloud);
    desk.playbook("p.yml", &PIPELINE.replace("seconds | default(1)", "20").replace("echo done", "true; echo done"));
    let run = desk.launch("p.yml");
    mark(&cloud, &run, "begin while");
    cloud.host(&id(&oracle::workers(&cloud, &run)[0]), "reboot", &json!({}));
    // The step was interrupted: a command without `creates` is not run again by itself, and that is said.
    desk.attach(&run).exits(2).tells("interrupted");
    reap_until_closed(&desk, &run);
    assert_eq!(oracle::workers(&cloud, &run).len(), 2);
}
