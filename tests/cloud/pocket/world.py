"""What all hosts of one cloud share: the bridge that is their VPC, their place for disks, and their control groups.

It runs in namespaces of its own (see `start`): the machine's network, mounts and processes are not touched, and all goes
when the first process ends. Only control groups outlive it, as empty folders; `sweep` removes those of dead clouds.
"""

import ctypes
import os
import subprocess
import threading
from pathlib import Path
from typing import Any, Callable

from .settings import Settings

BRIDGE = "pocket"
PREFIX = "dayfly-pocket-"
CONTROLLERS = ("devices", "memory", "pids", "cpu")
CLONE_NEWNET = 0x40000000
libc = ctypes.CDLL(None, use_errno=True)


class World:
    """Made once, at the start of a cloud."""

    def __init__(self, settings: Settings, pid: str) -> None:
        self.settings = settings
        self.base = settings.base
        self.unified, self.controllers = control_groups()
        sweep(self.unified, self.controllers)
        self.name = PREFIX + pid
        # A process of this cloud in its own group tells other clouds that the group is not left over.
        own = self.unified / self.name / "world"
        own.mkdir(parents=True, exist_ok=True)
        (own / "cgroup.procs").write_text("0")
        # A private mount: nothing of it is seen outside, nothing stays.
        self.disks = Path("/mnt")
        run("mount", "--make-rprivate", "/")
        run("mount", "-t", "tmpfs", "-o", "mode=700,size=64m", "pocket", str(self.disks))
        ip(f"""
            link set lo up
            link add {BRIDGE} address 02:00:0a:4d:00:01 type bridge
            addr add {settings.gateway}/16 dev {BRIDGE}
            link set {BRIDGE} up
        """)

    def folder(self, name: str) -> Path:
        folder = self.disks / name
        folder.mkdir(exist_ok=True)
        return folder

    def group(self, name: str) -> Path:
        return self.unified / self.name / name

    def controller(self, controller: str, name: str) -> Path | None:
        """A host's group of this controller, None where the kernel offers it in another form only."""
        root = self.controllers.get(controller)
        return root / self.name / name if root else None


def control_groups() -> tuple[Path, dict[str, Path]]:
    """Where the kernel's unified tree is mounted, and each controller that has a tree of its own."""
    unified, controllers = None, {}
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        before, after = line.split(" - ")
        place, (kind, _, options) = before.split()[4], after.split(" ", 2)
        if kind == "cgroup2" and unified is None:
            unified = Path(place)
        if kind == "cgroup":
            for name in CONTROLLERS:
                if name in options.split(","):
                    controllers.setdefault(name, Path(place))
    if unified is None:
        raise OSError("no cgroup2 file system is mounted here; the pocket cloud freezes and ends its hosts by it")
    return unified, controllers


def sweep(unified: Path, controllers: dict[str, Path]) -> None:
    """Removes what clouds that ended left: empty folders. A cloud lives while its `world` group has a process."""
    for folder in unified.glob(PREFIX + "*"):
        try:
            if (folder / "world" / "cgroup.procs").read_text().strip() or Path("/proc", folder.name[len(PREFIX):]).exists():
                continue
        except OSError:
            pass
        for root in {unified, *controllers.values()}:
            remove_group(root / folder.name)


def remove_group(folder: Path) -> bool:
    """Removes a group and those below it, as far as nothing runs in them."""
    for path, _, _ in os.walk(folder, topdown=False):
        try:
            os.rmdir(path)
        except OSError:
            pass
    return not folder.exists()


def run(*command: str, input: str | None = None) -> str:
    """Runs a program to its end; its own words become the error where it fails."""
    done = subprocess.run(command, input=input, capture_output=True, text=True)
    if done.returncode:
        raise OSError(f"{' '.join(command)}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def ip(lines: str) -> None:
    """Runs lines of `ip` in one process."""
    run("ip", "-batch", "-", input="\n".join(line.strip() for line in lines.strip().splitlines()) + "\n")


def in_network(network: int | None, work: Callable[[], Any]) -> Any:
    """Does `work` in a thread of its own in that network namespace (an open file), or in a new one."""
    answer: list[Any] = []
    failure: list[Exception] = []

    def go() -> None:
        try:
            if libc.unshare(CLONE_NEWNET) if network is None else libc.setns(network, CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), "cannot enter a network namespace")
            answer.append(work())
        except Exception as error:    # handed to the caller
            failure.append(error)

    thread = threading.Thread(target=go)
    thread.start()
    thread.join()
    if failure:
        raise failure[0]
    return answer[0]
