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

AMI_PARAMETER = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"


class Quiet(WSGIRequestHandler):
    """The ledger holds what was called; standard error is for what goes wrong."""

    def log(self, *_: object) -> None:
        pass


def main() -> None:
    pid = os.environ["POCKET_PID"]
    settings = Settings.from_environment()
    machines = Machines(settings, World(settings, pid))
    app = rules.install(machines, vars(settings) | {"endpoint": settings.endpoint})
    # Each instance signs with a session of its own.
    machines.credentials_for = rules.credentials_for
    ready = {"v": 1, "pid": int(pid), "endpoint": settings.endpoint, "control": settings.control,
             "region": settings.region, **account(app.facts)}
    ended = threading.Event()
    api = make_server(settings.gateway, settings.api_port, app, threaded=True, request_handler=Quiet)
    control = Control(machines, rules, ready, ended.set)
    for server in (api, control):
        threading.Thread(target=server.serve_forever, daemon=True).start()
    threading.Thread(target=read_to_end, args=(ended,), daemon=True).start()
    print(for_a_person(ready) if "POCKET_PERSON" in os.environ else json.dumps(ready), flush=True)
    try:
        ended.wait()
        time.sleep(0.1)               # the answer to POST /stop is on its way
    except KeyboardInterrupt:
        pass
    # The kernel ends what runs in these namespaces, and takes them down, as soon as this process is gone.
    sys.stdout.flush()
    os._exit(0)


def account(facts: dict) -> dict:
    """What a caller must know of the account, under the names that `start` promises."""
    zones = facts["zones"]
    return {
        "account": facts["account"], "zones": zones, "vpc": facts["vpc"],
        "subnets": {name: {"id": subnet, "zone": zones[name]} for name, subnet in facts["subnets"].items()},
        "security_group": facts["security_group"], "foreign_security_group": facts["other_security_group"],
        "ami": facts["images"]["x86_64"], "ami_ssm": AMI_PARAMETER,
        "bucket": facts["bucket"], "store": facts["store"], "profiles": facts["roles"],
        "credentials": {name: {"access": key["access_key_id"], "secret": key["secret_access_key"]}
                        for name, key in facts["keys"].items()},
    }


def for_a_person(ready: dict) -> str:
    admin, subnet, enter = ready["credentials"]["admin"], ready["subnets"]["a"]["id"], f"tests/cloud/in {ready['pid']}"
    return f"""The pocket cloud is ready. Ctrl-C ends it and all that runs in it. In another terminal, as root:

export AWS_ENDPOINT_URL={ready["endpoint"]} AWS_REGION={ready["region"]} AWS_DEFAULT_REGION={ready["region"]}
export AWS_ACCESS_KEY_ID={admin["access"]} AWS_SECRET_ACCESS_KEY={admin["secret"]}

export DAYFLY_STORE={ready["store"]}

{enter} dayfly doctor p.yml     # in p.yml: subnets: [{subnet}], ami: {ready["ami"]},
{enter} dayfly launch p.yml     # and for the master iam_instance_profile: dayfly-master
{enter} aws ec2 run-instances --image-id {ready["ami"]} --instance-type c7i.large --subnet-id {subnet}
{enter} curl -s {ready["control"]}/state
{enter} curl -s {ready["control"]}/hosts/INSTANCE/freeze -d '{{}}'
"""


def read_to_end(ended: threading.Event) -> None:
    while os.read(0, 4096):
        pass
    ended.set()


if __name__ == "__main__":
    main()
