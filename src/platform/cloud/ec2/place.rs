//! `Pick.place`: everything that a launch says beside its order. It is written down before the launch, so it holds ids and
//! no names that could come to mean something else.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::resolved::Image;

/// A subnet, a type and a market, with all that a request needs there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Place {
    pub(super) subnet: String,
    pub(super) zone: String,
    pub(super) instance_type: String,
    pub(super) spot: bool,
    pub(super) image: Image,
    /// The root disk's size where the playbook says one.
    pub(super) root_gib: Option<u64>,
    pub(super) security_groups: Vec<String>,
    /// The security group is the run's own, and may be too young to be seen.
    pub(super) own_group: bool,
    pub(super) iam_instance_profile: Option<String>,
    pub(super) placement_group: Option<String>,
    pub(super) capacity_reservation: Option<String>,
    pub(super) public_address: bool,
    /// The user's tags.
    pub(super) tags: BTreeMap<String, String>,
}

impl Place {
    /// Reads a pick's place; the error is for people.
    pub(super) fn read(value: &Value) -> Result<Self, String> {
        serde_json::from_value(value.clone())
            .map_err(|error| format!("the place of a launch cannot be read (another version wrote it?): {error}"))
    }

    /// For people.
    pub(super) fn label(&self) -> String {
        let market = if self.spot { "spot" } else { "on demand" };
        format!("{} {market} in {} ({})", self.instance_type, self.subnet, self.zone)
    }
}
