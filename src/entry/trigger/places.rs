//! Where a run's workers come from and how they are reached, made from its spec.

use std::sync::Arc;

use super::binaries::Executables;
use super::state::StateFolder;
use crate::core::ids::HostName;
use crate::core::records::{CloudKind, Spec};
use crate::entry::exit::Problem;
use crate::platform::cloud::inventory::InventoryCloud;
use crate::platform::cloud::local::{LocalCloud, LocalSettings};
use crate::platform::cloud::{Cloud, Reach};
use crate::platform::remote::Connector;
use crate::platform::store::Store;

/// The cloud of a run.
pub fn cloud_of(spec: &Spec, state: &StateFolder, programs: &Executables) -> Result<Arc<dyn Cloud>, Problem> {
    match spec.cloud {
        CloudKind::Local => Ok(Arc::new(LocalCloud::new(LocalSettings {
            state: state.local_cloud(),
            dayfly: programs.dayfly.clone(),
            timing: spec.timing.clone(),
        }))),
        CloudKind::Inventory => Ok(Arc::new(InventoryCloud::new(vec![(HostName::new("localhost"), Reach::Child)]))),
        CloudKind::Ec2 => Err(Problem::failed("this build cannot reach EC2; use one with the feature aws".to_owned())),
    }
}

/// The way to a run's workers.
pub async fn connector_of(
    spec: &Spec,
    _store: &dyn Store,
    _state: &StateFolder,
    _programs: &Executables,
) -> Result<Arc<dyn Connector>, Problem> {
    Err(Problem::failed(format!("run {} cannot reach workers yet", spec.run)))
}
