//! A pocket cloud's account, a cluster in it, and orders for workers.

use dayfly::core::ids::{GroupName, HostName, HostSlot, Incarnation, RunId};
use dayfly::core::records::{ClusterSpec, GroupSpec, Market};
use dayfly::core::timing::Timing;
use dayfly::platform::aws::Access;
use dayfly::platform::cloud::ec2::{Ec2Cloud, Ec2Settings, resolve_by};
use dayfly::platform::cloud::{Cloud as _, LaunchOrder, Pick};
use serde_json::Value;

use crate::pocket::Pocket;

/// Of a made-up launch: it opens nothing.
pub const HOST_KEY: &str = "-----BEGIN OPENSSH PRIVATE KEY-----
b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtzc2gtZW
QyNTUxOQAAACCzPq7zfqLffKoBDe/eo04kH2XxtSmk9D7RQyf1xUqrYgAAAJgAIAxdACAM
XQAAAAtzc2gtZWQyNTUxOQAAACCzPq7zfqLffKoBDe/eo04kH2XxtSmk9D7RQyf1xUqrYg
AAAEC2BsIi0QwW2uFscKTUUXNHLsYX4FxlaSDSblbAj7WR7bM+rvN+ot98qgEN796jTiQf
ZfG1KaT0PtFDJ/XFSqtiAAAAEHVzZXJAZXhhbXBsZS5jb20BAgMEBQ==
-----END OPENSSH PRIVATE KEY-----
";

/// A pocket cloud and who asks it.
pub struct Account {
    pub pocket: Pocket,
    pub cluster: ClusterSpec,
    who: &'static str,
}

impl Account {
    /// A cluster with one group `work`: two subnets, one type, on demand.
    pub fn start() -> Self {
        let pocket = Pocket::start();
        let mut cluster = ClusterSpec { region: Some("eu-west-1".to_owned()), ..ClusterSpec::default() };
        cluster.tags.insert("team".to_owned(), "vision".to_owned());
        let group = GroupSpec {
            count: 3,
            min_count: 3,
            instance_types: vec!["c5.large".to_owned()],
            subnets: vec![pocket.text("/subnets/a"), pocket.text("/subnets/b")],
            market: Market::OnDemand,
            iam_instance_profile: Some("dayfly-worker".to_owned()),
            ..GroupSpec::default()
        };
        cluster.groups.insert(GroupName::new("work"), group);
        // May what the shipped policies of a trigger and a master allow, and no more.
        Self { pocket, cluster, who: "operator" }
    }

    pub fn work(&mut self) -> &mut GroupSpec {
        self.cluster.groups.get_mut("work").unwrap()
    }

    /// Who asks from now on.
    pub fn ask_as(&mut self, who: &'static str) {
        self.who = who;
    }

    pub async fn resolved(&self) -> Result<Value, String> {
        let config = self.pocket.config(self.who, &self.pocket.endpoint()).await;
        let resolution = resolve_by(&config, &self.cluster, self.cluster.master.is_some()).await;
        resolution.map(|resolution| resolution.resolved).map_err(|error| self.told(&error.to_string()))
    }

    pub async fn cloud(&self) -> Ec2Cloud {
        self.cloud_with(self.resolved().await.unwrap()).await
    }

    pub async fn cloud_with(&self, resolved: Value) -> Ec2Cloud {
        let config = self.pocket.config(self.who, &self.pocket.endpoint()).await;
        let settings = Ec2Settings {
            access: Access::default(),
            cluster: self.cluster.clone(),
            resolved,
            timing: Timing { cool_down_ms: 1_500, ..Timing::default() },
            outside: false,
        };
        Ec2Cloud::with_config(settings, config)
    }

    pub async fn picks(&self, cloud: &Ec2Cloud) -> Vec<Pick> {
        cloud.prepare(&run(), &GroupName::new("work"), &self.cluster.groups["work"]).await.unwrap()
    }

    /// Workers 0 to `count`, in this wave.
    pub fn order(&self, pick: &Pick, wave: u32, count: u32) -> LaunchOrder {
        let slot = |index: u32| HostSlot { host: HostName::new(format!("work-{index}")), incarnation: Incarnation(1) };
        LaunchOrder {
            run: run(),
            group: GroupName::new("work"),
            token: format!("{}/work/{wave}/{}", run(), pick.index),
            slots: (0..count).map(slot).collect(),
            spec: self.cluster.groups["work"].clone(),
            pick: pick.clone(),
            authorized_key: "ssh-ed25519 AAAArun dayfly".to_owned(),
            deadline_ms: 1_795_575_600_000,
            lease_ms: 900_000,
        }
    }

    /// A text without the ids that differ from one cloud to the next.
    pub fn told(&self, text: &str) -> String {
        let mut told = text.to_owned();
        for (path, name) in [
            ("/subnets/a", "SUBNET-A"),
            ("/subnets/b", "SUBNET-B"),
            ("/security_group", "DEFAULT-GROUP"),
            ("/other_security_group", "FOREIGN-GROUP"),
            ("/vpc", "VPC"),
            ("/other_vpc", "OTHER-VPC"),
        ] {
            told = told.replace(&self.pocket.text(path), name);
        }
        told
    }
}

pub fn run() -> RunId {
    RunId::new("01k0pocketrun")
}
