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
use crate::platform::aws::Renewal;

/// An address that takes no connection in this time is not there.
const CONNECT: Duration = Duration::from_secs(5);
/// One attempt of a request without a body takes at most this long; a hung connection must not eat a master's fence.
const ANSWER: Duration = Duration::from_secs(7);
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
    /// Makes a client for the region of the bucket, which need not be the region where a run's machines are.
    pub async fn reach(address: Address, config: &SdkConfig, profile: Option<String>) -> Result<Self, Trouble> {
        let chosen = config.region().map(ToString::to_string);
        let region = chosen.clone().unwrap_or_else(|| ANY_REGION.to_owned());
        let (bucket, endpoint) = (address.bucket.clone(), endpoint_of(config));
        let target = Target { bucket, region, endpoint, profile, renewal: Renewal::default() };
        let mut bucket = Self { client: client(config, &target), address, target };
        if bucket.target.endpoint.is_none() {
            match bucket.ask_region().await {
                Ok(region) if region == bucket.target.region => {}
                Ok(region) => {
                    bucket.target.region = region;
                    bucket.client = client(config, &bucket.target);
                }
                // Whoever asks next learns what is wrong, if it still is.
                Err(Trouble::Passing(_)) if chosen.is_some() => {}
                Err(trouble) => return Err(trouble),
            }
        }
        Ok(bucket)
    }

    /// Any region may be asked: the answer, also a refusal, names the right one (S3 API Reference, HeadBucket).
    async fn ask_region(&self) -> Result<String, Trouble> {
        match self.client.head_bucket().bucket(&self.target.bucket).send().await {
            Ok(found) => Ok(found.bucket_region().unwrap_or(&self.target.region).to_owned()),
            Err(error) => match error.raw_response().and_then(region_of) {
                Some(region) => Ok(region),
                None => Err(self.target.trouble(&error, "s3:ListBucket").of_bucket(&self.target)),
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
            Err(error) => Err(self.target.trouble(&error, "s3:PutObject").of_bucket(&self.target)),
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
        .identity_cache(target.renewal.clone())
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

#[cfg(test)]
mod tests {
    use aws_sdk_s3::config::Credentials;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;
    use crate::platform::aws;

    /// A bucket on a server that gives one answer to everything.
    async fn bucket(answer: &'static str) -> Bucket {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let access = aws::Access {
            endpoint_url: Some(format!("http://{}", listener.local_addr().unwrap())),
            region: Some("eu-west-1".to_owned()),
            ..aws::Access::default()
        };
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let _ = stream.read(&mut [0; 4096]).await;
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        });
        let keys = Credentials::new("a", "b", None, None, "test");
        let config = aws::config(&access).await.into_builder();
        let config = config.credentials_provider(aws_credential_types::provider::SharedCredentialsProvider::new(keys));
        Bucket::reach(Address::parse("s3://bucket/x").unwrap(), &config.build(), None).await.unwrap()
    }

    #[tokio::test]
    async fn every_answer_tells_the_region_of_a_bucket() {
        for (answer, region) in [
            ("HTTP/1.1 200 OK\r\nx-amz-bucket-region: ap-south-1\r\nConnection: close\r\n\r\n", "ap-south-1"),
            ("HTTP/1.1 301 Moved\r\nx-amz-bucket-region: ap-south-1\r\nConnection: close\r\n\r\n", "ap-south-1"),
            ("HTTP/1.1 403 Forbidden\r\nx-amz-bucket-region: ap-south-1\r\nConnection: close\r\n\r\n", "ap-south-1"),
            ("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", "eu-west-1"),
        ] {
            assert_eq!(bucket(answer).await.ask_region().await.unwrap(), region, "{answer}");
        }
        let gone = bucket("HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\n").await.ask_region().await.unwrap_err();
        assert!(matches!(&gone, Trouble::Refused(why) if why.contains("no bucket")), "{gone:?}");
    }
}
