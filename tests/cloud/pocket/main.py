"""Starts the cloud, says that it is ready with one line of JSON, and ends with its standard input.

To be started by `start`: it expects to be the first process of namespaces made for it.
"""

import json
import os
import sys
import threading
import time

from werkzeug.serving import WSGIRequestHandler, make_server

from . import rules
from .control import Control
from .machines import Machines
from .settings import Settings
from .world import World


class Quiet(WSGIRequestHandler):
    """The ledger holds what was called; standard error is for what goes wrong."""

    def log(self, *_: object) -> None:
        pass


def main() -> None:
    pid = os.environ["POCKET_PID"]
    settings = Settings.from_environment()
    machines = Machines(settings, World(settings, pid))
    app = rules.install(machines, vars(settings) | {"endpoint": settings.endpoint})
    ready = {"v": 1, "pid": int(pid), "endpoint": settings.endpoint, "control": settings.control,
             "region": settings.region, **app.facts}
    ended = threading.Event()
    api = make_server(settings.gateway, settings.api_port, app, threaded=True, request_handler=Quiet)
    control = Control(machines, rules, ready, ended.set)
    for server in (api, control):
        threading.Thread(target=server.serve_forever, daemon=True).start()
    threading.Thread(target=read_to_end, args=(ended,), daemon=True).start()
    print(json.dumps(ready), flush=True)
    try:
        ended.wait()
        time.sleep(0.1)               # the answer to POST /stop is on its way
    except KeyboardInterrupt:
        pass
    # The kernel ends what runs in these namespaces, and takes them down, as soon as this process is gone.
    sys.stdout.flush()
    os._exit(0)


def read_to_end(ended: threading.Event) -> None:
    while os.read(0, 4096):
        pass
    ended.set()


if __name__ == "__main__":
    main()
