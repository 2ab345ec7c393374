use std::collections::BTreeMap;

use super::*;
use crate::core::ids::{Epoch, GroupName, HostName, HostSlot, Incarnation, RunId};
use crate::core::records::GroupSpec;
use crate::platform::cloud::ec2::resolved::{Disk, Image};
use crate::platform::cloud::{LaunchOrder, MasterOrder, Pick};

/// An image with a disk that it would keep.
pub(in crate::platform::cloud::ec2) fn image(id: &str) -> Image {
    let disk = |device: &str, size_gib: u64, encrypted: bool| Disk { device: device.to_owned(), size_gib, encrypted };
    Image {
        id: id.to_owned(),
        name: "al2023".to_owned(),
        user: "ec2-user".to_owned(),
        disks: vec![disk("/dev/xvda", 8, false), disk("/dev/sdf", 4, true)],
    }
}

/// A place on spot with everything that a place can have.
pub(in crate::platform::cloud::ec2) fn place() -> Place {
    Place {
        subnet: "subnet-a".to_owned(),
        zone: "eu-west-1a".to_owned(),
        instance_type: "c7i.large".to_owned(),
        spot: true,
        image: image("ami-1"),
        root_gib: Some(100),
        security_groups: vec!["sg-1".to_owned()],
        own_group: false,
        iam_instance_profile: Some("worker".to_owned()),
        placement_group: Some("near".to_owned()),
        capacity_reservation: Some("cr-1".to_owned()),
        public_address: false,
        tags: BTreeMap::from([("team".to_owned(), "vision".to_owned()), ("Name".to_owned(), "mine".to_owned())]),
    }
}

/// An order for three workers there.
pub(in crate::platform::cloud::ec2) fn order() -> LaunchOrder {
    let slot = |index: u32| HostSlot { host: HostName::new(format!("train-{index}")), incarnation: Incarnation(1) };
    LaunchOrder {
        run: RunId::new("01k0run"),
        group: GroupName::new("train"),
        token: "01k0run/train/1/0".to_owned(),
        slots: (0..3).map(slot).collect(),
        spec: GroupSpec::default(),
        pick: Pick { index: 0, rank: 0, label: place().label(), place: serde_json::json!(place()) },
        authorized_key: "ssh-ed25519 AAAArun dayfly 01k0run".to_owned(),
        deadline_ms: 1_795_575_600_000,
        lease_ms: 900_000,
    }
}

fn built(place: &Place) -> RunInstancesInput {
    let order = order();
    let tags = tags::of_worker(&order, &place.tags);
    Request { place, key: &order.token, count: 3, user_data: "#!/bin/sh\n", tags }.build().build().unwrap()
}

#[test]
fn equal_orders_make_equal_requests_also_after_the_journal() {
    let again: LaunchOrder = serde_json::from_str(&serde_json::to_string(&order()).unwrap()).unwrap();
    let place = Place::read(&again.pick.place).unwrap();
    assert_eq!(built(&place), built(&self::place()));
    assert_eq!(format!("{:?}", built(&place)), format!("{:?}", built(&self::place())));
}

#[test]
fn a_request_says_what_ec2_would_otherwise_decide() {
    let request = built(&place());
    assert_eq!((request.min_count(), request.max_count()), (Some(1), Some(3)));
    assert_eq!(request.instance_initiated_shutdown_behavior(), Some(&ShutdownBehavior::Terminate));
    let metadata = request.metadata_options().unwrap();
    assert_eq!(metadata.http_tokens(), Some(&HttpTokensState::Required));
    assert_eq!(metadata.http_put_response_hop_limit(), Some(1));
    assert!(request.subnet_id().is_none() && request.security_group_ids().is_empty(), "they belong to the interface");
    let interface = &request.network_interfaces()[0];
    assert_eq!(interface.associate_public_ip_address(), Some(false));
    assert_eq!((interface.subnet_id(), interface.groups()), (Some("subnet-a"), ["sg-1".to_owned()].as_slice()));
    let disks: Vec<_> =
        request.block_device_mappings().iter().map(|disk| (disk.device_name().unwrap(), disk.ebs().unwrap())).collect();
    assert!(disks.iter().all(|(_, ebs)| ebs.delete_on_termination() == Some(true)));
    assert_eq!((disks[0].0, disks[0].1.volume_size(), disks[0].1.encrypted()), ("/dev/xvda", Some(100), Some(true)));
    assert_eq!((disks[1].0, disks[1].1.volume_size(), disks[1].1.encrypted()), ("/dev/sdf", None, None));
    assert!(request.capacity_reservation_specification().is_none(), "no spot instance comes from a reservation");
    let market = request.instance_market_options().unwrap();
    assert_eq!(market.market_type(), Some(&MarketType::Spot));
    assert_eq!(market.spot_options().unwrap().max_price(), None);
}

#[test]
fn everything_that_a_launch_makes_carries_the_run() {
    let mut place = place();
    let kinds = |request: &RunInstancesInput| -> Vec<String> {
        let specified = request.tag_specifications().iter();
        specified
            .map(|of| {
                assert_eq!(tags::find(of.tags(), tags::RUN), Some("01k0run"));
                of.resource_type().unwrap().as_str().to_owned()
            })
            .collect()
    };
    let spot = built(&place);
    assert_eq!(kinds(&spot), ["instance", "volume", "network-interface", "spot-instances-request"]);
    place.spot = false;
    let on_demand = built(&place);
    // EC2 refuses the tags of a spot request where there is none.
    assert_eq!(kinds(&on_demand), ["instance", "volume", "network-interface"]);
    assert!(on_demand.instance_market_options().is_none() && on_demand.capacity_reservation_specification().is_some());
    let tags: Vec<String> = spot.tag_specifications()[0]
        .tags()
        .iter()
        .map(|tag| format!("{}={}", tag.key().unwrap(), tag.value().unwrap()))
        .collect();
    assert_eq!(
        tags,
        [
            "Name=mine",
            "dayfly:deadline=2026-11-25T03:00:00Z",
            "dayfly:group=train",
            "dayfly:key=01k0run/train/1/0",
            "dayfly:role=worker",
            "dayfly:run=01k0run",
            "dayfly:slots=0-2.1",
            "team=vision",
        ]
    );
}

#[test]
fn the_users_tags_hide_none_of_the_runs() {
    let order = MasterOrder {
        run: RunId::new("01k0run"),
        epoch: Epoch(2),
        token: "01k0run/2/0".to_owned(),
        pick: Pick::only(),
        user_data: String::new(),
        deadline_ms: 0,
    };
    let user = BTreeMap::from([(tags::RUN.to_owned(), "another".to_owned())]);
    let tags = tags::of_master(&order, &user);
    assert_eq!(
        (tags[tags::RUN].as_str(), tags[tags::ROLE].as_str(), tags[tags::EPOCH].as_str()),
        ("01k0run", "master", "2")
    );
    assert!(!tags.contains_key(tags::GROUP), "a sweep of workers must not find a master");
}
