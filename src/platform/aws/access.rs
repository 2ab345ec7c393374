//! What the command line says beside the usual AWS settings, and the configuration that both make.

use aws_config::{AppName, BehaviorVersion, Region, SdkConfig};
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_smithy_http_client::{Builder, ConnectorBuilder};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;

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

/// The configuration of every client. Nothing is asked of the network before the first call, but for a region where neither
/// the command line, the environment nor a profile names one: an instance knows its own.
pub async fn config(access: &Access) -> SdkConfig {
    let mut loader = aws_config::defaults(BehaviorVersion::latest()).http_client(http_client());
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

/// The region that calls go to, where one is known: by flag, environment or profile.
pub async fn region_of(access: &Access) -> Option<String> {
    config(access).await.region().map(ToString::to_string)
}

/// Speaks TLS and, to endpoints that say so, plain HTTP; takes the usual variables for proxies. The certificates that it
/// trusts are those of the system, or of the file that `SSL_CERT_FILE` names.
fn http_client() -> SharedHttpClient {
    Builder::new().build_with_connector_fn(|settings, components| {
        let mut connector = ConnectorBuilder::default().tls_provider(Provider::Rustls(CryptoMode::Ring));
        connector.set_connector_settings(settings.cloned());
        connector.set_sleep_impl(components.and_then(RuntimeComponents::sleep_impl));
        connector.set_proxy_config(Some(ProxyConfig::from_env()));
        connector.build()
    })
}
