"""Spot instance requests, as RunInstances makes them: one per instance, closed when it ends (EC2 User Guide, spot requests)."""

import secrets
from datetime import datetime, timezone

from moto.core.responses import ActionResult
from moto.ec2.responses.spot_instances import SpotInstances

from . import prices, world
from .ec2_permissions import specified_tags
from .filters import asked, matches
from .refusal import Refused

_requests: dict[str, dict] = {}


def clear() -> None:
    _requests.clear()


def fulfil(request, reservation) -> None:
    """Makes the request of each spot instance."""
    options = request.call.get("InstanceMarketOptions.SpotOptions") or {}
    for instance in reservation.instances:
        name = "sir-" + secrets.token_hex(4)
        instance.spot_instance_request_id = name
        world.ec2().create_tags([name], specified_tags(request.call).get("spot-instances-request", {}))
        _requests[name] = {
            "SpotInstanceRequestId": name,
            "InstanceId": instance.id,
            "State": "active",
            "Type": options.get("SpotInstanceType", "one-time"),
            "Status": {
                "Code": "fulfilled",
                "Message": "Your Spot request is fulfilled.",
                "UpdateTime": datetime.now(timezone.utc),
            },
            "SpotPrice": options.get("MaxPrice") or f"{prices.spot_price(request.type, request.zone):.6f}",
            "CreateTime": datetime.now(timezone.utc),
            "LaunchedAvailabilityZone": request.zone,
            "ProductDescription": "Linux/UNIX",
            "InstanceInterruptionBehavior": options.get("InstanceInterruptionBehavior", "terminate"),
            "LaunchSpecification": {
                "ImageId": request.image_id,
                "InstanceType": request.type,
                "SubnetId": request.subnet,
            },
        }


def of(instance) -> dict | None:
    return _requests.get(getattr(instance, "spot_instance_request_id", None))


def status(instance, code: str, state: str | None = None) -> None:
    """Sets the status of an instance's request; a one-time request is closed when its instance ends."""
    held = of(instance)
    if held:
        held["Status"] = {"Code": code, "Message": code, "UpdateTime": datetime.now(timezone.utc)}
        held["State"] = state or held["State"]


def with_tags(held: dict) -> dict:
    return {**held, "Tags": [{"Key": k, "Value": v} for k, v in world.tags(held["SpotInstanceRequestId"]).items()]}


def describe_spot_instance_requests(self) -> ActionResult:
    from .door import current

    self.error_on_dryrun()
    call = current()
    ids = call.get("SpotInstanceRequestIds") or []
    for name in ids:
        if name not in _requests:
            raise Refused(
                "InvalidSpotInstanceRequestID.NotFound", f"The spot instance request ID '{name}' does not exist"
            )
    found = [r for r in _requests.values() if not ids or r["SpotInstanceRequestId"] in ids]
    getters = {
        "spot-instance-request-id": lambda r: r["SpotInstanceRequestId"],
        "instance-id": lambda r: r["InstanceId"],
        "state": lambda r: r["State"],
        "status-code": lambda r: r["Status"]["Code"],
        "type": lambda r: r["Type"],
        "launched-availability-zone": lambda r: r["LaunchedAvailabilityZone"],
    }
    for name, values in asked(call).items():
        if name.startswith("tag:"):
            found = [r for r in found if matches(values, world.tags(r["SpotInstanceRequestId"]).get(name[4:]))]
        elif name == "tag-key":
            found = [r for r in found if matches(values, list(world.tags(r["SpotInstanceRequestId"])))]
        elif name in getters:
            found = [r for r in found if matches(values, getters[name](r))]
        else:
            raise Refused("InvalidParameterValue", f"The filter '{name}' is invalid")
    return ActionResult({"SpotInstanceRequests": [with_tags(r) for r in found]})


def cancel_spot_instance_requests(self) -> ActionResult:
    from .door import current

    self.error_on_dryrun()
    cancelled = []
    for name in current().get("SpotInstanceRequestIds") or []:
        held = _requests.get(name)
        if held is None:
            raise Refused(
                "InvalidSpotInstanceRequestID.NotFound", f"The spot instance request ID '{name}' does not exist"
            )
        if held["State"] in {"open", "active"}:
            held["State"] = "cancelled"
            held["Status"]["Code"] = "request-canceled-and-instance-running"
        cancelled.append({"SpotInstanceRequestId": name, "State": held["State"]})
    return ActionResult({"CancelledSpotInstanceRequests": cancelled})


def install() -> None:
    SpotInstances.describe_spot_instance_requests = describe_spot_instance_requests
    SpotInstances.cancel_spot_instance_requests = cancel_spot_instance_requests
