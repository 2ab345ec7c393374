"""Filters of the Describe calls: names, several values, `*` and `?` as wildcards, backslash as escape (EC2 User Guide, filtering)."""

import re
from functools import lru_cache

from . import world
from .refusal import Refused

MOST_VALUES = 200


@lru_cache(maxsize=4096)
def compiled(text: str):
    out, escaped = "", False
    for c in text:
        if escaped:
            out, escaped = out + re.escape(c), False
        elif c == "\\":
            escaped = True
        else:
            out += ".*" if c == "*" else "." if c == "?" else re.escape(c)
    return re.compile(out, re.DOTALL)


def matches(patterns: list, value) -> bool:
    values = value if isinstance(value, (list, tuple, set)) else [value]
    return any(compiled(str(p)).fullmatch(str(v)) for p in patterns for v in values if v is not None)


def asked(call) -> dict[str, list]:
    """The filters of a call; more than 200 values are refused."""
    found = {}
    for entry in call.get("Filters") or []:
        values = entry.get("Values") or []
        if len(values) > MOST_VALUES:
            raise Refused(
                "FilterLimitExceeded",
                f"The maximum number of filter values specified on a single call is {MOST_VALUES}",
            )
        found[entry.get("Name", "")] = values
    return found


INSTANCE = {
    "instance-id": lambda i: i.id,
    "instance-state-name": lambda i: i._state.name,
    "instance-state-code": lambda i: i._state.code,
    "client-token": lambda i: getattr(i, "client_token", None),
    "launch-index": lambda i: i.ami_launch_index,
    "instance-type": lambda i: i.instance_type,
    "instance-lifecycle": lambda i: i.lifecycle,
    "spot-instance-request-id": lambda i: getattr(i, "spot_instance_request_id", None),
    "image-id": lambda i: i.image_id,
    "key-name": lambda i: i.key_name,
    "subnet-id": lambda i: i.subnet_id,
    "vpc-id": lambda i: i.vpc_id,
    "availability-zone": lambda i: i.availability_zone,
    "placement-group-name": lambda i: i.placement.group_name,
    "architecture": lambda i: i.architecture,
    "private-ip-address": lambda i: i.private_ip,
    "ip-address": lambda i: i.public_ip,
    "group-id": lambda i: [g.id for g in i.security_groups],
    "instance.group-id": lambda i: [g.id for g in i.security_groups],
    "instance.group-name": lambda i: [g.name for g in i.security_groups],
    "state-reason-code": lambda i: i.state_reason.code,
    "reservation-id": lambda i: i.reservation_id,
    "iam-instance-profile.arn": lambda i: (getattr(i, "iam_instance_profile", None) or {}).get("Arn"),
    "metadata-options.http-tokens": lambda i: i.metadata_options.http_tokens,
    "tag-key": lambda i: list(world.tags(i.id)),
    "tag-value": lambda i: list(world.tags(i.id).values()),
}


def instance_passes(instance, wanted: dict[str, list]) -> bool:
    for name, patterns in wanted.items():
        if name.startswith("tag:"):
            value = world.tags(instance.id).get(name[4:])
        elif name in INSTANCE:
            value = INSTANCE[name](instance)
        else:
            raise Refused("InvalidParameterValue", f"The filter '{name}' is invalid")
        if value is None or not matches(patterns, value):
            return False
    return True
