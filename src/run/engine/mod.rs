//! The dispatcher that owns a run's state, and the executors that do its I/O.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::{mpsc, watch};

use crate::core::event::Event;
use crate::core::records::Spec;
use crate::core::world::World;
use crate::platform::cloud::Cloud;
use crate::platform::remote::Connector;
use crate::platform::store::Store;

/// What people asked of a running master.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Stop {
    /// Nothing.
    #[default]
    No,
    /// Stop steps, collect, end everything.
    Cancel {
        /// Who or what asked: `SIGINT`, `dayfly cancel`.
        by: String,
    },
}

/// Everything that a master needs to work on a run.
pub struct Master {
    /// The frozen order.
    pub spec: Spec,
    /// Where its records stand.
    pub store: Arc<dyn Store>,
    /// Where its workers come from.
    pub cloud: Arc<dyn Cloud>,
    /// The way to workers.
    pub connector: Arc<dyn Connector>,
    /// Clock and chance.
    pub world: Arc<dyn World>,
    /// The bundle, unpacked; steps on the master write here.
    pub workspace: PathBuf,
    /// A private folder of this master for temporary files.
    pub scratch: PathBuf,
    /// `launch`, `resume`, `restart`: why this epoch begins.
    pub why: String,
    /// Events for views; a closed receiver does not matter.
    pub events: mpsc::UnboundedSender<Event>,
    /// What people ask.
    pub stop: watch::Receiver<Stop>,
}
