//! What a resolved cluster means, in words that a person's plan needs.

use std::collections::BTreeMap;

use super::Resolution;
use super::place::Place;
use super::resolved::Resolved;
use crate::core::ids::GroupName;
use crate::platform::cloud::CloudError;

/// Zones, images and sizes of a cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Meaning {
    /// The region.
    pub region: String,
    /// Zone by subnet.
    pub zones: BTreeMap<String, String>,
    /// Image ids by group, one for each architecture of its types.
    pub images: BTreeMap<GroupName, Vec<String>>,
    /// GiB of all disks of the group's largest image, as it stands.
    pub image_gib: BTreeMap<GroupName, u64>,
    /// The master's image, where it has a machine.
    pub master_image: Option<String>,
    /// GiB of its disks.
    pub master_gib: Option<u64>,
}

/// Reads a resolution.
pub fn meaning(resolution: &Resolution) -> Result<Meaning, CloudError> {
    let resolved = Resolved::read(&resolution.resolved).map_err(CloudError)?;
    let mut meaning = Meaning {
        region: resolved.region,
        zones: resolved.subnets.into_iter().map(|(id, subnet)| (id, subnet.zone)).collect(),
        ..Meaning::default()
    };
    for (group, images) in resolved.images {
        let gib = images.values().map(|image| image.disks.iter().map(|disk| disk.size_gib).sum()).max();
        meaning.image_gib.extend(gib.map(|gib| (group.clone(), gib)));
        meaning.images.insert(group, images.into_values().map(|image| image.id).collect());
    }
    if let Some(pick) = resolution.master.as_ref().and_then(|master| master.picks.first()) {
        let place = Place::read(&pick.place).map_err(CloudError)?;
        meaning.master_gib = Some(place.image.disks.iter().map(|disk| disk.size_gib).sum());
        meaning.master_image = Some(place.image.id);
    }
    Ok(meaning)
}
