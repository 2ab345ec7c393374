//! Values of variables: JSON, plus the one bit that Ansible keeps beside them: may this be a template?

use std::sync::Arc;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
pub use serde_json::{Map, Value};

/// A variable: its value and whether strings inside it are templates of the author (they are rendered when
/// read) or plain data from a host or a file (never rendered, so that output cannot become code).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Var {
    /// The value as written or as measured.
    pub value: Value,
    /// True for what an author wrote: playbook, inventory, vars files, `--extra-vars`.
    pub template: bool,
}

impl Var {
    /// What an author wrote; rendered when read.
    pub fn written(value: Value) -> Self {
        Self { value, template: true }
    }
    /// What was measured or already rendered; never a template.
    pub fn data(value: Value) -> Self {
        Self { value, template: false }
    }
}

/// Variables of one scope, in the order of writing.
pub type Vars = IndexMap<String, Var>;

/// Scopes from weakest to strongest: a later one hides an earlier one.
#[derive(Clone, Debug, Default)]
pub struct Layers(pub Vec<Arc<Vars>>);

impl Layers {
    /// The strongest definition of a name.
    pub fn get(&self, name: &str) -> Option<&Var> {
        self.0.iter().rev().find_map(|layer| layer.get(name))
    }
    /// Puts a stronger scope on top.
    pub fn push(&mut self, layer: Arc<Vars>) {
        if !layer.is_empty() {
            self.0.push(layer);
        }
    }
    /// Every name, each once.
    pub fn names(&self) -> std::collections::BTreeSet<&str> {
        self.0.iter().flat_map(|layer| layer.keys().map(String::as_str)).collect()
    }
}
