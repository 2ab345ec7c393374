"""What every rule shares: one lock, the settings, the machines, and the way into moto's models."""

import random
import threading
import time

ACCOUNT = "123456789012"
REGION = "eu-west-1"

LOCK = threading.RLock()
"""Held while a call to EC2 or IAM is judged and carried out, and while the machines report."""

DEFAULTS = {
    "region": REGION,
    "blindness": 0.0,  # seconds for which a new instance is not found
    "tags_fade": 600.0,  # seconds after termination until its tags go
    "terminated_visible": 3600.0,  # seconds after termination until it is not found
    "terminate_slow": 0.0,  # seconds in shutting-down before the machine is told
    "iam_delay": 0.0,  # seconds until a changed policy is what is evaluated
    "credential_seconds": 21600.0,  # life of a role's credentials
    "spot_role": True,  # AWSServiceRoleForEC2Spot exists
    "throttle": True,  # the token buckets of the EC2 API
    "seed": 7,
}

settings: dict = dict(DEFAULTS)
initial: dict = dict(DEFAULTS)
"""The settings that this cloud started with; clearing faults goes back to them."""
machines = None
facts: dict = {}
chance = random.Random(DEFAULTS["seed"])


def now() -> float:
    return time.time()


def begin(the_machines, the_settings) -> None:
    """Forgets the last cloud of this process and takes the settings of the next."""
    global machines
    machines = the_machines
    settings.clear()
    settings.update(DEFAULTS)
    settings.update(the_settings or {})
    initial.clear()
    initial.update(settings)
    chance.seed(settings["seed"])
    facts.clear()


def ec2():
    from moto.ec2.models import ec2_backends

    return ec2_backends[ACCOUNT][settings["region"]]


def iam():
    from moto.iam.models import iam_backends

    return iam_backends[ACCOUNT]["aws"]


def s3():
    from moto.s3.models import s3_backends

    return s3_backends[ACCOUNT]["aws"]


def instances() -> list:
    """Every instance ever launched, also those that EC2 shows no longer."""
    return [i for r in list(ec2().reservations.values()) for i in r.instances]


def instance(instance_id: str):
    return next((i for i in instances() if i.id == instance_id), None)


def tags(resource_id: str) -> dict:
    return dict(ec2().tags.get(resource_id, {}))


def after(seconds: float, action, *arguments) -> None:
    """Calls `action` later, under the lock."""

    def locked():
        with LOCK:
            action(*arguments)

    timer = threading.Timer(max(0.0, seconds), locked)
    timer.daemon = True
    timer.start()
