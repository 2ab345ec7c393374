use super::*;
use crate::platform::cloud::ec2::request::tests::place;

fn said(code: &str, status: u16, message: &str) -> Failure {
    Failure::Said { code: code.to_owned(), message: message.to_owned(), status }
}

#[test]
fn every_error_of_a_launch_has_its_class() {
    let table: &[(&str, u16, Class)] = &[
        // A server error by its status, and a definite no by its code.
        ("InsufficientInstanceCapacity", 500, Class::Capacity),
        ("UnfulfillableCapacity", 500, Class::Capacity),
        ("SpotMaxPriceTooLow", 400, Class::Capacity),
        ("InsufficientHostCapacity", 500, Class::Capacity),
        ("ReservationCapacityExceeded", 400, Class::Capacity),
        ("Unsupported", 400, Class::Unsupported),
        ("InsufficientFreeAddressesInSubnet", 400, Class::Addresses),
        ("VcpuLimitExceeded", 400, Class::Quota),
        ("InstanceLimitExceeded", 400, Class::Quota),
        ("MaxSpotInstanceCountExceeded", 400, Class::Quota),
        ("VolumeLimitExceeded", 400, Class::Quota),
        ("NetworkInterfaceLimitExceeded", 400, Class::Quota),
        ("RequestLimitExceeded", 503, Class::Throttled),
        ("InternalError", 500, Class::Unknown),
        ("InternalFailure", 500, Class::Unknown),
        ("ServerInternal", 500, Class::Unknown),
        ("ServiceUnavailable", 503, Class::Unknown),
        ("Unavailable", 503, Class::Unknown),
        ("SomethingNew", 502, Class::Unknown),
        ("ResourceCountExceeded", 400, Class::TooMany),
        ("UnauthorizedOperation", 403, Class::Denied),
        ("AuthFailure", 401, Class::Denied),
        ("AuthFailure.ServiceLinkedRoleCreationNotPermitted", 403, Class::NoSpotRole),
        ("OptInRequired", 401, Class::Denied),
        ("PendingVerification", 400, Class::Denied),
        ("Blocked", 403, Class::Denied),
        ("RequestExpired", 400, Class::Expired),
        ("InvalidAMIID.NotFound", 400, Class::Wrong),
        ("InvalidSubnetID.NotFound", 400, Class::Wrong),
        ("InvalidGroup.NotFound", 400, Class::Group),
        ("InvalidKeyPair.NotFound", 400, Class::Wrong),
        ("InvalidParameterValue", 400, Class::Wrong),
        ("InvalidBlockDeviceMapping", 400, Class::Wrong),
        ("MissingParameter", 400, Class::Wrong),
        ("IdempotentParameterMismatch", 400, Class::Mismatch),
        ("IdempotentInstanceTerminated", 400, Class::Over),
    ];
    for (code, status, wanted) in table {
        assert_eq!(class(&said(code, *status, "")), *wanted, "{code}");
    }
    let profile = "Value (x) for parameter iamInstanceProfile.name is invalid. Invalid IAM Instance Profile name";
    assert_eq!(class(&said("InvalidParameterValue", 400, profile)), Class::Profile);
    assert_eq!(class(&Failure::Silent(String::new())), Class::Unknown);
}

#[test]
fn a_definite_no_moves_on_and_a_doubt_does_not() {
    let of = |code: &str, status: u16| refusal(&said(code, status, "m"), &place(), "the group a", "cluster.groups.a");
    let later = |error: LaunchError| matches!(error, LaunchError::Refused { again: Again::Later, .. });
    let never = |error: LaunchError| matches!(error, LaunchError::Refused { again: Again::Never, .. });
    assert!(later(of("InsufficientInstanceCapacity", 500)));
    assert!(later(of("InsufficientFreeAddressesInSubnet", 400)));
    assert!(later(of("VcpuLimitExceeded", 400)));
    assert!(never(of("Unsupported", 400)));
    assert!(never(of("AuthFailure.ServiceLinkedRoleCreationNotPermitted", 403)));
    assert!(never(of("ResourceCountExceeded", 400)));
    assert!(matches!(of("InternalError", 500), LaunchError::Ambiguous(_)));
    assert!(matches!(of("RequestLimitExceeded", 503), LaunchError::Ambiguous(_)));
    assert!(matches!(of("UnauthorizedOperation", 403), LaunchError::Impossible(_)));
    assert!(matches!(of("IdempotentParameterMismatch", 400), LaunchError::Impossible(_)));
    assert!(matches!(of("IdempotentInstanceTerminated", 400), LaunchError::Over { .. }));
    let silent = refusal(&Failure::Silent("reset".to_owned()), &place(), "", "");
    assert!(matches!(silent, LaunchError::Ambiguous(_)));
    let unsent = refusal(&Failure::Unsent("no credentials".to_owned()), &place(), "", "");
    assert!(matches!(unsent, LaunchError::Impossible(_)));
}

#[test]
fn messages_name_the_code_and_the_key_to_correct() {
    let text = |code: &str, message: &str| {
        refusal(&said(code, 400, message), &place(), "the group a", "cluster.groups.a").to_string()
    };
    let lines = [
        text("InvalidAMIID.NotFound", "The image id '[ami-1]' does not exist"),
        text("InvalidSubnetID.NotFound", "The subnet ID 'subnet-a' does not exist"),
        text("InvalidGroup.NotFound", "The security group 'sg-1' does not exist"),
        text("InvalidParameter", "Security group sg-1 and subnet subnet-a belong to different networks."),
        text("InvalidBlockDeviceMapping", "Volume of size 1GB is smaller than snapshot 'snap-1', expect size>= 8GB"),
        text(
            "InvalidParameterValue",
            "Value (worker) for parameter iamInstanceProfile.name is invalid. Invalid IAM Instance Profile name",
        ),
        text("UnauthorizedOperation", "You are not authorized. Encoded authorization failure message: AAAA"),
        text("VcpuLimitExceeded", "You have requested more vCPU capacity than your current vCPU limit"),
        text("MaxSpotInstanceCountExceeded", "Max spot instance count exceeded"),
        text("InsufficientInstanceCapacity", ""),
    ];
    insta::assert_snapshot!(lines.join("\n"));
}
