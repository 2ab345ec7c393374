//! The run's state: owned by the dispatcher, changed by nobody else.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use indexmap::IndexMap;
use serde_json::{Value, json};

use super::context::{Member, Members};
use super::play::PlayRun;
use super::variables::{HostVars, Snapshot};
use crate::core::event::HostStats;
use crate::core::ids::{GroupName, HostName, Incarnation};
use crate::core::values::{Var, Vars};
use crate::language::plan::CursorState;

/// Hosts, their variables, counters and fates.
#[derive(Default)]
pub(super) struct RunState {
    pub(super) hosts: IndexMap<HostName, Arc<HostVars>>,
    /// Every group by its declared members, `all` among them.
    pub(super) declared: IndexMap<GroupName, Vec<HostName>>,
    /// The groups that are sealed, by their members.
    pub(super) sealed: IndexMap<GroupName, Vec<HostName>>,
    pub(super) extra: Arc<Vars>,
    pub(super) magic: Arc<Vars>,
    pub(super) members: HashMap<HostName, Member>,
    pub(super) incarnations: HashMap<HostName, Incarnation>,
    pub(super) stats: IndexMap<HostName, HostStats>,
    pub(super) failed: BTreeSet<HostName>,
    /// Hosts that were rescued from a failure that was not their own: they count as failed when the next batch begins.
    pub(super) barred: BTreeSet<HostName>,
    pub(super) unreachable: BTreeSet<HostName>,
}

/// Which groups a play sees as they were sealed: its own and those of the plays before it. Of any other group it sees the
/// declared names, whether or not that is sealed by now, so that every master sees the same.
#[derive(Debug)]
pub(super) struct View {
    pub(super) groups: Arc<IndexMap<GroupName, Vec<HostName>>>,
    magic: Arc<Vars>,
    /// Hosts whose addresses and ranks are none of its business.
    hidden: BTreeSet<HostName>,
}

impl RunState {
    /// What a play sees that may know of these groups.
    pub(super) fn view(&self, known: &BTreeSet<GroupName>) -> View {
        let mut groups = self.declared.clone();
        let mut hidden = BTreeSet::new();
        for (group, sealed) in &self.sealed {
            let Some(names) = groups.get_mut(group) else { continue };
            if !known.contains(group) {
                hidden.extend(names.iter().cloned());
                continue;
            }
            let absent: Vec<HostName> = names.iter().filter(|host| !sealed.contains(host)).cloned().collect();
            names.clone_from(sealed);
            if let Some(all) = groups.get_mut("all") {
                all.retain(|host| !absent.contains(host));
            }
        }
        let mut magic = (*self.magic).clone();
        magic.insert("groups".to_owned(), shown(&groups));
        View { groups: Arc::new(groups), magic: Arc::new(magic), hidden }
    }
    /// The variables of all hosts as they are now, for a play.
    pub(super) fn snapshot(&self, view: &View) -> Arc<Snapshot> {
        let mut hosts = self.hosts.clone();
        for host in &view.hidden {
            if let Some(vars) = hosts.get_mut(host) {
                Arc::make_mut(vars).magic = Arc::default();
            }
        }
        Arc::new(Snapshot { hosts, groups: view.groups.clone(), extra: self.extra.clone(), magic: view.magic.clone() })
    }
    /// The hosts that can be reached now.
    pub(super) fn members(&self) -> Members {
        Arc::new(self.members.clone())
    }
    /// A host's variables, to be changed.
    pub(super) fn host_mut(&mut self, host: &HostName) -> &mut HostVars {
        Arc::make_mut(self.hosts.entry(host.clone()).or_default())
    }
    /// Takes up which hosts of a play failed.
    pub(super) fn note_failures(&mut self, play: &PlayRun) {
        let failed = play.cursors.iter().filter(|(_, cursor)| cursor.state() == CursorState::Failed);
        self.failed.extend(failed.map(|(host, _)| host.clone()));
    }
    /// A host's counters.
    pub(super) fn stats_of(&mut self, host: &HostName) -> &mut HostStats {
        self.stats.entry(host.clone()).or_default()
    }
    /// The machine that carries a name.
    pub(super) fn incarnation(&self, host: &HostName) -> u32 {
        self.incarnations.get(host).map_or(1, |incarnation| incarnation.0)
    }
    /// Who is in a group as it is declared.
    pub(super) fn declare_group(&mut self, group: &GroupName, members: Vec<HostName>) {
        self.declared.insert(group.clone(), members);
    }
}

/// `groups` as templates see it.
fn shown(groups: &IndexMap<GroupName, Vec<HostName>>) -> Var {
    let shown = groups.iter().map(|(group, members)| (group.as_str().to_owned(), json!(members)));
    Var::data(Value::Object(shown.collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts(names: &[&str]) -> Vec<HostName> {
        names.iter().map(|name| HostName::new(*name)).collect()
    }

    #[test]
    fn a_play_sees_sealed_members_of_its_own_groups_and_declared_names_of_others() {
        let mut state = RunState::default();
        state.declare_group(&GroupName::new("all"), hosts(&["a-0", "a-1", "b-0", "b-1"]));
        for (group, names) in [("a", ["a-0", "a-1"]), ("b", ["b-0", "b-1"])] {
            state.declare_group(&GroupName::new(group), hosts(&names));
            state.sealed.insert(GroupName::new(group), hosts(&names[1..]));
            for name in names {
                let magic = &mut state.host_mut(&HostName::new(name)).magic;
                Arc::make_mut(magic).insert("ansible_host".to_owned(), Var::data(json!("10.0.0.1")));
            }
        }
        let view = state.view(&BTreeSet::from([GroupName::new("a")]));
        assert_eq!(view.groups["a"], hosts(&["a-1"]));
        assert_eq!(view.groups["b"], hosts(&["b-0", "b-1"]));
        assert_eq!(view.groups["all"], hosts(&["a-1", "b-0", "b-1"]));
        let snapshot = state.snapshot(&view);
        let knows = |name: &str| snapshot.hosts[&HostName::new(name)].magic.contains_key("ansible_host");
        assert!(knows("a-1") && !knows("b-1"));
        assert_eq!(snapshot.magic["groups"].value["b"], json!(["b-0", "b-1"]));
    }
}
