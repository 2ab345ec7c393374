//! The dispatcher that owns a run's state, and the executors that do its I/O.
//!
//! [`run`] is a master's whole life: it takes the journal over, replays the playbook from the top (what happened answers
//! at once), ends what it made and writes the receipt. Starting, resuming and restarting are this one function.

mod apply;
mod attempt;
mod context;
mod deadline;
mod dispatcher;
mod doors;
mod ending;
mod finished;
mod groups;
mod history;
mod launches;
mod loops;
mod play;
mod pulse;
mod scene;
mod start;
mod state;
mod step;
mod unit;
mod values;
mod variables;
mod watch;

use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::mpsc;

use crate::core::event::Event;
use crate::core::ids::StepKey;
use crate::core::records::Spec;
use crate::core::world::World;
use crate::platform::cloud::{Cloud, CloudError};
use crate::platform::remote::Connector;
use crate::platform::secrets::SecretError;
use crate::platform::store::journal::JournalError;
use crate::platform::store::{Store, StoreError};

pub use context::Workspace;
pub use scene::inventory_name;
pub use start::run;

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
    /// The soft deadline came.
    Expired,
    /// The run cannot go on; what it made is collected and ended all the same.
    Broken {
        /// Why.
        why: String,
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
    pub stop: tokio::sync::watch::Receiver<Stop>,
}

/// Why a master stopped working on a run before its end.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// A newer master works on it.
    #[error("a newer master (epoch {0}) has taken over this run")]
    Fenced(u32),
    /// A replayed step renders to something else than what was done.
    #[error("replay diverged at {place}: the step {key} was run with other arguments; nothing was run")]
    Diverged {
        /// `path:line` of the task.
        place: String,
        /// The step.
        key: StepKey,
    },
    /// The playbook cannot be run.
    #[error("{0}")]
    Playbook(String),
    /// The store does not do what it must.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The journal is damaged or cannot be written.
    #[error("{0}")]
    Journal(JournalError),
    /// The cloud does not answer.
    #[error("the cloud does not answer: {0}")]
    Cloud(CloudError),
    /// The run key cannot be used.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// A mistake of dayfly itself.
    #[error("internal error: {0}")]
    Internal(String),
}

impl EngineError {
    /// Whether the store did not take or give what it must.
    fn is_of_store(&self) -> bool {
        matches!(self, Self::Store(_) | Self::Journal(JournalError::Store(_)))
    }
}

impl From<JournalError> for EngineError {
    fn from(error: JournalError) -> Self {
        match error {
            JournalError::Fenced { by } => Self::Fenced(by.0),
            other => Self::Journal(other),
        }
    }
}
