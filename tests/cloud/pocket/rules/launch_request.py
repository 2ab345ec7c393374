"""What a RunInstances call asks for, read once; nothing is judged here."""

from moto.ec2.models.instance_types import INSTANCE_TYPES

from . import world


def find_profile(wanted: dict):
    """The instance profile that a request names by Arn or Name, or None."""
    for profile in list(world.iam().instance_profiles.values()):
        if wanted.get("Arn") == profile.arn or (wanted.get("Name") == profile.name and not wanted.get("Arn")):
            return profile
    return None


def resolved_image(image_id: str) -> tuple[str, str | None]:
    """The image id behind `resolve:ssm:NAME`, and that name."""
    if not image_id.startswith("resolve:ssm:"):
        return image_id, None
    from moto.ssm.models import ssm_backends

    name = image_id.removeprefix("resolve:ssm:")
    found = ssm_backends[world.ACCOUNT][world.settings["region"]].get_parameters([name])
    return (found[name].value if name in found else image_id), name.split(":")[0]


class LaunchRequest:
    """The parameters of a launch under the names that the rules use."""

    def __init__(self, call):
        get = call.get
        self.call = call
        self.image_id, self.alias = resolved_image(get("ImageId") or "")
        self.image = world.ec2().amis.get(self.image_id)
        self.type = get("InstanceType") or "m1.small"
        self.market = "spot" if get("InstanceMarketOptions.MarketType") == "spot" else "on-demand"
        self.interfaces = get("NetworkInterfaces") or []
        self.primary = next((n for n in self.interfaces if n.get("DeviceIndex") == 0), {})
        self.subnet = get("SubnetId") or self.primary.get("SubnetId")
        self.subnet_object = next((s[self.subnet] for s in world.ec2().subnets.values() if self.subnet in s), None)
        placed = get("Placement.AvailabilityZone")
        self.zone = self.subnet_object.availability_zone if self.subnet_object else placed
        self.vpc = self.subnet_object.vpc_id if self.subnet_object else None
        self.groups = list(get("SecurityGroupIds") or []) + [g for n in self.interfaces for g in n.get("Groups") or []]
        self.associate_public = self.primary.get("AssociatePublicIpAddress")
        self.profile_wanted = get("IamInstanceProfile")
        self.profile = find_profile(self.profile_wanted) if self.profile_wanted else None
        self.minimum, self.maximum = int(get("MinCount", 1)), int(get("MaxCount", 1))
        self.token = get("ClientToken")
        root = next((m.get("Ebs") or {} for m in get("BlockDeviceMappings") or []), {})
        self.volume_type = root.get("VolumeType") or "gp3"
        self.encrypted = all((m.get("Ebs") or {}).get("Encrypted") for m in get("BlockDeviceMappings") or []) and bool(
            get("BlockDeviceMappings")
        )

    @property
    def groups_or_default(self) -> list[str]:
        if self.groups or not self.vpc:
            return self.groups
        return [g.id for g in world.ec2().groups.get(self.vpc, {}).values() if g.name == "default"]

    @property
    def vcpus(self) -> int:
        return vcpus(self.type)


def vcpus(instance_type: str) -> int:
    return int(INSTANCE_TYPES.get(instance_type, {}).get("VCpuInfo", {}).get("DefaultVCpus", 2))
