//! What creating a run and working on it stand on.

use std::sync::Arc;

use super::binaries::Executables;
use super::state::StateFolder;
use crate::platform::aws::Access;
use crate::platform::store::Store;

/// Records, this machine's own folder, the two programs, and the way to AWS.
#[derive(Clone)]
pub struct Ground {
    /// Where records are.
    pub store: Arc<dyn Store>,
    /// What this machine keeps.
    pub state: StateFolder,
    /// The two programs.
    pub programs: Executables,
    /// How AWS is reached.
    pub access: Access,
}
