//! The frozen order of a run: everything that it depends on.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::core::ids::{Epoch, GroupName, RunId};
use crate::core::timing::Timing;

/// Where workers come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CloudKind {
    /// EC2 instances.
    Ec2,
    /// sshd processes on this machine's loopback.
    Local,
    /// Hosts that exist; never ended.
    Inventory,
}

/// The SHA-256 of each binary that this run uses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Binaries {
    /// `dayfly` itself.
    pub dayfly: String,
    /// `dayfly-agent`.
    pub agent: String,
}

/// What the command line said beside the playbook.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// `--check`
    pub check: bool,
    /// `--diff`
    pub diff: bool,
    /// `--tags`; empty means all.
    pub tags: Vec<String>,
    /// `--skip-tags`
    pub skip_tags: Vec<String>,
    /// `--limit`, a host pattern.
    pub limit: Option<String>,
    /// `-v` to `-vvvv`.
    pub verbosity: u8,
    /// `--forks`: steps at once; zero means as many as there are hosts.
    pub forks: u32,
    /// Names that `lookup('env')` may see in a launched run, with their values at launch.
    pub env: BTreeMap<String, String>,
    /// Set where `lookup('env')` reads the environment of the master itself (`dayfly run`).
    pub env_open: bool,
}

/// The order that the trigger writes once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// Format version.
    pub v: u32,
    /// The run.
    pub run: RunId,
    /// The playbook's name.
    pub name: String,
    /// When it was written, UNIX milliseconds.
    pub created_ms: i64,
    /// Hard end of everything, UNIX milliseconds.
    pub deadline_ms: i64,
    /// Steps are stopped and collected from here on, UNIX milliseconds.
    pub soft_deadline_ms: i64,
    /// What is executed.
    pub bin: Binaries,
    /// SHA-256 of the bundle.
    pub bundle: String,
    /// The playbook's path inside the bundle.
    pub entry: String,
    /// For a plain playbook in the foreground: the folder on this machine that `fetch` writes to, as Ansible does.
    pub foreground_folder: Option<String>,
    /// The event that started it; null from the command line.
    pub event: Value,
    /// `--extra-vars`.
    pub extra_vars: Map<String, Value>,
    /// Secrets by reference: name to place.
    pub secrets: BTreeMap<String, String>,
    /// Which cloud.
    pub cloud: CloudKind,
    /// What is provisioned, as the playbook names it.
    pub cluster: ClusterSpec,
    /// What the cloud made of those names when the order was frozen (images, zones, machine shapes): its own words, which
    /// nothing else reads.
    #[serde(default)]
    pub resolved: Value,
    /// The order of the machine of a detached master, without its epoch, where the cloud makes one: again its own words.
    #[serde(default)]
    pub master: Option<Value>,
    /// The inventory's text, for the inventory cloud.
    pub inventory: Option<String>,
    /// Where that text was read, absolute: `inventory_file` and `inventory_dir` of templates.
    pub inventory_file: Option<String>,
    /// Options of the command line.
    pub options: Options,
    /// All durations.
    pub timing: Timing,
}

/// `cluster:` of a native playbook.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ClusterSpec {
    /// The AWS region.
    pub region: Option<String>,
    /// Hard end of everything, milliseconds after the start.
    pub ttl_ms: u64,
    /// The master's own machine.
    pub master: Option<MasterSpec>,
    /// Tags of everything that the run makes, beside dayfly's own.
    pub tags: BTreeMap<String, String>,
    /// Groups in the order of writing.
    pub groups: indexmap::IndexMap<GroupName, GroupSpec>,
}

/// `cluster.master`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MasterSpec {
    /// EC2 instance type.
    pub instance_type: Option<String>,
    /// Subnets, in order.
    pub subnets: Vec<String>,
    /// Security groups.
    pub security_groups: Vec<String>,
    /// Name of the instance profile.
    pub iam_instance_profile: Option<String>,
    /// AMI id, `ssm:` parameter or name.
    pub ami: Option<String>,
    /// Root volume.
    pub volume: Option<VolumeSpec>,
    /// Whether it gets a public address.
    pub public_address: bool,
}

/// How instances are bought.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Market {
    /// At list price.
    #[default]
    OnDemand,
    /// Spare capacity; may be taken away.
    Spot,
    /// Spot first, on demand where there is none.
    SpotThenOnDemand,
}

/// When a group is launched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Start {
    /// When its first play becomes runnable.
    #[default]
    Lazy,
    /// At the start of the run.
    Eager,
}

/// What happens when a worker is lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnLoss {
    /// The host is unreachable, as in Ansible; the rest goes on.
    #[default]
    Continue,
    /// The run fails.
    Fail,
    /// Another machine takes its place.
    Replace,
    /// The whole group starts again.
    RestartGroup,
}

/// `ssh:` of a group.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SshSpec {
    /// Login user.
    pub user: Option<String>,
    /// Port; 22 where not given.
    pub port: Option<u16>,
    /// Host to go through, as in `ProxyJump`.
    pub proxy_jump: Option<String>,
    /// Command that makes the connection, as in `ProxyCommand`.
    pub proxy_command: Option<String>,
}

/// `volume:` of a group.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct VolumeSpec {
    /// Size in GiB.
    pub size_gib: u64,
}

/// One entry of `cluster.groups`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GroupSpec {
    /// How many workers.
    pub count: u32,
    /// How many are enough to begin; equal to `count` where not given.
    pub min_count: u32,
    /// Instance types, tried in order.
    pub instance_types: Vec<String>,
    /// Subnets, spread over and failed over.
    pub subnets: Vec<String>,
    /// How they are bought.
    pub market: Market,
    /// AMI id, `ssm:` parameter or name.
    pub ami: Option<String>,
    /// Security groups.
    pub security_groups: Vec<String>,
    /// Name of the instance profile.
    pub iam_instance_profile: Option<String>,
    /// Root volume.
    pub volume: Option<VolumeSpec>,
    /// Whether its machines get public addresses.
    pub public_address: bool,
    /// Name of the placement group.
    pub placement_group: Option<String>,
    /// Id of the capacity reservation.
    pub capacity_reservation: Option<String>,
    /// How to log in.
    pub ssh: SshSpec,
    /// When it is launched.
    pub start: Start,
    /// What happens when a worker is lost.
    pub on_loss: OnLoss,
    /// Variables of every host of the group.
    pub vars: Map<String, Value>,
}

impl Default for GroupSpec {
    fn default() -> Self {
        Self {
            count: 1,
            min_count: 1,
            instance_types: Vec::new(),
            subnets: Vec::new(),
            market: Market::default(),
            ami: None,
            security_groups: Vec::new(),
            iam_instance_profile: None,
            volume: None,
            public_address: false,
            placement_group: None,
            capacity_reservation: None,
            ssh: SshSpec::default(),
            start: Start::default(),
            on_loss: OnLoss::default(),
            vars: Map::new(),
        }
    }
}

/// One entry of `results:`: files that are brought home from a group's workers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResultSpec {
    /// Group or host pattern.
    pub from: String,
    /// Globs, relative to the login HOME.
    pub paths: Vec<String>,
}

/// A master's sign of life.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Beat {
    /// Format version.
    pub v: u32,
    /// Whose.
    pub epoch: Epoch,
    /// UNIX milliseconds by the master's clock, for people; staleness is judged by the store's own times.
    pub at_ms: i64,
    /// The master's process on its machine.
    pub pid: u32,
    /// The master's machine.
    pub host: String,
    /// Increases with each beat.
    pub count: u64,
    /// What it is doing, in a few words.
    pub phase: String,
}
