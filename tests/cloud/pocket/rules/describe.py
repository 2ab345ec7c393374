"""What the other calls on instances see: Describe with filters and pages, ids that are not found, batches to terminate, console output."""

import base64
import copy
import re
import secrets

from moto.core.responses import ActionResult
from moto.core.types import Base64EncodedString
from moto.core.utils import utcnow
from moto.ec2.responses.general import General
from moto.ec2.responses.instances import InstanceResponse

from . import endings, faults, filters, world
from .launch_checks import tag_rules
from .refusal import Refused

ID = re.compile(r"i-(?:[0-9a-f]{8}|[0-9a-f]{17})")
MOST_TERMINATED = 1000
CONSOLE_BYTES = 65536

_pages: dict[str, list] = {}


def clear() -> None:
    _pages.clear()


def check_ids(call) -> None:
    """Refuses ids that are malformed, unknown, too young or too long gone; for every call that names instances."""
    ids = list(call.get("InstanceIds") or [])
    if call.get("InstanceId"):
        ids.append(call.get("InstanceId"))
    ids += [r for r in call.get("Resources") or [] if r.startswith("i-")]
    for name in ids:
        if not ID.fullmatch(name):
            raise Refused("InvalidInstanceID.Malformed", f'Invalid id: "{name}"')
    missing = [n for n in ids if (i := world.instance(n)) is None or not endings.shown(i)]
    if missing:
        text = (
            f"The instance ID '{missing[0]}' does not exist"
            if len(missing) == 1
            else f"The instance IDs '{', '.join(missing)}' do not exist"
        )
        raise Refused("InvalidInstanceID.NotFound", text)
    for resource in call.get("Resources") or []:
        if resource.startswith("vol-") and resource not in world.ec2().volumes:
            raise Refused("InvalidVolume.NotFound", f"The volume '{resource}' does not exist.")
    if call.action == "CreateTags":
        given = {t.get("Key"): t.get("Value", "") for t in call.get("Tags") or []}
        for resource in call.get("Resources") or []:
            tag_rules({**world.tags(resource), **given} if given else {})
        tag_rules(given)


def describe_instances(self) -> ActionResult:
    from .door import current

    call = current()
    self.error_on_dryrun()
    ids, most = call.get("InstanceIds") or [], call.get("MaxResults")
    if ids and most is not None:
        raise Refused(
            "InvalidParameterCombination", "The parameter instancesSet cannot be used with the parameter maxResults"
        )
    if most is not None and not 5 <= int(most) <= 1000:
        raise Refused(
            "InvalidParameterValue",
            (
                f"Value ( {most} ) for parameter maxResults is invalid. Expecting a value greater than 5."
                if int(most) < 5
                else f"Value ( {most} ) for parameter maxResults is invalid. Expecting a value smaller than 1000."
            ),
        )
    token = call.get("NextToken")
    if token:
        if token not in _pages:
            raise Refused("InvalidParameterValue", "Unable to parse the next token")
        waiting = _pages.pop(token)
    else:
        wanted = filters.asked(call)
        waiting = [
            i
            for i in world.instances()
            if endings.shown(i) and (not ids or i.id in ids) and filters.instance_passes(i, wanted)
        ]
        world.chance.shuffle(waiting)  # the order is not stable
    size = int(most) if most is not None else (len(waiting) if ids else 1000)
    if waiting and most is not None and not token and faults.take("empty_pages"):
        size = 0
    page, rest = waiting[:size], waiting[size:]
    following = None
    if rest:
        following = secrets.token_urlsafe(24)
        _pages[following] = rest
    return ActionResult({"Reservations": reservations(page), "NextToken": following})


def reservations(instances: list) -> list:
    """The instances under the reservations that launched them."""
    found: dict = {}
    for instance in instances:
        held = world.ec2().reservations[instance.reservation_id]
        if held.id not in found:
            found[held.id] = copy.copy(held)
            found[held.id].instances = []
        found[held.id].instances.append(instance)
    return list(found.values())


def terminate_instances(self) -> ActionResult:
    """All or none: one bad or protected id and nothing is terminated (botocore, TerminateInstances)."""
    from .door import current

    call = current()
    ids = call.get("InstanceIds") or []
    if not ids:
        raise Refused("MissingParameter", "The request must contain the parameter InstanceId")
    if len(ids) > MOST_TERMINATED:
        raise Refused(
            "ResourceCountExceeded", f"Details in the request exceed the maximum of {MOST_TERMINATED} instances"
        )
    self.error_on_dryrun()
    chosen = [world.instance(i) for i in dict.fromkeys(ids)]
    for instance in chosen:
        if instance.disable_api_termination and str(instance.disable_api_termination).lower() == "true":
            raise Refused(
                "OperationNotPermitted",
                f"The instance '{instance.id}' may not be terminated. Modify its 'disableApiTermination' instance attribute and try again.",
            )
    done = []
    for instance in chosen:
        previous = instance.terminate()
        now = instance._state
        done.append(
            {
                "InstanceId": instance.id,
                "PreviousState": {"Code": previous.code, "Name": previous.name},
                "CurrentState": {"Code": now.code, "Name": now.name},
            }
        )
    call.resources = [i.id for i in chosen]
    return ActionResult({"TerminatingInstances": done})


def get_console_output(self) -> ActionResult:
    """The last 64 KB of what the machine wrote."""
    from .door import current

    self.error_on_dryrun()
    instance = world.instance(current().get("InstanceId"))
    text = world.machines.console(instance) or b""
    raw = text.encode() if isinstance(text, str) else bytes(text)
    output = Base64EncodedString(base64.b64encode(raw[-CONSOLE_BYTES:]).decode()) if raw else None
    return ActionResult({"InstanceId": instance.id, "Timestamp": utcnow(), "Output": output})


def install() -> None:
    InstanceResponse.describe_instances = describe_instances
    InstanceResponse.terminate_instances = terminate_instances
    General.get_console_output = get_console_output
