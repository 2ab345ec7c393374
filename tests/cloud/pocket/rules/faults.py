"""The faults that a test has asked for. Each is one JSON object; docs/pocket-cloud.md describes them."""

import fnmatch

from . import world

KINDS = {
    "capacity",
    "addresses",
    "quota",
    "throttle",
    "slow",
    "lost_answer",
    "blindness",
    "s3_conflict",
    "s3_lost_answer",
    "s3_deny",
    "s3_slow_down",
    "s3_error_in_200",
    "token_forget",
    "launch_dies",
    "spot_reclaim",
    "credentials_expire",
    "error",
    "terminate_slow",
    "iam_delay",
    "spot_role",
    "tags_fade",
    "terminated_visible",
    "empty_pages",
    "stuck_pending",
    "clear",
}
"""Every kind of fault that `apply` takes."""

SETTING_KINDS = {
    "blindness": "seconds",
    "terminate_slow": "seconds",
    "iam_delay": "seconds",
    "tags_fade": "seconds",
    "terminated_visible": "seconds",
    "spot_role": "exists",
}

_active: list[dict] = []


class UnknownFault(ValueError):
    """The fault's kind or a field of it is not known."""


def clear() -> None:
    _active.clear()


def apply(fault: dict) -> dict:
    """Makes a fault real, or ends all with {"clear": true}. The form is {KIND: {…fields…}} or {"fault": KIND, …fields…}."""
    from . import endings, principals, setup, tokens

    kind, fields = split(fault)
    if kind not in KINDS:
        raise UnknownFault(f"unknown fault {kind!r}; known: {', '.join(sorted(KINDS))}")
    with world.LOCK:
        if kind == "clear":
            chosen = fields.get("kind")
            _active[:] = [f for f in _active if chosen and f["kind"] != chosen]
            for name in SETTING_KINDS:
                if not chosen or chosen == name:
                    world.settings[name] = world.initial[name]
            principals.restore()
            setup.spot_role(world.settings["spot_role"])
        elif kind in SETTING_KINDS:
            world.settings[kind] = fields[SETTING_KINDS[kind]]
            setup.spot_role(world.settings["spot_role"])
        elif kind == "token_forget":
            return {"forgotten": tokens.forget(fields.get("token"))}
        elif kind == "spot_reclaim":
            return endings.reclaim(fields["instance"], float(fields.get("notice", 120)))
        elif kind == "credentials_expire":
            return {"expired": principals.expire(fields.get("role"), fields.get("principal"))}
        else:
            entry = {**fields, "kind": kind}
            if "seconds" in fields and kind in {"s3_deny", "s3_slow_down"}:
                entry["until"] = world.now() + float(fields["seconds"])
            _active.append(entry)
    return {"applied": kind}


def split(fault: dict) -> tuple[str, dict]:
    if "fault" in fault:
        return fault["fault"], {k: v for k, v in fault.items() if k != "fault"}
    if len(fault) != 1:
        raise UnknownFault("a fault is one JSON object {KIND: {FIELD: VALUE}}")
    kind, fields = next(iter(fault.items()))
    return kind, fields if isinstance(fields, dict) else {"value": fields}


def active() -> list[dict]:
    return [dict(f) for f in _active]


def find(kind: str, **place) -> dict | None:
    """The newest fault of this kind whose fields all fit the place; a field that a fault leaves out fits everything."""
    for fault in reversed(_active):
        if fault["kind"] != kind or fault.get("until", float("inf")) < world.now() or fault.get("times", 1) <= 0:
            continue
        if all(name not in fault or fits(fault[name], value) for name, value in place.items()):
            return fault
    return None


def take(kind: str, **place) -> dict | None:
    """Like `find`, and counts one of its `times` as used."""
    with world.LOCK:
        fault = find(kind, **place)
        if fault and "times" in fault:
            if fault.get("after", 0) > 0:
                fault["after"] -= 1
                return None
            fault["times"] -= 1
        return fault


def fits(wanted, value) -> bool:
    patterns = wanted if isinstance(wanted, list) else [wanted]
    return any(fnmatch.fnmatchcase(str(value), str(p)) for p in patterns)


def for_call(kind: str, call) -> dict | None:
    """Takes a fault that names this call's action (`ec2:RunInstances`, `s3:Put*`, or without the service) and, if it says so, its principal, run or epoch."""
    with world.LOCK:
        for fault in reversed(_active):
            if fault["kind"] != kind or fault.get("until", float("inf")) < world.now() or fault.get("times", 1) <= 0:
                continue
            names = [call.action, f"{call.service}:{call.action}"]
            if "actions" in fault and not any(fits(fault["actions"], n) for n in names):
                continue
            place = {
                "principal": getattr(call.principal, "name", None),
                "run": call.run,
                "epoch": call.epoch,
                "key": getattr(call, "object_key", None),
            }
            if any(name in fault and not fits(fault[name], value) for name, value in place.items()):
                continue
            if fault.get("after", 0) > 0:
                fault["after"] -= 1
                continue
            if "probability" in fault and world.chance.random() >= float(fault["probability"]):
                continue
            if "times" in fault:
                fault["times"] -= 1
            return fault
    return None
