//! The store's verbs on a bucket.

use std::path::Path;

use async_trait::async_trait;
use aws_config::SdkConfig;
use bytes::Bytes;

use super::address::Address;
use super::bucket::Bucket;
use super::{creation, download, listing, upload};
use crate::platform::aws::{Access, config};
use crate::platform::store::{Created, Listed, Store, StoreError};

/// A store below a prefix of an S3 bucket; cheap to clone.
#[derive(Clone, Debug)]
pub struct S3Store {
    bucket: Bucket,
}

impl S3Store {
    /// Opens `s3://bucket/prefix`. Of AWS, the region of the bucket is asked; of another endpoint, nothing.
    pub async fn open(location: &str, access: &Access) -> Result<Self, StoreError> {
        let address = parse(location)?;
        let profile = access.profile.clone().or_else(|| std::env::var("AWS_PROFILE").ok());
        Self::reach(location, address, &config(access).await, profile).await
    }

    /// The same with a configuration at hand.
    pub async fn with_config(location: &str, config: &SdkConfig) -> Result<Self, StoreError> {
        Self::reach(location, parse(location)?, config, None).await
    }

    async fn reach(
        location: &str,
        address: Address,
        config: &SdkConfig,
        profile: Option<String>,
    ) -> Result<Self, StoreError> {
        let bucket = Bucket::reach(address, config, profile).await;
        Ok(Self { bucket: bucket.map_err(|trouble| trouble.into_error("open", location))? })
    }
}

fn parse(location: &str) -> Result<Address, StoreError> {
    Address::parse(location).map_err(|why| StoreError::Failed {
        operation: "open",
        key: location.to_owned(),
        why,
        retry: false,
    })
}

#[async_trait]
impl Store for S3Store {
    fn location(&self) -> String {
        self.bucket.address.location()
    }
    fn region(&self) -> Option<String> {
        Some(self.bucket.target.region.clone())
    }

    async fn create(&self, key: &str, bytes: Bytes) -> Result<Created, StoreError> {
        let full = self.bucket.address.object("create", key)?;
        creation::create(&self.bucket, &full, bytes).await.map_err(|trouble| trouble.into_error("create", key))
    }

    async fn put(&self, key: &str, bytes: Bytes) -> Result<(), StoreError> {
        let full = self.bucket.address.object("put", key)?;
        self.bucket.put(&full, bytes, false).await.map_err(|trouble| trouble.into_error("put", key))
    }

    async fn put_file(&self, key: &str, path: &Path) -> Result<(), StoreError> {
        let full = self.bucket.address.object("put", key)?;
        upload::put_file(&self.bucket, &full, path).await.map_err(|trouble| trouble.into_error("put", key))
    }

    async fn get(&self, key: &str) -> Result<Option<Bytes>, StoreError> {
        let full = self.bucket.address.object("get", key)?;
        self.bucket.get(&full).await.map_err(|trouble| trouble.into_error("get", key))
    }

    async fn get_file(&self, key: &str, path: &Path) -> Result<bool, StoreError> {
        let full = self.bucket.address.object("get", key)?;
        download::get_file(&self.bucket, &full, path).await.map_err(|trouble| trouble.into_error("get", key))
    }

    async fn list(&self, prefix: &str, after: Option<&str>) -> Result<Vec<Listed>, StoreError> {
        let full = self.bucket.address.listing(prefix)?;
        let after = after.map(|after| self.bucket.address.listing(after)).transpose()?;
        let found = listing::list(&self.bucket, &full, after.as_deref()).await;
        found.map_err(|trouble| trouble.into_error("list", prefix))
    }

    async fn delete(&self, key: &str) -> Result<(), StoreError> {
        let full = self.bucket.address.object("delete", key)?;
        self.bucket.delete(&full).await.map_err(|trouble| trouble.into_error("delete", key))
    }

    async fn abort_uploads(&self, prefix: &str) -> Result<usize, StoreError> {
        let full = self.bucket.address.listing(prefix)?;
        let ended = listing::abort_uploads(&self.bucket, &full).await;
        ended.map_err(|trouble| trouble.into_error("abort", prefix))
    }
}
