//! Where a run's workers come from and how they are reached, made from its spec.

use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;

use super::binaries::Executables;
use super::clock::SystemWorld;
use super::hosts;
use super::state::StateFolder;
use crate::core::records::{CloudKind, Spec};
use crate::entry::exit::Problem;
use crate::platform::aws::Access;
use crate::platform::cloud::ec2::{Ec2Cloud, Ec2Settings};
use crate::platform::cloud::inventory::InventoryCloud;
use crate::platform::cloud::local::{LocalCloud, LocalSettings};
use crate::platform::cloud::{Cloud, MasterCloud};
use crate::platform::remote::{Connector, SshConnector, SshSettings, control_directory};
use crate::platform::secrets::RunKey;
use crate::platform::store::Store;

/// The cloud of a run, for looking at machines and ending them.
pub fn cloud_of(
    spec: &Spec,
    state: &StateFolder,
    programs: &Executables,
    access: &Access,
) -> Result<Arc<dyn Cloud>, Problem> {
    cloud_from(spec, state, programs, access, Standpoint::Inside)
}

/// Where a master stands, seen from its workers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standpoint {
    /// In their network, or nowhere in particular: it takes their private addresses.
    Inside,
    /// On a person's machine: it takes public addresses and the ways that `ssh:` names.
    Outside,
}

/// The cloud of a run for its master.
pub(super) fn cloud_from(
    spec: &Spec,
    state: &StateFolder,
    programs: &Executables,
    access: &Access,
    standpoint: Standpoint,
) -> Result<Arc<dyn Cloud>, Problem> {
    match spec.cloud {
        CloudKind::Local => Ok(Arc::new(LocalCloud::new(LocalSettings {
            state: state.local_cloud(),
            dayfly: programs.dayfly.clone(),
            timing: spec.timing.clone(),
        }))),
        CloudKind::Inventory => Ok(Arc::new(InventoryCloud::new(hosts::reachable(spec.inventory.as_deref())?))),
        CloudKind::Ec2 => Ok(Arc::new(ec2(spec, access, standpoint))),
    }
}

/// The cloud that gives the masters of a run machines of their own.
pub fn master_cloud_of(spec: &Spec, access: &Access) -> Result<Arc<dyn MasterCloud>, Problem> {
    Ok(Arc::new(ec2(spec, access, Standpoint::Inside)))
}

fn ec2(spec: &Spec, access: &Access, standpoint: Standpoint) -> Ec2Cloud {
    Ec2Cloud::new(Ec2Settings {
        access: spec.cluster.region.as_ref().map_or_else(
            || access.clone(),
            // The order says where its machines are, whatever region this machine is used to.
            |region| Access { region: Some(region.clone()), ..access.clone() },
        ),
        cluster: spec.cluster.clone(),
        resolved: spec.resolved.clone(),
        timing: spec.timing.clone(),
        outside: standpoint == Standpoint::Outside,
    })
}

/// The way to a run's workers. The run's own private key stands in the master's private folder as long as it lives.
pub async fn connector_of(
    spec: &Spec,
    store: &dyn Store,
    scratch: &Path,
    programs: &Executables,
) -> Result<Arc<dyn Connector>, Problem> {
    let key = RunKey::load(store, &spec.run, Arc::new(SystemWorld)).await.context("load the run key")?;
    let identity = scratch.join("identity");
    write_private(&identity, &key.ssh_identity().context("make the run's SSH key")?.private_pem)
        .with_context(|| format!("write {}", identity.display()))?;
    Ok(Arc::new(SshConnector::new(SshSettings {
        control_dir: control_directory(&spec.run).context("make the folder of control sockets")?,
        identity,
        agent: programs.agent.clone(),
        agent_sha256: spec.bin.agent.clone(),
    })))
}

fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    std::io::Write::write_all(&mut file, text.as_bytes())
}
