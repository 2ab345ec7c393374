//! What a plan says, and that it launches nothing.

use crate::desk::{Desk, text};

const CLUSTER: &str = "  ttl: 3h
  master: {iam_instance_profile: dayfly-master, subnets: [SUBNET_A]}
  groups:
    prep: {count: 1, instance_type: c7i.large, subnets: [SUBNET_A]}
    train:
      count: 4
      min_count: 3
      instance_type: [c7i.xlarge, c7i.large]
      subnets: [SUBNET_A, SUBNET_B]
      market: spot-then-on-demand
      volume: {size: 100GiB}
";

#[test]
fn a_plan_says_where_for_how_long_and_for_how_much_at_most() {
    let desk = Desk::new(CLUSTER);
    let shown = |arguments: &[&str]| {
        let output = desk.dayfly("admin", arguments);
        assert!(output.status.success(), "{}", text(&output));
        let subnets = [("/subnets/a", "SUBNET_A"), ("/subnets/b", "SUBNET_B")];
        subnets.iter().fold(text(&output), |text, (path, name)| text.replace(&desk.cloud.text(path), name))
    };
    insta::with_settings!({snapshot_path => "../snapshots", prepend_module_to_snapshot => false,
        filters => vec![(r"ami-[0-9a-f]+", "AMI"), (r" +\d\.\d{4} USD/h now", " PRICE now"), (r"(SUBNET_.) +", "$1 ")]},
    {
        insta::assert_snapshot!("plan_online", shown(&["plan", "p.yml"]));
        insta::assert_snapshot!("plan_offline", shown(&["plan", "p.yml", "--offline"]));
        insta::assert_snapshot!("plan_local", shown(&["plan", "p.yml", "--local"]));
    });
    let plan = desk.json("admin", &["plan", "p.yml", "--json"]);
    assert_eq!(plan["machines"].as_array().map(Vec::len), Some(3));
    assert!(plan["estimate_at_most_usd"].as_f64().is_some_and(|usd| usd > 1.0 && usd < 10.0), "{plan}");
    assert!(desk.cloud.calls(&["RunInstances", "CreateSecurityGroup"]).is_empty());
}

#[test]
fn a_plan_of_what_does_not_exist_says_so_and_is_refused() {
    let desk =
        Desk::new("  groups:\n    work: {count: 1, instance_type: c7i.large, subnets: [subnet-0123456789abcdef0]}\n");
    let output = desk.dayfly("admin", &["plan", "p.yml"]);
    assert_eq!(output.status.code(), Some(3), "{}", text(&output));
    assert!(text(&output).contains("there is no subnet subnet-0123456789abcdef0"), "{}", text(&output));
}
