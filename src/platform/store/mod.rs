//! The store outlives the run: a directory (or an S3 prefix) with create-once, and the journal on top of it, whose
//! segments are the fence between masters.

mod directory;
pub mod journal;
pub mod layout;
mod memory;
mod opening;
mod patient;
pub mod s3;

use std::path::Path;

use async_trait::async_trait;
use bytes::Bytes;

pub use directory::DirectoryStore;
pub use memory::MemoryStore;
pub use opening::open;
pub use patient::PatientStore;

/// What `create` found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Created {
    /// The object is ours now.
    New,
    /// Somebody (perhaps an earlier try of ours) was first.
    Exists,
}

/// One object of a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its key, relative to the store.
    pub key: String,
    /// Bytes.
    pub size: u64,
    /// Last write by the store's own clock, UNIX milliseconds.
    pub modified_ms: i64,
}

/// Why a store did not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// It cannot be reached or refuses; `retry` says whether trying again may help.
    #[error("{operation} {key:?} in the store: {why}")]
    Failed {
        /// `create`, `get`, …
        operation: &'static str,
        /// The key.
        key: String,
        /// The cause.
        why: String,
        /// Whether it may pass by itself (full disk, timeout).
        retry: bool,
    },
    /// A key that would leave the store.
    #[error("{0:?} is not a key: use relative paths of plain names")]
    BadKey(String),
}

/// A few verbs; keys are relative paths with `/`.
#[async_trait]
pub trait Store: Send + Sync {
    /// Where it is, as a person writes it after `--store`.
    fn location(&self) -> String;
    /// The region of a store that has one: a machine elsewhere must name it.
    fn region(&self) -> Option<String> {
        None
    }
    /// Writes an object that must not exist yet, durably.
    async fn create(&self, key: &str, bytes: Bytes) -> Result<Created, StoreError>;
    /// Writes or overwrites, durably.
    async fn put(&self, key: &str, bytes: Bytes) -> Result<(), StoreError>;
    /// The same from a file on this machine, streamed.
    async fn put_file(&self, key: &str, path: &Path) -> Result<(), StoreError>;
    /// The whole object, or none.
    async fn get(&self, key: &str) -> Result<Option<Bytes>, StoreError>;
    /// Writes the object to a file on this machine, streamed; false where there is no such object.
    async fn get_file(&self, key: &str, path: &Path) -> Result<bool, StoreError>;
    /// Objects below a prefix (a prefix of the key's text, such as `runs/x/journal/`), sorted by key, after a key if given.
    async fn list(&self, prefix: &str, after: Option<&str>) -> Result<Vec<Listed>, StoreError>;
    /// Removes an object; it is no error if there is none.
    async fn delete(&self, key: &str) -> Result<(), StoreError>;
    /// Ends uploads to keys below a prefix that nobody finished, whose parts are no objects but cost money; says how many.
    /// Only for what nobody writes to any more.
    async fn abort_uploads(&self, _prefix: &str) -> Result<usize, StoreError> {
        Ok(0)
    }
}
