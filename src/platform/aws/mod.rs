//! The way to AWS: region, credentials, endpoint and TLS, chosen once, the same for every service.
//!
//! Everything that the usual AWS variables, profiles and credential sources say holds; what the command line says beside
//! them goes over them.

mod access;
mod renewal;

pub use access::{Access, config, region_of};
pub use renewal::Renewal;
