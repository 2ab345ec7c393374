//! What cannot be had is said before anything is launched: which thing, where it is written, what to do.

use serde_json::json;

use crate::cloud::Cloud;
use crate::desk::{Desk, PIPELINE};
use crate::oracle;

/// Launches a playbook that must be refused, and asserts that nothing was launched.
fn refused(desk: &Desk, playbook: &str, words: &[&str]) {
    desk.playbook("p.yml", playbook);
    let ended = desk.dayfly(&["launch", "p.yml"]);
    assert!(ended.code != 0, "it was launched: {}", ended.whole());
    for word in words {
        assert!(ended.stderr.contains(word), "nothing says {word:?}: {}", ended.whole());
    }
    assert_eq!(desk.cloud().lives(), Vec::<serde_json::Value>::new(), "{}", ended.whole());
}

#[test]
fn what_does_not_exist_is_named_and_nothing_is_launched() {
    let cloud = Cloud::start();
    let desk = Desk::new(&cloud);
    let with = |from: &str, to: &str| PIPELINE.replacen(from, to, 1);
    refused(&desk, &PIPELINE.replace("ami: AMI", "ami: ami-0123456789abcdef0"), &["ami-0123456789abcdef0"]);
    refused(&desk, &PIPELINE.replace("ami: AMI", "ami: \"ssm:/no/such/parameter\""), &["/no/such/parameter"]);
    refused(&desk, &with("[SUBNET_A, SUBNET_B]", "[subnet-0123456789abcdef0]"), &["subnet-0123456789abcdef0", "work"]);
    refused(&desk, &with("[c7i.large]", "[c7i.lagre]"), &["c7i.lagre", "work"]);
    refused(&desk, &PIPELINE.replace("eu-west-1", "eu-west-9"), &["eu-west-9"]);
    refused(&desk, &with("MASTER_PROFILE", "no-such-profile"), &["no-such-profile"]);
    let foreign = cloud.fact("/foreign_security_group");
    refused(
        &desk,
        &with("ami: AMI\nplays", &format!("ami: AMI\n      security_groups: [{foreign}]\nplays")),
        &[&foreign, "vpc-"],
    );
}

#[test]
fn keys_and_stores_that_cannot_be_used_are_explained() {
    let cloud = Cloud::start();
    let desk = Desk::new(&cloud);
    desk.playbook("p.yml", PIPELINE);
    desk.dayfly(&["launch", "p.yml", "--store", "s3://no-such-bucket-here/x"]).tells("no-such-bucket-here");
    desk.dayfly(&["launch", "p.yml", "--store", "/tmp/a-folder"]).tells("s3://");
    desk.dayfly(&["launch", "p.yml", "--store", "s3://UPPER_case/x"]).tells("bucket");
    let nobody = Desk::new(&cloud).env("AWS_ACCESS_KEY_ID", "AKIAUNKNOWN").env("AWS_SECRET_ACCESS_KEY", "wrong");
    nobody.playbook("p.yml", PIPELINE);
    let ended = nobody.dayfly(&["launch", "p.yml"]);
    assert!(ended.code != 0, "{}", ended.whole());
    let none = Desk::new(&cloud).env("AWS_ACCESS_KEY_ID", "").env("AWS_SECRET_ACCESS_KEY", "");
    none.playbook("p.yml", PIPELINE);
    none.dayfly(&["launch", "p.yml"]).tells("credentials");
    assert_eq!(cloud.lives(), Vec::<serde_json::Value>::new());
}

#[test]
fn a_missing_permission_of_the_trigger_is_named() {
    let cloud = Cloud::start();
    let desk = Desk::new(&cloud).with_keys_of("nobody");
    desk.playbook("p.yml", PIPELINE);
    let ended = desk.dayfly(&["launch", "p.yml"]);
    assert!(ended.code != 0, "{}", ended.whole());
    assert_eq!(cloud.lives(), Vec::<serde_json::Value>::new());
}

#[test]
fn a_missing_permission_of_the_master_ends_the_run_and_is_named() {
    let cloud = Cloud::start();
    let desk = Desk::new(&cloud);
    cloud.fault(&json!({"error": {
        "actions": ["ec2:RunInstances"], "principal": "dayfly-master*", "code": "UnauthorizedOperation", "status": 403,
        "message": "You are not authorized to perform this operation.",
    }}));
    desk.playbook("p.yml", PIPELINE);
    let run = desk.launch("p.yml");
    desk.attach(&run).exits(1).tells("UnauthorizedOperation");
    desk.close(&run);
    oracle::satisfied(&desk, &run);
    assert_eq!(oracle::workers(&cloud, &run).len(), 0);
}
