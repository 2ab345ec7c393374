//! What the caller would be allowed to do, by calls with `DryRun`: AWS judges them and does nothing (EC2 API Reference,
//! `DryRun`). They prove permissions alone, no capacity and no quota.

use std::collections::BTreeMap;

use aws_sdk_ec2::types::ResourceType;

use super::Probe;
use crate::core::ids::{GroupName, RunId};
use crate::core::records::{ClusterSpec, GroupSpec};
use crate::platform::cloud::CloudError;
use crate::platform::cloud::ec2::failure::{Failure, without_blob};
use crate::platform::cloud::ec2::picks::Wish;
use crate::platform::cloud::ec2::place::Place;
use crate::platform::cloud::ec2::refusal::{Class, class};
use crate::platform::cloud::ec2::request::Request;
use crate::platform::cloud::ec2::resolved::Resolved;
use crate::platform::cloud::ec2::{Resolution, denial, tags};

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
        all.insert(tags::DEADLINE.to_owned(), super::super::deadline_tag::write(0));
        let mut answers = Vec::new();
        for place in places {
            let request = Request { place, key: NO_RUN, count: 1, user_data: "", tags: all.clone() };
            let mut input = request.build().dry_run(true);
            // A question under a token would bind it.
            input = input.set_client_token(None);
            let asked = input.send_with(&self.clients.launches).await;
            answers.push((place.label(), self.permit(asked.map(drop).map_err(|error| Failure::of(&error))).await));
        }
        Ok(answers)
    }

    /// Ending a machine of a run.
    pub async fn may_terminate(&self) -> Permit {
        let asked = self.clients.ec2.terminate_instances().dry_run(true).instance_ids(NO_MACHINE).send().await;
        self.permit(asked.map(drop).map_err(|error| Failure::of(&error))).await
    }

    /// Moving the deadline in a machine's tags.
    pub async fn may_tag(&self) -> Permit {
        let tag = tags::tag(tags::DEADLINE, &super::super::deadline_tag::write(0));
        let asked = self.clients.ec2.create_tags().dry_run(true).resources(NO_MACHINE).tags(tag).send().await;
        self.permit(asked.map(drop).map_err(|error| Failure::of(&error))).await
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

    /// Looking at machines: asked for real, since it does nothing anyway.
    pub async fn may_look(&self) -> Permit {
        let asked = self.clients.ec2.describe_instances().max_results(5).send().await;
        match self.permit(asked.map(drop).map_err(|error| Failure::of(&error))).await {
            Permit::Wrong(why) => Permit::Unknown(why),
            other => other,
        }
    }

    async fn permit(&self, outcome: Result<(), Failure>) -> Permit {
        let Err(failure) = outcome else { return Permit::Granted };
        if failure.code() == Some("DryRunOperation") {
            return Permit::Granted;
        }
        let failure = denial::explained(&self.clients, failure).await;
        let said = |failure: &Failure| match failure {
            Failure::Said { code, message, .. } => format!("{code}: {}", without_blob(message)),
            Failure::Unsent(why) | Failure::Silent(why) => why.clone(),
        };
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
