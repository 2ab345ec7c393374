//! Machines of EC2: ordered picks over subnet × type × market, one `RunInstances` per launch under a token of its own, and
//! everything that follows from EC2's eventual consistency.
//!
//! The invariant: a request is a function of its order, byte for byte, so that asking again under the same token finds
//! what was launched and launches nothing (EC2 Developer Guide, ensuring idempotency). What names in a playbook mean is
//! decided once, before the run exists (`resolve`), and frozen in its spec.

mod client;
mod deadline_tag;
mod denial;
mod describing;
mod ending;
mod failure;
mod host;
mod launching;
mod limiter;
mod masters;
mod meaning;
mod picks;
mod place;
mod prices;
mod probe;
mod refusal;
mod request;
mod resolve;
mod resolved;
mod run_group;
mod slots_tag;
mod tags;
mod token;
mod user_data;
mod verbs;

use std::sync::Arc;

use aws_config::SdkConfig;
use serde_json::Value;

use crate::core::records::ClusterSpec;
use crate::core::timing::Timing;
use crate::platform::aws::Access;

pub use client::client;
pub use describing::Tagged;
pub use meaning::{Meaning, meaning};
pub use prices::{PriceTable, SpotPrice, spot_prices};
pub use probe::{Network, Permit, Probe, Quota, Ways};
pub use resolve::{MasterPlace, Resolution, ResolveError, Wrong, resolve, resolve_by};
pub use user_data::timers;

use client::Clients;
use resolved::Resolved;

/// What this cloud needs to know.
#[derive(Clone, Debug)]
pub struct Ec2Settings {
    /// How AWS is reached.
    pub access: Access,
    /// The run's cluster; empty where only what is there is looked at and ended.
    pub cluster: ClusterSpec,
    /// What `resolve` made of its names; null as above.
    pub resolved: Value,
    /// All durations.
    pub timing: Timing,
    /// The master stands outside the machines' network (`dayfly run`): it takes their public addresses where the playbook
    /// asks for some, and goes through the hosts that `ssh:` names.
    pub outside: bool,
}

/// Machines of EC2.
pub struct Ec2Cloud {
    settings: Ec2Settings,
    resolved: Result<Resolved, String>,
    /// Goes over the access where it is there.
    config: Option<SdkConfig>,
    clients: tokio::sync::Mutex<Option<Arc<Clients>>>,
}

impl Ec2Cloud {
    /// A cloud in one region. Does no I/O: credentials are looked for at the first call.
    pub fn new(settings: Ec2Settings) -> Self {
        let resolved = Resolved::read(&settings.resolved);
        Self { settings, resolved, config: None, clients: tokio::sync::Mutex::new(None) }
    }

    /// The same by a configuration that is there already; `Ec2Settings.access` counts no more.
    pub fn with_config(settings: Ec2Settings, config: SdkConfig) -> Self {
        Self { config: Some(config), ..Self::new(settings) }
    }
}
