//! Workers are asked for where there is room, by every way that a cloud can say no.

use serde_json::json;

use crate::cloud::Cloud;
use crate::desk::{Desk, PIPELINE};
use crate::oracle;

#[test]
fn launch_and_leave() {
    let cloud = Cloud::start();
    let desk = Desk::new(&cloud);
    desk.playbook("p.yml", PIPELINE);
    let run = desk.launch("p.yml");
    let watched = desk.attach(&run).exits(0);
    assert!(watched.stdout.contains("work-1"), "{}", watched.whole());
    desk.close(&run);
    oracle::satisfied(&desk, &run);
    assert_eq!(oracle::workers(&cloud, &run).len(), 2);
    assert_eq!(oracle::masters(&cloud, &run).len(), 1);
    desk.dayfly(&["runs"]).exits(0).says(&run);
    desk.dayfly(&["logs", &run]).exits(0).says("hello from work-0").says("hello from work-1");
    desk.dayfly(&["results", &run]).exits(0).says("work-1").says("done.txt");
    desk.dayfly(&["receipt", &run]).exits(0).says("terminated");
}

#[test]
fn one_subnet_without_addresses_and_one_without_capacity() {
    let cloud = Cloud::start();
    let desk = Desk::new(&cloud);
    cloud.fault(&json!({"addresses": {"subnet": cloud.fact("/subnets/tiny/id"), "left": 0}}));
    cloud.fault(&json!({"capacity": {"zone": "eu-west-1a", "type": "c7i.large", "left": 0}}));
    desk.playbook("p.yml", &PIPELINE.replace("[SUBNET_A, SUBNET_B]", "[SUBNET_TINY, SUBNET_A, SUBNET_B]"));
    let run = desk.launch("p.yml");
    desk.attach(&run).exits(0);
    desk.close(&run);
    oracle::satisfied(&desk, &run);
    for life in oracle::workers(&cloud, &run) {
        assert_eq!(life["zone"], "eu-west-1b", "{life}");
    }
}

#[test]
fn spot_is_gone_and_on_demand_is_taken() {
    let cloud = Cloud::start();
    let desk = Desk::new(&cloud);
    cloud.fault(&json!({"capacity": {"market": "spot", "left": 0}}));
    desk.playbook("p.yml", &PIPELINE.replace("ami: AMI\n", "ami: AMI\n      market: spot-then-on-demand\n"));
    let run = desk.launch("p.yml");
    desk.attach(&run).exits(0);
    desk.close(&run);
    oracle::satisfied(&desk, &run);
    let markets: Vec<_> = oracle::workers(&cloud, &run).iter().map(|life| life["market"].clone()).collect();
    assert_eq!(markets, [json!("on-demand"), json!("on-demand")]);
}

#[test]
fn fewer_than_wanted_but_enough() {
    let cloud = Cloud::start();
    let desk = Desk::new(&cloud)
        .env("DAYFLY_TIMING", r#"{"closing_wait_ms": 4000, "capacity_ms": 6000, "cool_down_ms": 1000}"#);
    cloud.fault(&json!({"capacity": {"type": "c7i.large", "left": 2}}));
    desk.playbook("p.yml", &PIPELINE.replace("count: 2", "count: 4\n      min_count: 2"));
    let run = desk.launch("p.yml");
    desk.attach(&run).exits(0);
    desk.close(&run);
    oracle::satisfied(&desk, &run);
    assert_eq!(oracle::workers(&cloud, &run).len(), 2);
}

#[test]
fn a_quota_is_named_and_nothing_is_left() {
    let cloud = Cloud::start();
    let desk = Desk::new(&cloud)
        .env("DAYFLY_TIMING", r#"{"closing_wait_ms": 4000, "capacity_ms": 6000, "cool_down_ms": 1000}"#);
    // The master has two, and the workers would need four more.
    cloud.fault(&json!({"quota": {"market": "on-demand", "vcpus": 3}}));
    desk.playbook("p.yml", PIPELINE);
    let run = desk.launch("p.yml");
    desk.attach(&run).exits(1).tells("VcpuLimitExceeded");
    desk.close(&run);
    oracle::satisfied(&desk, &run);
}

#[test]
fn thirty_percent_of_all_calls_are_throttled() {
    let cloud = Cloud::start();
    let desk = Desk::new(&cloud);
    cloud.fault(&json!({"throttle": {"probability": 0.3, "actions": ["ec2:*"]}}));
    desk.playbook("p.yml", PIPELINE);
    let run = desk.launch("p.yml");
    desk.attach(&run).exits(0);
    cloud.fault(&json!({"clear": {}}));
    desk.close(&run);
    oracle::satisfied(&desk, &run);
    assert_eq!(oracle::workers(&cloud, &run).len(), 2);
}

#[test]
fn answers_that_are_lost_after_the_effect_launch_nothing_twice() {
    let cloud = Cloud::start();
    let desk = Desk::new(&cloud);
    // One of the master's launch, two of the workers': the repeat of one is lost, too, and then there is no more room.
    cloud.fault(&json!({"lost_answer": {"actions": ["ec2:RunInstances"], "principal": "operator", "times": 1}}));
    cloud.fault(&json!({"lost_answer": {"actions": ["ec2:RunInstances"], "principal": "dayfly-master*", "times": 2}}));
    cloud.fault(&json!({"capacity": {"zone": "eu-west-1a", "type": "c7i.large", "left": 1}}));
    desk.playbook("p.yml", PIPELINE);
    let run = desk.launch("p.yml");
    desk.attach(&run).exits(0);
    desk.close(&run);
    oracle::satisfied(&desk, &run);
    assert_eq!(oracle::workers(&cloud, &run).len(), 2);
    assert_eq!(oracle::masters(&cloud, &run).len(), 1);
    let lost = oracle::calls(&cloud, "RunInstances").iter().filter(|call| call["lost"] == true).count();
    assert_eq!(lost, 3, "the scenario itself: answers were lost");
}

#[test]
fn a_worker_that_never_answers_is_ended_and_its_console_kept() {
    let cloud = Cloud::start();
    let desk = Desk::new(&cloud).env("DAYFLY_TIMING", r#"{"closing_wait_ms": 4000, "boot_ms": 20000}"#);
    desk.playbook("p.yml", &PIPELINE.replace("count: 2", "count: 2\n      min_count: 1"));
    let run = desk.launch("p.yml");
    // The master has its machine: the next one is a worker's.
    cloud.next_hosts(&json!({"count": 1, "boots": false}));
    desk.attach(&run).exits(0);
    desk.close(&run);
    oracle::satisfied(&desk, &run);
    let workers = oracle::workers(&cloud, &run);
    assert_eq!(workers.len(), 2);
    let kept = workers.iter().filter_map(|life| life["id"].as_str()).flat_map(|id| {
        ["work-0.1", "work-1.1"].map(|slot| desk.object(&format!("runs/{run}/console/{slot}.{id}.txt")))
    });
    let kept: Vec<String> = kept.flatten().collect();
    assert!(matches!(kept.as_slice(), [one] if one.contains("power on")), "the console of one: {kept:?}");
}
