"""Every call and every instance's life: what the tests read to know what happened."""

import hashlib
import itertools
import math
import threading

from . import world

SECRET = {"UserData", "SecretAccessKey", "SecretString", "KeyMaterial", "PublicKeyMaterial", "Body"}
SHORT = 48

_lock = threading.Lock()
_entries: list[dict] = []
_lives: dict[str, dict] = {}
_numbers = itertools.count(1)


def clear() -> None:
    with _lock:
        _entries.clear()
        _lives.clear()


def entries(since: int = 0) -> list[dict]:
    """All calls in the order in which they began, from number `since` on."""
    with _lock:
        return [dict(e) for e in _entries if e["n"] > since]


def lives() -> list[dict]:
    """One record per instance: launched, running, ended, how, and the seconds that would be billed."""
    with _lock:
        return [{**life, "billed_seconds": billed(life)} for life in _lives.values()]


def open_entry(call) -> dict:
    entry = {
        "n": next(_numbers),
        "time": world.now(),
        "service": call.service,
        "action": call.action,
        "principal": getattr(call.principal, "name", None),
        "access_key": call.key,
        "run": call.run,
        "epoch": call.epoch,
        "agent": call.agent,
        "parameters": shortened(call.params),
        "status": None,
        "error": None,
        "message": None,
        "resources": [],
        "lost": False,
    }
    with _lock:
        _entries.append(entry)
    return entry


def shortened(value, name: str = ""):
    """Parameters without secrets and without kilobytes."""
    if isinstance(value, dict):
        return {k: shortened(v, k) for k, v in value.items()}
    if isinstance(value, list):
        return [shortened(v, name) for v in value]
    if isinstance(value, (str, bytes)) and name in SECRET:
        raw = value.encode() if isinstance(value, str) else value
        return f"<{len(raw)} bytes, sha256 {hashlib.sha256(raw).hexdigest()}>"
    if isinstance(value, str) and len(value) > 1024:
        return value[:SHORT] + f"… ({len(value)} characters)"
    return value if isinstance(value, (str, int, float, bool, type(None))) else str(value)


def launched(instance, call) -> None:
    """Begins an instance's life."""
    with _lock:
        _lives[instance.id] = {
            "id": instance.id,
            "launched": world.now(),
            "running": None,
            "ending": None,
            "ended": None,
            "how": None,
            "reason": None,
            "spans": [],
            "type": instance.instance_type,
            "zone": instance.availability_zone,
            "subnet": instance.subnet_id,
            "market": instance.lifecycle or "on-demand",
            "address": instance.private_ip,
            "image": instance.image_id,
            "tags": world.tags(instance.id),
            "client_token": call.get("ClientToken") if call else None,
            "principal": getattr(call.principal, "name", None) if call else None,
            "run": call.run if call else None,
            "epoch": call.epoch if call else None,
            "machine_events": [],
        }


def life(instance) -> dict:
    return _lives.get(instance.id) or {"spans": [], "machine_events": []}


def running(instance) -> None:
    record = life(instance)
    record["running"] = record.get("running") or world.now()
    record["spans"].append([world.now(), None])


def pausing(instance) -> None:
    """Billing ends: stopping or shutting down."""
    spans = life(instance)["spans"]
    if spans and spans[-1][1] is None:
        spans[-1][1] = world.now()


def ending(instance, reason: str) -> None:
    record = life(instance)
    record["ending"], record["reason"] = world.now(), reason
    pausing(instance)


def ended(instance, how: str) -> None:
    record = life(instance)
    record["ended"], record["how"] = world.now(), how


def machine_event(instance, what: str) -> None:
    life(instance)["machine_events"].append([world.now(), what])


def billed(record: dict) -> int:
    """Per second from `running` on, at least 60 s each time; nothing in pending and shutting-down (EC2 User Guide, instance lifecycle)."""
    return sum(max(60, math.ceil((end or world.now()) - begin)) for begin, end in record["spans"])


def alive() -> dict:
    """What exists now and would cost or clutter, by tag dayfly:run (None: untagged)."""
    ec2, found = world.ec2(), []

    def add(kind, resource_id, state, tags):
        found.append({"kind": kind, "id": resource_id, "state": state, "run": tags.get("dayfly:run"), "tags": tags})

    with world.LOCK:
        for i in world.instances():
            if i._state.name != "terminated":
                add("instance", i.id, i._state.name, world.tags(i.id) or life(i).get("tags", {}))
        for v in list(ec2.volumes.values()):
            add("volume", v.id, v.status, world.tags(v.id))
        for e in list(ec2.enis.values()):
            add("network-interface", e.id, e.status, world.tags(e.id))
        for k in list(ec2.key_pairs.values()):
            add("key-pair", k.key_name, "available", world.tags(k.id))
        for g in [g for groups in ec2.groups.values() for g in groups.values()]:
            if g.id not in world.facts.get("known_groups", []):
                add("security-group", g.id, "available", world.tags(g.id))
        for bucket in list(world.s3().buckets.values()):
            for upload in list(bucket.multiparts.values()):
                add("multipart-upload", upload.id, upload.key_name, {})
    return {
        "resources": found,
        "by_run": {run: [r for r in found if r["run"] == run] for run in {r["run"] for r in found}},
    }
