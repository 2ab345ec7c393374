"""The errors of RunInstances that come from its parameters (botocore's RunInstances, EC2 User Guide, EC2 "Error codes")."""

import base64
import binascii
import re

from moto.ec2.models.instance_types import INSTANCE_TYPE_OFFERINGS, INSTANCE_TYPES

from . import prices, world
from .ec2_permissions import specified_tags
from .groups import hidden
from .refusal import Refused

TAGGABLE = {"instance", "volume", "network-interface", "spot-instances-request"}
METADATA_KEY = re.compile(r"[A-Za-z0-9+\-=.,_:@]+")
USER_DATA_LIMIT = 16384


def check(request) -> None:
    """Raises the first error of the request."""
    for step in (
        counts,
        image_and_type,
        placement,
        groups,
        user_data,
        profile_and_key,
        shutdown,
        volumes,
        metadata,
        tag_specifications,
        spot,
    ):
        step(request)


def counts(request) -> None:
    if request.minimum < 1 or request.maximum < 1:
        raise Refused(
            "InvalidParameterValue", "Value () for parameter minCount/maxCount is invalid. Must be a positive integer."
        )
    if request.minimum > request.maximum:
        raise Refused(
            "InvalidParameterValue",
            f"Value ({request.minimum}) for parameter minCount is invalid. minCount must not be larger than maxCount.",
        )


def image_and_type(request) -> None:
    if not request.call.get("ImageId"):
        raise Refused("MissingParameter", "The request must contain the parameter ImageId")
    if request.alias and request.image_id.startswith("resolve:"):
        raise Refused("InvalidParameterValue", f"Invalid SSM parameter: {request.alias}")
    if not re.fullmatch(r"ami-[0-9a-f]{8}([0-9a-f]{9})?", request.image_id):
        raise Refused("InvalidAMIID.Malformed", f'Invalid id: "{request.image_id}"')
    if request.image is None:
        raise Refused("InvalidAMIID.NotFound", f"The image id '[{request.image_id}]' does not exist")
    kind = INSTANCE_TYPES.get(request.type)
    if kind is None:
        raise Refused("InvalidParameterValue", f"Invalid value '{request.type}' for InstanceType.")
    if request.image.architecture not in kind["ProcessorInfo"]["SupportedArchitectures"]:
        raise Refused(
            "InvalidParameterValue",
            f"The architecture '{','.join(kind['ProcessorInfo']['SupportedArchitectures'])}' of the specified instance type does "
            f"not match the architecture '{request.image.architecture}' of the specified AMI. Specify an instance type and an AMI "
            "that have matching architectures, and try again.",
        )


def placement(request) -> None:
    call = request.call
    if request.interfaces:
        for name, text in (
            ("SubnetId", "subnet ID"),
            ("SecurityGroupIds", "security groups"),
            ("SecurityGroups", "security groups"),
            ("PrivateIpAddress", "private IP address"),
        ):
            if call.get(name):
                raise Refused(
                    "InvalidParameterCombination",
                    f"Network interfaces and an instance-level {text} may not be specified on the same request",
                )
        for interface in request.interfaces:
            if interface.get("DeviceIndex") is None:
                raise Refused("InvalidParameterValue", "Network interface device index is required.")
            if interface.get("AssociatePublicIpAddress") is not None and (
                interface["DeviceIndex"] != 0 or len(request.interfaces) > 1 or interface.get("NetworkInterfaceId")
            ):
                raise Refused(
                    "InvalidParameterCombination",
                    "The associatePublicIpAddress parameter can only be specified for a single new network interface with the device index 0.",
                )
    if not request.subnet:
        raise Refused(
            "VPCIdNotSpecified" if not call.get("Placement.AvailabilityZone") else "MissingInput",
            "No default VPC for this user. Specify a subnet.",
        )
    if not re.fullmatch(r"subnet-[0-9a-f]{8}([0-9a-f]{9})?", request.subnet):
        raise Refused("InvalidSubnetID.Malformed", f"The subnet ID '{request.subnet}' is malformed")
    if request.subnet_object is None:
        raise Refused("InvalidSubnetID.NotFound", f"The subnet ID '{request.subnet}' does not exist")
    zone = call.get("Placement.AvailabilityZone")
    if zone and zone != request.zone:
        raise Refused(
            "InvalidParameterCombination",
            f"The parameter availabilityZone ({zone}) does not match the subnet's ({request.zone}).",
        )
    offered = any(
        o["InstanceType"] == request.type and o["Location"] == request.zone
        for o in INSTANCE_TYPE_OFFERINGS["availability-zone"].get(world.settings["region"], [])
    )
    if not offered:
        raise Refused(
            "Unsupported",
            f"Your requested instance type ({request.type}) is not supported in your requested Availability Zone ({request.zone}).",
        )


def groups(request) -> None:
    for wanted in request.groups:
        group = world.ec2().get_security_group_from_id(wanted)
        if group is None or hidden(group):
            raise Refused("InvalidGroup.NotFound", f"The security group '{wanted}' does not exist")
        if group.vpc_id != request.vpc:
            raise Refused(
                "InvalidParameter", f"Security group {wanted} and subnet {request.subnet} belong to different networks."
            )


def user_data(request) -> None:
    text = request.call.get("UserData")
    if not text:
        return
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise Refused("InvalidParameterValue", "Invalid BASE64 encoding of user data.") from None
    if len(raw) > USER_DATA_LIMIT:
        raise Refused("InvalidParameterValue", "User data is limited to 16384 bytes")


def profile_and_key(request) -> None:
    if request.profile_wanted:
        name = request.profile_wanted.get("Name") or request.profile_wanted.get("Arn")
        which = "name" if request.profile_wanted.get("Name") else "arn"
        young = (
            request.profile is not None
            and request.profile.create_date.timestamp() + world.settings["iam_delay"] > world.now()
            and world.settings["iam_delay"] > 0
        )
        if request.profile is None or young:
            raise Refused(
                "InvalidParameterValue",
                f"Value ({name}) for parameter iamInstanceProfile.{which} is invalid. Invalid IAM Instance Profile {which}",
            )
    key = request.call.get("KeyName")
    if key and key not in world.ec2().key_pairs:
        raise Refused("InvalidKeyPair.NotFound", f"The key pair '{key}' does not exist")


def shutdown(request) -> None:
    behaviour = request.call.get("InstanceInitiatedShutdownBehavior")
    if behaviour not in (None, "stop", "terminate"):
        raise Refused(
            "InvalidParameterValue", f"Value ({behaviour}) for parameter instanceInitiatedShutdownBehavior is invalid."
        )


def volumes(request) -> None:
    known = {m["DeviceName"]: m.get("Ebs", {}) for m in request.image.block_device_mappings}
    seen = set()
    for mapping in request.call.get("BlockDeviceMappings") or []:
        device, ebs = mapping.get("DeviceName"), mapping.get("Ebs") or {}
        if not device:
            raise Refused("MissingParameter", "The request must contain the parameter DeviceName")
        if device in seen:
            raise Refused(
                "InvalidBlockDeviceMapping", f"The device '{device}' is used in more than one block-device mapping"
            )
        seen.add(device)
        size, least = ebs.get("VolumeSize"), known.get(device, {}).get("VolumeSize", 1)
        if size is not None and int(size) < int(least):
            raise Refused(
                "InvalidBlockDeviceMapping",
                f"Volume of size {size}GB is smaller than snapshot '{known.get(device, {}).get('SnapshotId', '')}', expect size>= {least}GB",
            )
        if (
            device not in known
            and "NoDevice" not in mapping
            and not mapping.get("VirtualName")
            and size is None
            and not ebs.get("SnapshotId")
        ):
            raise Refused("MissingParameter", "The request must contain the parameter size or snapshotId")
        kind = ebs.get("VolumeType")
        if kind not in (None, "standard", "io1", "io2", "gp2", "gp3", "sc1", "st1"):
            raise Refused("InvalidParameterValue", f"Value ({kind}) for parameter volumeType is invalid.")


def metadata(request) -> None:
    options = request.call.get("MetadataOptions") or {}
    if options.get("HttpTokens") not in (None, "optional", "required"):
        raise Refused("InvalidParameterValue", f"Value ({options['HttpTokens']}) for parameter HttpTokens is invalid.")
    hops = options.get("HttpPutResponseHopLimit")
    if hops is not None and not 1 <= int(hops) <= 64:
        raise Refused(
            "InvalidParameterValue",
            f"Value ({hops}) for parameter HttpPutResponseHopLimit is invalid. Must be between 1 and 64.",
        )


def tag_specifications(request) -> None:
    for kind, tags in specified_tags(request.call).items():
        if kind not in TAGGABLE:
            raise Refused(
                "InvalidParameterValue", f"'{kind}' is not a valid taggable resource type for this operation."
            )
        if kind == "spot-instances-request" and request.market != "spot":
            raise Refused(
                "InvalidParameterValue",
                "'spot-instances-request' is not a valid taggable resource type for this operation.",
            )
        tag_rules(tags)
        if kind == "instance" and request.call.get("MetadataOptions.InstanceMetadataTags") == "enabled":
            for key in tags:
                if not METADATA_KEY.fullmatch(key):
                    raise Refused(
                        "InvalidParameterValue",
                        f"'{key}' is not a valid tag key. Tag keys must match pattern ([0-9a-zA-Z\\-_+=,.@:]{{1,255}}), "
                        "and must not be a reserved name ('.', '..', '_index') if instance metadata tags are enabled",
                    )


def tag_rules(tags: dict) -> None:
    """The limits of tags: 50 per resource, 127 and 256 characters, no reserved prefix."""
    if len(tags) > 50:
        raise Refused("TagLimitExceeded", "The maximum number of Tags for a resource has been reached.")
    for key, value in tags.items():
        if not key:
            raise Refused("InvalidParameterValue", "Tag key cannot be null or empty.")
        if key.lower().startswith("aws:"):
            raise Refused(
                "InvalidTagKey.Malformed", f"Tag keys starting with 'aws:' are reserved for internal use: {key}"
            )
        if len(key) > 127:
            raise Refused(
                "InvalidTagKey.Malformed", f"Tag key exceeds the maximum length of 127 characters: {key[:40]}…"
            )
        if value is not None and len(value) > 256:
            raise Refused("InvalidParameterValue", "Tag value exceeds the maximum length of 256 characters")


def spot(request) -> None:
    options = request.call.get("InstanceMarketOptions.SpotOptions") or {}
    market = request.call.get("InstanceMarketOptions.MarketType")
    if market not in (None, "spot", "capacity-block"):
        raise Refused("InvalidParameterValue", f"Value ({market}) for parameter marketType is invalid.")
    if request.market != "spot":
        return
    if not world.settings["spot_role"]:
        raise Refused(
            "AuthFailure.ServiceLinkedRoleCreationNotPermitted",
            "The provided credentials do not have permission to create the service-linked role for EC2 Spot Instances.",
            403,
        )
    kind, behaviour = options.get("SpotInstanceType", "one-time"), options.get(
        "InstanceInterruptionBehavior", "terminate"
    )
    if kind == "one-time" and behaviour != "terminate":
        raise Refused(
            "InvalidParameterCombination",
            f"The interruption behavior '{behaviour}' is not supported for one-time Spot requests.",
        )
    if kind == "persistent" and behaviour == "terminate":
        raise Refused(
            "InvalidParameterCombination",
            "Persistent Spot requests are only supported with the interruption behavior stop or hibernate.",
        )
    price = prices.spot_price(request.type, request.zone)
    if options.get("MaxPrice") and float(options["MaxPrice"]) < price:
        raise Refused(
            "SpotMaxPriceTooLow",
            f"Your Spot request price of {options['MaxPrice']} is lower than the minimum required Spot request fulfillment price of {price:.4f}.",
        )
