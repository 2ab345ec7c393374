//! Credentials that a service calls expired before their own time: a role's session that was revoked, a profile that was
//! renewed beside us. The SDK keeps what it has until that time; here it can be told to ask again.

use std::sync::{Arc, Mutex, PoisonError};

use aws_config::identity::IdentityCache;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::identity::{
    IdentityFuture, ResolveCachedIdentity, SharedIdentityCache, SharedIdentityResolver,
};
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::FinalizerInterceptorContextRef;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;

/// The credentials that a client keeps; all clones are one.
#[derive(Clone, Debug)]
pub struct Renewal {
    kept: Arc<Mutex<SharedIdentityCache>>,
}

impl Default for Renewal {
    fn default() -> Self {
        Self { kept: Arc::new(Mutex::new(IdentityCache::lazy().build())) }
    }
}

impl Renewal {
    /// Forgets what is kept: the next call asks where credentials come from.
    pub fn forget(&self) {
        *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = IdentityCache::lazy().build();
    }

    fn present(&self) -> SharedIdentityCache {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl ResolveCachedIdentity for Renewal {
    fn resolve_cached_identity<'a>(
        &'a self,
        resolver: SharedIdentityResolver,
        components: &'a RuntimeComponents,
        settings: &'a ConfigBag,
    ) -> IdentityFuture<'a> {
        let kept = self.present();
        IdentityFuture::new(async move { kept.resolve_cached_identity(resolver, components, settings).await })
    }
}

/// What services call credentials that have ended (EC2 API Reference, error codes).
const ENDED: [&[u8]; 2] = [b"RequestExpired", b"ExpiredToken"];

/// A client that has it among its interceptors forgets credentials by itself as soon as an answer calls them ended.
impl Intercept for Renewal {
    fn name(&self) -> &'static str {
        "Renewal"
    }

    fn read_after_attempt(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _settings: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let refusal = context.response().filter(|response| response.status().is_client_error());
        if let Some(text) = refusal.and_then(|response| response.body().bytes())
            && ENDED.iter().any(|code| text.windows(code.len()).any(|part| part == *code))
        {
            self.forget();
        }
        Ok(())
    }
}
