//! The clients of one region.

use std::sync::Arc;
use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_ec2::config::retry::RetryConfig;
use aws_sdk_ec2::config::timeout::TimeoutConfig;

use super::Ec2Cloud;
use crate::platform::aws::{Access, Renewal, config};

/// So long one try of a call may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// So often a call that changes nothing is tried.
const TRIES: u32 = 4;

/// What calls go through.
pub(super) struct Clients {
    /// For everything that may be asked twice.
    pub(super) ec2: aws_sdk_ec2::Client,
    /// For launches: it never tries again by itself, for a launch without capacity is a server error (500) that would be
    /// repeated in the same place, and each try counts against the account's launches.
    pub(super) launches: aws_sdk_ec2::Client,
    /// Parameters that name images.
    pub(super) ssm: aws_sdk_ssm::Client,
    /// Decodes refusals.
    pub(super) sts: aws_sdk_sts::Client,
    /// Where calls go, for messages; empty where no region is known.
    pub(super) region: String,
}

impl Clients {
    /// Finds region and credentials.
    pub(super) async fn connect(access: &Access) -> Self {
        Self::of(&config(access).await)
    }

    /// With a configuration that is there already.
    pub(super) fn of(config: &SdkConfig) -> Self {
        let renewal = Renewal::default();
        let timeouts = TimeoutConfig::builder().operation_attempt_timeout(PATIENCE).build();
        let asking = aws_sdk_ec2::config::Builder::from(config)
            .retry_config(RetryConfig::standard().with_max_attempts(TRIES))
            .identity_cache(renewal.clone())
            .interceptor(renewal.clone())
            .timeout_config(timeouts.clone());
        let launching = aws_sdk_ec2::config::Builder::from(config)
            .retry_config(RetryConfig::disabled())
            .identity_cache(renewal.clone())
            .interceptor(renewal)
            .timeout_config(timeouts);
        Self {
            ec2: aws_sdk_ec2::Client::from_conf(asking.build()),
            launches: aws_sdk_ec2::Client::from_conf(launching.build()),
            ssm: aws_sdk_ssm::Client::new(config),
            sts: aws_sdk_sts::Client::new(config),
            region: config.region().map(ToString::to_string).unwrap_or_default(),
        }
    }
}

/// A client for calls that change nothing.
pub async fn client(access: &Access) -> aws_sdk_ec2::Client {
    Clients::connect(access).await.ec2
}

impl Ec2Cloud {
    /// The clients, made at the first call.
    pub(super) async fn clients(&self) -> Arc<Clients> {
        let mut held = self.clients.lock().await;
        if let Some(clients) = held.as_ref() {
            return clients.clone();
        }
        let clients = Arc::new(match &self.config {
            Some(config) => Clients::of(config),
            None => Clients::connect(&self.settings.access).await,
        });
        *held = Some(clients.clone());
        clients
    }

    /// Forgets them: the next call looks for credentials anew.
    pub(super) async fn renew_credentials(&self) {
        *self.clients.lock().await = None;
    }
}
