//! What each error of a launch means for it (EC2 API Reference, error codes).

use super::failure::{Failure, without_blob};
use super::place::Place;
use crate::platform::cloud::{Again, LaunchError};

/// What to do about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// None here now.
    Capacity,
    /// The subnet is full.
    Addresses,
    /// Never here.
    Unsupported,
    /// The account may have no more of them.
    Quota,
    /// Asked too often: the same again, later.
    Throttled,
    /// Nobody knows what happened: the same again.
    Unknown,
    /// More at once than EC2 takes.
    TooMany,
    /// The caller may not.
    Denied,
    /// The spot market cannot be used by this account yet.
    NoSpotRole,
    /// The credentials, or the clock, are over.
    Expired,
    /// A profile that may be too young to be seen.
    Profile,
    /// A security group that may be too young to be seen.
    Group,
    /// The playbook is wrong.
    Wrong,
    /// The token belongs to another request.
    Mismatch,
    /// What this token launched is over.
    Over,
}

/// The class of an error. The code decides, for EC2 says 500 to some definite refusals.
pub(super) fn class(failure: &Failure) -> Class {
    let Failure::Said { code, message, status } = failure else {
        return if matches!(failure, Failure::Unsent(_)) { Class::Denied } else { Class::Unknown };
    };
    match code.as_str() {
        "InsufficientInstanceCapacity"
        | "InsufficientCapacity"
        | "InsufficientHostCapacity"
        | "InsufficientReservedInstanceCapacity"
        | "UnfulfillableCapacity"
        | "ReservationCapacityExceeded"
        | "SpotMaxPriceTooLow" => Class::Capacity,
        "InsufficientFreeAddressesInSubnet" => Class::Addresses,
        "Unsupported" | "UnsupportedOperation" => Class::Unsupported,
        "VcpuLimitExceeded"
        | "InstanceLimitExceeded"
        | "MaxSpotInstanceCountExceeded"
        | "VolumeLimitExceeded"
        | "NetworkInterfaceLimitExceeded" => Class::Quota,
        "RequestLimitExceeded" | "Throttling" | "ThrottlingException" | "EC2ThrottledException" => Class::Throttled,
        "ResourceCountExceeded" => Class::TooMany,
        "AuthFailure.ServiceLinkedRoleCreationNotPermitted" => Class::NoSpotRole,
        "RequestExpired" | "ExpiredToken" | "ExpiredTokenException" | "TokenRefreshRequired" => Class::Expired,
        "UnauthorizedOperation"
        | "AccessDenied"
        | "AccessDeniedException"
        | "AuthFailure"
        | "OptInRequired"
        | "PendingVerification"
        | "Blocked"
        | "InvalidClientTokenId"
        | "SignatureDoesNotMatch"
        | "UnrecognizedClientException" => Class::Denied,
        "InvalidParameterValue" if message.contains("Invalid IAM Instance Profile") => Class::Profile,
        "InvalidGroup.NotFound" => Class::Group,
        "IdempotentParameterMismatch" => Class::Mismatch,
        "IdempotentInstanceTerminated" => Class::Over,
        "InternalError" | "InternalFailure" | "ServerInternal" | "ServiceUnavailable" | "Unavailable"
        | "RequestTimeout" => Class::Unknown,
        _ if *status >= 500 => Class::Unknown,
        other if other.ends_with("LimitExceeded") => Class::Quota,
        _ => Class::Wrong,
    }
}

/// The launch's error; `whose` says whose launch it was (`the group train`, `the master`), `key` where the playbook names
/// what it is made of (`cluster.groups.train`).
pub(super) fn refusal(failure: &Failure, place: &Place, whose: &str, key: &str) -> LaunchError {
    let (code, message) = match failure {
        Failure::Said { code, message, .. } => (code.as_str(), without_blob(message)),
        Failure::Unsent(why) => return LaunchError::Impossible(why.clone()),
        Failure::Silent(why) => return LaunchError::Ambiguous(why.clone()),
    };
    let label = place.label();
    let refused = |again: Again, what: &str| LaunchError::Refused { why: format!("{label}: {what} ({code})"), again };
    let impossible = |hint: String| {
        LaunchError::Impossible(format!("EC2 refuses to launch {whose} as {label} ({code}): {message}; {hint}"))
    };
    match class(failure) {
        Class::Capacity => refused(Again::Later, "EC2 has none of these now"),
        Class::Addresses => {
            refused(Again::Later, "the subnet has no free addresses; name another subnet beside it, or a larger one")
        }
        Class::Unsupported => refused(Again::Never, &format!("it cannot be had there: {message}")),
        Class::Quota => refused(Again::Later, &format!("{}: {message}", quota(code, place))),
        Class::NoSpotRole => refused(
            Again::Never,
            "this account has never used spot instances, and the role AWSServiceRoleForEC2Spot that it needs may not be \
             made by this caller; make it once with \"aws iam create-service-linked-role --aws-service-name \
             spot.amazonaws.com\"",
        ),
        Class::Throttled => LaunchError::Ambiguous(format!(
            "{label}: EC2 is asked too often by this account ({code}); the same launch is asked for again"
        )),
        Class::Unknown => LaunchError::Ambiguous(format!("{label}: {message} ({code})")),
        Class::TooMany => refused(Again::Never, "EC2 does not take so many in one request"),
        Class::Denied => impossible(denied_hint(code).to_owned()),
        Class::Expired => impossible(
            "the credentials have expired, or this machine's clock is wrong: renew them (\"aws sso login\", a new \
             session), or set the clock"
                .to_owned(),
        ),
        Class::Profile => {
            let name = place.iam_instance_profile.as_deref().unwrap_or_default();
            impossible(format!(
                "there is no instance profile {name:?} in this account (the name of the profile counts, which need not be \
                 its role's): correct {key}.iam_instance_profile"
            ))
        }
        Class::Group => impossible(format!("correct {key}.security_groups")),
        Class::Wrong => impossible(hint(code, message, key)),
        Class::Mismatch => impossible(
            "another request was made under the key of this launch: another version of dayfly works on this run; end the \
             run, and start a new one"
                .to_owned(),
        ),
        Class::Over => LaunchError::Over {
            ids: Vec::new(),
            why: format!("{label}: what this launch made is terminated already ({code})"),
        },
    }
}

fn quota(code: &str, place: &Place) -> String {
    if !matches!(code, "VcpuLimitExceeded" | "InstanceLimitExceeded" | "MaxSpotInstanceCountExceeded") {
        return "a quota of the account is used up; ask for more in Service Quotas, or end what else uses it"
            .to_owned();
    }
    let market = if place.spot { "spot" } else { "on-demand" };
    let family = place.instance_type.split('.').next().unwrap_or_default().to_uppercase();
    format!(
        "the account's quota of {market} vCPUs for {family} instances is used up; ask for more in Service Quotas (Amazon \
         EC2), or name a type of another family or market"
    )
}

fn denied_hint(code: &str) -> &'static str {
    match code {
        "OptInRequired" => {
            "the account is not subscribed to it: open it once in the AWS Marketplace or the region's list"
        }
        "PendingVerification" => "AWS still verifies this account in the region: wait for its mail",
        "Blocked" => "AWS has blocked this account: ask its support",
        "AuthFailure" | "InvalidClientTokenId" | "SignatureDoesNotMatch" | "UnrecognizedClientException" => {
            "the credentials are not accepted: check them, or choose others with --profile"
        }
        _ => "allow it in the policy of whoever launches (docs/aws.md has the policies)",
    }
}

/// Where the playbook says what EC2 does not accept.
fn hint(code: &str, message: &str, key: &str) -> String {
    let place = match code {
        _ if code.starts_with("InvalidAMIID") => ".ami",
        _ if code.starts_with("InvalidSubnet") => ".subnets",
        _ if code.starts_with("InvalidPlacementGroup") => ".placement_group",
        _ if code.starts_with("InvalidCapacityReservation") => ".capacity_reservation",
        "InvalidBlockDeviceMapping" => ".volume",
        "InvalidParameterValue" if message.contains("InstanceType") || message.contains("instance type") => {
            ".instance_type"
        }
        "InvalidParameter" | "InvalidSecurityGroupID.NotFound" if message.contains("roup") => ".security_groups",
        _ => "",
    };
    format!("correct {key}{place}")
}

#[cfg(test)]
mod tests;
