"""What dayfly costs on the pocket cloud: EC2 calls by workers, time to the first step, S3 against a folder, a gigabyte
against the aws cli, sizes of the artifacts. Needs root, what `.ci/install pocket` brings, and the aws cli (pip).

    cloud.py --dayfly DAYFLY --transfer TRANSFER --aws AWS [--workers 1,10,100] [--gigabytes 1]

Writes benches/cloud.json and puts the table into docs/performance.md. Every figure is one of this run; a peer is measured
in the same run, one after the other.
"""

import argparse
import collections
import contextlib
import datetime
import json
import os
import pathlib
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent
CLOUD = ROOT / "tests/cloud"

PLAYBOOK = """
name: bench
cluster:
  region: {region}
  ttl: 1h
  groups:
    work: {{count: {count}, instance_type: c7i.large, subnets: [{a}, {b}], ami: {ami}}}
plays:
  - hosts: work
    gather_facts: false
    tasks:
      - raw: "curl -s -d \\"{{{{ inventory_hostname }}}} $(date +%s.%N)\\" {control}/marks"
"""


class Cloud:
    """A pocket cloud that lives as long as this object."""

    def __init__(self):
        self.process = subprocess.Popen([CLOUD / "start"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.facts = json.loads(self.process.stdout.readline())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait()

    def environment(self, folder):
        key = self.facts["credentials"]["admin"]
        return {
            "PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "HOME": str(folder), "XDG_STATE_HOME": f"{folder}/state",
            "AWS_ACCESS_KEY_ID": key["access"], "AWS_SECRET_ACCESS_KEY": key["secret"], "AWS_REGION": self.facts["region"],
            "AWS_ENDPOINT_URL": self.facts["endpoint"], "AWS_EC2_METADATA_DISABLED": "true", "DAYFLY_STORE": self.facts["store"],
        }

    def inside(self, words, **options):
        return subprocess.run([CLOUD / "in", str(self.facts["pid"]), *map(str, words)], text=True, **options)

    def ask(self, path):
        answer = self.inside(["curl", "-sS", self.facts["control"] + path], capture_output=True, check=True)
        return json.loads(answer.stdout)


@contextlib.contextmanager
def room_for(machines):
    """Each systemd takes a few inotify instances, and all of them are root's: the usual limit of 128 ends at about 25 machines."""
    limit = pathlib.Path("/proc/sys/fs/inotify/max_user_instances")
    before = limit.read_text()
    limit.write_text(str(max(int(before), 128 + 16 * machines)))
    try:
        yield
    finally:
        limit.write_text(before)


def calls(dayfly, count):
    """One run with so many workers from the foreground: its EC2 calls by action, and how long steps waited for sshd."""
    with room_for(count), Cloud() as cloud, tempfile.TemporaryDirectory(prefix="bench") as folder:
        facts = cloud.facts
        playbook = pathlib.Path(folder) / "p.yml"
        playbook.write_text(PLAYBOOK.format(
            region=facts["region"], count=count, a=facts["subnets"]["a"]["id"], b=facts["subnets"]["b"]["id"], ami=facts["ami"],
            control=facts["control"]))
        watcher = subprocess.Popen(
            [CLOUD / "in", str(facts["pid"]), sys.executable, __file__, "--watch-sshd", facts["control"], str(count)],
            stdout=subprocess.PIPE, text=True)
        started = time.monotonic()
        ended = cloud.inside([dayfly, "run", playbook], cwd=folder, env=cloud.environment(folder), capture_output=True)
        took = time.monotonic() - started
        if ended.returncode != 0:
            watcher.terminate()
            raise SystemExit(f"the run with {count} workers failed:\n{ended.stdout[-4096:]}{ended.stderr[-4096:]}")
        answered = json.loads(watcher.communicate()[0])
        made = [call for call in cloud.ask("/ledger") if call["service"] == "ec2" and not call["action"].startswith("Create")]
        by_action = collections.Counter(call["action"] for call in cloud.ask("/ledger") if call["service"] == "ec2")
        begun = dict(mark.split() for mark in cloud.ask("/marks"))
        names = {life["address"]: life for life in cloud.ask("/lives")}
        assert made and len(names) == count, f"{len(names)} machines for {count} workers"
        first = min(map(float, begun.values())) - max(answered.values())
        return {"workers": count, "seconds": round(took, 1), "calls": sum(by_action.values()), "by_action": dict(by_action),
                "last_sshd_to_first_step_s": round(first, 2)}


def watch_sshd(control, count):
    """Inside the cloud's network: when each machine's sshd first said its name."""
    answered, asked = {}, set()

    def knock(address):
        while True:
            try:
                with socket.create_connection((address, 22), timeout=1) as door:
                    door.settimeout(2)
                    if door.recv(4) == b"SSH-":
                        answered[address] = time.time()
                        return
            except OSError:
                pass
            time.sleep(0.05)

    give_up = time.monotonic() + 900
    while len(answered) < count and time.monotonic() < give_up:
        for life in json.load(urllib.request.urlopen(control + "/lives")):
            if life["address"] not in asked:
                asked.add(life["address"])
                threading.Thread(target=knock, args=(life["address"],), daemon=True).start()
        time.sleep(0.1)
    print(json.dumps(answered))


def stores(dayfly, repeats=3):
    """The same playbook on local workers with a folder and with S3 as the store, in turns."""
    took = collections.defaultdict(list)
    with Cloud() as cloud, tempfile.TemporaryDirectory(prefix="bench") as folder:
        playbook = pathlib.Path(folder) / "p.yml"
        tasks = "".join(f"      - command: echo {number}\n" for number in range(20))
        playbook.write_text(
            "name: bench\ncluster: {groups: {work: {count: 4}}}\nplays:\n  - hosts: work\n    gather_facts: false\n    tasks:\n" + tasks)
        for _ in range(repeats):
            for name, store in (("folder", f"{folder}/store"), ("s3", cloud.facts["store"])):
                started = time.monotonic()
                cloud.inside([dayfly, "run", playbook, "--local", "--store", store], cwd=folder, env=cloud.environment(folder),
                             capture_output=True, check=True)
                took[name].append(time.monotonic() - started)
    medians = {name: round(statistics.median(values), 2) for name, values in took.items()}
    return {**medians, "ratio": round(medians["s3"] / medians["folder"], 2), "repeats": repeats}


def gigabyte(transfer, aws, gigabytes):
    """A file up and down, by dayfly's store and by the aws cli, against the same server."""
    with Cloud() as cloud, tempfile.TemporaryDirectory(prefix="bench") as folder:
        file = pathlib.Path(folder) / "file"
        with open(file, "wb") as out:
            for _ in range(int(gigabytes * 64)):
                out.write(os.urandom(16 * 2**20))
        environment = cloud.environment(folder)
        ours = json.loads(cloud.inside([transfer, cloud.facts["store"], file], env=environment, capture_output=True, check=True).stdout)
        theirs = {}
        place = cloud.facts["store"] + "/bench/cli"
        for name, words in (("up_s", [file, place]), ("down_s", [place, f"{file}.cli"])):
            started = time.monotonic()
            cloud.inside([aws, "s3", "cp", "--quiet", *words], env=environment, capture_output=True, check=True)
            theirs[name] = round(time.monotonic() - started, 3)
    return {"gigabytes": gigabytes, "dayfly": ours, "aws_cli": theirs,
            "ratio_up": round(ours["up_s"] / theirs["up_s"], 2), "ratio_down": round(ours["down_s"] / theirs["down_s"], 2)}


def table(found):
    rows = ["| what | figure |", "|---|---|"]
    for run in found.get("calls", []):
        actions = ", ".join(f"{count} {name}" for name, count in sorted(run["by_action"].items()))
        rows.append(f"| EC2 calls of a run with {run['workers']} workers | {run['calls']} ({actions}), {run['seconds']} s |")
        rows.append(f"| from the last sshd answering to the first step, {run['workers']} workers | {run['last_sshd_to_first_step_s']} s |")
    if "stores" in found:
        both = found["stores"]
        rows.append(f"| 4 local workers x 20 steps, S3 as the store against a folder | {both['s3']} s against {both['folder']} s ({both['ratio']} x) |")
    if "gigabyte" in found:
        moved = found["gigabyte"]
        rows.append(f"| {moved['gigabytes']} GiB up, against the aws cli | {moved['dayfly']['up_s']} s against {moved['aws_cli']['up_s']} s ({moved['ratio_up']} x) |")
        rows.append(f"| {moved['gigabytes']} GiB down, against the aws cli | {moved['dayfly']['down_s']} s against {moved['aws_cli']['down_s']} s ({moved['ratio_down']} x); peak {moved['dayfly']['peak']} |")
    for name, size in found.get("artifacts", {}).items():
        rows.append(f"| size of {name} | {size / 1e6:.1f} MB |")
    return "\n".join(rows)


def say(what):
    """Some of these take minutes; who waits is told for what."""
    print(f"measuring: {what}", file=sys.stderr, flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--watch-sshd", nargs=2)
    parser.add_argument("--dayfly", type=pathlib.Path)
    parser.add_argument("--transfer", type=pathlib.Path)
    parser.add_argument("--aws", type=pathlib.Path)
    parser.add_argument("--workers", default="1,10,100")
    parser.add_argument("--gigabytes", type=float, default=1)
    parser.add_argument("--artifacts", type=pathlib.Path, nargs="*", default=[])
    options = parser.parse_args()
    if options.watch_sshd:
        return watch_sshd(options.watch_sshd[0], int(options.watch_sshd[1]))
    found = {"date": datetime.date.today().isoformat(), "processors": os.cpu_count()}
    found["artifacts"] = {path.name: path.stat().st_size for path in options.artifacts}
    say(f"{options.gigabytes} GiB up and down")
    found["gigabyte"] = gigabyte(options.transfer, options.aws, options.gigabytes)
    say("S3 as the store against a folder")
    found["stores"] = stores(options.dayfly)
    found["calls"] = []
    for count in map(int, options.workers.split(",")):
        say(f"EC2 calls for {count} workers")
        found["calls"].append(calls(options.dayfly, count))
    (ROOT / "benches/cloud.json").write_text(json.dumps(found, indent=2) + "\n")
    page = ROOT / "docs/performance.md"
    text = page.read_text()
    block = f"<!-- cloud begins -->\n{table(found)}\n<!-- cloud ends -->"
    text = re.sub(r"<!-- cloud begins -->.*<!-- cloud ends -->", lambda _: block, text, flags=re.S)
    page.write_text(text)
    print(table(found))


if __name__ == "__main__":
    main()
