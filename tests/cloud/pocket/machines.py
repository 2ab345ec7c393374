"""Joins moto's instances with hosts: the rules say what EC2 does, this says what then happens to the machine.

The rules call `launched`, `terminate`, `stop`, `start`, `reboot` and `console` while they hold their own lock: none of
these waits. What happens later is told by three callbacks, called without any lock held:

- `on_running(instance)`: a launched or started instance leaves `pending`;
- `on_ended(instance, how)`: "poweroff" (from inside, or the answer to `terminate` and `stop`, which always comes and
  comes once), "reboot" (the host boots again by itself) or "crash" (EC2 does not know: it goes on saying running);
- `credentials_for(profile_arn, instance_id)`: what the role of an instance profile signs with, as {"AccessKeyId",
  "SecretAccessKey", "Token", "Expiration"}, or None.
"""

import sys
import threading
import time
import traceback
from dataclasses import dataclass, field, replace
from typing import Any, Callable, Optional

from . import imds
from .host import Host, Plan
from .settings import Settings
from .world import World


@dataclass
class Machine:
    """One instance's hardware: it stays from launch to termination, through stops and reboots."""

    instance: Any
    plan: Plan
    host: Optional[Host] = None
    ending: str = ""                  # "stop", "terminate", "reboot": what the API has asked for
    metadata: imds.Metadata = field(default_factory=imds.Metadata)
    lock: threading.RLock = field(default_factory=threading.RLock)


class Machines:
    """Real hosts; machines_without_hosts.py has the same without."""

    on_running: Callable[[Any], None]
    on_ended: Callable[[Any, str], None]
    credentials_for: Callable[[str, str], Optional[dict]]

    def __init__(self, settings: Settings, world: World) -> None:
        self.on_running = lambda instance: None
        self.on_ended = lambda instance, how: None
        self.credentials_for = lambda profile_arn, instance_id: None
        self.settings = settings
        self.world = world
        self.machines: dict[str, Machine] = {}
        self._next: list[dict] = []

    def launched(self, instance: Any) -> None:
        plan = Plan(disk_mb=self.settings.disk_mb, memory_mb=self.settings.memory_mb,
                    pending_seconds=self.settings.pending_seconds)
        if self._next:
            plan = replace(plan, **self._next.pop(0))
        machine = self.machines[instance.id] = Machine(instance, plan)
        self._later(self._switch_on, machine)

    def terminate(self, instance: Any) -> None:
        self._later(self._switch_off, self._machine(instance), "terminate")

    def stop(self, instance: Any) -> None:
        self._later(self._switch_off, self.machines[instance.id], "stop")

    def start(self, instance: Any) -> None:
        self._later(self._switch_on, self.machines[instance.id])

    def reboot(self, instance: Any) -> None:
        self._later(self._switch_off, self.machines[instance.id], "reboot")

    def console(self, instance: Any) -> str:
        machine = self.machines.get(instance.id)
        return machine.host.console.text() if machine and machine.host else ""

    def spot_notice(self, instance: Any, when: float) -> None:
        """Tells the instance that it is taken back at that time."""
        self._machine(instance).metadata.spot_notice(when - time.time())

    def plan_next(self, count: int = 1, **changes: Any) -> None:
        """The next `count` launches get other hardware: fields of `Plan`."""
        replace(Plan(), **changes)
        self._next += [changes] * count

    def _machine(self, instance: Any) -> Machine:
        """An instance that died before it was given a host has a machine too: one that is never switched on."""
        return self.machines.setdefault(instance.id, Machine(instance, Plan()))

    def _later(self, work: Callable, *arguments: Any) -> None:
        def run() -> None:
            try:
                work(*arguments)
            except Exception:         # a thread's failure must be seen, not end it in silence
                traceback.print_exc(file=sys.stderr)

        threading.Thread(target=run, daemon=True).start()

    def _switch_on(self, machine: Machine) -> None:
        began = time.monotonic()
        with machine.lock:
            if machine.ending == "terminate":
                return
            machine.ending = ""
            if machine.host is None:
                facts = imds.Facts(machine.instance, machine.metadata, lambda arn, name: self.credentials_for(arn, name))
                machine.host = Host(machine.instance.id, machine.instance.private_ip, machine.plan, self.world, facts)
            boot = self._boot(machine)
        time.sleep(max(0.0, machine.plan.pending_seconds - (time.monotonic() - began)))
        if boot and not machine.ending:
            self.on_running(machine.instance)

    def _boot(self, machine: Machine) -> bool:
        """Lets the host boot and watches it; a host that cannot even be made has crashed."""
        try:
            machine.host.boot()
        except Exception:
            traceback.print_exc(file=sys.stderr)
            self._later(self.on_ended, machine.instance, "crash")
            return False
        self._later(self._watch, machine)
        return True

    def _watch(self, machine: Machine) -> None:
        how = machine.host.wait()
        with machine.lock:
            ending, machine.ending = machine.ending, "" if machine.ending == "reboot" else machine.ending
            if ending in ("stop", "terminate"):
                how = "poweroff"
            elif ending == "reboot":
                how = "reboot"
            if how == "reboot":
                self._boot(machine)
            elif ending == "terminate" or (
                    how == "poweroff" and not ending
                    and machine.instance.instance_initiated_shutdown_behavior == "terminate"):
                machine.ending = "terminate"
                machine.host.remove()
        self.on_ended(machine.instance, how)

    def _switch_off(self, machine: Machine, ending: str) -> None:
        with machine.lock:
            if machine.ending == "terminate" or (machine.ending == ending and machine.host and machine.host.alive):
                return
            machine.ending = ending
            if machine.host and machine.host.alive:
                self._later(machine.host.shut_down, ending == "reboot", self.settings.shutdown_seconds)
                return
            if ending == "reboot":
                machine.ending = ""
                self._boot(machine)
            elif ending == "terminate" and machine.host:
                machine.host.remove()
        self.on_ended(machine.instance, "reboot" if ending == "reboot" else "poweroff")
