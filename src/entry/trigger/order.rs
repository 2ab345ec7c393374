//! What a person or an event asks for, before it is frozen.

use std::path::PathBuf;

use serde_json::{Map, Value};

use crate::core::records::{CloudKind, Options};

/// Where the run's hosts come from, as the command line says it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// `--local`: workers are processes on this machine.
    pub local: bool,
    /// `--inventory`: hosts that exist.
    pub inventory: Option<PathBuf>,
    /// `--cluster`: a file with the mapping of `cluster:`.
    pub cluster: Option<PathBuf>,
}

/// What an order is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To be checked alone.
    Check,
    /// To be run.
    Run,
}

/// One run to be.
#[derive(Clone, Debug)]
pub struct Order {
    /// The playbook's file.
    pub playbook: PathBuf,
    /// Whether it will run.
    pub purpose: Purpose,
    /// Where its hosts come from.
    pub place: Place,
    /// `--extra-vars`, the later over the earlier.
    pub extra_vars: Map<String, Value>,
    /// Everything else that the command line says.
    pub options: Options,
    /// Whether this process will be the master: `fetch` of a plain playbook then writes beside it.
    pub foreground: bool,
}

impl Order {
    /// The cloud of this order for a playbook that has a cluster, or none.
    pub fn cloud(&self, has_cluster: bool) -> CloudKind {
        match (&self.place.inventory, self.place.local, has_cluster) {
            (None, true, true) => CloudKind::Local,
            (None, false, true) => CloudKind::Ec2,
            _ => CloudKind::Inventory,
        }
    }
}
