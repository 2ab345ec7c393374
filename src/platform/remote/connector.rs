//! Makes links to real workers.

use std::sync::Arc;

use super::agent_link::AgentLink;
use super::settings::{SshSettings, clean};
use super::{Connector, Link, LinkOrder};

/// Links by SSH, or to a child process.
pub struct SshConnector {
    settings: Arc<SshSettings>,
}

impl SshConnector {
    /// A connector for one run; what a killed master left in the control folder is removed.
    pub fn new(settings: SshSettings) -> Self {
        clean(&settings.control_dir);
        Self { settings: Arc::new(settings) }
    }
}

impl Connector for SshConnector {
    fn link(&self, order: LinkOrder) -> Arc<dyn Link> {
        Arc::new(AgentLink::new(Arc::clone(&self.settings), order))
    }
}
