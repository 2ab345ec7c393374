"""Hosts of the pocket cloud, end to end: real systemd, cloud-init, sshd, and what can befall them. Needs root.

    .ci/install pocket && sudo VENV/bin/python -m unittest discover -s tests/cloud/tests -p test_hosts.py
"""

import json
import os
import subprocess
import time
import unittest
from pathlib import Path

from cloud import HERE, Cloud, cloud_config, measured, until


def traces(pid: int) -> list[str]:
    """What is left of a cloud: processes in its namespaces, mounts, interfaces, control groups."""
    found = [str(path) for path in Path("/sys/fs/cgroup").glob(f"**/dayfly-pocket-{pid}")]
    found += [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if "pocket-base" in line or "/i-" in line]
    found += [line for line in subprocess.check_output(["ip", "-o", "link"], text=True).splitlines() if "pocket" in line or ": h" in line]
    for environment in Path("/proc").glob("[0-9]*/environ"):
        try:
            if f"POCKET_PID={pid}\0".encode() in environment.read_bytes():
                found.append(str(environment))
        except OSError:
            continue
    return found


class Hosts(unittest.TestCase):
    """One cloud for all: each test launches its own."""

    cloud: Cloud

    @classmethod
    def setUpClass(cls) -> None:
        began = time.monotonic()
        cls.cloud = cls.enterClassContext(Cloud())
        measured("the cloud is ready", time.monotonic() - began)

    def test_launch_and_poweroff(self) -> None:
        with self.subTest("user data is applied before sshd answers"):
            one = self.cloud.launch()
            measured("sshd answers", one.wait_ssh())
            self.assertEqual(one.state, "running")
            self.assertEqual(one.ssh("sudo id -u").strip(), "0")
            self.assertEqual(one.ssh("hostname").strip(), "ip-" + one.address.replace(".", "-"))
            one.ssh("cloud-init status --wait")
            measured("cloud-init is done", time.monotonic() - one.began)
        with self.subTest("systemd runs with nothing failed"):
            self.assertEqual(one.ssh("systemctl is-system-running --wait").strip(), "running")
        with self.subTest("the console is kept"):
            self.assertIn("Started", one.console())
            self.assertIn("cloud-init", self.cloud.ec2("get_console_output", InstanceId=one.id)["Output"])
        with self.subTest("a power-off from inside terminates"):
            began = time.monotonic()
            one.ssh("sudo systemctl poweroff", check=False)
            one.wait_state("terminated")
            measured("poweroff to terminated", time.monotonic() - began)
            self.assertEqual(one.describe()["StateReason"]["Code"], "Client.InstanceInitiatedShutdown")
            self.assertFalse(one.banner())

    def test_halt_does_not_power_off(self) -> None:
        one = self.cloud.launch()
        one.wait_ssh()
        one.ssh("sudo systemctl halt", check=False)
        until(lambda: one.console().endswith("crash\n"), 10, one.console)
        self.assertEqual(one.state, "running")
        self.cloud.ec2("terminate_instances", InstanceIds=[one.id])
        one.wait_state("terminated")

    def test_terminate_shuts_down_in_order(self) -> None:
        one = self.cloud.launch()
        one.wait_ssh()
        one.ssh("sudo systemd-run --unit=farewell --property=ExecStop='/bin/sh -c \"echo farewell >/dev/console\"' "
                "--property=RemainAfterExit=yes /bin/true")
        began = time.monotonic()
        self.cloud.ec2("terminate_instances", InstanceIds=[one.id])
        one.wait_state("terminated")
        measured("TerminateInstances to terminated", time.monotonic() - began)
        self.assertIn("farewell", one.console())

    def test_reboot_and_stop_keep_the_disk(self) -> None:
        keys = {name: self.cloud.key(name) for name in ("login", "host")}
        more = 'bootcmd: ["echo boot >>/var/boots"]\nruncmd: ["echo run >>/var/runs"]\n'
        one = self.cloud.launch(cloud_config(keys, more))
        one.wait_ssh()
        one.ssh("cloud-init status --wait; echo kept > file; sync")
        ends = [("reboot from inside", lambda: one.ssh("sudo systemctl reboot", check=False)),
                ("RebootInstances", lambda: self.cloud.ec2("reboot_instances", InstanceIds=[one.id])),
                ("StopInstances and StartInstances", self.stopped_and_started(one))]
        for boots, (name, act) in enumerate(ends, start=2):
            with self.subTest(name):
                began = time.monotonic()
                act()
                until(lambda: one.console().count("power on") == boots, 20, one.console)
                one.wait_ssh()
                measured(f"{name} to sshd", time.monotonic() - began)
                self.assertEqual(one.ssh("cloud-init status --wait >/dev/null; cat file; wc -l </var/boots; wc -l </var/runs").split(),
                                 ["kept", str(boots), "1"])
                one.wait_state("running")
        one.fault("crash")
        until(lambda: not one.banner(0.2), 5, lambda: "sshd answers after a crash")
        time.sleep(1)
        self.assertEqual(one.state, "running", "EC2 does not notice a crash")
        self.cloud.ec2("terminate_instances", InstanceIds=[one.id])
        one.wait_state("terminated")

    def stopped_and_started(self, one):
        def act() -> None:
            self.cloud.ec2("stop_instances", InstanceIds=[one.id])
            one.wait_state("stopped")
            self.assertFalse(one.banner(0.2))
            self.cloud.ec2("start_instances", InstanceIds=[one.id])
        return act

    def test_faults(self) -> None:
        one = self.cloud.launch()
        one.wait_ssh()
        for name in ("cut", "freeze"):
            with self.subTest(name):
                one.fault(name)
                self.assertFalse(one.banner(1.0))
                self.assertEqual(one.state, "running")
                one.fault({"cut": "join", "freeze": "thaw"}[name])
                until(lambda: one.banner(2.0), 10, one.console)
        for direction in ("from", "to"):
            with self.subTest("blackhole", direction=direction):
                one.fault("blackhole", direction=direction)
                self.assertFalse(one.banner(1.0))
                one.fault("join")
                until(lambda: one.banner(2.0), 10, one.console)
        with self.subTest("slow, each way"):
            # 2 Mbit/s: a megabyte takes four seconds, less what the buckets hold.
            one.fault("slow", kbit=2000)
            for name, command, given in (("from", "head -c 1000000 /dev/zero", None), ("to", "cat >/dev/null", "x" * 1_000_000)):
                began = time.monotonic()
                one.ssh(command, given=given)
                measured(f"slow {name} the host", time.monotonic() - began)
                self.assertGreater(time.monotonic() - began, 2.5)
            one.fault("join")
        with self.subTest("a full disk"):
            one.fault("disk", free_kb=64)
            self.assertEqual(one.ssh("head -c 1000000 /dev/zero >big; echo $?").split()[-1], "1")
            one.fault("disk", mb=512)
            self.assertEqual(one.ssh("head -c 1000000 /dev/zero >big; echo $?").split()[-1], "0")
        with self.subTest("a spot notice"):
            read = ("T=$(curl -fsX PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 60' http://169.254.169.254/latest/api/token); "
                    "curl -s -o /dev/stdout -w ' %{http_code}' -H \"X-aws-ec2-metadata-token: $T\" http://169.254.169.254/latest/")
            self.assertIn("404", one.ssh(read + "meta-data/spot/instance-action"))
            one.fault("spot_notice", seconds=60)
            self.assertIn('"action": "terminate"', one.ssh(read + "meta-data/spot/instance-action"))
            document = json.loads(one.ssh(read + "dynamic/instance-identity/document").rsplit(" ", 1)[0])
            self.assertEqual((document["instanceId"], document["privateIp"]), (one.id, one.address))
            self.assertIn("404", one.ssh(read + "meta-data/tags/instance/"))
            self.assertEqual(one.ssh("curl -s -w '%{http_code}' http://169.254.169.254/latest/meta-data/"), "401")
        with self.subTest("the power goes"):
            one.fault("poweroff")
            one.wait_state("terminated")

    def test_hop_limit(self) -> None:
        one = self.cloud.launch()
        one.wait_ssh()
        # A container's network behind the host: the metadata is one hop further.
        one.ssh("sudo sh -ec 'ip netns add inner; ip link add v0 type veth peer name v1 netns inner; ip addr add 192.168.9.1/24 dev v0; "
                "ip link set v0 up; ip netns exec inner ip addr add 192.168.9.2/24 dev v1; ip netns exec inner ip link set v1 up; "
                "ip netns exec inner ip route add default via 192.168.9.1'")
        ask = ("curl -s -m 2 -o /dev/null -w '%{http_code}' -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 60' "
               "http://169.254.169.254/latest/api/token")
        self.assertEqual(one.ssh(ask), "200")
        self.assertEqual(one.ssh(f"sudo ip netns exec inner {ask}", check=False), "000")
        two = {"HttpTokens": "required", "HttpPutResponseHopLimit": 2}
        self.cloud.ec2("modify_instance_metadata_options", InstanceId=one.id, **two)
        self.assertEqual(one.ssh(f"sudo ip netns exec inner {ask}"), "200")

    def test_roots_of_hosts_cannot_change_this_machine(self) -> None:
        one = self.cloud.launch()
        one.wait_ssh()
        for command in ("date -s 2020-01-01", "sh -c 'echo x >/proc/sys/kernel/core_pattern'", "sh -c 'echo b >/proc/sysrq-trigger && false'",
                        "sh -c 'mknod /root/disk b 254 0 && head -c 1 /root/disk'", "sh -c 'echo 1 >/sys/kernel/profiling'",
                        "dmesg --clear", "modprobe loop"):
            with self.subTest(command):
                self.assertNotEqual(one.ssh(f"sudo {command} >/dev/null 2>&1; echo $?").strip(), "0")
        self.assertEqual(one.ssh("ls /sys/kernel/debug /sys/kernel/tracing 2>/dev/null | grep -v : | xargs"), "\n")
        self.assertGreater(time.time(), 1_700_000_000)

    def test_next_launch_never_boots(self) -> None:
        self.cloud.control("/hosts/next", {"boots": False, "count": 1})
        one = self.cloud.launch()
        one.wait_state("running")
        time.sleep(2)
        self.assertFalse(one.banner(0.5))
        self.cloud.ec2("terminate_instances", InstanceIds=[one.id])
        one.wait_state("terminated")

    def test_credentials_of_the_role(self) -> None:
        self.cloud.control("/faults", {"clear": True})
        one = self.cloud.launch(IamInstanceProfile={"Name": self.cloud.ready["profiles"]["master"]}, TagSpecifications=[
            {"ResourceType": "instance", "Tags": [{"Key": "dayfly:run", "Value": "r1"}]}],
            MetadataOptions={"HttpTokens": "required", "HttpPutResponseHopLimit": 1, "InstanceMetadataTags": "enabled"})
        one.wait_ssh()
        read = ("T=$(curl -fsX PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 60' http://169.254.169.254/latest/api/token); "
                "curl -fs -H \"X-aws-ec2-metadata-token: $T\" http://169.254.169.254/latest/meta-data/")
        self.assertEqual(one.ssh(read + "tags/instance/dayfly:run"), "r1")
        role = one.ssh(read + "iam/security-credentials/")
        self.assertEqual(role, self.cloud.ready["profiles"]["master"])
        held = json.loads(one.ssh(read + f"iam/security-credentials/{role}"))
        self.assertEqual(held["Code"], "Success")
        # curl signs by itself: what the role may and may not do is decided by its policy.
        sign = (f"curl -s -o /dev/null -w '%{{http_code}}' --aws-sigv4 aws:amz:eu-west-1:s3 --user {held['AccessKeyId']}:{held['SecretAccessKey']} "
                f"-H 'x-amz-security-token: {held['Token']}' -H 'x-amz-content-sha256: UNSIGNED-PAYLOAD' {self.cloud.ready['endpoint']}")
        self.assertEqual(one.ssh(f"{sign}/{self.cloud.ready['bucket']}/store/runs/r1/file -X PUT -d text"), "200")
        self.assertEqual(one.ssh(f"{sign}/{self.cloud.ready['bucket']}/store/runs/r1/file"), "200")
        self.assertEqual(one.ssh(f"{sign}/{self.cloud.ready['bucket']}/elsewhere/file"), "403")

    def test_the_demo_installs_without_network(self) -> None:
        one = self.cloud.launch()
        one.wait_ssh()
        script = (Path(__file__).resolve().parents[3] / "playbooks/digits/make-venv.sh").read_text()
        began = time.monotonic()
        made = one.ssh("cat >make-venv.sh; sh make-venv.sh", limit=180, given=script).split()[-1]
        measured("the demo's environment", time.monotonic() - began)
        self.assertEqual(one.ssh(f"{made}/bin/python -c 'import sklearn, matplotlib; print(1)'", limit=60).strip(), "1")

    def test_multipart_user_data(self) -> None:
        keys = {name: self.cloud.key(name) for name in ("login", "host")}
        parts = [("text/cloud-config", cloud_config(keys)), ("text/cloud-boothook", "#!/bin/sh\necho hook >/run/hooked\n"),
                 ("text/x-shellscript", "#!/bin/sh\necho script >/run/scripted\n")]
        text = 'Content-Type: multipart/mixed; boundary="=="\nMIME-Version: 1.0\n\n'
        for kind, body in parts:
            text += f'--==\nContent-Type: {kind}; charset="utf-8"\n\n{body}\n'
        one = self.cloud.launch(text + "--==--\n")
        one.wait_ssh()
        self.assertEqual(one.ssh("cloud-init status --wait >/dev/null; cat /run/hooked /run/scripted").split(), ["hook", "script"])


class Clouds(unittest.TestCase):
    """What starts and ends clouds."""

    def test_nothing_is_left(self) -> None:
        for name in ("kill -9", "standard input ends", "POST /stop"):
            with self.subTest(name):
                cloud = Cloud()
                try:
                    cloud.launch().wait_ssh()
                    cloud.launch()
                    self.assertTrue(traces(cloud.pid))
                    began = time.monotonic()
                    if name == "kill -9":
                        os.kill(cloud.pid, 9)
                    elif name == "POST /stop":
                        cloud.control("/stop", {})
                finally:
                    cloud.__exit__()
                until(lambda: not traces(cloud.pid), 10, lambda: "\n".join(traces(cloud.pid)))
                measured(f"{name} to nothing left", time.monotonic() - began)

    def test_says_what_it_lacks(self) -> None:
        start = str(HERE / "start")
        for name, without, words in (("root", ["--reuid=65534", "--clear-groups"], "needs root"), ("mounts", ["--bounding-set=-sys_admin"], "namespaces"),
                                     ("interfaces", ["--bounding-set=-net_admin"], "bridges")):
            with self.subTest(name):
                # Read by the shell beforehand: the folder may be out of reach for others than root.
                done = subprocess.run(["setpriv", *without, "sh", "-c", Path(start).read_text(), start], cwd=HERE.parent.parent, capture_output=True,
                                      text=True, stdin=subprocess.DEVNULL)
                self.assertEqual(done.returncode, 1)
                self.assertIn(words, done.stderr)

    def test_two_side_by_side(self) -> None:
        with Cloud() as left, Cloud() as right:
            one, other = left.launch(), right.launch()
            one.wait_ssh(), other.wait_ssh()
            self.assertEqual(one.address, other.address)
            one.ssh("echo left >file")
            self.assertEqual(other.ssh("ls file 2>/dev/null", check=False), "")
            os.kill(left.pid, 9)
            self.assertTrue(other.banner())

    def test_many_at_once(self) -> None:
        with Cloud() as cloud:
            began = time.monotonic()
            hosts = cloud.launch_many(8)
            for host in hosts:
                host.wait_ssh()
            measured("8 at once: the last sshd", time.monotonic() - began)
            cloud.ec2("terminate_instances", InstanceIds=[host.id for host in hosts])
            for host in hosts:
                host.wait_state("terminated", 30)


if __name__ == "__main__":
    unittest.main()
