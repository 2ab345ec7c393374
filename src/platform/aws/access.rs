//! What the command line says beside the usual AWS settings, and the configuration that both make.

use aws_config::{AppName, BehaviorVersion, Region, SdkConfig};
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};

use crate::core::ids::{Epoch, RunId};

/// Settings that go over the environment and the profile.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Access {
    /// `--region`, or the cluster's region.
    pub region: Option<String>,
    /// `--endpoint-url`: another address for every service (an S3-compatible store, a rehearsal).
    pub endpoint_url: Option<String>,
    /// `--profile`.
    pub profile: Option<String>,
    /// The caller's name in the user agent, by which the provider's logs tell masters apart.
    pub app: Option<String>,
}

impl Access {
    /// The same, for a region where none was chosen.
    #[must_use]
    pub fn in_region(&self, region: Option<&str>) -> Self {
        Self { region: self.region.clone().or_else(|| region.map(str::to_owned)), ..self.clone() }
    }
    /// The same, with the name of a master: `dayfly-RUN-e2`.
    #[must_use]
    pub fn as_master(&self, run: &RunId, epoch: Epoch) -> Self {
        Self { app: Some(format!("dayfly-{run}-e{epoch}")), ..self.clone() }
    }
}

/// The configuration of every client. Nothing is asked of the network before the first call.
pub async fn config(access: &Access) -> SdkConfig {
    let client = aws_smithy_http_client::Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .build_https();
    let mut loader = aws_config::defaults(BehaviorVersion::latest()).http_client(client);
    if let Some(region) = &access.region {
        loader = loader.region(Region::new(region.clone()));
    }
    if let Some(url) = &access.endpoint_url {
        loader = loader.endpoint_url(url);
    }
    if let Some(profile) = &access.profile {
        loader = loader.profile_name(profile);
    }
    // A run's id is made of letters and digits: the name is always one that an agent may carry.
    if let Some(name) = access.app.as_ref().and_then(|app| AppName::new(app.clone()).ok()) {
        loader = loader.app_name(name);
    }
    loader.load().await
}
