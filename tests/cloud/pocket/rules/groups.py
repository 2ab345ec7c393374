"""Security groups: not found for a while after they are made, and not deleted while an interface uses them."""

from moto.ec2.models.security_groups import SecurityGroupBackend

from . import world
from .refusal import Refused

_create = SecurityGroupBackend.create_security_group


def create_security_group(self, *arguments, **named):
    group = _create(self, *arguments, **named)
    group.visible_at = world.now() + float(world.settings["blindness"])
    return group


def hidden(group) -> bool:
    return getattr(group, "visible_at", 0.0) > world.now()


def check(call) -> None:
    """For the calls that change one group."""
    if not call.action.endswith(("SecurityGroupIngress", "SecurityGroupEgress", "DeleteSecurityGroup")) or not call.get(
        "GroupId"
    ):
        return
    name = call.get("GroupId")
    group = world.ec2().get_security_group_from_id(name)
    if group is None or hidden(group):
        raise Refused("InvalidGroup.NotFound", f"The security group '{name}' does not exist")
    if call.action == "DeleteSecurityGroup":
        users = [
            e.id
            for e in list(world.ec2().enis.values())
            if name in {g.id for g in e._group_set}
            or (e.instance is not None and name in {g.id for g in e.instance.security_groups})
        ]
        if users:
            raise Refused("DependencyViolation", f"resource {name} has a dependent object")


def install() -> None:
    SecurityGroupBackend.create_security_group = create_security_group
