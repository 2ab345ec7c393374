"""Which permissions a call to EC2 needs, on which resources, with which condition keys (Service Authorization Reference, Amazon EC2)."""

from . import world

KINDS = {
    "i-": "instance",
    "vol-": "volume",
    "eni-": "network-interface",
    "sg-": "security-group",
    "subnet-": "subnet",
    "sir-": "spot-instances-request",
    "key-": "key-pair",
    "vpc-": "vpc",
    "snap-": "snapshot",
    "ami-": "image",
    "lt-": "launch-template",
    "sgr-": "security-group-rule",
}

BY_INSTANCE = {
    "TerminateInstances",
    "StopInstances",
    "StartInstances",
    "RebootInstances",
    "ModifyInstanceAttribute",
    "GetConsoleOutput",
    "DescribeInstanceAttribute",
    "ModifyInstanceMetadataOptions",
    "MonitorInstances",
}
BY_NAME = {
    "DeleteVolume": ("volume", "VolumeId"),
    "DeleteNetworkInterface": ("network-interface", "NetworkInterfaceId"),
    "DeleteSecurityGroup": ("security-group", "GroupId"),
    "AuthorizeSecurityGroupIngress": ("security-group", "GroupId"),
    "AuthorizeSecurityGroupEgress": ("security-group", "GroupId"),
    "RevokeSecurityGroupIngress": ("security-group", "GroupId"),
    "RevokeSecurityGroupEgress": ("security-group", "GroupId"),
    "DeleteKeyPair": ("key-pair", "KeyName"),
    "DetachVolume": ("volume", "VolumeId"),
}


def arn(kind: str, name: str) -> str:
    account = "" if kind in {"image", "snapshot"} else world.ACCOUNT
    return f"arn:aws:ec2:{world.settings['region']}:{account}:{kind}/{name}"


def kind_of(resource_id: str) -> str:
    return next((kind for prefix, kind in KINDS.items() if resource_id.startswith(prefix)), "unknown")


def resource_tags(resource_id: str) -> dict:
    return {f"aws:ResourceTag/{k}": v for k, v in world.tags(resource_id).items()} | {
        f"ec2:ResourceTag/{k}": v for k, v in world.tags(resource_id).items()
    }


def request_tags(tags: dict) -> dict:
    found = {f"aws:RequestTag/{k}": v for k, v in tags.items()}
    if tags:
        found["aws:TagKeys"] = list(tags)
    return found


def specified_tags(call) -> dict[str, dict]:
    """Tags of a request by the kind of resource."""
    found: dict[str, dict] = {}
    for specification in call.get("TagSpecifications") or []:
        kind = specification.get("ResourceType") or ""
        found.setdefault(kind, {}).update({t.get("Key"): t.get("Value", "") for t in specification.get("Tags") or []})
    return found


def needs(call) -> list[tuple]:
    action = f"ec2:{call.action}"
    if call.action == "RunInstances":
        return run_instances(call)
    if call.action in BY_INSTANCE:
        ids = call.get("InstanceIds") or [call.get("InstanceId", "*")]
        return [(action, arn("instance", i), resource_tags(i)) for i in ids]
    if call.action in BY_NAME:
        kind, parameter = BY_NAME[call.action]
        name = call.get(parameter) or call.get("GroupName") or call.get("KeyPairId") or "*"
        return [(action, arn(kind, name), resource_tags(tagged_id(kind, name)))]
    if call.action in {"CreateTags", "DeleteTags"}:
        tags = {t.get("Key"): t.get("Value", "") for t in call.get("Tags") or []}
        return [
            (action, arn(kind_of(r), r), {**request_tags(tags), **resource_tags(r)})
            for r in call.get("Resources") or []
        ]
    if call.action in {
        "CreateSecurityGroup",
        "CreateVolume",
        "CreateNetworkInterface",
        "CreateKeyPair",
        "ImportKeyPair",
    }:
        return creation(call, action)
    return [(action, "*", {})]


def tagged_id(kind: str, name: str) -> str:
    if kind == "key-pair":
        pair = world.ec2().key_pairs.get(name)
        return pair.id if pair else name
    return name


def creation(call, action: str) -> list[tuple]:
    kind = {
        "CreateSecurityGroup": "security-group",
        "CreateVolume": "volume",
        "CreateNetworkInterface": "network-interface",
    }.get(call.action, "key-pair")
    tags = specified_tags(call).get(kind, {})
    found = [(action, arn(kind, "*" if kind != "key-pair" else call.get("KeyName", "*")), request_tags(tags))]
    if kind == "security-group" and call.get("VpcId"):
        found.append((action, arn("vpc", call.get("VpcId")), resource_tags(call.get("VpcId"))))
    if tags:
        found.append(("ec2:CreateTags", arn(kind, "*"), {**request_tags(tags), "ec2:CreateAction": call.action}))
    return found


def run_instances(call) -> list[tuple]:
    """RunInstances is checked on each resource that it uses or makes, then CreateTags for what it tags, then PassRole."""
    from .launch_request import LaunchRequest

    request, action, tags = LaunchRequest(call), "ec2:RunInstances", specified_tags(call)
    zone = {"ec2:AvailabilityZone": request.zone} if request.zone else {}
    vpc = {"ec2:Vpc": arn("vpc", request.vpc)} if request.vpc else {}
    metadata = call.get("MetadataOptions") or {}
    on_instance = {
        "ec2:InstanceType": request.type,
        "ec2:InstanceMarketType": request.market,
        "ec2:RootDeviceType": "ebs",
        "ec2:Tenancy": call.get("Placement.Tenancy", "default"),
        "ec2:EbsOptimized": str(call.get("EbsOptimized", False)).lower(),
        **zone,
    }
    for key, name in (
        ("HttpTokens", "ec2:MetadataHttpTokens"),
        ("HttpEndpoint", "ec2:MetadataHttpEndpoint"),
        ("HttpPutResponseHopLimit", "ec2:MetadataHttpPutResponseHopLimit"),
    ):
        if metadata.get(key) is not None:
            on_instance[name] = str(metadata[key])
    if request.profile is not None:
        on_instance["ec2:InstanceProfile"] = request.profile.arn
    public = request.associate_public
    on_interface = {**zone, **vpc}
    if public is not None:
        on_interface["ec2:AssociatePublicIpAddress"] = str(public).lower()
    if request.subnet:
        on_interface["ec2:Subnet"] = arn("subnet", request.subnet)
    found = [
        (
            action,
            arn("image", request.image_id),
            {
                "ec2:ImageID": request.image_id,
                "ec2:Public": "true",
                "ec2:Owner": "amazon",
                "ec2:RootDeviceType": "ebs",
                **resource_tags(request.image_id),
            },
        ),
        (action, arn("instance", "*"), {**on_instance, **request_tags(tags.get("instance", {}))}),
        (action, arn("network-interface", "*"), {**on_interface, **request_tags(tags.get("network-interface", {}))}),
        (
            action,
            arn("volume", "*"),
            {
                "ec2:VolumeType": request.volume_type,
                "ec2:Encrypted": str(request.encrypted).lower(),
                **zone,
                **request_tags(tags.get("volume", {})),
            },
        ),
        (
            action,
            arn("subnet", request.subnet or "*"),
            {**zone, **vpc, "ec2:SubnetID": request.subnet or "", **resource_tags(request.subnet or "")},
        ),
    ]
    found += [
        (action, arn("security-group", g), {**vpc, "ec2:SecurityGroupID": g, **resource_tags(g)})
        for g in request.groups_or_default
    ]
    if call.get("KeyName"):
        found.append(
            (
                action,
                arn("key-pair", call.get("KeyName")),
                {"ec2:KeyPairName": call.get("KeyName"), **resource_tags(tagged_id("key-pair", call.get("KeyName")))},
            )
        )
    if request.market == "spot":
        found.append((action, arn("spot-instances-request", "*"), request_tags(tags.get("spot-instances-request", {}))))
    if call.get("Placement.GroupName"):
        found.append((action, arn("placement-group", call.get("Placement.GroupName")), {}))
    if call.get("LaunchTemplate"):
        found.append((action, arn("launch-template", call.get("LaunchTemplate.LaunchTemplateId", "*")), {}))
    for kind, given in tags.items():
        if given:
            found.append(
                (
                    "ec2:CreateTags",
                    arn(kind, "*"),
                    {
                        **request_tags(given),
                        "ec2:CreateAction": "RunInstances",
                        **(on_instance if kind == "instance" else {}),
                    },
                )
            )
    if request.profile is not None and request.profile.roles:
        found.append(("iam:PassRole", request.profile.roles[0].arn, {"iam:PassedToService": "ec2.amazonaws.com"}))
    if request.alias:
        found.append(
            ("ssm:GetParameters", f"arn:aws:ssm:{world.settings['region']}::parameter/{request.alias.lstrip('/')}", {})
        )
    return found
