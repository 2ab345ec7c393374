//! What EC2 made of the names in a playbook: frozen in the spec, so that every master of the run sees the same.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::core::ids::GroupName;

/// Everything that a pick is made from, beside the playbook's own words.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Resolved {
    /// Where every call goes.
    pub(super) region: String,
    /// Every subnet that the playbook names.
    pub(super) subnets: BTreeMap<String, Subnet>,
    /// The address ranges of their networks.
    pub(super) networks: BTreeMap<String, Vec<String>>,
    /// Every instance type that the playbook names.
    pub(super) types: BTreeMap<String, Shape>,
    /// The images of each group, by architecture.
    pub(super) images: BTreeMap<GroupName, BTreeMap<String, Image>>,
}

/// One subnet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Subnet {
    /// Its zone.
    pub(super) zone: String,
    /// Its network.
    pub(super) vpc: String,
}

/// One instance type.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Shape {
    /// `x86_64` or `arm64`.
    pub(super) architecture: String,
    /// Which of the zones have it.
    pub(super) zones: Vec<String>,
}

/// One image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Image {
    /// `ami-…`
    pub(super) id: String,
    /// For people.
    pub(super) name: String,
    /// The user that its cloud-init makes.
    pub(super) user: String,
    /// Its disks, the root first.
    pub(super) disks: Vec<Disk>,
}

/// A disk that an image brings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Disk {
    /// `/dev/xvda`
    pub(super) device: String,
    /// As large as its snapshot.
    pub(super) size_gib: u64,
    /// Encrypted already, with a key of its owner's.
    pub(super) encrypted: bool,
}

impl Resolved {
    /// Reads `Spec.resolved`; the error is for people.
    pub(super) fn read(value: &Value) -> Result<Self, String> {
        if value.is_null() {
            return Err("this run's order says nothing of EC2: it was made for another cloud".to_owned());
        }
        serde_json::from_value(value.clone()).map_err(|error| {
            format!(
                "what EC2 made of the cluster cannot be read from the run's order (another version wrote it?): {error}"
            )
        })
    }
}
