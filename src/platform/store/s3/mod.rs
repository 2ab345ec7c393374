//! A prefix of an S3 bucket as a store: create-once by conditional writes, streams both ways.

use std::path::Path;

use async_trait::async_trait;
use bytes::Bytes;

use super::{Created, Listed, Store, StoreError};
use crate::platform::aws::Access;

/// A store in an S3 bucket.
#[derive(Clone, Debug)]
pub struct S3Store {
    location: String,
}

impl S3Store {
    /// Opens `s3://bucket/prefix`.
    pub async fn open(location: &str, access: &Access) -> Result<Self, StoreError> {
        let _ = access;
        Ok(Self { location: location.to_owned() })
    }
}

#[async_trait]
impl Store for S3Store {
    fn location(&self) -> String {
        self.location.clone()
    }
    async fn create(&self, _key: &str, _bytes: Bytes) -> Result<Created, StoreError> {
        unimplemented!()
    }
    async fn put(&self, _key: &str, _bytes: Bytes) -> Result<(), StoreError> {
        unimplemented!()
    }
    async fn put_file(&self, _key: &str, _path: &Path) -> Result<(), StoreError> {
        unimplemented!()
    }
    async fn get(&self, _key: &str) -> Result<Option<Bytes>, StoreError> {
        unimplemented!()
    }
    async fn get_file(&self, _key: &str, _path: &Path) -> Result<bool, StoreError> {
        unimplemented!()
    }
    async fn list(&self, _prefix: &str, _after: Option<&str>) -> Result<Vec<Listed>, StoreError> {
        unimplemented!()
    }
    async fn delete(&self, _key: &str) -> Result<(), StoreError> {
        unimplemented!()
    }
}
