//! Ending machines, and whatever else a run left.

use aws_sdk_ec2::types::Filter;

use super::describing::{filter, of_run};
use super::failure::{Failure, is_denial};
use super::{Ec2Cloud, deadline_tag, tags};
use crate::core::ids::{InstanceId, RunId};
use crate::platform::cloud::{CloudError, Leftover};

/// Machines of one request. EC2 takes 1000, and advises fewer.
const BATCH: usize = 100;

const VOLUME: &str = "volume";
const INTERFACE: &str = "network-interface";
const GROUP: &str = "security-group";
const KEY_PAIR: &str = "key-pair";

impl Ec2Cloud {
    /// Asks for the end of machines. One id that EC2 does not know fails a request and ends none of the others, so those
    /// are asked for one by one then. Unknown is not gone: it may be too young to be seen, and is asked for again by
    /// whoever does not find it ended.
    pub(super) async fn end(&self, ids: &[InstanceId]) -> Result<(), CloudError> {
        let mut outcome = Ok(());
        for ids in ids.chunks(BATCH) {
            match self.end_together(ids).await {
                // One that is unknown or may not be ended (termination protection) must not keep the others alive.
                Err(failure) if ids.len() > 1 && is_about_one(&failure) => {
                    for id in ids {
                        let alone = settled(self.end_together(std::slice::from_ref(id)).await);
                        outcome = outcome.and(alone);
                    }
                }
                together => outcome = outcome.and(settled(together)),
            }
        }
        outcome
    }

    async fn end_together(&self, ids: &[InstanceId]) -> Result<(), Failure> {
        let names = ids.iter().map(|id| id.as_str().to_owned()).collect();
        let asked = self.clients().await.ec2.terminate_instances().set_instance_ids(Some(names)).send().await;
        asked.map(drop).map_err(|error| Failure::of(&error))
    }

    /// Shows another hard end on machines.
    pub(super) async fn show_deadline(&self, ids: &[InstanceId], deadline_ms: i64) -> Result<(), CloudError> {
        let clients = self.clients().await;
        let tag = tags::tag(tags::DEADLINE, &deadline_tag::write(deadline_ms));
        let show = |names: Vec<String>| {
            let request = clients.ec2.create_tags().set_resources(Some(names)).tags(tag.clone());
            async move { request.send().await.map_err(|error| Failure::of(&error)) }
        };
        for ids in ids.chunks(BATCH) {
            let names: Vec<String> = ids.iter().map(|id| id.as_str().to_owned()).collect();
            match show(names.clone()).await.map(drop) {
                // One that is gone for long must not keep the others from being shown.
                Err(failure) if is_unknown(&failure) && names.len() > 1 => {
                    for name in names {
                        match show(vec![name]).await.map(drop) {
                            Err(failure) if is_unknown(&failure) => {}
                            outcome => outcome.map_err(|failure| failure.into_cloud_error("ec2:CreateTags"))?,
                        }
                    }
                }
                Err(failure) if is_unknown(&failure) => {}
                outcome => outcome.map_err(|failure| failure.into_cloud_error("ec2:CreateTags"))?,
            }
        }
        Ok(())
    }

    /// What carries the run's tag and belongs to no machine. Key pairs are looked for although dayfly makes none: whoever
    /// may not look at them has none to remove.
    pub(super) async fn left(&self, run: &RunId) -> Result<Vec<Leftover>, CloudError> {
        let ec2 = self.clients().await.ec2.clone();
        let available = || vec![of_run(run), filter("status", &["available"])];
        let mut left = Vec::new();
        let mut add = |kind: &str, id: Option<&str>| {
            left.extend(id.map(|id| Leftover { kind: kind.to_owned(), id: id.to_owned() }));
        };
        let mut pages = ec2.describe_volumes().set_filters(Some(available())).into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| Failure::of(&error).into_cloud_error("ec2:DescribeVolumes"))?;
            page.volumes().iter().for_each(|volume| add(VOLUME, volume.volume_id()));
        }
        let mut pages = ec2.describe_network_interfaces().set_filters(Some(available())).into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| Failure::of(&error).into_cloud_error("ec2:DescribeNetworkInterfaces"))?;
            page.network_interfaces().iter().for_each(|interface| add(INTERFACE, interface.network_interface_id()));
        }
        for id in self.groups_by(vec![of_run(run)]).await? {
            add(GROUP, Some(&id));
        }
        match ec2.describe_key_pairs().filters(of_run(run)).send().await.map_err(|error| Failure::of(&error)) {
            Ok(answer) => answer.key_pairs().iter().for_each(|pair| add(KEY_PAIR, pair.key_pair_id())),
            Err(failure) if failure.code().is_some_and(is_denial) => {}
            Err(failure) => return Err(failure.into_cloud_error("ec2:DescribeKeyPairs")),
        }
        Ok(left)
    }

    /// Security groups by filter.
    pub(super) async fn groups_by(&self, filters: Vec<Filter>) -> Result<Vec<String>, CloudError> {
        let ec2 = self.clients().await.ec2.clone();
        let mut pages = ec2.describe_security_groups().set_filters(Some(filters)).into_paginator().send();
        let mut found = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| Failure::of(&error).into_cloud_error("ec2:DescribeSecurityGroups"))?;
            found.extend(page.security_groups().iter().filter_map(|group| group.group_id().map(str::to_owned)));
        }
        Ok(found)
    }

    /// Removes what no machine holds any more.
    pub(super) async fn remove_left(&self, leftovers: &[Leftover]) -> Result<(), CloudError> {
        let ec2 = self.clients().await.ec2.clone();
        for Leftover { kind, id } in leftovers {
            let (action, outcome) = match kind.as_str() {
                VOLUME => {
                    let asked = ec2.delete_volume().volume_id(id).send().await;
                    ("ec2:DeleteVolume", asked.map(drop).map_err(|error| Failure::of(&error)))
                }
                INTERFACE => {
                    let asked = ec2.delete_network_interface().network_interface_id(id).send().await;
                    ("ec2:DeleteNetworkInterface", asked.map(drop).map_err(|error| Failure::of(&error)))
                }
                GROUP => {
                    let asked = ec2.delete_security_group().group_id(id).send().await;
                    ("ec2:DeleteSecurityGroup", asked.map(drop).map_err(|error| Failure::of(&error)))
                }
                KEY_PAIR => {
                    let asked = ec2.delete_key_pair().key_pair_id(id).send().await;
                    ("ec2:DeleteKeyPair", asked.map(drop).map_err(|error| Failure::of(&error)))
                }
                other => return Err(CloudError(format!("{id} is a {other}, which dayfly does not remove"))),
            };
            match outcome {
                Err(failure) if !is_gone(&failure) && !is_held(&failure) => {
                    return Err(failure.into_cloud_error(action));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Removes the run's own security groups; one that a machine still holds stays.
    pub(super) async fn forget_run(&self, run: &RunId) -> Result<(), CloudError> {
        let found = self.groups_by(vec![of_run(run)]).await?;
        let left: Vec<Leftover> = found.into_iter().map(|id| Leftover { kind: GROUP.to_owned(), id }).collect();
        self.remove_left(&left).await
    }
}

fn settled(outcome: Result<(), Failure>) -> Result<(), CloudError> {
    match outcome {
        Err(failure) if !is_unknown(&failure) => Err(failure.into_cloud_error("ec2:TerminateInstances")),
        _ => Ok(()),
    }
}

fn is_unknown(failure: &Failure) -> bool {
    failure.code().is_some_and(|code| code.starts_with("InvalidInstanceID"))
}

/// Whether one machine of a batch may be what the whole request failed for.
fn is_about_one(failure: &Failure) -> bool {
    is_unknown(failure) || failure.code().is_some_and(|code| code == "OperationNotPermitted" || is_denial(code))
}

fn is_gone(failure: &Failure) -> bool {
    failure.code().is_some_and(|code| code.ends_with(".NotFound"))
}

fn is_held(failure: &Failure) -> bool {
    matches!(
        failure.code(),
        Some(
            "DependencyViolation"
                | "VolumeInUse"
                | "InvalidNetworkInterface.InUse"
                | "InvalidGroup.InUse"
                | "IncorrectState"
        )
    )
}
