//! What went wrong with a call, before anybody judges it.

use std::error::Error;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_ec2::config::http::HttpResponse;
use aws_sdk_ec2::error::{ProvideErrorMetadata, SdkError};

use crate::platform::cloud::CloudError;

/// One failed call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// AWS answered with an error.
    Said {
        /// `InsufficientInstanceCapacity`.
        code: String,
        /// In AWS's own words.
        message: String,
        /// The HTTP status.
        status: u16,
    },
    /// Nothing was sent: there are no credentials, or no address to send it to.
    Unsent(String),
    /// Nobody knows whether the call was carried out.
    Silent(String),
}

impl Failure {
    /// Reads an error of any call to AWS.
    pub(super) fn of<E>(error: &SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        match error {
            SdkError::ServiceError(context) => {
                let meta = context.err().meta();
                let status = context.raw().status().as_u16();
                match meta.code() {
                    Some(code) => Self::Said {
                        code: code.to_owned(),
                        message: meta.message().unwrap_or_default().to_owned(),
                        status,
                    },
                    None if status >= 500 => Self::Silent(format!("AWS answered with status {status}")),
                    None => Self::Said { code: format!("HTTP {status}"), message: String::new(), status },
                }
            }
            _ if let Some(credentials) = find::<CredentialsError>(error) => match credentials {
                // A machine has its role from its metadata: where those do not answer now, they will.
                CredentialsError::CredentialsNotLoaded(_) if has_role_of_machine() => {
                    Self::Silent(without(credentials))
                }
                CredentialsError::CredentialsNotLoaded(_) | CredentialsError::InvalidConfiguration(_) => {
                    Self::Unsent(without(credentials))
                }
                // An instance's own metadata may be slow, or busy.
                _ => Self::Silent(without(credentials)),
            },
            SdkError::TimeoutError(_) => Self::Silent("AWS did not answer in time".to_owned()),
            SdkError::ResponseError(context) => Self::Silent(format!(
                "the answer (HTTP {}) cannot be read: {}",
                context.raw().status().as_u16(),
                cause(error)
            )),
            SdkError::ConstructionFailure(_) => Self::Unsent(format!("the call cannot be made: {}", cause(error))),
            other => Self::Silent(format!("AWS cannot be reached: {}", cause(other))),
        }
    }

    /// AWS's code; none where it did not answer.
    pub(super) fn code(&self) -> Option<&str> {
        match self {
            Self::Said { code, .. } => Some(code),
            Self::Unsent(_) | Self::Silent(_) => None,
        }
    }

    /// As the cloud's error; `action` is the permission that the call needs.
    pub(super) fn into_cloud_error(self, action: &str) -> CloudError {
        CloudError(match self {
            Self::Said { code, message, .. } if is_denial(&code) => format!(
                "not allowed: {action} ({code}): {}; allow it in the policy of whoever asks (docs/aws.md has the \
                 policies), or choose other credentials with --profile",
                without_blob(&message)
            ),
            Self::Said { code, message, .. } => format!("{action} failed ({code}): {message}"),
            Self::Unsent(why) | Self::Silent(why) => format!("{action} failed: {why}"),
        })
    }
}

/// Set by the unit of a master that has a machine of its own, and with it the role of that machine.
const ROLE_VARIABLE: &str = "DAYFLY_MACHINE_ROLE";

fn has_role_of_machine() -> bool {
    std::env::var_os(ROLE_VARIABLE).is_some()
}

/// Whether a code says that the caller may not.
pub(super) fn is_denial(code: &str) -> bool {
    matches!(code, "UnauthorizedOperation" | "AccessDenied" | "AccessDeniedException" | "AuthFailure")
}

/// The message without the encoded part that no person can read.
pub(super) fn without_blob(message: &str) -> &str {
    message.split("Encoded authorization failure message:").next().unwrap_or(message).trim().trim_end_matches('.')
}

fn without(error: &CredentialsError) -> String {
    format!(
        "there are no usable AWS credentials ({}): set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, name a profile with \
         --profile, or renew a session that has ended (\"aws sso login\")",
        cause(error)
    )
}

/// The first error of a type in a chain.
fn find<'e, T: Error + 'static>(error: &'e (dyn Error + 'static)) -> Option<&'e T> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        next = error.source();
    }
    None
}

/// The innermost reason: what stands above it only says that a call failed.
fn cause(error: &(dyn Error + 'static)) -> String {
    let mut last = error;
    while let Some(next) = last.source() {
        last = next;
    }
    last.to_string()
}
