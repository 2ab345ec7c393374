"""The token buckets of the EC2 API (EC2 Developer Guide, request throttling)."""

from . import faults, world
from .refusal import Refused

CALLS = {"RunInstances": (5, 2), "TerminateInstances": (100, 5), "CreateTags": (100, 10)}
DESCRIBE, UNFILTERED, MUTATING = (100, 20), (50, 10), (50, 5)
INSTANCES = {"RunInstances": (1000, 2), "TerminateInstances": (1000, 20)}
clock = world.now
"""What refills the buckets; a test may stop it."""

_levels: dict[str, list] = {}  # name → [tokens, time]


def clear() -> None:
    _levels.clear()


def refused(action: str) -> Refused:
    return Refused("RequestLimitExceeded", "Request limit exceeded.", 503)


def bucket_of(call) -> tuple[str, tuple]:
    if call.action in CALLS:
        return call.action, CALLS[call.action]
    if call.action.startswith("Describe"):
        if (
            call.action == "DescribeInstances"
            and not call.get("Filters")
            and not call.get("MaxResults")
            and not call.get("InstanceIds")
        ):
            return "unfiltered DescribeInstances", UNFILTERED
        return "Describe*", DESCRIBE
    if call.action.startswith("Get"):
        return "Get*", DESCRIBE
    return f"mutating {call.action}", MUTATING


def weight(call) -> int:
    """Instances asked for: resources have buckets of their own."""
    if call.action == "RunInstances":
        return int(call.get("MaxCount", 1))
    return len(call.get("InstanceIds") or [])


def draw(name: str, capacity: float, refill: float, amount: float) -> bool:
    now = clock()
    level, since = _levels.get(name, (capacity, now))
    level = min(capacity, level + (now - since) * refill)
    enough = level >= amount
    _levels[name] = [level - amount if enough else level, now]
    return enough


def check(call) -> None:
    """Refuses the call where a bucket is empty or a fault says so."""
    fault = faults.for_call("throttle", call)
    rate = 1.0
    if fault is not None:
        if "rate" not in fault:
            raise refused(call.action)
        rate = float(fault["rate"])
    if call.service != "ec2" or not world.settings["throttle"]:
        return
    name, (capacity, refill) = bucket_of(call)
    if not draw(name, max(1.0, capacity * rate), refill * rate, 1):
        raise refused(call.action)
    if call.action in INSTANCES and not call.get("DryRun"):
        capacity, refill = INSTANCES[call.action]
        if not draw(f"instances {call.action}", capacity, refill, weight(call)):
            raise refused(call.action)
