//! Where a group's machines may be asked for, in order: spot before on demand, types as the playbook orders them, and
//! each type spread over all subnets.

use std::collections::BTreeMap;

use super::place::Place;
use super::resolved::{Image, Resolved};
use crate::core::records::{GroupSpec, Market, MasterSpec, VolumeSpec};
use crate::platform::cloud::Pick;

/// What groups and masters have in common here.
pub(super) struct Wish<'s> {
    pub(super) types: Vec<&'s str>,
    pub(super) subnets: &'s [String],
    pub(super) market: Market,
    pub(super) images: &'s BTreeMap<String, Image>,
    pub(super) volume: Option<&'s VolumeSpec>,
    pub(super) iam_instance_profile: Option<&'s str>,
    pub(super) placement_group: Option<&'s str>,
    pub(super) capacity_reservation: Option<&'s str>,
    pub(super) public_address: bool,
    pub(super) tags: &'s BTreeMap<String, String>,
}

impl<'s> Wish<'s> {
    /// A group's.
    pub(super) fn of_group(
        spec: &'s GroupSpec,
        images: &'s BTreeMap<String, Image>,
        tags: &'s BTreeMap<String, String>,
    ) -> Self {
        Self {
            types: spec.instance_types.iter().map(String::as_str).collect(),
            subnets: &spec.subnets,
            market: spec.market,
            images,
            volume: spec.volume.as_ref(),
            iam_instance_profile: spec.iam_instance_profile.as_deref(),
            placement_group: spec.placement_group.as_deref(),
            capacity_reservation: spec.capacity_reservation.as_deref(),
            public_address: spec.public_address,
            tags,
        }
    }

    /// A master's, always on demand: a run does not end because spot capacity does.
    pub(super) fn of_master(
        spec: &'s MasterSpec,
        images: &'s BTreeMap<String, Image>,
        tags: &'s BTreeMap<String, String>,
    ) -> Self {
        Self {
            types: spec.instance_type.iter().map(String::as_str).collect(),
            subnets: &spec.subnets,
            market: Market::OnDemand,
            images,
            volume: spec.volume.as_ref(),
            iam_instance_profile: spec.iam_instance_profile.as_deref(),
            placement_group: None,
            capacity_reservation: None,
            public_address: spec.public_address,
            tags,
        }
    }

    /// The ordered list. A pair of type and subnet that cannot be had is left out; `groups` says what protects the
    /// machines of a network, and whether that is the run's own group.
    pub(super) fn picks(&self, resolved: &Resolved, groups: impl Fn(&str) -> (Vec<String>, bool)) -> Vec<Pick> {
        let tiers: &[bool] = match self.market {
            Market::OnDemand => &[false],
            Market::Spot => &[true],
            Market::SpotThenOnDemand => &[true, false],
        };
        let mut picks = Vec::new();
        let mut rank = 0;
        for spot in tiers {
            for instance_type in &self.types {
                let Some(shape) = resolved.types.get(*instance_type) else { continue };
                let Some(image) = self.images.get(&shape.architecture) else { continue };
                let before = picks.len();
                for id in self.subnets {
                    let Some(subnet) = resolved.subnets.get(id) else { continue };
                    if !shape.zones.contains(&subnet.zone) {
                        continue;
                    }
                    let (security_groups, own_group) = groups(&subnet.vpc);
                    let place = Place {
                        subnet: id.clone(),
                        zone: subnet.zone.clone(),
                        instance_type: (*instance_type).to_owned(),
                        spot: *spot,
                        image: image.clone(),
                        root_gib: self.volume.map(|volume| volume.size_gib),
                        security_groups,
                        own_group,
                        iam_instance_profile: self.iam_instance_profile.map(str::to_owned),
                        placement_group: self.placement_group.map(str::to_owned),
                        capacity_reservation: self.capacity_reservation.map(str::to_owned),
                        public_address: self.public_address,
                        tags: self.tags.clone(),
                    };
                    let index = picks.len() as u32;
                    let label = place.label();
                    picks.push(Pick { index, rank, label, place: serde_json::json!(place) });
                }
                if picks.len() > before {
                    rank += 1;
                }
            }
        }
        picks
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::cloud::ec2::request::tests::image;
    use crate::platform::cloud::ec2::resolved::{Shape, Subnet};

    fn resolved() -> Resolved {
        let subnet = |zone: &str| Subnet { zone: zone.to_owned(), vpc: "vpc-1".to_owned() };
        let shape = |architecture: &str, zones: &[&str]| Shape {
            architecture: architecture.to_owned(),
            zones: zones.iter().map(|zone| (*zone).to_owned()).collect(),
        };
        Resolved {
            region: "eu-west-1".to_owned(),
            subnets: [("subnet-a", "1a"), ("subnet-b", "1b")].map(|(id, zone)| (id.to_owned(), subnet(zone))).into(),
            types: [
                ("c7i.large", shape("x86_64", &["1a", "1b"])),
                ("c7g.large", shape("arm64", &["1b"])),
                ("g6.xlarge", shape("x86_64", &["1c"])),
            ]
            .map(|(name, shape)| (name.to_owned(), shape))
            .into(),
            ..Resolved::default()
        }
    }

    fn listed(market: Market, types: &[&str]) -> Vec<String> {
        let spec = GroupSpec {
            instance_types: types.iter().map(|name| (*name).to_owned()).collect(),
            subnets: vec!["subnet-a".to_owned(), "subnet-b".to_owned()],
            market,
            ..GroupSpec::default()
        };
        let images = BTreeMap::from([("x86_64".to_owned(), image("ami-x")), ("arm64".to_owned(), image("ami-a"))]);
        let tags = BTreeMap::new();
        let groups = |vpc: &str| (vec![format!("sg-{vpc}")], true);
        let picks = Wish::of_group(&spec, &images, &tags).picks(&resolved(), groups);
        assert!(picks.iter().enumerate().all(|(at, pick)| pick.index as usize == at));
        let line = |pick: &Pick| {
            let place = Place::read(&pick.place).unwrap();
            assert_eq!(place.security_groups, ["sg-vpc-1"]);
            format!("{} {} {}", pick.rank, pick.label, place.image.id)
        };
        picks.iter().map(line).collect()
    }

    #[test]
    fn spot_comes_before_on_demand_and_types_keep_their_order() {
        assert_eq!(
            listed(Market::SpotThenOnDemand, &["c7i.large", "g6.xlarge", "c7g.large"]),
            [
                "0 c7i.large spot in subnet-a (1a) ami-x",
                "0 c7i.large spot in subnet-b (1b) ami-x",
                "1 c7g.large spot in subnet-b (1b) ami-a",
                "2 c7i.large on demand in subnet-a (1a) ami-x",
                "2 c7i.large on demand in subnet-b (1b) ami-x",
                "3 c7g.large on demand in subnet-b (1b) ami-a",
            ]
        );
        assert_eq!(listed(Market::Spot, &["c7g.large"]), ["0 c7g.large spot in subnet-b (1b) ami-a"]);
        assert_eq!(listed(Market::OnDemand, &["g6.xlarge"]), [] as [&str; 0]);
    }
}
