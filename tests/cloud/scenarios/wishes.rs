//! People tell a run to stop or to stay longer, at any time; and the end that nobody asked for.

use std::time::Duration;

use serde_json::json;

use crate::cloud::Cloud;
use crate::desk::{Desk, PIPELINE};
use crate::masters::{SWIFT, mark, reap_until_closed};
use crate::oracle;

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
fn a_run_is_cancelled_while_its_workers_boot() {
    let cloud = Cloud::start();
    let desk = Desk::new(&cloud).env("DAYFLY_TIMING", SWIFT);
    desk.playbook("p.yml", PIPELINE);
    let run = desk.launch("p.yml");
    cloud.next_hosts(&json!({"count": 2, "boot_delay_seconds": 20}));
    cloud.until("workers", Duration::from_mins(1), || (oracle::workers(&cloud, &run).len() == 2).then_some(()));
    desk.dayfly(&["cancel", &run]).exits(0);
    desk.attach(&run).exits(130);
    reap_until_closed(&desk, &run);
    assert_eq!(desk.receipt(&run)["outcome"], "cancelled");
    assert!(oracle::marks(&cloud, &run).is_empty());
}

#[test]
fn a_run_is_cancelled_while_it_is_collected() {
    let cloud = Cloud::start();
    let desk = Desk::new(&cloud).env("DAYFLY_TIMING", SWIFT);
    desk.playbook("p.yml", PIPELINE);
    cloud.fault(&json!({"slow": {"actions": ["s3:PutObject"], "key": "*/results/*", "seconds": 4}}));
    let run = desk.launch("p.yml");
    cloud.until("a first result", Duration::from_mins(1), || {
        desk.object(&format!("runs/{run}/results/work-0/done.txt"))
    });
    desk.dayfly(&["cancel", &run]).exits(0);
    let followed = desk.attach(&run);
    reap_until_closed(&desk, &run);
    // Every play had come to its end: whichever word was heard first, nothing is lost.
    let outcome = desk.receipt(&run)["outcome"].clone();
    assert_eq!(outcome, if followed.code == 0 { "succeeded" } else { "cancelled" }, "{}", followed.whole());
    for worker in ["work-0", "work-1"] {
        assert!(desk.object(&format!("runs/{run}/results/{worker}/done.txt")).is_some(), "{worker}'s result is lost");
    }
}
