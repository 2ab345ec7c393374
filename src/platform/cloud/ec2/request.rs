//! One launch as EC2 takes it. The whole request is a function of the order: no clock, no chance, lists in a fixed order.

use std::collections::BTreeMap;

use aws_sdk_ec2::operation::run_instances::RunInstancesInput;
use aws_sdk_ec2::operation::run_instances::builders::RunInstancesInputBuilder;
use aws_sdk_ec2::types::{
    BlockDeviceMapping, CapacityReservationSpecification, CapacityReservationTarget, EbsBlockDevice, HttpTokensState,
    IamInstanceProfileSpecification, InstanceInterruptionBehavior, InstanceMarketOptionsRequest,
    InstanceMetadataEndpointState, InstanceMetadataOptionsRequest, InstanceNetworkInterfaceSpecification, InstanceType,
    MarketType, Placement, ResourceType, ShutdownBehavior, SpotInstanceType, SpotMarketOptions,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::place::Place;
use super::tags;
use super::token::client_token;

/// What one launch asks for.
pub(super) struct Request<'o> {
    pub(super) place: &'o Place,
    /// The readable key.
    pub(super) key: &'o str,
    pub(super) count: usize,
    pub(super) user_data: &'o str,
    pub(super) tags: BTreeMap<String, String>,
}

impl Request<'_> {
    /// The bytes to be.
    pub(super) fn build(&self) -> RunInstancesInputBuilder {
        let place = self.place;
        let metadata = InstanceMetadataOptionsRequest::builder()
            .http_endpoint(InstanceMetadataEndpointState::Enabled)
            .http_tokens(HttpTokensState::Required)
            .http_put_response_hop_limit(1)
            .build();
        // Always said: where it is not, the subnet's own setting decides. Groups belong to the interface then, and the
        // subnet, too (EC2 API Reference, `RunInstances`).
        let interface = InstanceNetworkInterfaceSpecification::builder()
            .device_index(0)
            .subnet_id(&place.subnet)
            .associate_public_ip_address(place.public_address)
            .delete_on_termination(true)
            .set_groups((!place.security_groups.is_empty()).then(|| place.security_groups.clone()))
            .build();
        let mut tagged = vec![ResourceType::Instance, ResourceType::Volume, ResourceType::NetworkInterface];
        let mut request = RunInstancesInput::builder()
            .client_token(client_token(self.key))
            .image_id(&place.image.id)
            .instance_type(InstanceType::from(place.instance_type.as_str()))
            .min_count(1)
            .max_count(i32::try_from(self.count).unwrap_or(i32::MAX))
            .network_interfaces(interface)
            .user_data(STANDARD.encode(self.user_data))
            .metadata_options(metadata)
            .instance_initiated_shutdown_behavior(ShutdownBehavior::Terminate)
            .set_block_device_mappings(Some(disks(place)));
        if place.spot {
            // No price: EC2 advises against one, and the on-demand price is the limit then.
            let spot = SpotMarketOptions::builder()
                .spot_instance_type(SpotInstanceType::OneTime)
                .instance_interruption_behavior(InstanceInterruptionBehavior::Terminate)
                .build();
            let market =
                InstanceMarketOptionsRequest::builder().market_type(MarketType::Spot).spot_options(spot).build();
            request = request.instance_market_options(market);
            tagged.push(ResourceType::SpotInstancesRequest);
        }
        if let Some(name) = &place.iam_instance_profile {
            request = request.iam_instance_profile(IamInstanceProfileSpecification::builder().name(name).build());
        }
        if let Some(name) = &place.placement_group {
            request = request.placement(Placement::builder().group_name(name).build());
        }
        if let Some(id) = place.capacity_reservation.as_ref().filter(|_| !place.spot) {
            let target = CapacityReservationTarget::builder().capacity_reservation_id(id).build();
            let reservation = CapacityReservationSpecification::builder().capacity_reservation_target(target).build();
            request = request.capacity_reservation_specification(reservation);
        }
        let tags = tagged.into_iter().map(|kind| tags::on(kind, &self.tags)).collect();
        request.set_tag_specifications(Some(tags))
    }
}

/// Every disk of the image: encrypted, and gone with its machine, whatever the image says.
fn disks(place: &Place) -> Vec<BlockDeviceMapping> {
    let disk = |(number, disk): (usize, &super::resolved::Disk)| {
        let size = place.root_gib.filter(|_| number == 0).and_then(|size| i32::try_from(size).ok());
        let ebs = EbsBlockDevice::builder()
            .delete_on_termination(true)
            // One that is encrypted keeps its owner's key.
            .set_encrypted((!disk.encrypted).then_some(true))
            .set_volume_size(size)
            .build();
        BlockDeviceMapping::builder().device_name(&disk.device).ebs(ebs).build()
    };
    place.image.disks.iter().enumerate().map(disk).collect()
}

#[cfg(test)]
pub(super) mod tests;
