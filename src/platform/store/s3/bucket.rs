//! The way to one bucket: client, region, patience, and the calls that need no more than one request.

use std::time::Duration;

use aws_config::{Region, SdkConfig};
use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{Builder, Config};
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::ChecksumAlgorithm;
use bytes::Bytes;

use super::address::Address;
use super::failure::{Target, Trouble, cause, region_of};

/// An address that takes no connection in this time is not there.
const CONNECT: Duration = Duration::from_secs(5);
/// One attempt of a request without a body takes at most this long; a hung connection must not eat a master's fence.
const ANSWER: Duration = Duration::from_secs(10);
/// Bytes that travel in one second at the least.
const SLOWEST: u64 = 256 * 1024;
/// Reads of a whole object begin anew this often when the stream breaks.
const READS: u32 = 4;
/// Where the region of a bucket is asked for, and what services that are not AWS take.
const ANY_REGION: &str = "us-east-1";

/// A bucket and how to speak to it.
#[derive(Clone, Debug)]
pub struct Bucket {
    /// Bucket and prefix.
    pub address: Address,
    /// For messages.
    pub target: Target,
    /// Speaks to the bucket's region.
    pub client: Client,
}

impl Bucket {
    /// Makes a client; asks for the bucket's region where none is set.
    pub async fn reach(address: Address, config: &SdkConfig) -> Result<Self, Trouble> {
        let endpoint = endpoint_of(config);
        let region = config.region().map(ToString::to_string);
        let known = region.clone().or_else(|| endpoint.as_ref().map(|_| ANY_REGION.to_owned()));
        let region = known.clone().unwrap_or_else(|| ANY_REGION.to_owned());
        let target = Target { bucket: address.bucket.clone(), region, endpoint };
        let mut bucket = Self { client: client(config, &target), address, target };
        if known.is_none() {
            bucket.target.region = bucket.ask_region().await?;
            bucket.client = client(config, &bucket.target);
        }
        Ok(bucket)
    }

    /// Any region may be asked: the answer, also a refusal, names the right one (S3 API Reference, HeadBucket).
    async fn ask_region(&self) -> Result<String, Trouble> {
        match self.client.head_bucket().bucket(&self.target.bucket).send().await {
            Ok(found) => Ok(found.bucket_region().unwrap_or(ANY_REGION).to_owned()),
            Err(error) => match error.raw_response().and_then(region_of) {
                Some(region) => Ok(region),
                None if error.raw_response().is_some_and(|raw| raw.status().as_u16() == 404) => {
                    let bucket = &self.target.bucket;
                    Err(Trouble::Refused(format!("there is no bucket {bucket:?}: check its name, or make it first")))
                }
                None => Err(self.target.trouble(&error, "s3:ListBucket")),
            },
        }
    }

    /// One request that writes an object; `only_new` refuses to overwrite and is tried once, since only its caller can
    /// tell what a lost answer means.
    pub async fn put(&self, full: &str, bytes: Bytes, only_new: bool) -> Result<(), Trouble> {
        let mut overrides = patience(bytes.len() as u64);
        if only_new {
            overrides = overrides.retry_config(RetryConfig::disabled());
        }
        let request = self
            .client
            .put_object()
            .bucket(&self.address.bucket)
            .key(full)
            .set_if_none_match(only_new.then(|| "*".to_owned()))
            .checksum_algorithm(ChecksumAlgorithm::Sha256)
            .body(ByteStream::from(bytes));
        match request.customize().config_override(overrides).send().await {
            Ok(_) => Ok(()),
            // A key is no reason why a write fails: what is missing is the bucket, or what stands in its place.
            Err(error) => Err(match self.target.trouble(&error, "s3:PutObject") {
                Trouble::NoSuchKey => Trouble::Refused(format!("there is no bucket {:?}", self.target.bucket)),
                other => other,
            }),
        }
    }

    /// A whole object in memory.
    pub async fn get(&self, full: &str) -> Result<Option<Bytes>, Trouble> {
        let mut reads = 1;
        loop {
            let request = self.client.get_object().bucket(&self.address.bucket).key(full);
            let answer = match request.send().await {
                Ok(answer) => answer,
                Err(error) => match self.target.trouble(&error, "s3:GetObject") {
                    Trouble::NoSuchKey => return Ok(None),
                    other => return Err(other),
                },
            };
            match answer.body.collect().await {
                Ok(body) => return Ok(Some(body.into_bytes())),
                Err(_) if reads < READS => reads += 1,
                Err(error) => return Err(Trouble::Passing(format!("the answer broke off: {}", cause(&error)))),
            }
        }
    }

    /// Removes an object; absent is as good.
    pub async fn delete(&self, full: &str) -> Result<(), Trouble> {
        match self.client.delete_object().bucket(&self.address.bucket).key(full).send().await {
            Ok(_) => Ok(()),
            Err(error) => match self.target.trouble(&error, "s3:DeleteObject") {
                Trouble::NoSuchKey => Ok(()),
                other => Err(other),
            },
        }
    }
}

/// Settings of one call whose request or answer has this many bytes.
pub fn patience(bytes: u64) -> Builder {
    let attempt = ANSWER + Duration::from_secs(bytes / SLOWEST);
    let timeouts = TimeoutConfig::builder().connect_timeout(CONNECT).operation_attempt_timeout(attempt).build();
    Config::builder().timeout_config(timeouts)
}

fn client(config: &SdkConfig, target: &Target) -> Client {
    let timeouts = TimeoutConfig::builder().connect_timeout(CONNECT).operation_attempt_timeout(ANSWER).build();
    let config = Builder::from(config)
        .region(Region::new(target.region.clone()))
        .force_path_style(target.endpoint.is_some())
        .timeout_config(timeouts)
        .build();
    Client::from_conf(config)
}

/// The address that is used instead of that of AWS. Few other services have a name for each bucket.
fn endpoint_of(config: &SdkConfig) -> Option<String> {
    let for_s3 = std::env::var("AWS_ENDPOINT_URL_S3").ok().filter(|url| !url.is_empty());
    config.endpoint_url().map(str::to_owned).or(for_s3)
}
