//! What a person asks before launching, and a run whose master is the person's own process.

use serde_json::{Value, json};

use crate::cloud::Cloud;
use crate::desk::{Desk, PIPELINE};
use crate::oracle;

#[test]
fn doctor_finds_what_is_wrong_and_launches_nothing() {
    let cloud = Cloud::start();
    let desk = Desk::new(&cloud);
    desk.playbook("p.yml", PIPELINE);
    desk.dayfly(&["doctor", "p.yml"]).exits(0).never_says("PROBLEM");
    cloud.fault(&json!({"error": {
        "actions": ["ec2:RunInstances"], "code": "UnauthorizedOperation", "status": 403,
        "message": "You are not authorized to perform this operation.",
    }}));
    desk.dayfly(&["doctor", "p.yml"]).exits(1).says("PROBLEM").says("ec2:RunInstances");
    cloud.fault(&json!({"clear": {}}));
    // Who only launches masters can do that, and is told what is missing for workers.
    let trigger = Desk::new(&cloud).with_keys_of("trigger");
    trigger.playbook("p.yml", PIPELINE);
    trigger.dayfly(&["doctor", "p.yml", "--launch"]).exits(0).never_says("PROBLEM");
    let nobody = Desk::new(&cloud).with_keys_of("nobody");
    nobody.playbook("p.yml", PIPELINE);
    nobody.dayfly(&["doctor", "p.yml"]).exits(1).says("PROBLEM");
    assert_eq!(cloud.lives(), Vec::<Value>::new());
    assert_eq!(cloud.alive().iter().filter(|thing| !thing["run"].is_null()).count(), 0);
}

#[test]
fn a_plan_tells_places_and_money_and_launches_nothing() {
    let cloud = Cloud::start();
    let desk = Desk::new(&cloud);
    desk.playbook("p.yml", &PIPELINE.replace("ami: AMI\n", "ami: AMI\n      market: spot-then-on-demand\n"));
    let plan =
        desk.dayfly(&["plan", "p.yml"]).exits(0).says("eu-west-1a").says("eu-west-1b").says("spot").says("estimate");
    assert!(plan.stdout.contains("t3.small"), "the master's machine costs, too: {}", plan.whole());
    let json = desk.dayfly(&["plan", "p.yml", "--json"]).exits(0);
    serde_json::from_str::<Value>(&json.stdout).unwrap_or_else(|error| panic!("{error}: {}", json.whole()));
    assert_eq!(cloud.lives(), Vec::<Value>::new());
}

#[test]
fn a_master_in_the_terminal_runs_on_machines_of_ec2() {
    let cloud = Cloud::start();
    let desk = Desk::new(&cloud);
    desk.playbook("p.yml", PIPELINE);
    let ran = desk.dayfly(&["run", "p.yml"]).exits(0).says("work-1");
    let run = cloud.lives().first().and_then(|life| life["tags"]["dayfly:run"].as_str().map(str::to_owned));
    let run = run.unwrap_or_else(|| panic!("no worker: {}", ran.whole()));
    desk.close(&run);
    oracle::satisfied(&desk, &run);
    assert_eq!(oracle::workers(&cloud, &run).len(), 2);
    assert_eq!(oracle::masters(&cloud, &run).len(), 0);
    desk.dayfly(&["logs", &run]).exits(0).says("hello from work-1");
}
