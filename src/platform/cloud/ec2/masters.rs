//! A master's own machine.

use super::Ec2Cloud;
use super::place::Place;
use super::request::Request;
use super::tags;
use crate::core::ids::{HostName, HostSlot, Incarnation};
use crate::platform::cloud::{Instance, LaunchError, MasterOrder};

impl Ec2Cloud {
    /// Launches one machine under run / epoch / pick.
    pub(super) async fn launch_one_master(&self, order: &MasterOrder) -> Result<Instance, LaunchError> {
        let place = Place::read(&order.pick.place).map_err(LaunchError::Impossible)?;
        let request = Request {
            place: &place,
            key: &order.token,
            count: 1,
            user_data: &order.user_data,
            tags: tags::of_master(order, &place.tags),
        };
        let found = self.run_instances(&request, "the master", "cluster.master").await?;
        let master = found.first().and_then(|found| self.master(found));
        let slot = HostSlot { host: HostName::new(tags::MASTER), incarnation: Incarnation(order.epoch.0) };
        master
            .map(|instance| Instance { slot, ..instance })
            .ok_or_else(|| LaunchError::Ambiguous("EC2's answer names no machine".to_owned()))
    }
}
