"""The account that every pocket cloud starts with: network, images, bucket, roles and users."""

import json
from pathlib import Path

from . import principals, world
from .images import make_images

BUCKET, PREFIX = "dayfly-store", "store/"
POLICIES = Path(__file__).resolve().parents[4] / "docs" / "aws" / "policies"
ROLES = {"master": "dayfly-master", "worker": "dayfly-worker", "reaper": "dayfly-reaper"}
USERS = {
    "trigger": (principals.TRIGGER_KEY, principals.TRIGGER_SECRET, ["trigger", "people"]),
    "operator": ("AKIAPOCKETOPERATOR00", "pocket-operator-secret", ["trigger", "people", "master", "reaper"]),
    "reaper": ("AKIAPOCKETREAPER0000", "pocket-reaper-secret", ["reaper"]),
    "nobody": ("AKIAPOCKETNOBODY0000", "pocket-nobody-secret", []),
}
TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}
SPOT_ROLE = "AWSServiceRoleForEC2Spot"


def reset() -> None:
    """Empties every backend of moto that was used before in this process."""
    from moto.core.base_backend import BackendDict
    from moto.core.model_instances import reset_model_data

    BackendDict.reset()
    reset_model_data()


def account() -> dict:
    """Makes everything and returns the facts."""
    facts = {**network(), "images": make_images(), **storage(), **people()}
    spot_role(world.settings["spot_role"])
    principals.snapshot()
    world.facts.update(facts)
    return facts


def network() -> dict:
    ec2, region = world.ec2(), world.settings["region"]
    for subnet_id in [s for zone in ec2.subnets.values() for s in zone]:
        ec2.delete_subnet(subnet_id)
    for default in list(ec2.vpcs):
        ec2.groups.pop(default, None)
        ec2.vpcs.pop(default)
    vpc, other = ec2.create_vpc("10.77.0.0/16"), ec2.create_vpc("10.78.0.0/16")
    subnets = {
        name: ec2.create_subnet(vpc.id, block, availability_zone=region + zone).id
        for name, block, zone in (
            ("a", "10.77.16.0/20", "a"),
            ("b", "10.77.32.0/20", "b"),
            ("tiny", "10.77.48.0/28", "a"),
        )
    }
    for name in subnets.values():
        subnet = ec2.get_subnet(name)
        subnet.map_public_ip_on_launch, subnet.default_for_az = False, False
    # The subnets are private: what a master needs of AWS, it reaches by endpoints.
    ec2.create_vpc_endpoint(
        vpc.id, f"com.amazonaws.{region}.s3", "Gateway", None, [table.id for table in ec2.route_tables.values() if table.vpc_id == vpc.id]
    )
    for service in ("ec2", "sts", "ssm", "monitoring"):
        ec2.create_vpc_endpoint(vpc.id, f"com.amazonaws.{region}.{service}", "Interface", None, [], [subnets["a"]], private_dns_enabled=True)
    foreign = ec2.create_security_group("foreign", "belongs to the other VPC", other.id)
    default = next(g for g in ec2.groups[vpc.id].values() if g.name == "default")
    return {
        "account": world.ACCOUNT,
        "vpc": vpc.id,
        "subnets": subnets,
        "zones": {"a": region + "a", "b": region + "b", "tiny": region + "a"},
        "security_group": default.id,
        "other_vpc": other.id,
        "other_security_group": foreign.id,
        "known_groups": [g.id for groups in ec2.groups.values() for g in groups.values()],
    }


def storage() -> dict:
    world.s3().create_bucket(BUCKET, world.settings["region"])
    return {"bucket": BUCKET, "store": f"s3://{BUCKET}/{PREFIX.rstrip('/')}"}


def policy(name: str) -> str:
    """A shipped policy with its placeholders filled in."""
    text = (POLICIES / f"{name}.json").read_text()
    values = {
        "Bucket": BUCKET,
        "Prefix": PREFIX,
        "Account": world.ACCOUNT,
        "Region": world.settings["region"],
        "MasterRole": ROLES["master"],
        "WorkerRole": ROLES["worker"],
    }
    for key, value in values.items():
        text = text.replace("${" + key + "}", value)
    json.loads(text)
    return text


def people() -> dict:
    iam, region = world.iam(), world.settings["region"]
    profiles = {}
    for name, role in ROLES.items():
        iam.create_role(role, json.dumps(TRUST), "/", None, "", [], "3600")
        iam.put_role_policy(role, name, policy(name))
        profiles[name] = iam.create_instance_profile(role, "/", [role]).arn
    keys = {"admin": {"access_key_id": principals.ADMIN_KEY, "secret_access_key": principals.ADMIN_SECRET}}
    for name, (key, secret, policies) in USERS.items():
        user = iam.create_user(region, name)
        for held in policies:
            iam.put_user_policy(name, held, policy(held))
        made = user.create_access_key("AKIA")
        made.access_key_id, made.secret_access_key = key, secret
        keys[name] = {"access_key_id": key, "secret_access_key": secret}
    return {"roles": dict(ROLES), "profiles": profiles, "keys": keys}


def spot_role(exists: bool) -> None:
    """Makes or removes the service-linked role of spot instances."""
    iam = world.iam()
    held = [i for i, r in iam.roles.items() if r.name == SPOT_ROLE]
    if exists and not held:
        iam.create_role(SPOT_ROLE, json.dumps(TRUST), "/aws-service-role/spot.amazonaws.com/", None, "", [], "3600")
    for role_id in [] if exists else held:
        del iam.roles[role_id]
