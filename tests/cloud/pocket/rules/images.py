"""The machine images of the pocket cloud, and the SSM parameters that name them."""

import datetime

from moto.ec2.models.amis import Ami
from moto.ec2.models.instance_types import INSTANCE_TYPE_OFFERINGS
from moto.ssm.models import Parameter, ssm_backends

from . import world

IMAGES = {
    "x86_64": (
        "ami-0da7f1e8600000064",
        "x86_64",
        "al2023-ami-2023.9.20251117.1-kernel-6.1-x86_64",
        "amazon",
        "137112412989",
    ),
    "arm64": (
        "ami-0da7f1eaa64000064",
        "arm64",
        "al2023-ami-2023.9.20251117.1-kernel-6.1-arm64",
        "amazon",
        "137112412989",
    ),
    "ubuntu_x86_64": (
        "ami-0b0b0c86000000064",
        "x86_64",
        "ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-amd64-server-20251112",
        None,
        "099720109477",
    ),
}
PARAMETERS = {
    "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64": "x86_64",
    "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-arm64": "arm64",
    "/aws/service/canonical/ubuntu/server/24.04/stable/current/amd64/hvm/ebs-gp3/ami-id": "ubuntu_x86_64",
}
OFFERED = ("g6.xlarge", ("a", "c"))
"""A type of this year that moto's tables lack."""
NOT_OFFERED = {("g6.xlarge", "b"), ("g5.xlarge", "b")}
"""Types that a zone lacks, so that a test can meet `Unsupported`."""

ROOT_GIB, EXTRA_GIB = 8, 4


def mappings(image) -> list[dict]:
    """A root volume that ends with its instance and a second one that, by the image's own word, does not."""
    return [
        {
            "DeviceName": "/dev/xvda",
            "Ebs": {
                "SnapshotId": image.ebs_snapshot.id,
                "VolumeSize": ROOT_GIB,
                "DeleteOnTermination": True,
                "VolumeType": "gp3",
            },
        },
        {
            "DeviceName": "/dev/sdf",
            "Ebs": {
                "SnapshotId": image.ebs_snapshot.id,
                "VolumeSize": EXTRA_GIB,
                "DeleteOnTermination": False,
                "VolumeType": "gp3",
            },
        },
    ]


def make_images() -> dict:
    ec2, region = world.ec2(), world.settings["region"]
    Ami.block_device_mappings = property(mappings)
    for ami_id, architecture, name, alias, owner in IMAGES.values():
        ec2.amis[ami_id] = Ami(
            ec2,
            ami_id,
            name=name,
            description=name,
            owner_id=owner,
            owner_alias=alias,
            public=True,
            virtualization_type="hvm",
            architecture=architecture,
            hypervisor="xen",
            root_device_type="ebs",
            root_device_name="/dev/xvda",
            region_name=region + "a",
        )
    for parameter, image in PARAMETERS.items():
        store = ssm_backends[world.ACCOUNT][region]._parameters
        store.latest_amis_loaded = True
        store[parameter] = [
            Parameter(
                world.ACCOUNT,
                parameter,
                IMAGES[image][0],
                "String",
                None,
                None,
                None,
                datetime.datetime.now(datetime.timezone.utc),
                1,
                "aws:ec2:image",
            )
        ]
    zones = INSTANCE_TYPE_OFFERINGS["availability-zone"]
    new = [
        {"InstanceType": OFFERED[0], "LocationType": "availability-zone", "Location": region + zone}
        for zone in OFFERED[1]
    ]
    zones[region] = [
        o
        for o in zones.get(region, [])
        if (o["InstanceType"], o["Location"].removeprefix(region)) not in NOT_OFFERED
        and o["InstanceType"] != OFFERED[0]
    ] + new
    return {name: made[0] for name, made in IMAGES.items()}
