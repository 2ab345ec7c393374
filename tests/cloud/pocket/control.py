"""How a test looks at the cloud and meddles with it: HTTP beside the API, on a port of its own.

    GET  /state                      what there is
    GET  /ledger                     every call, as the rules wrote it down
    GET  /lives                      each instance's life and what it cost
    GET  /alive                      what exists now and would cost or clutter
    GET  /marks                      what was posted to /marks, in order
    POST /marks                      a line of text: how a step tells the outside that it ran
    GET  /hosts/ID/console           a host's console, as text
    POST /faults                     {…}: a fault of the API, as the rules take it
    POST /hosts/ID/FAULT             {…arguments}: a fault of a host, see faults.py
    POST /hosts/next                 {"count": 1, …}: other hardware for the next launches, see host.Plan
    POST /stop                       ends the cloud
"""

import json
import traceback
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Callable

from . import faults
from .machines import Machines


class Control(ThreadingHTTPServer):
    """Listens as soon as it is made; `serve_forever` answers."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, machines: Machines, rules: Any, ready: dict, stop: Callable[[], None]) -> None:
        self.machines = machines
        self.rules = rules
        self.ready = ready
        self.stop = stop
        self.marks: list[str] = []
        super().__init__((machines.settings.gateway, machines.settings.control_port), Handler)

    def state(self) -> dict:
        return {**self.ready, "instances": {name: describe(machine) for name, machine in list(self.machines.machines.items())}}

    def fault(self, body: dict) -> Any:
        return self.rules.faults.apply(body)

    def plan_next(self, body: dict) -> None:
        try:
            self.machines.plan_next(**body)
        except TypeError as error:
            raise faults.FaultRefused(str(error)) from error

    def host_fault(self, instance_id: str, name: str, body: dict) -> Any:
        return faults.befall(self.machine(instance_id), name, body)

    def machine(self, instance_id: str) -> Any:
        machine = self.machines.machines.get(instance_id)
        if machine is None:
            raise LookupError(f"no instance {instance_id} was ever launched here")
        return machine


def describe(machine: Any) -> dict:
    instance, host = machine.instance, machine.host
    return {
        "state": instance.state, "address": host.address if host else instance.private_ip, "type": instance.instance_type,
        "zone": instance.availability_zone, "alive": bool(host and host.alive), "frozen": bool(host and host.alive and host.frozen),
        "tags": {tag["key"]: tag["value"] for tag in instance.get_tags()},
    }


class Handler(BaseHTTPRequestHandler):
    """Answers JSON, and text for the console."""

    protocol_version = "HTTP/1.1"
    server: Control

    def do_GET(self) -> None:
        self._try(self._get)

    def do_POST(self) -> None:
        self._try(self._post)

    def _get(self) -> Any:
        match self.path.strip("/").split("/"):
            case ["state"]:
                return self.server.state()
            case ["ledger"]:
                return self.server.rules.ledger.entries()
            case ["lives"]:
                return self.server.rules.ledger.lives()
            case ["alive"]:
                return self.server.rules.ledger.alive()["resources"]
            case ["marks"]:
                return self.server.marks
            case ["hosts", instance_id, "console"]:
                return self.server.machines.console(self.server.machine(instance_id).instance)
        raise LookupError(f"nothing at {self.path}; see control.py")

    def _post(self) -> Any:
        text = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path.strip("/") == "marks":
            return self.server.marks.append(text.decode(errors="replace").strip())
        body = json.loads(text or b"{}")
        match self.path.strip("/").split("/"):
            case ["faults"]:
                return self.server.fault(body)
            case ["hosts", "next"]:
                return self.server.plan_next(body)
            case ["hosts", instance_id, fault]:
                return self.server.host_fault(instance_id, fault, body)
            case ["stop"]:
                return self.server.stop()
        raise LookupError(f"nothing at {self.path}; see control.py")

    def _try(self, work: Callable[[], Any]) -> None:
        try:
            status, answer = 200, work()
        except LookupError as error:
            status, answer = 404, {"error": str(error)}
        except ValueError as error:
            status, answer = 400, {"error": str(error)}
        except Exception as error:    # a bug of the cloud must reach the test that met it
            traceback.print_exc()
            status, answer = 500, {"error": f"{type(error).__name__}: {error}"}
        kind, text = ("text/plain", answer) if isinstance(answer, str) else ("application/json", json.dumps(
            {} if answer is None else answer, default=str))
        data = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        """Nothing: standard error is for what goes wrong."""
