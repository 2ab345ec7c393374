//! Four layers end the machines of a run, each without the three others: the master's teardown (every other scenario),
//! the lease, the deadline's timer, the reaper by tag.

use std::time::Duration;

use serde_json::json;

use crate::cloud::Cloud;
use crate::desk::{Desk, PIPELINE};
use crate::masters::{SWIFT, id, mark, reap_until_closed};
use crate::oracle;

/// Everything of a run ends within a time, and nobody is asked to help.
fn all_end(cloud: &Cloud, run: &str, limit: Duration) {
    cloud.until("the end of all machines", limit, || {
        oracle::lives(cloud, run).iter().all(|life| !life["ended"].is_null()).then_some(())
    });
}

/// The master's process hangs, and its machine lives on.
fn hang_master(cloud: &Cloud, run: &str) {
    let master = id(&oracle::masters(cloud, run)[0]);
    cloud.run_on(&master, "pkill -STOP -f 'dayfly [m]aster'");
}

#[test]
fn the_lease_alone() {
    let cloud = Cloud::start();
    let timing = r#"{"closing_wait_ms": 4000, "lease_ms": 20000, "renew_ms": 3000}"#;
    let desk = Desk::new(&cloud).env("DAYFLY_TIMING", timing);
    desk.playbook("p.yml", &PIPELINE.replace("seconds | default(1)", "600"));
    let run = desk.launch("p.yml");
    mark(&cloud, &run, "begin while");
    hang_master(&cloud, &run);
    all_end(&cloud, &run, Duration::from_mins(1));
    let ended = oracle::calls(&cloud, "TerminateInstances");
    assert!(ended.is_empty(), "a machine was ended from outside: {ended:?}");
}

#[test]
fn the_timer_of_the_deadline_alone() {
    let cloud = Cloud::start();
    let timing = r#"{"closing_wait_ms": 4000, "lease_ms": 3600000, "collect_reserve_ms": 5000}"#;
    let desk = Desk::new(&cloud).env("DAYFLY_TIMING", timing);
    let playbook = PIPELINE.replace("seconds | default(1)", "600").replace("ttl: 15m", "ttl: 60s");
    desk.playbook("p.yml", &playbook);
    let run = desk.launch("p.yml");
    mark(&cloud, &run, "begin while");
    hang_master(&cloud, &run);
    all_end(&cloud, &run, Duration::from_mins(2));
    let ended = oracle::calls(&cloud, "TerminateInstances");
    assert!(ended.is_empty(), "a machine was ended from outside: {ended:?}");
    reap_until_closed(&desk, &run);
}

#[test]
fn the_reaper_by_tag_alone_while_no_store_answers() {
    let cloud = Cloud::start();
    let desk = Desk::new(&cloud).env("DAYFLY_TIMING", SWIFT);
    desk.playbook("p.yml", &PIPELINE.replace("ttl: 15m", "ttl: 60s"));
    let run = desk.launch("p.yml");
    // Machines that never boot have no timers, and a crashed one has none any more.
    cloud.next_hosts(&json!({"count": 2, "boots": false}));
    cloud.until("workers", Duration::from_mins(1), || (oracle::workers(&cloud, &run).len() == 2).then_some(()));
    cloud.host(&id(&oracle::masters(&cloud, &run)[0]), "crash", &json!({}));
    cloud.fault(&json!({"error": {"actions": ["s3:*"], "code": "AccessDenied", "status": 403}}));
    cloud.until("the end of all machines", Duration::from_secs(150), || {
        desk.dayfly(&["reap"]);
        oracle::lives(&cloud, &run).iter().all(|life| !life["ended"].is_null()).then_some(())
    });
    cloud.fault(&json!({"clear": {}}));
    reap_until_closed(&desk, &run);
}

#[test]
fn the_teardown_with_the_true_durations() {
    let cloud = Cloud::start();
    // The closing wait of ten minutes is left out: the run is followed to its receipt and the end of its machines.
    let desk = Desk::new(&cloud).env("DAYFLY_TIME_SCALE", "1").env("DAYFLY_TIMING", "{}");
    desk.playbook("p.yml", PIPELINE);
    let run = desk.launch("p.yml");
    desk.attach(&run).exits(0);
    all_end(&cloud, &run, Duration::from_mins(1));
    let receipt = desk.receipt(&run);
    assert_eq!(receipt["outcome"], "succeeded");
    assert_eq!(receipt["resources"].as_array().map(Vec::len), Some(2));
    // The first look ends the run's security group; the proof is minutes away.
    desk.dayfly(&["reap"]).exits(7);
    desk.dayfly(&["reap"]).exits(7).tells("proven in");
    oracle::nothing_lives(&cloud, &run);
    oracle::no_step_twice(&cloud, &run);
    assert_eq!(oracle::workers(&cloud, &run).len(), 2);
}
