//! Makes links to real workers.

use std::ops::Deref;
use std::sync::Arc;

use super::agent_link::AgentLink;
use super::settings::{SshSettings, clean, leave};
use super::{Connector, Link, LinkOrder};

/// What the links of a run share. The control folder goes with the last of them.
pub struct ControlFolder(SshSettings);

impl ControlFolder {
    /// Removes the control folder, unless a connection has something in it.
    pub fn leave(&self) {
        leave(&self.0.control_dir);
    }
}

impl Deref for ControlFolder {
    type Target = SshSettings;
    fn deref(&self) -> &SshSettings {
        &self.0
    }
}

impl Drop for ControlFolder {
    fn drop(&mut self) {
        self.leave();
    }
}

/// Links by SSH, or to a child process.
pub struct SshConnector {
    control: Arc<ControlFolder>,
}

impl SshConnector {
    /// A connector for one run; what a killed master left in the control folder is removed.
    pub fn new(settings: SshSettings) -> Self {
        clean(&settings.control_dir);
        Self { control: Arc::new(ControlFolder(settings)) }
    }
}

impl Connector for SshConnector {
    fn link(&self, order: LinkOrder) -> Arc<dyn Link> {
        Arc::new(AgentLink::new(Arc::clone(&self.control), order))
    }
}
