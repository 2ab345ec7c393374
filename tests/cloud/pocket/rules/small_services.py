"""Answers that moto does not give: the caller's identity, decoded refusals, assumed roles, quotas, metric limits."""

import json
import uuid
from xml.sax.saxutils import escape

from . import faults, permissions, principals, world
from .refusal import Refused

QUOTAS = {
    "L-1216C47A": ("on-demand", "Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances", 256.0),
    "L-34B43A08": ("spot", "All Standard (A, C, D, H, I, M, R, T, Z) Spot Instance Requests", 256.0),
    "L-DB2E81BA": ("on-demand", "Running On-Demand G and VT instances", 64.0),
    "L-3819A6DF": ("spot", "All G and VT Spot Instance Requests", 64.0),
}


def own_answer(call):
    """Status, headers and body, or None where moto answers."""
    if call.service == "sts":
        return sts(call)
    if call.service == "servicequotas" and call.action in {
        "GetServiceQuota",
        "ListServiceQuotas",
        "GetAWSDefaultServiceQuota",
    }:
        return quotas(call)
    if call.service == "cloudwatch" and call.action == "PutMetricData":
        check_metrics(call)
    if call.service == "ec2" and call.action in {"CreateFleet", "RequestSpotInstances", "RequestSpotFleet"}:
        raise Refused("UnsupportedOperation", f"The pocket cloud does not support {call.action}.")
    return None


def xml(call, body: str):
    text = (
        f'<{call.action}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><{call.action}Result>{body}</{call.action}Result>'
        f"<ResponseMetadata><RequestId>{uuid.uuid4()}</RequestId></ResponseMetadata></{call.action}Response>"
    )
    return 200, [("Content-Type", "text/xml")], text.encode()


def sts(call):
    held = call.principal
    if call.action == "GetCallerIdentity":
        return xml(
            call,
            f"<Arn>{escape(held.arn)}</Arn><UserId>{held.key}:{escape(held.session or held.name)}</UserId><Account>{world.ACCOUNT}</Account>",
        )
    if call.action == "DecodeAuthorizationMessage":
        return xml(
            call, f"<DecodedMessage>{escape(permissions.decode(call.get('EncodedMessage', '')))}</DecodedMessage>"
        )
    if call.action == "AssumeRole":
        name = call.get("RoleArn", "").rsplit("/", 1)[-1]
        if name not in {r.name for r in world.iam().roles.values()}:
            raise Refused(
                "AccessDenied",
                f"User: {held.arn} is not authorized to perform: sts:AssumeRole on resource: {call.get('RoleArn')}",
                403,
            )
        made = principals.assumed(
            call.get("RoleArn"), call.get("RoleSessionName", "session"), int(call.get("DurationSeconds", 3600))
        )
        return xml(
            call,
            f"<Credentials><AccessKeyId>{made['AccessKeyId']}</AccessKeyId><SecretAccessKey>{made['SecretAccessKey']}</SecretAccessKey>"
            f"<SessionToken>{made['Token']}</SessionToken><Expiration>{made['Expiration']}</Expiration></Credentials>"
            f"<AssumedRoleUser><Arn>arn:aws:sts::{world.ACCOUNT}:assumed-role/{name}/{escape(call.get('RoleSessionName', 'session'))}</Arn>"
            f"<AssumedRoleId>AROA:{escape(call.get('RoleSessionName', 'session'))}</AssumedRoleId></AssumedRoleUser>",
        )
    return None


def quotas(call):
    if call.params.get("ServiceCode") != "ec2":
        return None
    codes = [call.params["QuotaCode"]] if call.params.get("QuotaCode") else list(QUOTAS)
    found = []
    for code in codes:
        if code not in QUOTAS:
            raise Refused(
                "NoSuchResourceException", "The request failed because the specified service quota does not exist.", 400
            )
        market, name, value = QUOTAS[code]
        fault = faults.find("quota", market=market)
        found.append(
            {
                "ServiceCode": "ec2",
                "ServiceName": "Amazon Elastic Compute Cloud (Amazon EC2)",
                "QuotaCode": code,
                "QuotaName": name,
                "Value": float(fault["vcpus"]) if fault else value,
                "Unit": "None",
                "Adjustable": True,
                "GlobalQuota": False,
            }
        )
    body = {"Quotas": found} if call.action == "ListServiceQuotas" else {"Quota": found[0]}
    return 200, [("Content-Type", "application/x-amz-json-1.1")], json.dumps(body).encode()


def check_metrics(call) -> None:
    """The limits of PutMetricData (botocore, CloudWatch PutMetricData)."""
    data = call.get("MetricData") or []
    if len(call.body) > 1024 * 1024:
        raise Refused("RequestEntityTooLarge", "Request size exceeded 1048576 bytes", 413)
    if call.get("Namespace", "").startswith("AWS/"):
        raise Refused("InvalidParameterValue", "The value AWS/ for parameter Namespace is invalid.")
    if len(data) > 1000:
        raise Refused("InvalidParameterValue", "The collection MetricData must not have a size greater than 1000.")
    for metric in data:
        if len(metric.get("Dimensions") or []) > 30:
            raise Refused("InvalidParameterValue", "The collection Dimensions must not have a size greater than 30.")
        if len(metric.get("Values") or []) > 150:
            raise Refused("InvalidParameterValue", "The collection Values must not have a size greater than 150.")
        if metric.get("Timestamp"):
            from .prices import parse_time

            age = world.now() - parse_time(metric["Timestamp"], world.now())
            if not -2 * 3600 <= age <= 14 * 86400:
                raise Refused(
                    "InvalidParameterValue",
                    "The parameter MetricData.member.1.Timestamp must specify a time within the past two weeks and the next two hours.",
                )
