//! The tags of everything that a run makes in EC2.

use std::collections::BTreeMap;

use aws_sdk_ec2::types::{ResourceType, Tag, TagSpecification};

use super::{deadline_tag, slots_tag};
use crate::core::ids::RunId;
use crate::platform::cloud::{LaunchOrder, MasterOrder};

/// The run: on everything.
pub(super) const RUN: &str = "dayfly:run";
/// The group: on workers only.
pub(super) const GROUP: &str = "dayfly:group";
/// `worker` or `master`.
pub(super) const ROLE: &str = "dayfly:role";
/// The hard end.
pub(super) const DEADLINE: &str = "dayfly:deadline";
/// The launch, as the journal names it.
pub(super) const KEY: &str = "dayfly:key";
/// The names of a launch's machines.
pub(super) const SLOTS: &str = "dayfly:slots";
/// Which master.
pub(super) const EPOCH: &str = "dayfly:epoch";
/// What consoles show.
pub(super) const NAME: &str = "Name";
/// The value of `dayfly:role` on a master's machine.
pub(super) const MASTER: &str = "master";

/// The tags of a worker. Those of the user come first, so that none of them can hide one of ours.
pub(super) fn of_worker(order: &LaunchOrder, user: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let mut tags = named(user, format!("{} {}", order.run, order.group));
    let own = [
        (RUN, order.run.to_string()),
        (ROLE, "worker".to_owned()),
        (GROUP, order.group.to_string()),
        (KEY, order.token.clone()),
        (DEADLINE, deadline_tag::write(order.deadline_ms)),
    ];
    tags.extend(own.map(|(key, value)| (key.to_owned(), value)));
    tags.extend(slots_tag::write(&order.group, &order.slots).map(|value| (SLOTS.to_owned(), value)));
    tags
}

/// The tags of a master's machine.
pub(super) fn of_master(order: &MasterOrder, user: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let mut tags = named(user, format!("{} master {}", order.run, order.epoch));
    let own = [
        (RUN, order.run.to_string()),
        (ROLE, MASTER.to_owned()),
        (EPOCH, order.epoch.to_string()),
        (KEY, order.token.clone()),
        (DEADLINE, deadline_tag::write(order.deadline_ms)),
    ];
    tags.extend(own.map(|(key, value)| (key.to_owned(), value)));
    tags
}

/// The tags of what belongs to a run as a whole.
pub(super) fn of_run(run: &RunId, user: &BTreeMap<String, String>, name: &str) -> BTreeMap<String, String> {
    let mut tags = named(user, name.to_owned());
    tags.insert(RUN.to_owned(), run.to_string());
    tags
}

fn named(user: &BTreeMap<String, String>, name: String) -> BTreeMap<String, String> {
    let mut tags = BTreeMap::from([(NAME.to_owned(), name)]);
    tags.extend(user.clone());
    tags
}

/// The same tags on a kind of thing, sorted by key.
pub(super) fn on(kind: ResourceType, tags: &BTreeMap<String, String>) -> TagSpecification {
    let tags = tags.iter().map(|(key, value)| tag(key, value)).collect();
    TagSpecification::builder().resource_type(kind).set_tags(Some(tags)).build()
}

/// One tag.
pub(super) fn tag(key: &str, value: &str) -> Tag {
    Tag::builder().key(key).value(value).build()
}

/// The value of a tag.
pub(super) fn find<'t>(tags: &'t [Tag], key: &str) -> Option<&'t str> {
    tags.iter().find(|tag| tag.key() == Some(key))?.value()
}
