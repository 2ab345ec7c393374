"""The states of an instance, from pending to terminated: what the API asks for, what the machine reports, and which reason is left behind."""

from moto.core.utils import utcnow
from moto.ec2.models.instances import Instance, InstanceState, StateReason

from . import faults, ledger, spot_requests, world
from .refusal import Refused

CODES = {"pending": 0, "running": 16, "shutting-down": 32, "terminated": 48, "stopping": 64, "stopped": 80}
MESSAGES = {
    "Client.UserInitiatedShutdown": "Client.UserInitiatedShutdown: User initiated shutdown",
    "Client.InstanceInitiatedShutdown": "Client.InstanceInitiatedShutdown: Instance initiated shutdown",
    "Server.SpotInstanceTermination": "Server.SpotInstanceTermination: Spot instance termination",
    "Server.InternalError": "Server.InternalError: Internal error on launch",
    "Server.InsufficientInstanceCapacity": "Server.InsufficientInstanceCapacity: Insufficient capacity to launch instance",
    "Client.VolumeLimitExceeded": "Client.VolumeLimitExceeded: Volume limit exceeded",
    "Client.InternalError": "Client.InternalError: Client error on launch",
    "Client.InvalidSnapshot.NotFound": "Client.InvalidSnapshot.NotFound: The snapshot does not exist",
    "Server.ScheduledStop": "Server.ScheduledStop: Stopped due to a scheduled retirement",
}

_terminate = Instance.terminate
_stop = Instance.stop


def set_state(instance, name: str) -> None:
    instance._state = InstanceState(name, CODES[name])


def begin(instances: list) -> None:
    """A launch was accepted: everything is pending and, for a while, not found."""
    for instance in instances:
        set_state(instance, "pending")
        instance.visible_at = world.now() + float(world.settings["blindness"])
        death = faults.take(
            "launch_dies", zone=instance.availability_zone, type=instance.instance_type, subnet=instance.subnet_id
        )
        if death is not None:
            reason = death.get("reason", "Server.InternalError")
            world.after(float(death.get("seconds", 0.5)), die_in_pending, instance, reason, death.get("message"))
        elif (
            faults.take(
                "stuck_pending", zone=instance.availability_zone, type=instance.instance_type, subnet=instance.subnet_id
            )
            is None
        ):
            instance.has_machine = True
            world.machines.launched(instance)


def die_in_pending(instance, reason: str, message: str | None) -> None:
    if instance._state.name == "pending":
        end(instance, reason, message)
        finish(instance, "never ran")


def on_running(instance) -> None:
    """The machine has begun to boot."""
    with world.LOCK:
        if instance._state.name == "pending":
            set_state(instance, "running")
            ledger.running(instance)


def on_ended(instance, how: str) -> None:
    """The machine's PID 1 is gone: by power-off, by reboot, or by a crash that EC2 does not notice."""
    with world.LOCK:
        ledger.machine_event(instance, how)
        state = instance._state.name
        if state == "shutting-down":
            finish(instance, how)
        elif state == "stopping":
            stopped(instance)
        elif how == "poweroff" and state in {"pending", "running"}:
            if instance.instance_initiated_shutdown_behavior == "terminate":
                end(instance, "Client.InstanceInitiatedShutdown")
                finish(instance, how)
            else:
                set_state(instance, "stopping")
                stopped(instance, "Client.InstanceInitiatedShutdown")


def end(instance, reason: str, message: str | None = None) -> None:
    """shutting-down, with the reason that describes tell from now on."""
    if instance._state.name in {"shutting-down", "terminated"}:
        return
    set_state(instance, "shutting-down")
    instance.ending_reason = reason
    instance.state_reason = StateReason(message or MESSAGES.get(reason, reason), reason)
    ledger.ending(instance, reason)


def finish(instance, how: str) -> None:
    """terminated: volumes and interfaces go or stay as they were told, the address is free again."""
    if instance._state.name == "terminated":
        return
    reason = instance.state_reason
    ledger.ended(instance, how)
    _terminate(instance)
    instance.state_reason = reason
    initiator = "User initiated" if reason.code.startswith("Client.UserInitiated") else reason.code.split(".")[-1]
    instance._reason = f"{initiator} ({utcnow().strftime('%Y-%m-%d %H:%M:%S UTC')})"
    set_state(instance, "terminated")
    instance.terminated_at = world.now()
    instance.last_subnet_id, instance._subnet_id, instance.nics, instance.security_groups = (
        instance.subnet_id,
        None,
        {},
        [],
    )
    give_back(instance)
    if reason.code == "Server.SpotInstanceTermination":
        spot_requests.status(instance, "instance-terminated-no-capacity", "closed")
    else:
        spot_requests.status(instance, "instance-terminated-by-user", "closed")


def give_back(instance) -> None:
    """The address of a subnet under a fault of addresses is free again."""
    fault = faults.find("addresses", subnet=instance.last_subnet_id)
    if fault is not None and fault.get("returns", False):
        fault["left"] += 1


def stopped(instance, reason: str | None = None) -> None:
    ledger.pausing(instance)
    _stop(instance)
    set_state(instance, "stopped")
    if reason:
        instance.state_reason = StateReason(MESSAGES[reason], reason)


def terminate(self) -> InstanceState:
    previous = InstanceState(self._state.name, self._state.code)
    if self._state.name in {"shutting-down", "terminated"}:
        return previous
    kill(self, "Client.UserInitiatedShutdown")
    return previous


def kill(instance, reason: str) -> None:
    """Begins an ending from outside: the OS is shut down first, then the instance is terminated."""
    end(instance, reason)
    world.after(float(world.settings["terminate_slow"]), stop_machine, instance)


def stop_machine(instance) -> None:
    """The machine answers by `on_ended`; where there never was one, nobody would."""
    if getattr(instance, "has_machine", False):
        world.machines.terminate(instance)
    else:
        finish(instance, "never ran")


def stop(self) -> InstanceState:
    previous = InstanceState(self._state.name, self._state.code)
    if self._state.name in {"terminated", "shutting-down"}:
        raise Refused(
            "IncorrectInstanceState", f"This instance '{self.id}' is not in a state from which it can be stopped."
        )
    if self.lifecycle == "spot" and (spot_requests.of(self) or {}).get("Type") == "one-time":
        raise Refused(
            "UnsupportedOperation",
            f"You can't stop the Spot Instance '{self.id}' because it is associated with a one-time Spot Instance request.",
        )
    if self._state.name in {"pending", "running"}:
        set_state(self, "stopping")
        ledger.pausing(self)
        self.state_reason = StateReason(MESSAGES["Client.UserInitiatedShutdown"], "Client.UserInitiatedShutdown")
        world.machines.stop(self)
    return previous


def start(self) -> InstanceState:
    previous = InstanceState(self._state.name, self._state.code)
    if self._state.name in {"running", "pending"}:
        return previous
    if self._state.name != "stopped":
        raise Refused(
            "IncorrectInstanceState", f"The instance '{self.id}' is not in a state from which it can be started."
        )
    set_state(self, "pending")
    self.state_reason, self._reason = StateReason(), ""
    world.machines.start(self)
    return previous


def reboot(self) -> None:
    if self._state.name not in {"running", "pending"}:
        raise Refused("IncorrectState", f"The instance '{self.id}' is not in a state from which it can be rebooted.")
    ledger.machine_event(self, "RebootInstances")
    world.machines.reboot(self)


def reclaim(instance_id: str, notice: float) -> dict:
    """EC2 takes a spot instance back: the notice in IMDS, then the end; without notice at once."""
    instance = world.instance(instance_id)
    if instance is None or instance.lifecycle != "spot":
        raise faults.UnknownFault(f"{instance_id} is not a spot instance")
    if notice > 0:
        when = world.now() + notice
        instance.reclaimed_at = when
        spot_requests.status(instance, "marked-for-termination")
        if hasattr(world.machines, "spot_notice"):
            world.machines.spot_notice(instance, when)
        elif instance_id in getattr(world.machines, "machines", {}):
            world.machines.machines[instance_id].metadata.spot_notice(notice)
    world.after(notice, reclaimed, instance)
    return {"instance": instance_id, "notice": notice}


def reclaimed(instance) -> None:
    if instance._state.name in {"pending", "running"}:
        kill(instance, "Server.SpotInstanceTermination")


def fade() -> None:
    """Terminated instances lose their tags, then are not found any more. Called before each call to EC2."""
    now = world.now()
    for instance in world.instances():
        gone_for = now - getattr(instance, "terminated_at", now)
        if instance._state.name == "terminated" and gone_for >= world.settings["tags_fade"]:
            world.ec2().tags.pop(instance.id, None)


def shown(instance) -> bool:
    """Whether Describe and the other calls find the instance now."""
    now = world.now()
    if getattr(instance, "visible_at", 0.0) > now:
        return False
    gone_for = now - getattr(instance, "terminated_at", now)
    return instance._state.name != "terminated" or gone_for < world.settings["terminated_visible"]


def no_address(getter):
    """Network data of a terminated instance is gone."""

    def get(self):
        return getter(self) if getattr(self, "nics", None) else None

    return property(get)


def install() -> None:
    Instance.terminate, Instance.stop, Instance.start, Instance.reboot = terminate, stop, start, reboot
    for name in (
        "private_ip",
        "private_ip_address",
        "private_dns_name",
        "public_ip",
        "public_ip_address",
        "public_dns_name",
    ):
        setattr(Instance, name, no_address(Instance.__dict__[name].fget))
