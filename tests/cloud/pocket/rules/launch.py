"""RunInstances: the token, the checks, how many of the pool are free, then moto's own launch with exactly that number."""

from moto.core.responses import ActionResult
from moto.ec2.models.subnets import Subnet
from moto.ec2.responses._base_response import EC2BaseResponse
from moto.ec2.responses.instances import InstanceResponse

from . import endings, faults, launch_checks, ledger, spot_requests, tokens, world
from .launch_request import LaunchRequest, vcpus
from .refusal import Refused

_originals: dict = {}


def capacity_refusal(request) -> Refused:
    """A server error, with status 500 (EC2 "Error codes")."""
    market = "Spot capacity" if request.market == "spot" else f"{request.type} capacity"
    return Refused(
        "InsufficientInstanceCapacity",
        f"We currently do not have sufficient {market} in the Availability Zone you requested ({request.zone}). Our system "
        "will be working on provisioning additional capacity.",
        500,
    )


def quota_refusal(request) -> Refused:
    if request.market == "spot":
        return Refused("MaxSpotInstanceCountExceeded", "Max spot instance count exceeded")
    return Refused(
        "VcpuLimitExceeded",
        "You have requested more vCPU capacity than your current vCPU limit allows for the instance bucket that the specified "
        "instance type belongs to. Please visit http://aws.amazon.com/contact-us/ec2-request to request an adjustment to this limit.",
    )


def used_vcpus(market: str) -> int:
    return sum(
        vcpus(i.instance_type)
        for i in world.instances()
        if i._state.name in {"pending", "running", "shutting-down", "stopping"}
        and (i.lifecycle or "on-demand") == market
    )


def quota(market: str) -> int:
    fault = faults.find("quota", market=market)
    return int(fault["vcpus"]) if fault else 10**9


def free_addresses(subnet) -> int:
    free = _originals["available"].fget(subnet)
    fault = faults.find("addresses", subnet=subnet.id)
    return max(0, min(free, int(fault["left"])) if fault else free)


def granted(request) -> int:
    """How many instances the pool gives: the largest possible number up to MaxCount; raises where that is fewer than MinCount."""
    number = request.maximum
    limits = [((quota(request.market) - used_vcpus(request.market)) // request.vcpus, quota_refusal(request))]
    capacity = faults.find("capacity", zone=request.zone, type=request.type, market=request.market)
    if capacity is not None:
        limits.append((int(capacity.get("left", 0)), capacity_refusal(request)))
    limits.append(
        (
            free_addresses(request.subnet_object),
            Refused(
                "InsufficientFreeAddressesInSubnet",
                f"The specified subnet '{request.subnet}' does not have enough free addresses to satisfy the request.",
            ),
        )
    )
    for limit, refusal in limits:
        if limit < request.minimum:
            raise refusal
        number = min(number, limit)
    if capacity is not None and "left" in capacity:
        capacity["left"] -= number
    return number


def run_instances(self) -> ActionResult:
    from .door import current

    call = current()
    request = LaunchRequest(call)
    self.error_on_dryrun()
    tokens.check_form(request.token)
    earlier = tokens.earlier(request)
    if earlier is not None:
        call.resources = [i.id for i in earlier.instances]
        return ActionResult(earlier)
    launch_checks.check(request)
    try:
        number = granted(request)
    except Refused:
        tokens.bind(request, None)
        raise
    self.params["MinCount"] = number
    self.params["ImageId"] = request.image_id
    self.params["BlockDeviceMappings"] = merged_mappings(request)
    reservation = _originals["run"](self).result
    for instance in reservation.instances:
        complete(instance, request, reservation)
    if request.market == "spot":
        spot_requests.fulfil(request, reservation)
    tokens.bind(request, reservation)
    call.resources = [i.id for i in reservation.instances]
    for instance in reservation.instances:
        ledger.launched(instance, call)
    endings.begin(reservation.instances)
    return ActionResult(reservation)


def merged_mappings(request) -> list[dict]:
    """The AMI's volumes with what the request changes of them, then the request's own; those default to being kept."""
    merged = {
        m["DeviceName"]: {"DeviceName": m["DeviceName"], "Ebs": dict(m["Ebs"])}
        for m in request.image.block_device_mappings
    }
    for mapping in request.call.get("BlockDeviceMappings") or []:
        device = mapping["DeviceName"]
        if "NoDevice" in mapping:
            merged.pop(device, None)
            continue
        held = merged.setdefault(device, {"DeviceName": device, "Ebs": {"DeleteOnTermination": False}})
        held["Ebs"].update({k: v for k, v in (mapping.get("Ebs") or {}).items() if v is not None})
    return list(merged.values())


def complete(instance, request, reservation) -> None:
    """What moto leaves out of an instance."""
    call = request.call
    instance.reservation_id = reservation.id
    instance.client_token = request.token or ""
    instance.lifecycle = "spot" if request.market == "spot" else None
    instance.disable_api_termination = bool(call.get("DisableApiTermination"))
    if request.groups:
        instance.security_groups = [world.ec2().get_security_group_from_id(g) for g in request.groups]
    if call.get("Placement.GroupName"):
        instance.placement.group_name = call.get("Placement.GroupName")
    associations = world.ec2().iam_instance_profile_associations
    if request.profile is not None and instance.id not in associations:
        world.ec2().associate_iam_instance_profile(
            instance_id=instance.id, iam_instance_profile_arn=request.profile.arn
        )
    from .ec2_permissions import specified_tags

    tags = specified_tags(call).get("network-interface", {})
    for index, nic in instance.nics.items():
        asked = next((n for n in request.interfaces if n.get("DeviceIndex") == index), {})
        if not asked.get("NetworkInterfaceId"):
            nic.delete_on_termination = asked.get("DeleteOnTermination", True) is not False
        nic.add_tags(tags)


def install() -> None:
    _originals.update(run=InstanceResponse.run_instances, available=Subnet.available_ip_address_count)
    InstanceResponse.run_instances = run_instances
    Subnet.available_ip_address_count = property(free_addresses)
    EC2BaseResponse.RESPONSE_KEY_PATH_TO_TRANSFORMER.pop("RunInstances.Reservation.Instances.Instance.State", None)
