//! What names in a playbook mean in EC2, asked once, before anything exists, by whoever starts the run. Everything that is
//! wrong is found at once, and said with its place in the playbook.

mod images;
mod network;
mod shapes;

use std::fmt::Write as _;

use aws_config::SdkConfig;
use serde_json::Value;

use super::client::Clients;
use super::failure::Failure;
use super::picks::Wish;
use super::resolved::Resolved;
use crate::core::ids::GroupName;
use crate::core::records::ClusterSpec;
use crate::platform::aws::{Access, config};
use crate::platform::cloud::{CloudError, Pick};

/// What a cluster became.
#[derive(Clone, Debug, PartialEq)]
pub struct Resolution {
    /// For `Spec.resolved`.
    pub resolved: Value,
    /// Where the master's machine may stand, where it gets one.
    pub master: Option<MasterPlace>,
}

/// Where a master may stand, and what it runs there.
#[derive(Clone, Debug, PartialEq)]
pub struct MasterPlace {
    /// Its picks, in order.
    pub picks: Vec<Pick>,
    /// The architecture of its machine: `x86_64`, `arm64`.
    pub arch: String,
}

/// One thing that a playbook says and EC2 does not have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    /// Where it stands: `cluster.groups.train.subnets`.
    pub at: String,
    /// What is wrong.
    pub what: String,
    /// What to do.
    pub hint: String,
}

/// Why a cluster cannot be resolved.
#[derive(Debug, thiserror::Error)]
pub enum ResolveError {
    /// The playbook is wrong.
    #[error("{}", listed(.0))]
    Wrong(Vec<Wrong>),
    /// EC2 could not be asked.
    #[error(transparent)]
    Failed(#[from] CloudError),
}

fn listed(wrong: &[Wrong]) -> String {
    let mut text = String::new();
    for Wrong { at, what, hint } in wrong {
        let gap = if text.is_empty() { "" } else { "\n" };
        let _ = write!(text, "{gap}{at}: {what}; {hint}");
    }
    text
}

/// The master's name among the groups that are resolved: no group can be called so.
const MASTER: &str = "@master";

/// Who needs machines, as resolving sees groups and masters.
struct Wanted<'s> {
    name: GroupName,
    /// `cluster.groups.train`, `cluster.master`.
    at: String,
    types: Vec<&'s str>,
    subnets: &'s [String],
    security_groups: &'s [String],
    ami: Option<&'s str>,
    root_gib: Option<u64>,
}

impl Wanted<'_> {
    fn wrong(&self, key: &str, what: String, hint: impl Into<String>) -> Wrong {
        Wrong { at: format!("{}.{key}", self.at), what, hint: hint.into() }
    }
}

/// Asks EC2 what a cluster's names mean. With a master, `cluster.master` has to name its type and subnets.
pub async fn resolve(access: &Access, cluster: &ClusterSpec, with_master: bool) -> Result<Resolution, ResolveError> {
    resolve_by(&config(access).await, cluster, with_master).await
}

/// The same by a configuration that is there already.
pub async fn resolve_by(
    config: &SdkConfig,
    cluster: &ClusterSpec,
    with_master: bool,
) -> Result<Resolution, ResolveError> {
    let wanted = wanted(cluster, with_master);
    let mut wrong: Vec<Wrong> = wanted.iter().flat_map(unsaid).collect();
    if !wrong.is_empty() {
        return Err(ResolveError::Wrong(wrong));
    }
    let clients = Clients::of(config);
    if clients.region.is_empty() {
        let what = "no AWS region is named".to_owned();
        let hint = "write it in the playbook (region: eu-west-1), or give --region or AWS_REGION".to_owned();
        return Err(ResolveError::Wrong(vec![Wrong { at: "cluster.region".to_owned(), what, hint }]));
    }
    let mut resolved = Resolved { region: clients.region.clone(), ..Resolved::default() };
    network::resolve(&clients, &wanted, &mut resolved, &mut wrong).await?;
    shapes::resolve(&clients, &wanted, &mut resolved, &mut wrong).await?;
    images::resolve(&clients, &wanted, &mut resolved, &mut wrong).await?;
    for wanted in &wanted {
        // What is unknown was said; this is what is known and does not go together.
        shapes::fits(wanted, &resolved, &mut wrong);
    }
    if !wrong.is_empty() {
        return Err(ResolveError::Wrong(wrong));
    }
    let master = cluster.master.as_ref().filter(|_| with_master).and_then(|spec| {
        let images = resolved.images.remove(MASTER)?;
        let groups = |_: &str| (spec.security_groups.clone(), false);
        let picks = Wish::of_master(spec, &images, &cluster.tags).picks(&resolved, groups);
        let arch = resolved.types.get(spec.instance_type.as_deref()?)?.architecture.clone();
        Some(MasterPlace { picks, arch })
    });
    let resolved = serde_json::to_value(&resolved).map_err(|error| CloudError(error.to_string()))?;
    Ok(Resolution { resolved, master })
}

/// Everybody who needs machines: a group of no workers needs none.
fn wanted(cluster: &ClusterSpec, with_master: bool) -> Vec<Wanted<'_>> {
    let groups = cluster.groups.iter().filter(|(_, spec)| spec.count > 0);
    let mut wanted: Vec<Wanted<'_>> = groups
        .map(|(name, spec)| Wanted {
            name: name.clone(),
            at: format!("cluster.groups.{name}"),
            types: spec.instance_types.iter().map(String::as_str).collect(),
            subnets: &spec.subnets,
            security_groups: &spec.security_groups,
            ami: spec.ami.as_deref(),
            root_gib: spec.volume.as_ref().map(|volume| volume.size_gib),
        })
        .collect();
    if let Some(master) = cluster.master.as_ref().filter(|_| with_master) {
        wanted.push(Wanted {
            name: GroupName::new(MASTER),
            at: "cluster.master".to_owned(),
            types: master.instance_type.iter().map(String::as_str).collect(),
            subnets: &master.subnets,
            security_groups: &master.security_groups,
            ami: master.ami.as_deref(),
            root_gib: master.volume.as_ref().map(|volume| volume.size_gib),
        });
    }
    wanted
}

/// What nobody can guess.
fn unsaid(wanted: &Wanted<'_>) -> Vec<Wrong> {
    let mut wrong = Vec::new();
    if wanted.types.is_empty() {
        let what = "no instance type is named, and on EC2 one is needed".to_owned();
        wrong.push(wanted.wrong("instance_type", what, "write one, such as c7i.large, or several in order"));
    }
    if wanted.subnets.is_empty() {
        let what = "no subnet is named, and on EC2 one is needed".to_owned();
        wrong.push(wanted.wrong("subnets", what, "write one or several, such as [subnet-0aaa1111]"));
    }
    wrong
}

/// An error of a question.
fn failed<E>(
    action: &str,
    error: &aws_sdk_ec2::error::SdkError<E, aws_sdk_ec2::config::http::HttpResponse>,
) -> CloudError
where
    E: aws_sdk_ec2::error::ProvideErrorMetadata + std::error::Error + 'static,
{
    Failure::of(error).into_cloud_error(action)
}
