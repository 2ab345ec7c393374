"""The rules half of the pocket cloud: moto made as strict as the real services.

`install` patches moto and returns the application to serve. `faults.apply` makes the cloud misbehave, `ledger.entries`
tells every call, `ledger.lives` every instance, `ledger.alive` what is still there. docs/pocket-cloud.md lists which rule
of the real services is enforced where.
"""

import os

os.environ.setdefault("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")
os.environ.setdefault("MOTO_IAM_LOAD_MANAGED_POLICIES", "false")

from . import (
    describe,
    endings,
    faults,
    groups,
    launch,
    ledger,
    prices,
    principals,
    setup,
    spot_requests,
    throttles,
    tokens,
    world,
)  # noqa: E402
from .door import Door  # noqa: E402
from .principals import credentials_for  # noqa: E402

_patched = False


def install(machines, settings=None) -> Door:
    """Patches moto, makes the account, and returns the WSGI application; its `facts` are what a test needs to know.

    The machines get three callbacks set: `on_running(instance)`, `on_ended(instance, how)` and `credentials_for(profile_arn, instance_id)`.
    """
    global _patched
    from moto.moto_server.utilities import RegexConverter
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

    with world.LOCK:
        world.begin(machines, settings)
        for part in (faults, ledger, tokens, throttles, principals, spot_requests, describe):
            part.clear()
        if not _patched:
            # moto's keys of S3 end at a line's end; the real ones take any character.
            RegexConverter.__init__ = any_character(RegexConverter.__init__)
            for part in (launch, endings, describe, groups, spot_requests, prices):
                part.install()
            _patched = True
        setup.reset()
        facts = setup.account()
    machines.on_running, machines.on_ended = endings.on_running, endings.on_ended
    machines.credentials_for = credentials_for
    door = Door(DomainDispatcherApplication(create_backend_app))
    door.facts = facts
    return door


def any_character(made):
    """A route's pattern in which a dot fits a line feed, too."""

    def init(self, url_map, *items):
        made(self, url_map, *items)
        self.regex = f"(?s:{self.regex})"

    return init


def summary() -> dict:
    """What is alive, and what each instance's life was."""
    return {**ledger.alive(), "lives": ledger.lives(), "faults": faults.active()}


on_running, on_ended = endings.on_running, endings.on_ended

__all__ = ["install", "credentials_for", "faults", "ledger", "summary", "on_running", "on_ended"]
