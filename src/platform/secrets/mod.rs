//! The run key, what is derived from it (SSH keys, sealing), and nothing that could be read without it.

mod identity;
mod run_key;

pub use identity::SshIdentity;
pub use run_key::RunKey;

use crate::platform::store::StoreError;

/// Why a run's secrets cannot be used. Never holds a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// The store did not take or give the run key.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The run has no key (any more).
    #[error("there is no run key under {0:?} in the store")]
    Missing(String),
    /// The key's record is not one.
    #[error("the run key under {key:?} cannot be used: {why}")]
    BadRecord {
        /// Its key in the store.
        key: String,
        /// What is wrong.
        why: String,
    },
    /// A sealed value was changed, cut, moved to another place, or sealed by another run.
    #[error("a sealed value cannot be opened: {0}")]
    Sealed(&'static str),
    /// A key could not be written in OpenSSH's form.
    #[error("cannot write an SSH key: {0}")]
    Ssh(String),
}
