//! The playbook that everybody sees first, unchanged, on machines of EC2.

use std::path::Path;

use crate::cloud::Cloud;
use crate::desk::Desk;
use crate::oracle;

/// What a person writes beside the playbook to run it in an account.
const CLUSTER: &str = "
region: eu-west-1
ttl: 30m
master: {instance_type: t3.small, subnets: [SUBNET_A], iam_instance_profile: MASTER_PROFILE, ami: AMI}
groups:
  prep: {count: 1, instance_type: [c7i.large], subnets: [SUBNET_A, SUBNET_B], ami: AMI}
  train: {count: 3, instance_type: [c7i.large], subnets: [SUBNET_A, SUBNET_B], ami: AMI}
  merge: {count: 1, instance_type: [c7i.large], subnets: [SUBNET_A, SUBNET_B], ami: AMI}
";

#[test]
fn digits_are_learnt_from_launch_to_proof() {
    let cloud = Cloud::start();
    let desk = Desk::new(&cloud);
    let playbooks = Path::new(env!("CARGO_MANIFEST_DIR")).join("playbooks");
    for name in ["digits.yml", "digits/make-venv.sh", "digits/split.py", "digits/train.py", "digits/merge.py"] {
        desk.file(name, std::fs::read(playbooks.join(name)).expect("a file of the demo"));
    }
    desk.playbook("cluster.yml", CLUSTER);
    let launched = desk.dayfly(&["launch", "digits.yml", "--cluster", "cluster.yml", "-e", "seconds=2"]).exits(0);
    let run = launched.stdout.lines().next().expect("a run id").to_owned();
    desk.attach(&run).exits(0).says("accuracy");
    desk.close(&run);
    oracle::satisfied(&desk, &run);
    assert_eq!(oracle::workers(&cloud, &run).len(), 5);
    let results = desk.dayfly(&["results", &run, "--to", "home"]).exits(0);
    for file in ["merge-0/model.joblib", "merge-0/metrics.json", "merge-0/confusion.png", "train-2/network-2.json"] {
        assert!(desk.play().join("home").join(file).exists(), "{file} did not come home: {}", results.whole());
    }
}
