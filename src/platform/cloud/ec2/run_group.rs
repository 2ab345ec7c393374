//! The security group of a run: made for groups whose playbook names none, one in each network, and ended with the run.
//! It lets the master in by SSH from the network itself and the run's machines talk to each other, and nobody else.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ec2::types::{IpPermission, IpRange, ResourceType, UserIdGroupPair};
use tokio::time::{Instant, sleep};

use super::Ec2Cloud;
use super::describing::filter;
use super::failure::{Failure, is_denial};
use super::picks::Wish;
use super::resolved::Resolved;
use super::tags;
use crate::core::ids::{GroupName, RunId};
use crate::core::records::GroupSpec;
use crate::core::timing::ms;
use crate::platform::cloud::{LaunchError, Pick};

const DESCRIPTION: &str = "The workers of one dayfly run; removed with it";
const SSH_PORT: u16 = 22;

impl Ec2Cloud {
    /// A group's ordered picks, after what they need was made.
    pub(super) async fn picks(
        &self,
        run: &RunId,
        group: &GroupName,
        spec: &GroupSpec,
    ) -> Result<Vec<Pick>, LaunchError> {
        let resolved = self.resolved.as_ref().map_err(|why| LaunchError::Impossible(why.clone()))?;
        let images = resolved.images.get(group).ok_or_else(|| {
            LaunchError::Impossible(format!("the run's order says nothing of images for the group {group}"))
        })?;
        let mut own: BTreeMap<&str, String> = BTreeMap::new();
        if spec.security_groups.is_empty() {
            let networks: BTreeSet<&str> =
                spec.subnets.iter().filter_map(|id| Some(resolved.subnets.get(id)?.vpc.as_str())).collect();
            for vpc in networks {
                own.insert(vpc, self.run_group(run, vpc, resolved).await?);
            }
        }
        let picks =
            Wish::of_group(spec, images, &self.settings.cluster.tags).picks(resolved, |vpc| match own.get(vpc) {
                Some(group) => (vec![group.clone()], true),
                None => (spec.security_groups.clone(), false),
            });
        if picks.is_empty() {
            let why = format!("no subnet of the group {group} has one of its instance types");
            return Err(LaunchError::Impossible(why));
        }
        Ok(picks)
    }

    /// Makes the run's group in a network, or finds it: its name is a function of the run.
    async fn run_group(&self, run: &RunId, vpc: &str, resolved: &Resolved) -> Result<String, LaunchError> {
        let name = format!("dayfly-{run}");
        let started = Instant::now();
        let settling = ms(self.settings.timing.cool_down_ms);
        loop {
            let failure = match self.found_or_made(run, &name, vpc).await {
                Ok(Some(id)) => match self.open(&id, vpc, resolved).await {
                    Ok(()) => return Ok(id),
                    Err(failure) => failure,
                },
                Ok(None) => Failure::Silent(format!("the security group {name} exists and is not seen yet")),
                Err(failure) => failure,
            };
            // One that was made a moment ago is not seen everywhere.
            let is_young = matches!(failure, Failure::Silent(_)) || failure.code() == Some("InvalidGroup.NotFound");
            if !is_young || started.elapsed() > settling {
                return Err(refused(failure, vpc));
            }
            sleep(settling / 15).await;
        }
    }

    async fn found_or_made(&self, run: &RunId, name: &str, vpc: &str) -> Result<Option<String>, Failure> {
        let ec2 = self.clients().await.ec2.clone();
        let filters = vec![filter("group-name", &[name]), filter("vpc-id", &[vpc])];
        let found = ec2.describe_security_groups().set_filters(Some(filters)).send().await;
        let found = found.map_err(|error| Failure::of(&error))?;
        if let Some(id) = found.security_groups().first().and_then(|group| group.group_id()) {
            return Ok(Some(id.to_owned()));
        }
        let tags = tags::of_run(run, &self.settings.cluster.tags, name);
        let made = ec2
            .create_security_group()
            .group_name(name)
            .description(DESCRIPTION)
            .vpc_id(vpc)
            .tag_specifications(tags::on(ResourceType::SecurityGroup, &tags))
            .send()
            .await;
        match made.map_err(|error| Failure::of(&error)) {
            Ok(made) => Ok(made.group_id().map(str::to_owned)),
            Err(failure) if failure.code() == Some("InvalidGroup.Duplicate") => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    /// Lets in who may come in. Egress is open as EC2 makes it.
    async fn open(&self, id: &str, vpc: &str, resolved: &Resolved) -> Result<(), Failure> {
        let ranges = resolved.networks.get(vpc).into_iter().flatten();
        let ranges: Vec<IpRange> = ranges.map(|range| IpRange::builder().cidr_ip(range).build()).collect();
        let groups = self.settings.cluster.groups.values().filter(|spec| spec.security_groups.is_empty());
        let ports: BTreeSet<u16> = groups.map(|spec| spec.ssh.port.unwrap_or(SSH_PORT)).collect();
        let mut permissions: Vec<IpPermission> = Vec::new();
        for port in ports.into_iter().map(i32::from) {
            let ssh = IpPermission::builder().ip_protocol("tcp").from_port(port).to_port(port);
            permissions.push(ssh.set_ip_ranges(Some(ranges.clone())).build());
        }
        let members = UserIdGroupPair::builder().group_id(id).build();
        permissions.push(IpPermission::builder().ip_protocol("-1").user_id_group_pairs(members).build());
        let ec2 = self.clients().await.ec2.clone();
        let asked =
            ec2.authorize_security_group_ingress().group_id(id).set_ip_permissions(Some(permissions)).send().await;
        match asked.map_err(|error| Failure::of(&error)) {
            // All of them are added together, so one that is there means all are.
            Err(failure) if failure.code() == Some("InvalidPermission.Duplicate") => Ok(()),
            outcome => outcome.map(drop),
        }
    }
}

fn refused(failure: Failure, vpc: &str) -> LaunchError {
    let what = format!("no security group can be made for the run in {vpc}");
    match failure {
        Failure::Silent(why) => LaunchError::Ambiguous(format!("{what}: {why}")),
        failure if failure.code() == Some("InvalidGroup.NotFound") => {
            LaunchError::Ambiguous(format!("{what}: it is not seen yet"))
        }
        failure => {
            let hint = if failure.code().is_some_and(is_denial) {
                "; or name security_groups for every group in the playbook: then none is made"
            } else {
                ""
            };
            let error = failure.into_cloud_error("ec2:CreateSecurityGroup");
            LaunchError::Impossible(format!("{what}: {error}{hint}"))
        }
    }
}
