"""One real host: its own network, processes, mounts and disk over the common root, with systemd as its first process.

The disk and the network stay from the first boot to `remove`, so a reboot or a stop keeps files and address.
"""

import os
import signal
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from . import imds
from .console import Console
from .world import BRIDGE, World, in_network, ip, remove_group, run

STAGE1 = Path(__file__).with_name("stage1.sh")
SYSTEMD = "/lib/systemd/systemd"
POWER_OFF = signal.SIGRTMIN + 4       # what systemd takes as the power button,
REBOOT = signal.SIGRTMIN + 5          # and as Ctrl-Alt-Del without questions
PROCESSES = 4096
HALTED = "Halting system."            # systemd's last words; reboot(2) says the same of halt and power-off
# null, zero, full, random, urandom, tty, ptmx and terminals; all may be made, no others opened.
DEVICES = ("c 1:3 rwm", "c 1:5 rwm", "c 1:7 rwm", "c 1:8 rwm", "c 1:9 rwm", "c 5:0 rwm", "c 5:2 rwm", "c 136:* rwm",
           "c *:* m", "b *:* m")


@dataclass(frozen=True)
class Plan:
    """The hardware of a launch."""

    disk_mb: int = 1024
    memory_mb: int = 2048
    pending_seconds: float = 0.5
    boot_delay_seconds: float = 0.0   # before the first process starts
    boots: bool = True                # else it hangs before its init, with a network that answers nothing


class Host:
    """Boots and ends; `wait` says how it ended."""

    def __init__(self, instance_id: str, address: str, plan: Plan, world: World, facts: imds.Facts) -> None:
        self.instance_id = instance_id
        self.address = address
        self.plan = plan
        self.world = world
        self.console = Console()
        self.link = "h" + instance_id[-12:]
        self.folder = world.folder(instance_id)
        self.groups = {name: path for name in ("devices", "memory", "pids", "cpu")
                       if (path := world.controller(name, instance_id))}
        self.group = world.group(instance_id)
        self._process: subprocess.Popen | None = None
        self._removed = False
        run("mount", "-t", "tmpfs", "-o", f"size={plan.disk_mb}m,mode=755", "disk", str(self.folder))
        for name in ("upper", "work", "root"):
            (self.folder / name).mkdir()
        self._make_groups()
        self.network = in_network(None, self._make_network)
        ip(f"link set {self.link} master {BRIDGE} up")
        self.imds = imds.Server(self.network, facts)

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def boot(self) -> None:
        """Starts the first process. The host ends with it."""
        self.console.write(f"[pocket] {self.instance_id} power on\n")
        # The overlay is mounted volatile, which marks its work folder as unfit for another mount.
        run("rm", "-rf", str(self.folder / "work" / "work"))
        join = "\n".join(f"echo $$ >{path}/cgroup.procs" for path in (self.group / "host", *self.groups.values()))
        environment = {
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "INSTANCE": self.instance_id, "DISK": str(self.folder),
            "BASE": self.world.base, "CONSOLE": self.console.path, "NAME": "ip-" + self.address.replace(".", "-"),
            "INIT": SYSTEMD if self.plan.boots else "/bin/sleep infinity",
            "DROP_MKNOD": "" if "devices" in self.groups else ",-mknod", "DELAY": str(self.plan.boot_delay_seconds),
        }
        # A host is as old as its boot: leases are counted from there.
        ages = f"--time --boottime {-int(time.clock_gettime(time.CLOCK_BOOTTIME))} --monotonic {-int(time.monotonic())}"
        command = ["sh", "-ec", f"{join}\nexec unshare {ages} --mount --uts --ipc --pid --cgroup --fork --kill-child sh {STAGE1}"]
        log = open(self.folder.parent / f"{self.instance_id}.log", "ab")
        with log:
            self._process = in_network(self.network, lambda: subprocess.Popen(
                command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True))

    def wait(self) -> str:
        """Waits for the end: "poweroff", "reboot" or "crash", as reboot(2) ends the first process of a namespace."""
        code = self._process.wait()
        self._quiet()
        how = {-signal.SIGINT: "poweroff", -signal.SIGHUP: "reboot"}.get(code, "crash")
        time.sleep(0.05)              # the last words may still be in the terminal
        if how == "poweroff" and self.console.text().rstrip().endswith(HALTED):
            how = "crash"             # the power is still on, and nobody works: as EC2 sees it, running
        self.console.write(f"[pocket] {self.instance_id} {how}\n")
        if how == "crash" and code != -signal.SIGKILL:
            self.console.write((self.folder.parent / f"{self.instance_id}.log").read_text())
        return how

    def shut_down(self, reboot: bool, limit: float) -> None:
        """Presses the power button, and cuts the power where the host does not end in time."""
        if self.plan.boots and not self.frozen:
            try:
                os.kill(self.init(), REBOOT if reboot else POWER_OFF)
            except (OSError, IndexError):
                limit = 0.0           # not yet, or no longer there
            deadline = time.monotonic() + limit
            while self.alive and time.monotonic() < deadline:
                time.sleep(0.02)
        if self.alive:
            self.crash()

    def crash(self) -> None:
        (self.group / "cgroup.kill").write_text("1")

    def freeze(self, on: bool) -> None:
        (self.group / "cgroup.freeze").write_text("1" if on else "0")

    @property
    def frozen(self) -> bool:
        return (self.group / "cgroup.freeze").read_text().strip() == "1"

    def init(self) -> int:
        """The first process, as the cloud numbers it."""
        pid = self._process.pid
        return int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])

    def remove(self) -> None:
        """Gives back network, disk and groups of a host that has ended; the console's text stays."""
        if self._removed:
            return
        self._removed = True
        self.imds.close()
        run("ip", "link", "del", self.link)
        os.close(self.network)
        run("umount", "--lazy", str(self.folder))
        self.console.close()
        for path in (self.group, *self.groups.values()):
            remove_group(path)

    def _quiet(self) -> None:
        """Waits until the kernel has buried the last process, so that groups and disk can be used again."""
        events = self.group / "cgroup.events"
        while "populated 1" in events.read_text():
            time.sleep(0.01)
        self.freeze(False)

    def _make_groups(self) -> None:
        # The host's own root is one below, so that what freezes it is out of its reach.
        (self.group / "host").mkdir(parents=True)
        for path in self.groups.values():
            path.mkdir(parents=True)
        if devices := self.groups.get("devices"):
            (devices / "devices.deny").write_text("a")
            for rule in DEVICES:
                (devices / "devices.allow").write_text(rule)
        if memory := self.groups.get("memory"):
            (memory / "memory.limit_in_bytes").write_text(str(self.plan.memory_mb << 20))
        if pids := self.groups.get("pids"):
            (pids / "pids.max").write_text(str(PROCESSES))

    def _make_network(self) -> int:
        ip(f"""
            link set lo up
            addr add {imds.ADDRESS}/32 dev lo
            link add eth0 address {hardware_address(self.address)} type veth peer name {self.link} netns {os.getpid()}
            addr add {self.address}/16 dev eth0
            link set eth0 up
            route add default via {self.world.settings.gateway}
        """)
        return os.open(f"/proc/self/task/{threading.get_native_id()}/ns/net", os.O_RDONLY)


def hardware_address(address: str) -> str:
    return "02:00:" + ":".join(f"{int(part):02x}" for part in address.split("."))
