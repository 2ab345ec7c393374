//! The master dies, hangs or is not heard; the run ends all the same, and once.

use std::time::Duration;

use serde_json::{Value, json};

use crate::cloud::Cloud;
use crate::desk::{Desk, PIPELINE};
use crate::oracle;

/// Durations short enough to see a takeover.
pub const SWIFT: &str = r#"{"closing_wait_ms": 4000, "take_over_ms": 10000, "beat_ms": 1000, "beat_dead_ms": 5000,
    "reconnect_ms": 200, "self_fence_ms": 3500, "capacity_ms": 120000}"#;

pub fn id(life: &Value) -> String {
    life["id"].as_str().expect("an id").to_owned()
}

/// Waits for a mark that contains a text.
pub fn mark(cloud: &Cloud, run: &str, text: &str) {
    cloud.until(&format!("the mark {text:?}"), Duration::from_secs(90), || {
        oracle::marks(cloud, run).into_iter().find(|mark| mark.contains(text))
    });
}

/// Lets the reaper look every few seconds until the run is closed, as a schedule would.
pub fn reap_until_closed(desk: &Desk, run: &str) {
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
    desk.playbook("p.yml", &PIPELINE.replace("seconds | default(1)", "15"));
    let run = desk.launch("p.yml");
    mark(&cloud, &run, "begin while");
    cloud.host(&id(&oracle::masters(&cloud, &run)[0]), "crash", &json!({}));
    reap_until_closed(&desk, &run);
    assert_eq!(oracle::masters(&cloud, &run).len(), 2);
    assert_eq!(oracle::workers(&cloud, &run).len(), 2, "the workers lived through it");
    assert_eq!(desk.receipt(&run)["outcome"], "succeeded");
}

/// How a master dies.
#[derive(Clone, Copy)]
enum Death {
    Process,
    Machine,
}

/// Kills the only master, and asserts that the run succeeds all the same, with two workers in all.
fn goes_on_after(desk: &Desk, run: &str, death: Death) {
    let cloud = desk.cloud();
    let master = id(&oracle::masters(cloud, run)[0]);
    match death {
        Death::Process => cloud.run_on(&master, "pkill -9 -f 'dayfly master'"),
        Death::Machine => cloud.host(&master, "crash", &json!({})),
    };
    cloud.fault(&json!({"clear": {}}));
    reap_until_closed(desk, run);
    let receipt = desk.receipt(run);
    assert_eq!(receipt["outcome"], "succeeded");
    assert_eq!(receipt["epochs"], 2);
    let masters = match death {
        Death::Process => 1,
        Death::Machine => 2,
    };
    assert_eq!(oracle::masters(cloud, run).len(), masters);
    assert_eq!(oracle::workers(cloud, run).len(), 2, "no worker was launched twice");
}

fn killed_before_its_workers_launch(death: Death) {
    let cloud = Cloud::start();
    let desk = Desk::new(&cloud).env("DAYFLY_TIMING", SWIFT);
    cloud.fault(&json!({"capacity": {"type": "c7i.large", "left": 0}}));
    desk.playbook("p.yml", PIPELINE);
    let run = desk.launch("p.yml");
    cloud.until("a launch that is refused", Duration::from_mins(1), || {
        oracle::calls(&cloud, "RunInstances").into_iter().find(|call| call["epoch"] == 1 && call["status"] != 200)
    });
    goes_on_after(&desk, &run, death);
}

/// The answer to the launch comes late: the machines are there, and no master was told so.
fn killed_while_its_workers_launch(death: Death) {
    let cloud = Cloud::start();
    let desk = Desk::new(&cloud).env("DAYFLY_TIMING", SWIFT);
    desk.playbook("p.yml", PIPELINE);
    let run = desk.launch("p.yml");
    cloud.fault(&json!({"slow": {"actions": ["ec2:RunInstances"], "seconds": 15}}));
    cloud.until("workers", Duration::from_mins(1), || (oracle::workers(&cloud, &run).len() == 2).then_some(()));
    goes_on_after(&desk, &run, death);
}

#[test]
fn a_master_whose_process_is_killed_before_its_workers_launch() {
    killed_before_its_workers_launch(Death::Process);
}

#[test]
fn a_master_whose_machine_dies_before_its_workers_launch() {
    killed_before_its_workers_launch(Death::Machine);
}

#[test]
fn a_master_whose_process_is_killed_while_its_workers_launch() {
    killed_while_its_workers_launch(Death::Process);
}

#[test]
fn a_master_whose_machine_dies_while_its_workers_launch() {
    killed_while_its_workers_launch(Death::Machine);
}

#[test]
fn a_reaper_beside_a_starting_run_changes_nothing() {
    let cloud = Cloud::start();
    let desk = Desk::new(&cloud);
    desk.playbook("p.yml", PIPELINE);
    let reaper = desk.start(&["reap", "--watch", "200ms"]);
    let run = desk.launch("p.yml");
    desk.attach(&run).exits(0);
    cloud.until("the proof", Duration::from_mins(1), || desk.object(&format!("runs/{run}/closed.json")));
    cloud.until("its last look", Duration::from_secs(20), || {
        desk.object(&format!("index/open/{run}")).is_none().then_some(())
    });
    reaper.dies();
    oracle::satisfied(&desk, &run);
    assert_eq!(oracle::masters(&cloud, &run).len(), 1);
    assert_eq!(oracle::workers(&cloud, &run).len(), 2);
}

#[test]
fn two_reapers_launch_one_successor() {
    let cloud = Cloud::start();
    let desk = Desk::new(&cloud).env("DAYFLY_TIMING", SWIFT);
    let other = Desk::new(&cloud).env("DAYFLY_TIMING", SWIFT);
    desk.playbook("p.yml", &PIPELINE.replace("seconds | default(1)", "20"));
    let run = desk.launch("p.yml");
    mark(&cloud, &run, "begin while");
    let reapers = [desk.start(&["reap", "--watch", "300ms"]), other.start(&["reap", "--watch", "300ms"])];
    cloud.host(&id(&oracle::masters(&cloud, &run)[0]), "crash", &json!({}));
    cloud.until("the proof", Duration::from_mins(2), || desk.object(&format!("runs/{run}/closed.json")));
    cloud.until("its last look", Duration::from_secs(20), || {
        desk.object(&format!("index/open/{run}")).is_none().then_some(())
    });
    for reaper in reapers {
        reaper.dies();
    }
    oracle::satisfied(&desk, &run);
    assert_eq!(oracle::masters(&cloud, &run).len(), 2);
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
    cloud.until("a second master", Duration::from_mins(1), || {
        desk.dayfly(&["reap"]);
        (oracle::masters(&cloud, &run).len() == 2).then_some(())
    });
    let second = cloud.until("the second epoch at work", Duration::from_mins(1), || {
        desk.object(&format!("runs/{run}/beat/000002.json"))
    });
    assert!(second.contains("\"epoch\":2"), "{second}");
    cloud.host(&old, "thaw", &json!({}));
    reap_until_closed(&desk, &run);
    assert_eq!(desk.receipt(&run)["outcome"], "succeeded");
    assert_eq!(desk.receipt(&run)["epochs"], 2);
}

#[test]
fn a_store_that_denies_writes_for_a_while_loses_nothing() {
    let cloud = Cloud::start();
    let desk = Desk::new(&cloud).env(
        "DAYFLY_TIMING",
        r#"{"closing_wait_ms": 4000, "self_fence_ms": 20000, "beat_dead_ms": 30000, "store_patience_ms": 60000}"#,
    );
    desk.playbook("p.yml", &PIPELINE.replace("seconds | default(1)", "5"));
    let run = desk.launch("p.yml");
    mark(&cloud, &run, "begin while");
    cloud.fault(&json!({"s3_deny": {"seconds": 10}}));
    desk.attach(&run).exits(0);
    reap_until_closed(&desk, &run);
    assert_eq!(desk.receipt(&run)["outcome"], "succeeded");
}

#[test]
fn a_worker_that_reboots_is_the_same_worker() {
    let cloud = Cloud::start();
    let desk = Desk::new(&cloud);
    desk.playbook("p.yml", &PIPELINE.replace("seconds | default(1)", "20").replace("echo done", "true; echo done"));
    let run = desk.launch("p.yml");
    mark(&cloud, &run, "begin while");
    cloud.host(&id(&oracle::workers(&cloud, &run)[0]), "reboot", &json!({}));
    // The step was stopped with its machine: a command without `creates` is not run again by itself, and that is said.
    desk.attach(&run).exits(2).tells("the step was stopped: ended by a signal");
    reap_until_closed(&desk, &run);
    assert_eq!(oracle::workers(&cloud, &run).len(), 2);
}
