"""The decision: every (action, resource, context) that a call needs must be allowed."""

import base64
import json
import zlib
from dataclasses import dataclass, field

from . import ec2_permissions, policy, principals, s3_permissions, world
from .refusal import Refused

FREE = {("sts", "GetCallerIdentity"), ("sts", "GetSessionToken")}


@dataclass
class Need:
    """One thing that the caller must be allowed to do."""

    action: str
    resource: str = "*"
    context: dict = field(default_factory=dict)


def needs(call) -> list[Need]:
    if call.service == "ec2":
        return [Need(*n) for n in ec2_permissions.needs(call)]
    if call.service == "s3":
        return [Need(*n) for n in s3_permissions.needs(call)]
    return [Need(*n) for n in others(call)]


def others(call) -> list[tuple]:
    action = f"{call.service}:{call.action}"
    if (call.service, call.action) in FREE:
        return []
    if call.service == "ssm" and call.action in {"GetParameter", "GetParameters", "GetParametersByPath"}:
        names = call.params.get("Names") or [call.params.get("Name") or call.params.get("Path") or ""]
        return [(action, parameter_arn(n)) for n in names]
    if call.service == "cloudwatch" and call.action == "PutMetricData":
        return [(action, "*", {"cloudwatch:namespace": call.get("Namespace", "")})]
    if call.service == "sts" and call.action == "AssumeRole":
        return [(action, call.get("RoleArn", ""))]
    if call.service == "sns" and call.action == "Publish":
        return [(action, call.get("TopicArn", "*"))]
    return [(action, "*")]


def parameter_arn(name: str) -> str:
    """Public parameters belong to no account (Service Authorization Reference, RunInstances)."""
    name = name.split(":")[0] if not name.startswith("arn:") else name
    if name.startswith("arn:"):
        return name
    account = "" if name.startswith("/aws/service/") else world.ACCOUNT
    return f"arn:aws:ssm:{world.settings['region']}:{account}:parameter/{name.lstrip('/')}"


def require(call) -> None:
    """Refuses the call where a permission is missing."""
    for need in needs(call):
        check(call, need)


def allowed(call, need: Need) -> bool:
    return decided(call, need)[0]


def decided(call, need: Need):
    if call.principal.kind == "admin":
        return True, []
    return policy.decide(principals.statements(call.principal), need.action, need.resource, full_context(call, need))


def full_context(call, need: Need) -> dict:
    held = call.principal
    arn = held.arn if held.kind == "user" else f"arn:aws:iam::{world.ACCOUNT}:role/{held.entity}"
    return {
        "aws:PrincipalArn": arn,
        "aws:PrincipalAccount": world.ACCOUNT,
        "aws:RequestedRegion": call.region or world.settings["region"],
        "aws:SecureTransport": "false",
        "aws:userid": held.name,
        "aws:SourceIp": call.environ.get("REMOTE_ADDR", ""),
        **need.context,
    }


def check(call, need: Need) -> None:
    ok, matched = decided(call, need)
    if ok:
        return
    reason = {
        "allowed": False,
        "explicitDeny": bool(matched),
        "matchedStatements": {"items": matched},
        "failures": {"items": []},
        "context": {
            "principal": {"arn": call.principal.arn, "name": call.principal.name},
            "action": need.action,
            "resource": need.resource,
            "conditions": {
                "items": [
                    {"key": k, "values": {"items": [{"value": str(x)} for x in policy.listed(v)]}}
                    for k, v in full_context(call, need).items()
                ]
            },
        },
    }
    call.denied = {"action": need.action, "resource": need.resource}
    if call.service == "ec2":
        raise Refused(
            "UnauthorizedOperation",
            f"You are not authorized to perform this operation. User: {call.principal.arn} is not authorized to perform: {need.action} "
            f"on resource: {need.resource} because {'an explicit deny' if matched else 'no identity-based policy'} "
            f"{'applies' if matched else 'allows the ' + need.action + ' action'}. Encoded authorization failure message: {encode(reason)}",
            403,
        )
    if call.service == "s3":
        raise Refused(
            "AccessDenied",
            f'User: {call.principal.arn} is not authorized to perform: {need.action} on resource: "{need.resource}" '
            "because no identity-based policy allows the " + need.action + " action",
            403,
        )
    code, status = ("AccessDeniedException", 400) if call.json else ("AccessDenied", 403)
    raise Refused(
        code,
        f"User: {call.principal.arn} is not authorized to perform: {need.action} on resource: {need.resource} "
        f"because no identity-based policy allows the {need.action} action",
        status,
    )


def encode(reason: dict) -> str:
    return base64.urlsafe_b64encode(zlib.compress(json.dumps(reason).encode())).decode()


def decode(message: str) -> str:
    """sts DecodeAuthorizationMessage."""
    try:
        return zlib.decompress(base64.urlsafe_b64decode(message.encode())).decode()
    except (ValueError, zlib.error):
        raise Refused("InvalidAuthorizationMessageException", "Message is not valid") from None
