//! Questions to AWS that launch nothing: who asks, what would be allowed, what a network lets through, how much is left.
//! For a doctor.

mod network;
mod permissions;
mod quotas;

pub use network::{Network, Ways};
pub use permissions::Permit;
pub use quotas::Quota;

use super::client::Clients;
use super::failure::Failure;
use crate::platform::aws::{Access, config};
use crate::platform::cloud::CloudError;

/// A caller that AWS recognized, in a region.
pub struct Probe {
    clients: Clients,
    quotas: aws_sdk_servicequotas::Client,
    caller: String,
}

impl Probe {
    /// Finds region and credentials, and asks AWS whose they are (`sts:GetCallerIdentity`, which needs no permission).
    pub async fn connect(access: &Access) -> Result<Self, CloudError> {
        let clients = Clients::connect(access).await;
        if clients.region.is_empty() {
            let why = "no AWS region is named: write it in the playbook (cluster: region: eu-west-1), or give --region or \
                       AWS_REGION";
            return Err(CloudError(why.to_owned()));
        }
        let answer = clients.sts.get_caller_identity().send().await;
        let identity = answer.map_err(|error| Failure::of(&error).into_cloud_error("sts:GetCallerIdentity"))?;
        Ok(Self {
            quotas: aws_sdk_servicequotas::Client::new(&config(access).await),
            caller: identity.arn().unwrap_or("unknown").to_owned(),
            clients,
        })
    }

    /// The region of every answer.
    pub fn region(&self) -> &str {
        &self.clients.region
    }

    /// Whose credentials these are.
    pub fn caller(&self) -> &str {
        &self.caller
    }
}
