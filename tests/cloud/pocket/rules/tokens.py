"""Client tokens of RunInstances (EC2 Developer Guide, idempotency)."""

import hashlib
import json

from . import world
from .refusal import Refused

LONGEST = 64

_bound: dict[tuple, dict] = {}


def clear() -> None:
    _bound.clear()


def place(request) -> tuple:
    """A token is zonal where the request names a zone, regional otherwise."""
    return world.settings["region"], request.zone, request.token


def digest(call) -> str:
    """Of everything in the request but the token."""
    parameters = {k: v for k, v in call.params.items() if k not in {"ClientToken", "DryRun"}}
    return hashlib.sha256(json.dumps(parameters, sort_keys=True, default=str).encode()).hexdigest()


def check_form(token: str | None) -> None:
    if token is not None and (len(token) > LONGEST or not token.isascii()):
        raise Refused("InvalidClientToken", f"The client token must be at most {LONGEST} ASCII characters.")


def earlier(request):
    """The reservation that this token made before, or None where the launch may go on."""
    if not request.token:
        return None
    held = _bound.get(place(request))
    if held is None:
        return None
    if held["digest"] != digest(request.call):
        raise Refused(
            "IdempotentParameterMismatch",
            "Arguments on this idempotent request are inconsistent with arguments used in previous request(s).",
        )
    reservation = held["reservation"]
    if reservation is None:
        return None  # failed for capacity: the same request tries again
    if any(i._state.name == "terminated" for i in reservation.instances):
        raise Refused(
            "IdempotentInstanceTerminated", "The instance launched with this client token has been terminated."
        )
    return reservation


def bind(request, reservation) -> None:
    """Binds the token to the request; `reservation` is None where the launch failed for capacity."""
    if request.token:
        _bound[place(request)] = {"digest": digest(request.call), "reservation": reservation}


def forget(token: str | None) -> int:
    """AWS promises no time for which a token is remembered: forgets one, or all."""
    gone = [k for k in _bound if token is None or k[2] == token]
    for key in gone:
        del _bound[key]
    return len(gone)
