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
    /// Every group by its declared or sealed members, `all` among them.
    pub(super) groups: Arc<IndexMap<GroupName, Vec<HostName>>>,
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

impl RunState {
    /// The variables of all hosts as they are now.
    pub(super) fn snapshot(&self) -> Arc<Snapshot> {
        Arc::new(Snapshot {
            hosts: self.hosts.clone(),
            groups: self.groups.clone(),
            extra: self.extra.clone(),
            magic: self.magic.clone(),
        })
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
    /// Writes down who is in a group, and `groups` with it.
    pub(super) fn set_group(&mut self, group: &GroupName, members: Vec<HostName>) {
        let groups = Arc::make_mut(&mut self.groups);
        groups.insert(group.clone(), members);
        let shown: serde_json::Map<String, Value> =
            groups.iter().map(|(group, members)| (group.as_str().to_owned(), json!(members))).collect();
        Arc::make_mut(&mut self.magic).insert("groups".to_owned(), Var::data(Value::Object(shown)));
    }
}
