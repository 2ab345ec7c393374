//! A person at a desk: a playbook, credentials, the command line, and a cloud of their own.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use crate::pocket::Pocket;

/// Durations that a test can wait for; S3's times are whole seconds.
const TIMING: &str = r#"{"beat_dead_ms": 2000, "take_over_ms": 2000, "closing_wait_ms": 5000}"#;

/// Gone with its test.
pub struct Desk {
    pub cloud: Pocket,
    folder: tempfile::TempDir,
}

impl Desk {
    /// A desk with a playbook whose cluster has these lines beside `region`; `SUBNET_A` and `SUBNET_B` are replaced.
    pub fn new(cluster: &str) -> Self {
        let desk = Self { cloud: Pocket::start(), folder: tempfile::tempdir().unwrap() };
        let cluster = cluster
            .replace("SUBNET_A", &desk.cloud.text("/subnets/a"))
            .replace("SUBNET_B", &desk.cloud.text("/subnets/b"));
        let head = format!("name: nightly\ncluster:\n  region: {}\n", desk.cloud.text("/region"));
        let plays = "plays:\n  - hosts: all\n    gather_facts: false\n    tasks: [{command: \"true\"}]\n";
        std::fs::write(desk.path().join("p.yml"), format!("{head}{cluster}{plays}")).unwrap();
        desk
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn store(&self) -> String {
        self.cloud.text("/store")
    }

    /// What dayfly says to somebody.
    pub fn dayfly(&self, who: &str, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_dayfly"))
            .args(arguments)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.path())
            .env("DAYFLY_TIMING", TIMING)
            .env("AWS_ENDPOINT_URL", self.cloud.endpoint())
            .env("AWS_ACCESS_KEY_ID", self.cloud.text(&format!("/keys/{who}/access_key_id")))
            .env("AWS_SECRET_ACCESS_KEY", self.cloud.text(&format!("/keys/{who}/secret_access_key")))
            .current_dir(self.path())
            .output()
            .unwrap()
    }

    /// The same, as JSON.
    pub fn json(&self, who: &str, arguments: &[&str]) -> Value {
        let output = self.dayfly(who, arguments);
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
    }

    /// Takes away the endpoints by which a private subnet reaches AWS.
    pub async fn remove_endpoints(&self) {
        let ec2 = aws_sdk_ec2::Client::new(&self.cloud.config("admin", &self.cloud.endpoint()).await);
        let found = ec2.describe_vpc_endpoints().send().await.unwrap();
        let ids = found.vpc_endpoints().iter().filter_map(|endpoint| endpoint.vpc_endpoint_id().map(str::to_owned));
        ec2.delete_vpc_endpoints().set_vpc_endpoint_ids(Some(ids.collect())).send().await.unwrap();
    }

    /// Machines that the account still pays for.
    pub async fn machines(&self) -> Vec<String> {
        let config = self.cloud.config("admin", &self.cloud.endpoint()).await;
        let answer = aws_sdk_ec2::Client::new(&config).describe_instances().send().await.unwrap();
        let all = answer.reservations().iter().flat_map(aws_sdk_ec2::types::Reservation::instances);
        let living = all.filter(|one| {
            let state = one.state().and_then(|state| state.name()).map(|name| name.as_str().to_owned());
            !matches!(state.as_deref(), Some("terminated" | "shutting-down"))
        });
        living.filter_map(|one| one.instance_id().map(str::to_owned)).collect()
    }
}

pub fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}
