//! Whom a master believes, and what it needs to be believed: host keys, credentials that end, few endpoints.

use std::time::Duration;

use serde_json::json;

use crate::cloud::Cloud;
use crate::desk::{Desk, PIPELINE};
use crate::oracle;

#[test]
fn a_worker_that_shows_another_host_key_is_not_spoken_to() {
    let cloud = Cloud::start();
    let desk = Desk::new(&cloud).env("DAYFLY_TIMING", r#"{"closing_wait_ms": 4000, "boot_ms": 40000}"#);
    desk.playbook("p.yml", &PIPELINE.replace("count: 2", "count: 1"));
    let run = desk.launch("p.yml");
    // The first worker boots where nobody can reach it, and has another key when it comes into sight.
    cloud.next_hosts(&json!({"count": 1, "boot_delay_seconds": 2}));
    let worker = cloud.until("a worker", Duration::from_mins(1), || oracle::workers(&cloud, &run).pop());
    let worker = worker["id"].as_str().expect("an id").to_owned();
    cloud.until("a cut cable", Duration::from_secs(20), || {
        cloud.host(&worker, "cut", &json!({}))["error"].is_null().then_some(())
    });
    cloud.until("an sshd with another key", Duration::from_mins(1), || {
        let other = "cd /etc/ssh && test -e /var/lib/cloud/instance/boot-finished \
                     && ssh-keygen -q -t ed25519 -N '' -f other && mv other ssh_host_ed25519_key \
                     && mv other.pub ssh_host_ed25519_key.pub && systemctl restart ssh";
        (cloud.run_on(&worker, other)["code"] == 0).then_some(())
    });
    cloud.host(&worker, "join", &json!({}));
    let watched = desk.attach(&run).tells("the host key is not the one that was pinned");
    assert!(watched.code != 0, "{}", watched.whole());
    desk.close(&run);
    oracle::satisfied(&desk, &run);
    assert_eq!(oracle::marks(&cloud, &run), Vec::<String>::new(), "it was given a step");
}

#[test]
fn credentials_that_end_in_the_middle_are_fetched_anew() {
    let cloud = Cloud::start();
    let desk = Desk::new(&cloud);
    desk.playbook("p.yml", &PIPELINE.replace("seconds | default(1)", "4"));
    let run = desk.launch("p.yml");
    cloud.until("a step", Duration::from_secs(90), || {
        oracle::marks(&cloud, &run).into_iter().find(|mark| mark.contains("begin while"))
    });
    cloud.fault(&json!({"credentials_expire": {"role": "dayfly-master"}}));
    desk.attach(&run).exits(0);
    desk.close(&run);
    oracle::satisfied(&desk, &run);
    assert_eq!(oracle::masters(&cloud, &run).len(), 1);
    assert_eq!(desk.receipt(&run)["epochs"], 1);
}

#[test]
fn a_master_in_a_private_subnet_needs_s3_and_ec2_alone() {
    let cloud = Cloud::start();
    let desk = Desk::new(&cloud);
    // An image by its parameter is looked up by the person who launches.
    desk.playbook("p.yml", &PIPELINE.replace("ami: AMI", &format!("ami: \"ssm:{}\"", cloud.fact("/ami_ssm"))));
    let run = desk.launch("p.yml");
    desk.attach(&run).exits(0);
    desk.close(&run);
    oracle::satisfied(&desk, &run);
    let calls = cloud.calls();
    let of_master: Vec<_> = calls
        .iter()
        .filter(|call| call["principal"].as_str().is_some_and(|name| name.contains("dayfly-master")))
        .collect();
    assert!(!of_master.is_empty(), "the master called nothing");
    for call in of_master {
        assert!(call["service"] == "s3" || call["service"] == "ec2", "{call}");
    }
}
