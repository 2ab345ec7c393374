//! What a doctor finds.

use serde_json::Value;

use crate::desk::{Desk, text};

const CLUSTER: &str = "  master: {iam_instance_profile: dayfly-master, subnets: [SUBNET_A]}
  groups:
    work: {count: 2, instance_type: c7i.large, subnets: [SUBNET_A, SUBNET_B]}
";

fn finding<'f>(report: &'f Value, what: &str) -> &'f Value {
    let findings = report["findings"].as_array().unwrap();
    findings.iter().find(|finding| finding["what"] == what).unwrap_or_else(|| panic!("no {what:?}: {report:#}"))
}

#[tokio::test]
async fn who_may_do_everything_has_no_problem_unless_a_private_subnet_lacks_its_endpoints() {
    let desk = Desk::new(CLUSTER);
    let output = desk.dayfly("admin", &["doctor", "p.yml", "--store", &desk.store()]);
    assert!(output.status.success(), "{}", text(&output));
    assert!(text(&output).contains("no problem in"), "{}", text(&output));
    desk.remove_endpoints().await;
    let report = desk.json("admin", &["doctor", "p.yml", "--store", &desk.store(), "--json"]);
    let way = finding(&report, &format!("the master's way to AWS from {}", desk.cloud.text("/subnets/a")));
    assert!(way["do"].as_str().is_some_and(|remedy| remedy.contains("gateway endpoint for S3")), "{way}");
    let launches = desk.cloud.calls(&["RunInstances"]);
    assert!(launches.iter().all(|call| call["status"] != 200), "only questions were asked: {launches:?}");
}

#[test]
fn a_missing_permission_shows_with_what_to_do() {
    let desk = Desk::new(CLUSTER);
    // The trigger may launch masters and no workers.
    let strict = desk.json("trigger", &["doctor", "p.yml", "--store", &desk.store(), "--json"]);
    assert_eq!(strict["ok"], false);
    let workers = finding(&strict, "launching work");
    assert_eq!(workers["health"], "problem");
    assert!(workers["seen"].as_str().is_some_and(|seen| seen.contains("ec2:RunInstances")), "{workers}");
    assert!(workers["do"].as_str().is_some_and(|remedy| remedy.contains("iam:PassRole")), "{workers}");
    assert_eq!(finding(&strict, "launching the master")["health"], "ok");
    let launch = desk.dayfly("trigger", &["doctor", "p.yml", "--store", &desk.store(), "--launch"]);
    assert!(launch.status.success(), "{}", text(&launch));
}

#[test]
fn a_bucket_that_is_not_there_and_a_subnet_that_is_not_there_are_problems_of_their_own() {
    let desk =
        Desk::new("  groups:\n    work: {count: 1, instance_type: c7i.large, subnets: [subnet-0123456789abcdef0]}\n");
    let report = desk.json("admin", &["doctor", "p.yml", "--store", "s3://no-such-bucket-of-ours/x", "--json"]);
    assert_eq!(finding(&report, "the store")["health"], "problem");
    assert_eq!(finding(&report, "cluster.groups.work.subnets")["health"], "problem");
}
