//! `spec.master`: all that every master's machine of a run has in common. With an epoch it makes a request, and nothing
//! else goes into one.

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use crate::core::records::{Binaries, CloudKind, ClusterSpec, MasterSpec, Spec};
use crate::entry::exit::Problem;
use crate::platform::cloud::Pick;

/// The machine where the playbook names none: enough for the SSH connections of some hundred workers.
const INSTANCE_TYPE: &str = "t3.small";

/// What a master's machine is, and what it needs to find its run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Blueprint {
    /// Where it may stand, in order, each with everything that the cloud reads.
    pub picks: Vec<Pick>,
    /// The store.
    pub store: String,
    /// The region of its calls.
    pub region: String,
    /// The region of the store's bucket, which may be another.
    pub store_region: String,
    /// Another address for every service.
    pub endpoint_url: Option<String>,
    /// The architecture of the programs that it fetches: `x86_64`.
    pub arch: String,
}

impl Blueprint {
    /// The blueprint of a run whose master has a machine of its own.
    pub fn of(spec: &Spec) -> Result<Self, Problem> {
        let Some(master) = spec.master.clone().filter(|_| spec.cloud == CloudKind::Ec2) else {
            return Err(Problem::failed(format!(
                "run {} was begun by dayfly run: its master has no machine of its own; dayfly resume {} takes it over",
                spec.run, spec.run
            )));
        };
        Ok(serde_json::from_value(master)
            .with_context(|| format!("read how the master of run {} is launched", spec.run))?)
    }
    /// The programs to fetch: key in the store, SHA-256, and the name under which each is installed.
    pub fn programs(&self, bin: &Binaries) -> [Program; 2] {
        let program = |name: &str, object: String, sha256: &str| Program {
            key: crate::platform::store::layout::bin_key(sha256, &object),
            sha256: sha256.to_owned(),
            name: name.to_owned(),
        };
        [
            program("dayfly", "dayfly".to_owned(), &bin.dayfly),
            program("dayfly-agent", format!("dayfly-agent-{}", self.arch), &bin.agent),
        ]
    }
}

/// One program in the store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Program {
    /// Its key.
    pub key: String,
    /// Its bytes.
    pub sha256: String,
    /// Its name on a master's machine.
    pub name: String,
}

/// `cluster.master` with what it says where the playbook is silent: the first group's subnets and a small machine. A
/// master without a role could read neither its run nor launch anything, so that is refused here.
pub(crate) fn with_defaults(cluster: &ClusterSpec) -> Result<MasterSpec, Problem> {
    let mut master = cluster.master.clone().unwrap_or_default();
    if master.iam_instance_profile.is_none() {
        return Err(Problem::Usage(
            "the master gets a machine of its own on EC2, and no instance profile is named for it: without a role it can \
             neither read the store nor launch workers. Name one in the playbook (cluster: master: iam_instance_profile: \
             NAME), or stay its master here with dayfly run"
                .to_owned(),
        ));
    }
    master.instance_type.get_or_insert_with(|| INSTANCE_TYPE.to_owned());
    if master.subnets.is_empty()
        && let Some(first) = cluster.groups.values().find(|group| !group.subnets.is_empty())
    {
        master.subnets.clone_from(&first.subnets);
    }
    Ok(master)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::ids::GroupName;
    use crate::core::records::GroupSpec;

    #[test]
    fn a_master_stands_where_the_first_workers_stand_unless_told_otherwise() {
        let mut cluster = ClusterSpec::default();
        let group = |subnets: &[&str]| GroupSpec {
            subnets: subnets.iter().map(|subnet| (*subnet).to_owned()).collect(),
            ..GroupSpec::default()
        };
        cluster.groups.insert(GroupName::new("a"), group(&[]));
        cluster.groups.insert(GroupName::new("b"), group(&["subnet-1", "subnet-2"]));
        let refused = with_defaults(&cluster).unwrap_err().to_string();
        assert!(refused.contains("iam_instance_profile"), "{refused}");
        cluster.master = Some(MasterSpec { iam_instance_profile: Some("dayfly".to_owned()), ..MasterSpec::default() });
        let master = with_defaults(&cluster).unwrap();
        assert_eq!((master.subnets.len(), master.instance_type.as_deref()), (2, Some(INSTANCE_TYPE)));
        cluster.master = Some(MasterSpec { subnets: vec!["subnet-9".to_owned()], ..master });
        assert_eq!(with_defaults(&cluster).unwrap().subnets, ["subnet-9"]);
    }
}
