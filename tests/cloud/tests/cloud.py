"""A pocket cloud for a test: started, asked and meddled with, and gone with its process."""

import ctypes
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Callable

import boto3
from botocore.config import Config

HERE = Path(__file__).resolve().parent.parent
libc = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNET = 0x40000000


class Cloud:
    """Use as a context; `do` runs a function inside the cloud's network."""

    def __init__(self, **settings: Any) -> None:
        environment = os.environ | {f"POCKET_{name.upper()}": str(value) for name, value in settings.items()}
        self.process = subprocess.Popen([HERE / "start"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment)
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError("the pocket cloud did not start (see above)")
        self.ready = json.loads(line)
        self.pid = self.ready["pid"]
        self.folder = Path(tempfile.mkdtemp(prefix="pocket-test-"))
        self._network = os.open(f"/proc/{self.pid}/ns/net", os.O_RDONLY)
        self._thread = ThreadPoolExecutor(1, initializer=self._enter)
        self._clients: dict[str, Any] = {}

    def __enter__(self) -> "Cloud":
        return self

    def __exit__(self, *_: Any) -> None:
        self._thread.shutdown()
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait(10)
        os.close(self._network)
        shutil.rmtree(self.folder)

    def _enter(self) -> None:
        if libc.setns(self._network, CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "setns")

    def do(self, work: Callable[[], Any]) -> Any:
        return self._thread.submit(work).result()

    def ec2(self, name: str, **parameters: Any) -> dict:
        def call() -> dict:
            if "ec2" not in self._clients:
                admin = self.ready["credentials"]["admin"]
                self._clients["ec2"] = boto3.client(
                    "ec2", endpoint_url=self.ready["endpoint"], region_name=self.ready["region"],
                    aws_access_key_id=admin["access"], aws_secret_access_key=admin["secret"],
                    config=Config(retries={"total_max_attempts": 1}))
            return getattr(self._clients["ec2"], name)(**parameters)

        return self.do(call)

    def control(self, path: str, body: dict | None = None) -> Any:
        def call() -> Any:
            data = None if body is None else json.dumps(body).encode()
            request = urllib.request.Request(self.ready["control"] + path, data=data)
            try:
                with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=20) as answer:
                    text = answer.read().decode()
                    return json.loads(text) if answer.headers["Content-Type"] == "application/json" else text
            except urllib.error.HTTPError as error:
                raise RuntimeError(f"{path}: {error.code} {error.read().decode()}") from None

        return self.do(call)

    def launch(self, user_data: str | None = None, **parameters: Any) -> "Instance":
        return self.launch_many(1, user_data, **parameters)[0]

    def launch_many(self, count: int, user_data: str | None = None, **parameters: Any) -> list["Instance"]:
        """Instances by one call, with a login key and a host key that are pinned by the user data."""
        keys = {name: self.key(name) for name in ("login", "host")}
        request = {
            "ImageId": self.ready["ami"], "InstanceType": "c7i.large", "MinCount": count, "MaxCount": count,
            "SubnetId": self.ready["subnets"]["a"]["id"], "InstanceInitiatedShutdownBehavior": "terminate",
            "SecurityGroupIds": [self.ready["security_group"]],
            "MetadataOptions": {"HttpTokens": "required", "HttpPutResponseHopLimit": 1},
            "UserData": cloud_config(keys) if user_data is None else user_data, **parameters,
        }
        return [Instance(self, one) for one in self.ec2("run_instances", **request)["Instances"]]

    def key(self, name: str) -> Path:
        path = self.folder / name
        if not path.exists():
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", path], check=True)
        return path


class Instance:
    """One that was launched."""

    def __init__(self, cloud: Cloud, description: dict) -> None:
        self.cloud = cloud
        self.id = description["InstanceId"]
        self.address = description["PrivateIpAddress"]
        self.began = time.monotonic()

    def describe(self) -> dict:
        return self.cloud.ec2("describe_instances", InstanceIds=[self.id])["Reservations"][0]["Instances"][0]

    @property
    def state(self) -> str:
        return self.describe()["State"]["Name"]

    def fault(self, name: str, **arguments: Any) -> None:
        self.cloud.control(f"/hosts/{self.id}/{name}", arguments)

    def console(self) -> str:
        return self.cloud.control(f"/hosts/{self.id}/console")

    def banner(self, timeout: float = 1.0) -> bool:
        """Whether sshd answers."""
        def call() -> bool:
            try:
                with socket.create_connection((self.address, 22), timeout) as connection:
                    connection.settimeout(timeout)
                    return connection.recv(4) == b"SSH-"
            except OSError:
                return False

        return self.cloud.do(call)

    def wait_ssh(self, limit: float = 60) -> float:
        """Seconds from the launch until sshd answered."""
        until(self.banner, limit, lambda: f"sshd of {self.id} did not answer; its console:\n{self.console()}")
        return time.monotonic() - self.began

    def wait_state(self, state: str, limit: float = 20) -> None:
        until(lambda: self.state == state, limit, lambda: f"{self.id} is {self.state}, not {state}; its console:\n{self.console()}")

    def ssh(self, command: str, limit: float = 30, check: bool = True, given: str | None = None) -> str:
        known = self.cloud.folder / "known_hosts"
        host_key = self.cloud.key("host").with_suffix(".pub").read_text()
        known.write_text(f"{self.address} {host_key}")
        done = subprocess.run(
            [HERE / "in", str(self.cloud.pid), "ssh", "-F", "none", "-i", self.cloud.key("login"), "-o", "BatchMode=yes",
             "-o", f"UserKnownHostsFile={known}", "-o", "StrictHostKeyChecking=yes", "-o", "ConnectTimeout=10",
             f"ec2-user@{self.address}", command], capture_output=True, text=True, timeout=limit, input=given or "")
        if check and done.returncode:
            raise AssertionError(f"ssh {command!r} ended with {done.returncode}: {done.stderr}")
        return done.stdout


def cloud_config(keys: dict[str, Path], more: str = "") -> str:
    private = keys["host"].read_text().replace("\n", "\n    ")
    return f"""#cloud-config
ssh_keys:
  ed25519_private: |
    {private}
  ed25519_public: {keys["host"].with_suffix(".pub").read_text().strip()}
ssh_authorized_keys: ["{keys["login"].with_suffix(".pub").read_text().strip()}"]
{more}"""


def until(condition: Callable[[], bool], limit: float, message: Callable[[], str]) -> None:
    deadline = time.monotonic() + limit
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(message())
        time.sleep(0.05)


def measured(name: str, seconds: float) -> None:
    print(f"  {name}: {seconds:.2f} s", file=sys.stderr)
