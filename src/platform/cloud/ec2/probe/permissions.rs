//! What the caller would be allowed to do, by calls with `DryRun`: AWS judges them and does nothing (EC2 API Reference,
//! `DryRun`). They prove permissions alone, no capacity and no quota.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use aws_sdk_ec2::types::ResourceType;

use super::Probe;
use crate::core::ids::{GroupName, InstanceId, RunId};
use crate::core::records::{ClusterSpec, GroupSpec};
use crate::platform::cloud::CloudError;
use crate::platform::cloud::ec2::failure::{Failure, without_blob};
use crate::platform::cloud::ec2::limiter::LAUNCHES;
use crate::platform::cloud::ec2::picks::Wish;
use crate::platform::cloud::ec2::place::Place;
use crate::platform::cloud::ec2::refusal::{Class, class};
use crate::platform::cloud::ec2::request::Request;
use crate::platform::cloud::ec2::resolved::Resolved;
use crate::platform::cloud::ec2::{Resolution, deadline_tag, denial, tags};

/// What AWS said to one question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Permit {
    /// It would be done.
    Granted,
    /// It would be refused, for want of a permission; with the reason as far as it can be decoded.
    Denied(String),
    /// The spot market cannot be used yet.
    NoSpotRole,
    /// Something else is wrong with the request.
    Wrong(String),
    /// AWS did not judge it.
    Unknown(String),
}

/// A run that does not exist: its tag makes a question like a real one.
const NO_RUN: &str = "doctor";
/// A machine that does not exist.
const NO_MACHINE: &str = "i-0123456789abcdef0";
/// A question that was asked too often is asked again, so many times in all.
const TRIES: u32 = 8;
const PAUSE: Duration = Duration::from_secs(1);

impl Probe {
    /// Every launch that a group might ask for, one answer for each type, market and subnet, by its label.
    pub async fn may_launch(
        &self,
        cluster: &ClusterSpec,
        group: &GroupName,
        spec: &GroupSpec,
        resolution: &Resolution,
    ) -> Result<Vec<(String, Permit)>, CloudError> {
        let resolved = Resolved::read(&resolution.resolved).map_err(CloudError)?;
        let Some(images) = resolved.images.get(group) else { return Ok(Vec::new()) };
        let wish = Wish::of_group(spec, images, &cluster.tags);
        let picks = wish.picks(&resolved, |_| (spec.security_groups.clone(), false));
        let order =
            BTreeMap::from([(tags::ROLE.to_owned(), "worker".to_owned()), (tags::GROUP.to_owned(), group.to_string())]);
        let places = picks.iter().map(|pick| Place::read(&pick.place).map_err(CloudError));
        self.dry_runs(&places.collect::<Result<Vec<_>, _>>()?, &order, &cluster.tags).await
    }

    /// The same for the master's machine.
    pub async fn may_launch_master(
        &self,
        cluster: &ClusterSpec,
        resolution: &Resolution,
    ) -> Result<Vec<(String, Permit)>, CloudError> {
        let picks = resolution.master.iter().flat_map(|master| &master.picks);
        let places = picks.map(|pick| Place::read(&pick.place).map_err(CloudError)).collect::<Result<Vec<_>, _>>()?;
        let order = BTreeMap::from([
            (tags::ROLE.to_owned(), tags::MASTER.to_owned()),
            (tags::EPOCH.to_owned(), "1".to_owned()),
        ]);
        self.dry_runs(&places, &order, &cluster.tags).await
    }

    async fn dry_runs(
        &self,
        places: &[Place],
        own: &BTreeMap<String, String>,
        user: &BTreeMap<String, String>,
    ) -> Result<Vec<(String, Permit)>, CloudError> {
        let mut all = tags::of_run(&RunId::new(NO_RUN), user, NO_RUN);
        all.extend(own.clone());
        all.insert(tags::DEADLINE.to_owned(), deadline_tag::write(0));
        let mut answers = Vec::new();
        for place in enough(places) {
            let request = Request { place, key: NO_RUN, count: 1, user_data: "", tags: all.clone() };
            // A question under a token would bind it.
            let input = request.build().dry_run(true).set_client_token(None);
            let mut tries = TRIES;
            let permit = loop {
                // Questions count against the account's launches, too.
                LAUNCHES.admit().await;
                let asked = input.clone().send_with(&self.clients.launches).await;
                let outcome = asked.map(drop).map_err(|error| Failure::of(&error));
                tries -= 1;
                if tries > 0 && outcome.as_ref().is_err_and(|failure| class(failure) == Class::Throttled) {
                    tokio::time::sleep(PAUSE).await;
                    continue;
                }
                break self.permit(outcome).await;
            };
            answers.push((place.label(), permit));
        }
        Ok(answers)
    }

    /// Ending a machine of a run. Policies allow that by the machine's tags: without a machine to ask about, nobody knows.
    pub async fn may_terminate(&self, machine: Option<&InstanceId>) -> Permit {
        let id = machine.map_or(NO_MACHINE, InstanceId::as_str);
        let asked = self.clients.ec2.terminate_instances().dry_run(true).instance_ids(id).send().await;
        about(machine, self.permit(asked.map(drop).map_err(|error| Failure::of(&error))).await)
    }

    /// Moving the deadline in a machine's tags.
    pub async fn may_tag(&self, machine: Option<&InstanceId>) -> Permit {
        let id = machine.map_or(NO_MACHINE, InstanceId::as_str);
        let tag = tags::tag(tags::DEADLINE, &deadline_tag::write(0));
        let asked = self.clients.ec2.create_tags().dry_run(true).resources(id).tags(tag).send().await;
        about(machine, self.permit(asked.map(drop).map_err(|error| Failure::of(&error))).await)
    }

    /// Making a security group for a run.
    pub async fn may_make_security_group(&self, vpc: &str) -> Permit {
        let all = tags::of_run(&RunId::new(NO_RUN), &BTreeMap::new(), NO_RUN);
        let asked = self
            .clients
            .ec2
            .create_security_group()
            .dry_run(true)
            .group_name("dayfly-doctor")
            .description("a question")
            .vpc_id(vpc)
            .tag_specifications(tags::on(ResourceType::SecurityGroup, &all))
            .send()
            .await;
        self.permit(asked.map(drop).map_err(|error| Failure::of(&error))).await
    }

    async fn permit(&self, outcome: Result<(), Failure>) -> Permit {
        let Err(failure) = outcome else { return Permit::Granted };
        if failure.code() == Some("DryRunOperation") {
            return Permit::Granted;
        }
        let failure = denial::explained(&self.clients, failure).await;
        match class(&failure) {
            Class::Denied => Permit::Denied(said(&failure)),
            Class::NoSpotRole => Permit::NoSpotRole,
            // Whether AWS looks at the permission or at the machine first is not documented.
            _ if failure.code().is_some_and(|code| code.starts_with("InvalidInstanceID")) => {
                Permit::Unknown("it can only be told with a machine of a run".to_owned())
            }
            Class::Throttled | Class::Unknown | Class::Expired => Permit::Unknown(said(&failure)),
            _ => Permit::Wrong(said(&failure)),
        }
    }
}

/// Enough of the places to learn about every subnet and every type of each market: policies know these words, and no pairs
/// of them.
fn enough(places: &[Place]) -> Vec<&Place> {
    let (mut subnets, mut types) = (BTreeSet::new(), BTreeSet::new());
    let mut enough = Vec::new();
    for place in places {
        let subnet = subnets.insert((place.spot, place.subnet.as_str()));
        let instance_type = types.insert((place.spot, place.instance_type.as_str()));
        if subnet || instance_type {
            enough.push(place);
        }
    }
    enough
}

/// What an answer about no machine is worth.
fn about(machine: Option<&InstanceId>, permit: Permit) -> Permit {
    match (machine, permit) {
        (None, Permit::Denied(_) | Permit::Wrong(_)) => Permit::Unknown(
            "policies allow it by a machine's tags, and there is no machine of a run now to ask about".to_owned(),
        ),
        (_, permit) => permit,
    }
}

/// What was said, short: AWS's own sentence about who may not do what, without its beginning.
fn said(failure: &Failure) -> String {
    match failure {
        Failure::Said { code, message, .. } => {
            let message = without_blob(message);
            match message.split_once("is not authorized to perform: ") {
                Some((_, rest)) => {
                    let action = rest.split(" because ").next().unwrap_or(rest);
                    format!("not allowed: {} ({code})", action.trim_end_matches('.'))
                }
                None => format!("{code}: {message}"),
            }
        }
        Failure::Unsent(why) | Failure::Silent(why) => why.clone(),
    }
}
