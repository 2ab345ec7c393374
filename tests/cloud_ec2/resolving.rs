//! What a cluster's names mean, and what is said of those that mean nothing.

use dayfly::core::ids::GroupName;
use dayfly::core::records::{GroupSpec, MasterSpec, VolumeSpec};
use dayfly::platform::cloud::ec2::resolve_by;
use serde_json::json;

use crate::account::Account;

fn strings(of: &[&str]) -> Vec<String> {
    of.iter().map(|text| (*text).to_owned()).collect()
}

#[tokio::test]
async fn names_become_ids_zones_and_disks() {
    let mut account = Account::start();
    let subnets = account.work().subnets.clone();
    account.work().instance_types = strings(&["c5.large", "m6g.large", "g5.xlarge"]);
    for (name, ami) in [
        ("by-owner", "099720109477/ubuntu/images/*noble*amd64*"),
        ("by-parameter", "ssm:/aws/service/canonical/ubuntu/server/24.04/stable/current/amd64/hvm/ebs-gp3/ami-id"),
    ] {
        let group = GroupSpec {
            instance_types: strings(&["c5.large"]),
            subnets: subnets.clone(),
            ami: Some(ami.to_owned()),
            ..GroupSpec::default()
        };
        account.cluster.groups.insert(GroupName::new(name), group);
    }
    account.cluster.master = Some(MasterSpec {
        instance_type: Some("t3.small".to_owned()),
        subnets,
        iam_instance_profile: Some("dayfly-master".to_owned()),
        ..MasterSpec::default()
    });
    let config = account.pocket.config("trigger", &account.pocket.endpoint()).await;
    let resolution = resolve_by(&config, &account.cluster, true).await.unwrap();
    let master = resolution.master.unwrap();
    assert_eq!((master.arch.as_str(), master.picks.len()), ("x86_64", 2));
    assert_eq!(master.picks[0].place["iam_instance_profile"], "dayfly-master");
    let mut resolved = resolution.resolved;
    let known = resolved.as_object_mut().unwrap().remove("subnets").unwrap();
    for (name, zone) in [("/subnets/a", "eu-west-1a"), ("/subnets/b", "eu-west-1b")] {
        let wanted = json!({"zone": zone, "vpc": account.pocket.text("/vpc")});
        assert_eq!(known[account.pocket.text(name)], wanted);
    }
    insta::assert_snapshot!(account.told(&serde_json::to_string_pretty(&resolved).unwrap()));
}

#[tokio::test]
async fn every_wrong_name_is_said_at_once_and_with_its_key() {
    let mut account = Account::start();
    let foreign = account.pocket.text("/other_security_group");
    let subnets = account.work().subnets.clone();
    let arm = account.pocket.text("/images/arm64");
    let mut group = |name: &str, change: &dyn Fn(&mut GroupSpec)| {
        let mut spec =
            GroupSpec { instance_types: strings(&["c5.large"]), subnets: subnets.clone(), ..GroupSpec::default() };
        change(&mut spec);
        account.cluster.groups.insert(GroupName::new(name), spec);
    };
    group("subnet", &|spec| spec.subnets.push("subnet-0123456789abcdef0".to_owned()));
    group("type", &|spec| spec.instance_types.push("c9.tiny".to_owned()));
    group("zone", &|spec| {
        spec.instance_types = strings(&["g6.xlarge"]);
        spec.subnets.remove(0);
    });
    group("image", &|spec| spec.ami = Some("ami-0123456789abcdef0".to_owned()));
    group("parameter", &|spec| spec.ami = Some("ssm:/aws/service/nothing".to_owned()));
    group("named", &|spec| spec.ami = Some("self/nothing-*".to_owned()));
    group("architecture", &|spec| spec.ami = Some(arm.clone()));
    group("foreign", &|spec| spec.security_groups = vec![foreign.clone()]);
    group("unknown", &|spec| spec.security_groups = strings(&["sg-0123456789abcdef0"]));
    group("small", &|spec| spec.volume = Some(VolumeSpec { size_gib: 1 }));
    group("nobody", &|spec| {
        spec.count = 0;
        spec.subnets.clear();
    });
    let wrong = account.resolved().await.unwrap_err();
    insta::assert_snapshot!(wrong);
}

#[tokio::test]
async fn what_nobody_can_guess_is_asked_for_and_who_may_not_ask_is_told() {
    let mut account = Account::start();
    let mut told = Vec::new();
    account.ask_as("nobody");
    told.push(account.resolved().await.unwrap_err());
    account.work().subnets.clear();
    account.work().instance_types.clear();
    told.push(account.resolved().await.unwrap_err());
    insta::assert_snapshot!(told.join("\n"));
}
