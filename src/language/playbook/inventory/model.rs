//! What an inventory says.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use indexmap::{IndexMap, IndexSet};

use crate::core::ids::{GroupName, HostName};
use crate::core::source::Span;
use crate::core::values::{Layers, Vars};

/// Hosts and groups, in the order of definition. `all` and `ungrouped` are always there.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Inventory {
    /// Every host.
    pub hosts: IndexMap<HostName, InventoryHost>,
    /// Every group.
    pub groups: IndexMap<GroupName, InventoryGroup>,
}

/// One host.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct InventoryHost {
    /// Where it is first named.
    pub span: Span,
    /// Its own variables.
    pub vars: Vars,
}

/// One group.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct InventoryGroup {
    /// Where it is first named.
    pub span: Span,
    /// Its own hosts, without those of its children.
    pub hosts: Vec<HostName>,
    /// Its children.
    pub children: Vec<GroupName>,
    /// Its own variables.
    pub vars: Vars,
}

impl Inventory {
    /// The hosts of a group and of its children: its own first, then level by level.
    pub fn group_hosts(&self, group: &str) -> Vec<HostName> {
        let mut hosts: IndexSet<&HostName> = IndexSet::new();
        for name in self.descendants(group) {
            if let Some(group) = self.groups.get(name) {
                hosts.extend(&group.hosts);
            }
        }
        hosts.into_iter().cloned().collect()
    }

    /// Every group with all of its hosts: what `groups` is in a template.
    pub fn hosts_by_group(&self) -> IndexMap<GroupName, Vec<HostName>> {
        self.groups.keys().map(|group| (group.clone(), self.group_hosts(group.as_str()))).collect()
    }

    /// The groups of a host, sorted, without `all`: what `group_names` is in a template.
    pub fn groups_of(&self, host: &str) -> Vec<GroupName> {
        let names: BTreeSet<&GroupName> = self
            .groups
            .keys()
            .filter(|group| {
                group.as_str() != "all" && self.group_hosts(group.as_str()).iter().any(|name| name.as_str() == host)
            })
            .collect();
        names.into_iter().cloned().collect()
    }

    /// The variables of a host, weakest first: `all`, its groups from outer to inner, the host itself.
    pub fn vars_of(&self, host: &str) -> Layers {
        let depths = self.depths();
        let mut groups: Vec<(usize, i64, GroupName)> = self
            .groups_of(host)
            .into_iter()
            .map(|group| (depths.get(group.as_str()).copied().unwrap_or(0), self.priority(group.as_str()), group))
            .collect();
        groups.sort();
        let mut layers = Layers::default();
        let all = GroupName::from("all");
        for group in std::iter::once(&all).chain(groups.iter().map(|(_, _, group)| group)) {
            if let Some(group) = self.groups.get(group) {
                layers.push(Arc::new(group.vars.clone()));
            }
        }
        if let Some(host) = self.hosts.get(host) {
            layers.push(Arc::new(host.vars.clone()));
        }
        layers
    }

    /// A group and all below it, level by level.
    pub(super) fn descendants<'a>(&'a self, group: &'a str) -> Vec<&'a str> {
        let mut names = vec![group];
        let mut at = 0;
        while at < names.len() {
            if let Some(group) = self.groups.get(names[at]) {
                for child in &group.children {
                    if !names.contains(&child.as_str()) {
                        names.push(child.as_str());
                    }
                }
            }
            at += 1;
        }
        names
    }

    /// How far below `all` each group stands, by its longest way.
    fn depths(&self) -> HashMap<&str, usize> {
        let mut depths: HashMap<&str, usize> = HashMap::new();
        // Groups never contain each other, so this comes to rest.
        let mut again = true;
        while again {
            again = false;
            for (name, group) in &self.groups {
                let below = depths.get(name.as_str()).copied().unwrap_or(0) + 1;
                for child in &group.children {
                    let depth = depths.entry(child.as_str()).or_insert(0);
                    if *depth < below {
                        *depth = below;
                        again = true;
                    }
                }
            }
        }
        depths
    }

    fn priority(&self, group: &str) -> i64 {
        self.groups.get(group).and_then(|group| group.vars.get("ansible_group_priority")?.value.as_i64()).unwrap_or(1)
    }
}
