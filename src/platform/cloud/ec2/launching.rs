//! From an order to machines: one request, repeated only where that is known to be safe and to help.

use std::time::Duration;

use aws_sdk_ec2::types::Instance as Described;
use tokio::time::{Instant, sleep};

use super::Ec2Cloud;
use super::failure::Failure;
use super::limiter::LAUNCHES;
use super::place::Place;
use super::refusal::{Class, class, refusal};
use super::request::Request;
use super::{denial, tags, user_data};
use crate::core::ids::InstanceId;
use crate::core::timing::ms;
use crate::platform::cloud::{Again, Instance, LaunchError, LaunchOrder};

/// The most machines of one request.
const LARGEST: usize = 1000;
/// The first pause of a launch that was asked for too often; it doubles.
const PAUSE: Duration = Duration::from_millis(500);
/// Between looks for something that was made a moment ago.
const YOUNG_PAUSE: Duration = Duration::from_secs(2);

impl Ec2Cloud {
    /// Launches the machines of an order. One request has one answer, whose machines are numbered from 0 by their launch
    /// index: the machine at index n carries the order's name n, in every repetition of the answer.
    pub(super) async fn launch_order(&self, order: &LaunchOrder, host_key: &str) -> Result<Vec<Instance>, LaunchError> {
        let place = Place::read(&order.pick.place).map_err(LaunchError::Impossible)?;
        if order.slots.len() > LARGEST {
            let why = format!("{} machines are more than one request takes ({LARGEST})", order.slots.len());
            return Err(LaunchError::Refused { why, again: Again::Never });
        }
        let user_data = user_data::user_data(order, &place.image.user, host_key).map_err(LaunchError::Impossible)?;
        let request = Request {
            place: &place,
            key: &order.token,
            count: order.slots.len(),
            user_data: &user_data,
            tags: tags::of_worker(order, &place.tags),
        };
        let whose = format!("the group {}", order.group);
        let key = format!("cluster.groups.{}", order.group);
        let found = self.run_instances(&request, &whose, &key).await?;
        let named = found.iter().zip(&order.slots);
        Ok(named.filter_map(|(found, slot)| self.launched(found, &order.group, slot.clone())).collect())
    }

    /// The machines of a request, by their launch index.
    pub(super) async fn run_instances(
        &self,
        request: &Request<'_>,
        whose: &str,
        key: &str,
    ) -> Result<Vec<Described>, LaunchError> {
        let input = request.build();
        let started = Instant::now();
        // So long something new in IAM or in the network may be unseen, and a busy account is waited for.
        let settling = ms(self.settings.timing.cool_down_ms);
        let mut pause = PAUSE;
        let mut renewed = false;
        loop {
            LAUNCHES.admit().await;
            let clients = self.clients().await;
            let failure = match input.clone().send_with(&clients.launches).await {
                Ok(answer) => {
                    let mut found = answer.instances().to_vec();
                    found.sort_by_key(|found| (found.ami_launch_index(), found.instance_id().map(str::to_owned)));
                    return Ok(found);
                }
                Err(error) => Failure::of(&error),
            };
            let age = started.elapsed();
            match class(&failure) {
                Class::Throttled if age + pause < settling * 2 => {
                    LAUNCHES.slow_down().await;
                    sleep(pause).await;
                    pause *= 2;
                }
                Class::Profile if age < settling => sleep(YOUNG_PAUSE.min(settling / 4)).await,
                Class::Group if request.place.own_group && age < settling => sleep(YOUNG_PAUSE.min(settling / 4)).await,
                Class::Group if request.place.own_group => {
                    let why = format!("{}: the run's security group is not seen yet", request.place.label());
                    return Err(LaunchError::Refused { why, again: Again::Later });
                }
                Class::Expired if !renewed => {
                    renewed = true;
                    self.renew_credentials().await;
                }
                Class::Denied => {
                    let failure = denial::explained(&clients, failure).await;
                    return Err(refusal(&failure, request.place, whose, key));
                }
                Class::Over => {
                    let ids = self.ids_of(request.key).await;
                    let why = format!("{}: what this launch made is terminated already", request.place.label());
                    return Err(LaunchError::Over { ids, why });
                }
                _ => return Err(refusal(&failure, request.place, whose, key)),
            }
        }
    }

    /// What a token launched, as far as EC2 still shows it; absence proves nothing.
    async fn ids_of(&self, key: &str) -> Vec<InstanceId> {
        let found = self.by_tokens(&[key.to_owned()], &[]).await.unwrap_or_default();
        found.iter().filter_map(|found| found.instance_id()).map(InstanceId::new).collect()
    }
}
