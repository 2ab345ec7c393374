//! From what a person writes after `--store` to a store.

use std::sync::Arc;

use super::s3::S3Store;
use super::{DirectoryStore, Store, StoreError};
use crate::platform::aws::Access;

/// Opens a folder, or a prefix of an S3 bucket (`s3://bucket/prefix`).
pub async fn open(location: &str, access: &Access) -> Result<Arc<dyn Store>, StoreError> {
    let refused = |why: &str| StoreError::Failed {
        operation: "open",
        key: location.to_owned(),
        why: why.to_owned(),
        retry: false,
    };
    if location.is_empty() {
        return Err(refused("the location is empty"));
    }
    if location.starts_with("s3://") {
        return Ok(Arc::new(S3Store::open(location, access).await?));
    }
    if let Some((scheme, _)) = location.split_once("://") {
        return Err(refused(&format!(
            "there is no kind of store named {scheme:?}: give a folder or s3://bucket/prefix"
        )));
    }
    Ok(Arc::new(DirectoryStore::new(location)))
}
