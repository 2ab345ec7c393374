"""Who calls: access keys, the users and roles behind them, and the policies that hold at this moment."""

import json
import secrets
import string
from dataclasses import dataclass, field
from datetime import datetime, timezone

from . import world
from .refusal import Refused

ADMIN_KEY = "AKIAPOCKETADMIN00000"
ADMIN_SECRET = "pocket-admin-secret"
TRIGGER_KEY = "AKIAPOCKETTRIGGER000"
TRIGGER_SECRET = "pocket-trigger-secret"

CLOCK_SKEW = 300.0


@dataclass
class Principal:
    """The caller of a request."""

    name: str
    arn: str
    kind: str  # admin, user or role
    entity: str = ""  # name of the user or role in IAM
    session: str = ""
    key: str = ""
    tags: dict = field(default_factory=dict)


_sessions: dict[str, dict] = {}  # access key id → role, session, expires
_by_profile: dict[str, dict] = {}  # instance profile (and instance) → credentials
_expired_principals: set[str] = set()
_policies: list[tuple[float, dict]] = []


def clear() -> None:
    for table in (_sessions, _by_profile, _expired_principals, _policies):
        table.clear()


def identify(call) -> Principal:
    """The caller, or the error that the service answers to an unknown or expired key."""
    key = call.key
    if key == ADMIN_KEY:
        principal = Principal("admin", f"arn:aws:iam::{world.ACCOUNT}:root", "admin", key=key)
    elif key in _sessions:
        session = _sessions[key]
        arn = f"arn:aws:sts::{world.ACCOUNT}:assumed-role/{session['role']}/{session['session']}"
        principal = Principal(session["role"], arn, "role", session["role"], session["session"], key)
        if session["expires"] <= world.now():
            raise expired(call)
        token = call.headers.get("x-amz-security-token") or (call.query.get("X-Amz-Security-Token") or [None])[0]
        if token != session["token"]:
            raise unknown(call, "The security token included in the request is invalid.")
    else:
        user = next(
            (
                u
                for u in list(world.iam().users.values())
                for k in u.access_keys
                if k.access_key_id == key and k.status == "Active"
            ),
            None,
        )
        if user is None:
            raise unknown(call)
        principal = Principal(user.name, user.arn, "user", user.name, key=key)
    if principal.name in _expired_principals:
        raise expired(call)
    stamp = call.headers.get("x-amz-date") or (call.query.get("X-Amz-Date") or [None])[0]
    if stamp and "X-Amz-Date" not in call.query:
        signed = datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=timezone.utc).timestamp()
        if abs(signed - world.now()) > CLOCK_SKEW:
            raise skewed(call)
    return principal


def unknown(call, text: str | None = None) -> Refused:
    if call.service == "s3":
        if call.key is None:
            return Refused("AccessDenied", "Access Denied", 403)
        return Refused("InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records.", 403)
    if call.service == "ec2":
        return Refused("AuthFailure", "AWS was not able to validate the provided access credentials", 401)
    code = "UnrecognizedClientException" if call.json else "InvalidClientTokenId"
    return Refused(code, text or "The security token included in the request is invalid.", 403)


def expired(call) -> Refused:
    if call.service == "ec2":
        return Refused("RequestExpired", "Request has expired.", 400)
    if call.service == "s3":
        return Refused("ExpiredToken", "The provided token has expired.", 400)
    return Refused(
        "ExpiredTokenException" if call.json else "ExpiredToken",
        "The security token included in the request is expired",
        403 if not call.json else 400,
    )


def skewed(call) -> Refused:
    if call.service == "s3":
        return Refused(
            "RequestTimeTooSkewed", "The difference between the request time and the current time is too large.", 403
        )
    if call.service == "ec2":
        return Refused("RequestExpired", "Request has expired.", 400)
    return Refused("SignatureDoesNotMatch", "Signature expired", 403)


def session_for(role: str, session: str, seconds: float | None = None) -> dict:
    """New temporary credentials of a role."""
    alphabet = string.ascii_uppercase + "234567"
    key = "ASIA" + "".join(secrets.choice(alphabet) for _ in range(16))
    expires = world.now() + (world.settings["credential_seconds"] if seconds is None else seconds)
    token = secrets.token_urlsafe(48)
    _sessions[key] = {"role": role, "session": session, "expires": expires, "token": token}
    stamp = datetime.fromtimestamp(expires, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "AccessKeyId": key,
        "SecretAccessKey": secrets.token_urlsafe(30),
        "Token": token,
        "Expiration": stamp,
        "expires": expires,
    }


def credentials_for(profile_arn: str, instance_id: str = "i-unknown") -> dict | None:
    """What IMDS answers for the role of an instance profile, and the role's name; None where the profile has no role. Renewed five minutes before they expire."""
    with world.LOCK:
        profile = next(
            (p for p in world.iam().instance_profiles.values() if p.arn == profile_arn or p.name == profile_arn), None
        )
        if profile is None or not profile.roles:
            return None
        place = f"{profile.arn} {instance_id}"
        held = _by_profile.get(place)
        margin = min(300.0, world.settings["credential_seconds"] / 4)
        if held is None or held["expires"] - margin <= world.now():
            held = _by_profile[place] = session_for(profile.roles[0].name, instance_id)
        return {"RoleName": profile.roles[0].name, **{k: v for k, v in held.items() if k != "expires"}}


def expire(role: str | None, principal: str | None = None) -> list[str]:
    """Ends the life of a role's credentials now (all roles where none is named), or of everything that a principal signs."""
    ended = []
    if principal:
        _expired_principals.add(principal)
        return [principal]
    for key, session in _sessions.items():
        if role is None or session["role"] == role:
            session["expires"] = 0.0
            ended.append(key)
    for place in [p for p, held in _by_profile.items() if held["AccessKeyId"] in ended]:
        del _by_profile[place]
    return ended


def restore() -> None:
    _expired_principals.clear()


def assumed(role_arn: str, session: str, seconds: int) -> dict:
    """Credentials by sts AssumeRole."""
    return session_for(role_arn.rsplit("/", 1)[-1], session, seconds)


def snapshot() -> None:
    """Keeps the policies as they are now; called after every call that may have changed them."""
    iam, found = world.iam(), {}
    for user in iam.users.values():
        documents = own(user)
        for group in iam.groups.values():
            if user in group.users:
                documents += own(group)
        found["user", user.name] = documents
    for role in iam.roles.values():
        found["role", role.name] = own(role)
    _policies.append((world.now(), found))


def own(entity) -> list[str]:
    documents = [d if isinstance(d, str) else json.dumps(d) for d in entity.policies.values()]
    return documents + [policy.document for policy in entity.managed_policies.values()]


def statements(principal: Principal) -> list[dict]:
    """The statements that hold now: a change is seen `iam_delay` seconds after it was made."""
    when = world.now() - world.settings["iam_delay"]
    chosen = _policies[0][1] if _policies else {}
    for time, found in _policies:
        if time <= when:
            chosen = found
    result = []
    for text in chosen.get((principal.kind, principal.entity), []):
        listed = json.loads(text).get("Statement", [])
        result += listed if isinstance(listed, list) else [listed]
    return result
