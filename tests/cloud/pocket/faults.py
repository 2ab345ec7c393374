"""What can befall a host. All of it is done from outside, so the host's own root cannot undo it.

A fault is a function of a machine and its arguments; `HOST_FAULTS` names those that a test can ask for. EC2 does not
notice any but a power-off: a crashed, frozen or cut instance goes on being "running".
"""

import json
import os
import subprocess
from typing import Any, Callable

from .host import POWER_OFF, REBOOT, Host
from .machines import Machine
from .world import ip, run


class FaultRefused(ValueError):
    """The fault is not known, its arguments are wrong, or the host is in no state for it."""


def cut(machine: Machine) -> None:
    """The cable is out: both directions are silent, until `join`."""
    ip(f"link set {powered(machine).link} down")


def join(machine: Machine) -> None:
    """Ends cut, blackhole and slow."""
    link = powered(machine).link
    ip(f"link set {link} up")
    subprocess.run(["nft", "delete", "table", "netdev", link], stderr=subprocess.DEVNULL, check=False)
    subprocess.run(["tc", "qdisc", "del", "dev", link, "root"], stderr=subprocess.DEVNULL, check=False)


def blackhole(machine: Machine, direction: str = "from") -> None:
    """Drops what comes `from` the host or goes `to` it; the other direction still works."""
    hook = {"from": "ingress", "to": "egress"}.get(direction)
    if hook is None:
        raise FaultRefused('direction is "from" or "to"')
    filter_packets(powered(machine), hook, "drop")


def slow(machine: Machine, kbit: int = 2000) -> None:
    """So many kilobits a second, each way; what the host sends in the first second is free (nft's bucket)."""
    link = powered(machine).link
    run("tc", "qdisc", "replace", "dev", link, "root", "tbf", "rate", f"{int(kbit)}kbit", "burst", "16kb", "latency", "50ms")
    filter_packets(powered(machine), "ingress", f"limit rate over {max(1, int(kbit) // 8)} kbytes/second burst 64 kbytes drop")


def freeze(machine: Machine) -> None:
    """The machine hangs: connections are taken by the kernel, and nothing answers, until `thaw`."""
    powered(machine).freeze(True)


def thaw(machine: Machine) -> None:
    powered(machine).freeze(False)


def crash(machine: Machine) -> None:
    """All processes are gone at once. EC2 says running; RebootInstances brings it back."""
    powered(machine).crash()


def poweroff(machine: Machine) -> None:
    """Somebody on the host runs `poweroff`."""
    os.kill(powered(machine).init(), POWER_OFF)


def reboot(machine: Machine) -> None:
    """Somebody on the host runs `reboot`."""
    os.kill(powered(machine).init(), REBOOT)


def command(machine: Machine, line: str) -> dict:
    """Runs a shell line as root on the host, from outside, and tells its exit code."""
    done = subprocess.run(["nsenter", "-t", str(powered(machine).init()), "--mount", "--pid", "--net", "--uts", "--ipc", "sh", "-c", line],
                   stdin=subprocess.DEVNULL, check=False, timeout=20)
    return {"code": done.returncode}


def disk(machine: Machine, free_kb: int | None = None, mb: int | None = None) -> None:
    """The disk has so much left (0: full), or its size is `mb`, to undo that."""
    folder = str(machine.host.folder)
    if (free_kb is None) == (mb is None):
        raise FaultRefused("disk takes free_kb or mb")
    if mb is not None:
        size = int(mb) * 1024
    else:
        used = os.statvfs(folder)
        # The file system's smallest size is what it holds.
        size = (used.f_blocks - used.f_bfree) * used.f_frsize // 1024 + int(free_kb)
    run("mount", "-o", f"remount,size={max(size, 4)}k", folder)


def processor(machine: Machine, percent: int = 100) -> None:
    """A straggler: so many percent of one processor."""
    group = powered(machine).groups.get("cpu")
    if group is None:
        raise FaultRefused("this kernel has no cpu controller of its own")
    quota = -1 if int(percent) <= 0 else int(percent) * 1000
    (group / "cpu.cfs_quota_us").write_text(str(quota))


def spot_notice(machine: Machine, seconds: float = 120, action: str = "terminate") -> None:
    """The notice only; taking the instance away is the rules' part."""
    machine.metadata.spot_notice(float(seconds), action)


def rebalance(machine: Machine) -> None:
    machine.metadata.rebalance_notice()


HOST_FAULTS: dict[str, Callable[..., dict | None]] = {
    fault.__name__: fault
    for fault in (cut, join, blackhole, slow, freeze, thaw, crash, command, poweroff, reboot, disk, processor, spot_notice, rebalance)
}


def befall(machine: Machine, name: str, arguments: dict[str, Any]) -> dict | None:
    fault = HOST_FAULTS.get(name)
    if fault is None:
        raise FaultRefused(f"unknown fault {name!r}; there are {', '.join(HOST_FAULTS)}")
    if machine.host is None:
        raise FaultRefused(f"{machine.instance.id} has not been switched on yet")
    try:
        return fault(machine, **arguments)
    except TypeError as error:
        raise FaultRefused(f"{name}: {error}; its arguments were {json.dumps(arguments)}") from error


def powered(machine: Machine) -> Host:
    if not machine.host.alive:
        raise FaultRefused(f"{machine.instance.id} is switched off")
    return machine.host


def filter_packets(host: Host, hook: str, verdict: str) -> None:
    """One rule on the cloud's end of the host's cable; a second call for the same hook replaces the first."""
    run("nft", "-f", "-", input=f"""
        add table netdev {host.link}
        add chain netdev {host.link} {hook} {{ type filter hook {hook} device {host.link} priority 0; }}
        flush chain netdev {host.link} {hook}
        add rule netdev {host.link} {hook} {verdict}
    """)
