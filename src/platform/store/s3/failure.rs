//! What an answer of S3 means: absent, refused, or perhaps better in a moment, and what a person can do about it.

use std::error::Error;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{DisplayErrorContext, ErrorMetadata, ProvideErrorMetadata, SdkError};

use crate::platform::aws::Renewal;
use crate::platform::store::StoreError;

/// What S3 says where it does not do what it was asked (S3 API Reference, error responses).
#[derive(Debug)]
pub enum Trouble {
    /// There is no such object.
    NoSuchKey,
    /// The condition of a write or a read does not hold.
    NotMet,
    /// Another conditional write of the same key was under way: nothing was written.
    Conflict,
    /// The multipart upload is over, one way or the other.
    NoSuchUpload,
    /// The range begins behind the object's end.
    BadRange,
    /// It may pass; whether the request had its effect is unknown.
    Passing(String),
    /// A write that is not allowed now: a policy that is being changed passes, and whoever has worked until now waits.
    Denied(String),
    /// It will not pass by itself.
    Refused(String),
}

impl Trouble {
    /// The same for a call about no single object: what is missing then is the bucket.
    #[must_use]
    pub fn of_bucket(self, target: &Target) -> Self {
        if matches!(self, Self::NoSuchKey) { Self::Refused(target.no_bucket()) } else { self }
    }

    /// As the store's error.
    pub fn into_error(self, operation: &'static str, key: &str) -> StoreError {
        let (why, retry) = match self {
            Self::Passing(why) | Self::Denied(why) => (why, true),
            Self::Refused(why) => (why, false),
            Self::Conflict => ("other writes of the same key go on".to_owned(), true),
            Self::NoSuchUpload => ("the upload was ended by somebody else, a lifecycle rule perhaps".to_owned(), true),
            Self::NotMet => ("the object changed while it was read".to_owned(), true),
            Self::BadRange => ("the object became shorter while it was read".to_owned(), true),
            Self::NoSuchKey => ("it is gone".to_owned(), true),
        };
        StoreError::Failed { operation, key: key.to_owned(), why, retry }
    }
}

/// Where requests go, for messages.
#[derive(Clone, Debug)]
pub struct Target {
    /// The bucket's name.
    pub bucket: String,
    /// The region that requests are signed for.
    pub region: String,
    /// Another address than that of AWS.
    pub endpoint: Option<String>,
    /// The profile that was chosen, if any.
    pub profile: Option<String>,
    /// The credentials that are kept; forgotten where S3 calls them expired.
    pub renewal: Renewal,
}

impl Target {
    /// What an error means; `needs` is the permission that the call takes.
    pub fn trouble<E>(&self, error: &SdkError<E, HttpResponse>, needs: &str) -> Trouble
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        match error {
            SdkError::ServiceError(context) => self.answered(context.err().meta(), context.raw(), needs),
            SdkError::TimeoutError(_) => Trouble::Passing(format!("{} does not answer in time", self.name())),
            SdkError::ResponseError(context) => {
                let status = context.raw().status().as_u16();
                Trouble::Passing(format!(
                    "the answer of {} (HTTP {status}) cannot be read: {}",
                    self.name(),
                    cause(error)
                ))
            }
            other => match find::<CredentialsError>(other) {
                Some(error) => self.without_credentials(error),
                None => self.unsent(other),
            },
        }
    }

    /// The request did not get through.
    fn unsent<E>(&self, error: &SdkError<E, HttpResponse>) -> Trouble
    where
        E: Error + 'static,
    {
        match error {
            SdkError::DispatchFailure(failure) if failure.is_user() => {
                Trouble::Refused(format!("no request can be made to {}: {}", self.name(), cause(error)))
            }
            SdkError::DispatchFailure(_) => {
                let why = cause(error);
                let hint = if why.contains("certificate") {
                    "; a certificate of your own authority is trusted by SSL_CERT_FILE=FILE".to_owned()
                } else if why.contains("lookup") && self.endpoint.is_none() {
                    format!("; is there a region {:?}, and a name server?", self.region)
                } else {
                    String::new()
                };
                Trouble::Passing(format!("{} cannot be reached: {why}{hint}", self.name()))
            }
            _ => Trouble::Refused(cause(error)),
        }
    }

    fn answered(&self, meta: &ErrorMetadata, raw: &HttpResponse, needs: &str) -> Trouble {
        let status = raw.status().as_u16();
        let code = meta.code().unwrap_or_default();
        let refused = Trouble::Refused;
        match (code, status) {
            ("NoSuchKey", _) => Trouble::NoSuchKey,
            ("NoSuchUpload", _) => Trouble::NoSuchUpload,
            ("PreconditionFailed", _) | (_, 412) => Trouble::NotMet,
            ("InvalidRange", _) | (_, 416) => Trouble::BadRange,
            ("ConditionalRequestConflict" | "OperationAborted", _) => Trouble::Conflict,
            ("NoSuchBucket", _) => refused(self.no_bucket()),
            ("PermanentRedirect" | "AuthorizationHeaderMalformed" | "IllegalLocationConstraintException", _)
            | (_, 301 | 307) => refused(self.elsewhere(region_of(raw).as_deref())),
            ("InvalidAccessKeyId" | "InvalidClientTokenId" | "UnrecognizedClientException", _) => refused(
                "the access key is not known there (any more): check AWS_ACCESS_KEY_ID, or choose another with --profile"
                    .to_owned(),
            ),
            ("SignatureDoesNotMatch", _) => refused(
                "the secret key does not belong to the access key: check AWS_SECRET_ACCESS_KEY, or the profile".to_owned(),
            ),
            ("ExpiredToken" | "ExpiredTokenException" | "TokenRefreshRequired" | "InvalidToken", _) => {
                // Where they come from may have others by now: a role always has, a person may renew theirs.
                self.renewal.forget();
                Trouble::Passing(
                    "the credentials have expired: renew them (\"aws sso login\", a new session) and try again".to_owned(),
                )
            }
            ("RequestTimeTooSkewed", _) => Trouble::Passing(
                "the clock of this machine is wrong by more than S3 allows: set it, by NTP if possible".to_owned(),
            ),
            ("AllAccessDisabled" | "AccountProblem" | "NotSignedUp" | "InvalidPayer", _) => {
                refused(format!("the account cannot use S3: {}", said(meta, status)))
            }
            (code, status) if passes(code, status) => Trouble::Passing(said(meta, status)),
            ("NotImplemented", _) | (_, 501) => refused(format!(
                "{} does not do what a store needs ({}): conditional writes (If-None-Match) must work there",
                self.name(),
                said(meta, status)
            )),
            (_, 403) if needs == "s3:PutObject" => Trouble::Denied(self.denied(meta, status, needs)),
            (_, 403) => refused(self.denied(meta, status, needs)),
            (_, 404) => Trouble::NoSuchKey,
            _ => refused(said(meta, status)),
        }
    }

    fn no_bucket(&self) -> String {
        let (bucket, region) = (&self.bucket, &self.region);
        format!(
            "there is no bucket {bucket:?}: check its name, or make it with \"aws s3 mb s3://{bucket} --region {region}\""
        )
    }

    fn denied(&self, meta: &ErrorMetadata, status: u16, needs: &str) -> String {
        let bucket = &self.bucket;
        let absent = if needs == "s3:GetObject" {
            format!(
                "; without s3:ListBucket on arn:aws:s3:::{bucket} this is also the answer for an object that is absent"
            )
        } else {
            String::new()
        };
        format!("access denied ({}): the caller needs {needs} on bucket {bucket:?}{absent}", said(meta, status))
    }

    fn elsewhere(&self, region: Option<&str>) -> String {
        let (bucket, ours) = (&self.bucket, &self.region);
        match region.filter(|region| region != ours) {
            Some(region) => {
                format!("the bucket {bucket:?} is in region {region}, not in {ours}: set --region {region}")
            }
            None => format!("the bucket {bucket:?} is not in region {ours}: set --region to the region that it is in"),
        }
    }

    fn without_credentials(&self, error: &CredentialsError) -> Trouble {
        let text = cause(error);
        match (error, &self.profile) {
            (CredentialsError::CredentialsNotLoaded(_), Some(profile)) => Trouble::Refused(format!(
                "there are no AWS credentials in profile {profile:?}: look for it in ~/.aws/config and ~/.aws/credentials, \
                 or choose another with --profile"
            )),
            (CredentialsError::CredentialsNotLoaded(_), None) => Trouble::Refused(
                "there are no AWS credentials: run \"aws configure\" or \"aws sso login\", choose a profile with --profile, \
                 or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; on EC2, give the instance a role"
                    .to_owned(),
            ),
            (CredentialsError::InvalidConfiguration(_), _) => {
                Trouble::Refused(format!("the AWS configuration cannot be used: {text}; check --profile and ~/.aws/config"))
            }
            _ => Trouble::Passing(format!("the AWS credentials cannot be had: {text}")),
        }
    }

    fn name(&self) -> String {
        self.endpoint.clone().unwrap_or_else(|| format!("S3 in {}", self.region))
    }
}

/// The region that S3 names in every answer about a bucket, also in refusals.
pub fn region_of(raw: &HttpResponse) -> Option<String> {
    let region = raw.headers().get("x-amz-bucket-region").map(str::to_owned);
    region.or_else(|| {
        let body = std::str::from_utf8(raw.body().bytes()?).ok()?;
        let (_, rest) = body.split_once("<Region>")?;
        Some(rest.split_once("</Region>")?.0.to_owned())
    })
}

/// Whether an answer speaks of this moment: too much at once, bytes that were damaged on the way, trouble of the service.
fn passes(code: &str, status: u16) -> bool {
    let busy =
        ["SlowDown", "RequestTimeout", "RequestLimitExceeded", "Throttling", "ThrottlingException", "TooManyRequests"];
    let damaged = ["BadDigest", "XAmzContentSHA256Mismatch", "IncompleteBody"];
    let trouble = matches!(status, 408 | 429 | 500 | 502..=599);
    trouble || busy.contains(&code) || damaged.contains(&code)
}

/// What the service said, and its name for the request, which its support asks for.
fn said(meta: &ErrorMetadata, status: u16) -> String {
    let mut text = match (meta.code(), meta.message()) {
        (Some(code), Some(message)) => format!("{code}: {}", message.trim_end_matches('.')),
        (Some(code), None) => code.to_owned(),
        (None, _) => format!("HTTP {status}"),
    };
    if let Some(id) = meta.extra("aws_request_id") {
        text = format!("{text}, request {id}");
    }
    text
}

/// The causes of an error in one line, each once.
pub fn cause(error: &(dyn Error + 'static)) -> String {
    let mut parts: Vec<String> = Vec::new();
    let mut at = error.source().or(Some(error));
    while let Some(error) = at {
        let part = error.to_string();
        if !parts.iter().any(|earlier| earlier.contains(&part)) {
            parts.push(part);
        }
        at = error.source();
    }
    if parts.is_empty() { DisplayErrorContext(error).to_string() } else { parts.join(": ") }
}

fn find<'a, T: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a T> {
    let mut at = Some(error);
    while let Some(error) = at {
        if let Some(found) = error.downcast_ref::<T>() {
            return Some(found);
        }
        at = error.source();
    }
    None
}
