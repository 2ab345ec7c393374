#!/usr/bin/env python3
"""Measures whole commands on loopback, all in one sitting: the floor (plain ssh), ansible-core, dayfly.

Writes benches/results.json and puts the table into docs/performance.md. Needs the standard library, sshd and ssh.
"""

import argparse
import datetime
import getpass
import json
import os
import pathlib
import platform
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
HOSTS, TASKS = 16, 20


def find_sshd():
    for path in [shutil.which("sshd"), "/usr/sbin/sshd", "/usr/local/sbin/sshd", "/sbin/sshd"]:
        if path and os.path.exists(path):
            return path
    sys.exit("sshd is missing: run .ci/install sshd")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Hosts:
    """sshd processes on loopback, each with a place of its own for the agent."""

    def __init__(self, top, count):
        self.top, self.ports, self.processes = top, [], []
        top.mkdir()
        self.key, host_key = top / "key", top / "host_key"
        for path in (self.key, host_key):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True)
        (top / "authorized_keys").write_text((top / "key.pub").read_text())
        # Debian's sshd wants this folder when it runs as root; what is made here is taken away again.
        self.made = os.geteuid() == 0 and not os.path.isdir("/run/sshd")
        if self.made:
            os.makedirs("/run/sshd")
        public = host_key.with_suffix(".pub").read_text().split()
        known = []
        for index in range(count):
            port = free_port()
            config = top / f"sshd-{index}"
            config.write_text(
                f"Port {port}\nListenAddress 127.0.0.1\nHostKey {host_key}\nPidFile none\nUsePAM no\nStrictModes no\n"
                f"AuthorizedKeysFile {top / 'authorized_keys'}\nPasswordAuthentication no\nPermitRootLogin yes\n"
                f"MaxStartups 100\nLogLevel ERROR\nSetEnv DAYFLY_BASE={self.base(index)}\n"
            )
            self.processes.append(subprocess.Popen([find_sshd(), "-D", "-f", config], stdin=subprocess.DEVNULL))
            self.ports.append(port)
            known.append(f"[127.0.0.1]:{port} {public[0]} {public[1]}\n")
        (top / "known_hosts").write_text("".join(known))
        (top / "ssh_config").write_text(
            "".join(f"Host h{index}\n  HostName 127.0.0.1\n  Port {port}\n" for index, port in enumerate(self.ports))
            + f"Host *\n  User {getpass.getuser()}\n  IdentityFile {self.key}\n  IdentitiesOnly yes\n  BatchMode yes\n"
            + f"  UserKnownHostsFile {top / 'known_hosts'}\n  StrictHostKeyChecking yes\n"
        )
        (top / "hosts.ini").write_text(
            "[all]\n"
            + "".join(
                f"h{index} ansible_host=127.0.0.1 ansible_port={port}\n" for index, port in enumerate(self.ports)
            )
            + f"[all:vars]\nansible_user={getpass.getuser()}\nansible_ssh_private_key_file={self.key}\n"
            + f"ansible_python_interpreter={sys.executable}\n"
            + f"ansible_ssh_common_args=-o UserKnownHostsFile={top / 'known_hosts'} -o IdentitiesOnly=yes\n"
        )
        for port in self.ports:
            for _ in range(200):
                try:
                    socket.create_connection(("127.0.0.1", port), 1).close()
                    break
                except OSError:
                    time.sleep(0.05)

    def base(self, index):
        return self.top / "bases" / str(index)

    def forget_agents(self):
        shutil.rmtree(self.top / "bases", ignore_errors=True)

    def ssh(self, index, *command, **options):
        return subprocess.Popen(["ssh", "-F", self.top / "ssh_config", f"h{index}", *command], **options)

    def close(self):
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            process.wait()
        if self.made:
            os.rmdir("/run/sshd")


class Bench:
    def __init__(self, options):
        self.options = options
        self.top = pathlib.Path(tempfile.mkdtemp(prefix="dayfly-bench-", dir="/tmp"))
        self.numbers = {}
        (self.top / "ansible.cfg").write_text("[defaults]\n")
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": os.environ["HOME"],
            "DAYFLY_STORE": str(self.top / "store"),
            "XDG_STATE_HOME": str(self.top / "state"),
            "ANSIBLE_CONFIG": str(self.top / "ansible.cfg"),
            "ANSIBLE_FORKS": str(HOSTS),
            "ANSIBLE_PIPELINING": "1",
            "ANSIBLE_NOCOLOR": "1",
        }

    def note(self, name, values, unit="s"):
        self.numbers[name] = {"unit": unit, "median": statistics.median(values), "all": values}
        print(f"{name:44} {statistics.median(values):10.3f} {unit}   {[round(value, 3) for value in values]}", flush=True)

    def timed(self, command, **options):
        began = time.monotonic()
        done = subprocess.run(
            command, env=self.environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, cwd=self.top, **options
        )
        took = time.monotonic() - began
        if done.returncode:
            sys.exit(f"{command} ended with {done.returncode}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}")
        return took

    def dayfly(self, *words):
        return [self.options.dayfly, *words]

    def sixteen_by_twenty(self):
        """16 hosts, 20 shell tasks each, as ratios of whole commands."""
        hosts = Hosts(self.top / "hosts", HOSTS)
        try:
            script = "\n".join(f"echo task {index}" for index in range(TASKS))
            tasks = "".join(f"    - shell: echo task {index}\n" for index in range(TASKS))
            (self.top / "shell.yml").write_text(f"- hosts: all\n  gather_facts: false\n  tasks:\n{tasks}")
            inventory = str(hosts.top / "hosts.ini")
            rows = {"floor": [], "ansible-core": [], "dayfly, agent to be brought": [], "dayfly, agent there": []}
            for turn in range(self.options.repeat):
                began = time.monotonic()
                sessions = [
                    hosts.ssh(index, "sh", "-s", stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) for index in range(HOSTS)
                ]
                for session in sessions:
                    session.stdin.write(script.encode())
                    session.stdin.close()
                if any(session.wait() for session in sessions):
                    sys.exit("a plain ssh session failed")
                rows["floor"].append(time.monotonic() - began)
                if self.options.ansible:
                    control = self.top / f"cp{turn}"
                    control.mkdir()
                    self.environment["ANSIBLE_SSH_CONTROL_PATH_DIR"] = str(control)
                    rows["ansible-core"].append(self.timed([self.options.ansible, "-i", inventory, "shell.yml"]))
                    for path in control.iterdir():
                        subprocess.run(["ssh", "-O", "exit", "-S", path, "x"], capture_output=True)
                hosts.forget_agents()
                rows["dayfly, agent to be brought"].append(self.timed(self.dayfly("run", "-i", inventory, "shell.yml")))
                rows["dayfly, agent there"].append(self.timed(self.dayfly("run", "-i", inventory, "shell.yml")))
            for name, values in rows.items():
                if values:
                    self.note(f"16 hosts × 20 tasks: {name}", values)
        finally:
            hosts.close()

    def first_step(self):
        """From the command to the first step's start, workers launched on the way."""
        for count in (1, HOSTS):
            (self.top / "first.yml").write_text(
                f"name: first\ncluster:\n  ttl: 10m\n  groups:\n    work: {{count: {count}}}\nplays:\n"
                "  - hosts: work\n    gather_facts: false\n    tasks:\n      - shell: echo here\n"
            )
            first, whole = [], []
            for _ in range(self.options.repeat):
                began = time.monotonic()
                process = subprocess.Popen(
                    self.dayfly("run", "first.yml", "--local", "--output", "json"),
                    env=self.environment,
                    cwd=self.top,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    text=True,
                )
                seen = None
                for line in process.stdout:
                    if seen is None and json.loads(line).get("event") == "step_started":
                        seen = time.monotonic() - began
                if process.wait() or seen is None:
                    sys.exit(f"dayfly failed: {process.stderr.read()}")
                first.append(seen)
                whole.append(time.monotonic() - began)
            self.note(f"run to first step, {count} worker{'s' if count > 1 else ''}", first)
            self.note(f"the whole run, {count} worker{'s' if count > 1 else ''}", whole)

    def memory_of(self, name):
        """The resident kilobytes of processes whose program has this name: (pid, now, peak)."""
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                if os.path.basename(os.readlink(f"/proc/{pid}/exe")).split(" ")[0] != name:
                    continue
                status = dict(
                    line.split(":", 1) for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines() if ":" in line
                )
                found.append((int(pid), int(status["VmRSS"].split()[0]), int(status["VmHWM"].split()[0])))
            except (OSError, KeyError, ValueError):
                continue
        return found

    def agent(self):
        """Size on disk, and memory while nothing happens."""
        agent = pathlib.Path(self.options.dayfly).parent / "dayfly-agent"
        self.note("agent, bytes on disk", [agent.stat().st_size / 1e6], "MB")
        (self.top / "idle.yml").write_text(
            "name: idle\ncluster:\n  ttl: 10m\n  groups:\n    work: {count: 1}\nplays:\n"
            "  - hosts: work\n    gather_facts: false\n    tasks:\n      - shell: sleep 6\n"
        )
        process = subprocess.Popen(
            self.dayfly("run", "idle.yml", "--local"), env=self.environment, cwd=self.top,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        peaks = []
        while process.poll() is None:
            agents = self.memory_of("dayfly-agent")
            if agents:
                peaks.append(max(now for _, now, _ in agents) / 1000)
            time.sleep(0.3)
        self.note("agent, resident while a step sleeps", [statistics.median(peaks)] if peaks else [0.0], "MB")

    def gigabyte(self):
        """1 GB through a step's output, by copy and by fetch, against ssh and scp."""
        size = self.options.megabytes
        big = self.top / "big" / "file"
        big.parent.mkdir()
        with open(big, "wb") as file:
            for _ in range(size):
                file.write(os.urandom(1 << 20))
        hosts = Hosts(self.top / "one", 1)
        try:
            inventory, there = str(hosts.top / "hosts.ini"), self.top / "there"
            config = hosts.top / "ssh_config"
            for name, tasks in {
                "stdout": f"    - shell: cat {big}\n      register: out\n",
                "copy": f"    - copy: {{src: {big}, dest: {there}}}\n",
                "fetch": f"    - fetch: {{src: {big}, dest: {self.top}/back, flat: true}}\n",
                "nothing": "    - command: 'true'\n",
            }.items():
                (self.top / "play").mkdir(exist_ok=True)
                (self.top / "play" / f"{name}.yml").write_text(f"- hosts: all\n  gather_facts: false\n  tasks:\n{tasks}")
            self.timed(self.dayfly("run", "-i", inventory, "play/nothing.yml"))
            self.note("one command by dayfly", [self.timed(self.dayfly("run", "-i", inventory, "play/nothing.yml"))])
            with open(os.devnull, "wb") as nowhere:
                began = time.monotonic()
                hosts.ssh(0, f"cat {big}", stdout=nowhere).wait()
                self.note(f"{size} MiB of output: ssh", [time.monotonic() - began])
            peak, over = {"dayfly": 0, "dayfly-agent": 0}, threading.Event()

            def watch():
                while not over.is_set():
                    for name in peak:
                        peak[name] = max([peak[name], *(high for _, _, high in self.memory_of(name))])
                    time.sleep(0.2)

            watcher = threading.Thread(target=watch)
            watcher.start()
            self.note(f"{size} MiB of output: dayfly", [self.timed(self.dayfly("run", "-i", inventory, "play/stdout.yml"))])
            over.set()
            watcher.join()
            for name, kilobytes in peak.items():
                self.note(f"{size} MiB of output: peak memory of {name}", [kilobytes / 1000], "MB")
            self.note(f"{size} MiB there: scp", [self.timed(["scp", "-O", "-q", "-F", config, big, f"h0:{there}"])])
            there.unlink()
            self.note(f"{size} MiB there: dayfly copy", [self.timed(self.dayfly("run", "-i", inventory, "play/copy.yml"))])
            self.note(f"{size} MiB back: scp", [self.timed(["scp", "-O", "-q", "-F", config, f"h0:{big}", self.top / "scp"])])
            self.note(f"{size} MiB back: dayfly fetch", [self.timed(self.dayfly("run", "-i", inventory, "play/fetch.yml"))])
        finally:
            hosts.close()

    def report(self):
        def of(name):
            return self.numbers.get(name, {}).get("median")

        floor = of("16 hosts × 20 tasks: floor")
        lines = [
            f"Measured {datetime.date.today().isoformat()} on {os.cpu_count()} cores, {platform.system()} {platform.release()}, "
            f"{platform.machine()}; medians of {self.options.repeat} where a row has several.",
            "",
            "| what | median | against the floor |",
            "|---|---|---|",
        ]
        for name, number in self.numbers.items():
            ratio = f"{number['median'] / floor:.1f} ×" if floor and name.startswith("16 hosts") else ""
            lines.append(f"| {name} | {number['median']:.2f} {number['unit']} | {ratio} |")
        ratios = {}
        warm, ansible = of("16 hosts × 20 tasks: dayfly, agent there"), of("16 hosts × 20 tasks: ansible-core")
        if warm and floor:
            ratios["dayfly / floor (aim: at most 3.5)"] = round(warm / floor, 2)
        if warm and ansible:
            ratios["ansible-core / dayfly (aim: at least 10)"] = round(ansible / warm, 2)
        for name, value in ratios.items():
            lines += ["", f"**{name}: {value}**"]
        text = "\n".join(lines)
        print("\n" + text)
        (ROOT / "benches/results.json").write_text(
            json.dumps(
                {
                    "v": 1, "date": datetime.date.today().isoformat(), "cores": os.cpu_count(), "kernel": platform.release(),
                    "machine": platform.machine(), "repeat": self.options.repeat, "numbers": self.numbers, "ratios": ratios,
                },
                indent=2, ensure_ascii=False,
            )
            + "\n"
        )
        page = ROOT / "docs/performance.md"
        if page.exists():
            before, rest = page.read_text().split("<!-- table -->", 1)
            after = rest.split("<!-- end of table -->", 1)[1]
            page.write_text(f"{before}<!-- table -->\n{text}\n<!-- end of table -->{after}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dayfly", required=True)
    parser.add_argument("--ansible", help="ansible-playbook; without it that row is missing")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--megabytes", type=int, default=1024)
    parser.add_argument("--only", nargs="*", choices=["tasks", "first", "agent", "gigabyte"])
    options = parser.parse_args()
    options.dayfly = os.path.abspath(options.dayfly)
    bench = Bench(options)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    parts = {"tasks": bench.sixteen_by_twenty, "first": bench.first_step, "agent": bench.agent, "gigabyte": bench.gigabyte}
    try:
        for name, part in parts.items():
            if not options.only or name in options.only:
                part()
        if options.only:
            print("a part alone: nothing is written")
        else:
            bench.report()
    finally:
        shutil.rmtree(bench.top, ignore_errors=True)


if __name__ == "__main__":
    main()
