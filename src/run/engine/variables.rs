//! Variables of every host, and the scope that a template sees: Ansible's precedence, weakest first.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use indexmap::IndexMap;
use serde_json::{Map, Value, json};

use crate::core::ids::{GroupName, HostName};
use crate::core::values::{Layers, Var, Vars};
use crate::language::template::Scope;

/// What one host has gathered so far. Cloned on write: executors hold snapshots.
#[derive(Clone, Debug, Default)]
pub(super) struct HostVars {
    /// Playbook `vars:`, group variables and host variables, weakest first.
    pub(super) inventory: Vec<Arc<Vars>>,
    /// Facts under their own names (`ansible_hostname`).
    pub(super) facts: Arc<Vars>,
    /// The same as `ansible_facts`, without the prefix.
    pub(super) fact_space: Arc<Map<String, Value>>,
    /// `include_vars`
    pub(super) included: Arc<Vars>,
    /// `set_fact` and `register`
    pub(super) set: Arc<Vars>,
    /// `dayfly` and connection variables of a worker.
    pub(super) magic: Arc<Vars>,
    /// Journal ticket of the newest outcome that shaped these variables.
    pub(super) ticket: u64,
}

impl HostVars {
    /// Adds facts as `setup` returns them.
    pub(super) fn add_facts(&mut self, facts: &Map<String, Value>) {
        let own = Arc::make_mut(&mut self.facts);
        let space = Arc::make_mut(&mut self.fact_space);
        for (name, value) in facts {
            let short = name.strip_prefix("ansible_").unwrap_or(name);
            let short = if short == "local" || name.starts_with("ansible_") { short } else { name.as_str() };
            space.insert(short.to_owned(), value.clone());
            own.insert(name.clone(), Var::data(value.clone()));
        }
    }
    /// `meta: clear_facts`
    pub(super) fn clear_facts(&mut self) {
        self.facts = Arc::default();
        self.fact_space = Arc::default();
    }
    /// `set_fact` or `register`
    pub(super) fn set(&mut self, name: &str, value: Value) {
        Arc::make_mut(&mut self.set).insert(name.to_owned(), Var::data(value));
    }
}

/// All hosts at one moment; shared by the units of one batch.
#[derive(Clone, Debug, Default)]
pub(super) struct Snapshot {
    /// Every known host.
    pub(super) hosts: IndexMap<HostName, Arc<HostVars>>,
    /// `groups`
    pub(super) groups: Arc<IndexMap<GroupName, Vec<HostName>>>,
    /// `--extra-vars`
    pub(super) extra: Arc<Vars>,
    /// Magic variables that are equal for all hosts.
    pub(super) magic: Arc<Vars>,
}

/// Scopes that a play adds between a host's facts and its `set_fact`s.
#[derive(Clone, Debug, Default)]
pub(super) struct PlayScopes {
    /// `vars:` of the play, then its vars files.
    pub(super) play: Vec<Arc<Vars>>,
    /// Blocks, includes and the task.
    pub(super) task: Arc<Vars>,
    /// `ansible_play_hosts` and its kin.
    pub(super) magic: Arc<Vars>,
}

impl Snapshot {
    /// Everything that a template sees of one host; `play` is empty where another host is looked at (`hostvars`).
    pub(super) fn layers(&self, host: &HostName, play: &PlayScopes, local: Vec<Arc<Vars>>) -> Layers {
        let mut layers = Layers::default();
        let Some(vars) = self.hosts.get(host) else { return layers };
        for layer in &vars.inventory {
            layers.push(layer.clone());
        }
        layers.push(vars.facts.clone());
        for layer in &play.play {
            layers.push(layer.clone());
        }
        layers.push(play.task.clone());
        layers.push(vars.included.clone());
        layers.push(vars.set.clone());
        layers.push(self.extra.clone());
        layers.push(self.magic.clone());
        layers.push(vars.magic.clone());
        layers.push(play.magic.clone());
        layers.push(Arc::new(self.names_of(host, vars)));
        for layer in local {
            layers.push(layer);
        }
        layers
    }

    fn names_of(&self, host: &HostName, vars: &HostVars) -> Vars {
        let groups: BTreeSet<&str> = self
            .groups
            .iter()
            .filter(|(group, members)| group.as_str() != "all" && members.contains(host))
            .map(|(group, _)| group.as_str())
            .collect();
        let short = host.as_str().split('.').next().unwrap_or(host.as_str());
        [
            ("inventory_hostname", json!(host)),
            ("inventory_hostname_short", json!(short)),
            ("group_names", json!(groups)),
            ("ansible_facts", Value::Object((*vars.fact_space).clone())),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), Var::data(value)))
        .collect()
    }
}

/// The scope of one host, as templates ask it.
#[derive(Clone)]
pub(super) struct HostScope {
    layers: Layers,
    snapshot: Arc<Snapshot>,
    host: HostName,
    /// Other hosts that were read: the step waits until their results are in the store.
    touched: Arc<Mutex<BTreeSet<HostName>>>,
}

impl HostScope {
    pub(super) fn new(layers: Layers, snapshot: Arc<Snapshot>, host: HostName) -> Self {
        Self { layers, snapshot, host, touched: Arc::default() }
    }
    /// The same with a stronger scope on top.
    pub(super) fn with(&self, layer: Vars) -> Self {
        let mut scope = self.clone();
        scope.layers.push(Arc::new(layer));
        scope
    }
    /// The newest journal ticket of the other hosts that were read.
    pub(super) fn foreign_ticket(&self) -> u64 {
        let touched = self.touched.lock().unwrap_or_else(PoisonError::into_inner);
        touched.iter().filter_map(|host| self.snapshot.hosts.get(host)).map(|vars| vars.ticket).max().unwrap_or(0)
    }
}

impl Scope for HostScope {
    fn get(&self, name: &str) -> Option<Var> {
        self.layers.get(name).cloned()
    }
    fn names(&self) -> Vec<String> {
        self.layers.names().into_iter().map(str::to_owned).collect()
    }
    fn host(&self, name: &str) -> Option<Arc<dyn Scope>> {
        let host = self.snapshot.hosts.get_key_value(name)?.0.clone();
        if host != self.host {
            self.touched.lock().unwrap_or_else(PoisonError::into_inner).insert(host.clone());
        }
        let layers = self.snapshot.layers(&host, &PlayScopes::default(), Vec::new());
        Some(Arc::new(Self { layers, snapshot: self.snapshot.clone(), host, touched: self.touched.clone() }))
    }
    fn hosts(&self) -> Vec<String> {
        // The implicit localhost answers where it is named, but is not among the hosts.
        let all = self.snapshot.groups.get("all");
        let hidden =
            |host: &HostName| host.as_str() == "localhost" && !all.is_some_and(|members| members.contains(host));
        self.snapshot.hosts.keys().filter(|host| !hidden(host)).map(|host| host.as_str().to_owned()).collect()
    }
}
