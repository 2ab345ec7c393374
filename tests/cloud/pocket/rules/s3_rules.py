"""What moto's S3 lets pass and S3 does not: conditions, limits, checksums, and the faults of writes (S3 User Guide, conditional writes)."""

import threading

from . import checksums, faults, permissions, s3_permissions, world
from .permissions import Need
from .refusal import Refused

WRITES = {
    "PutObject",
    "CompleteMultipartUpload",
    "CopyObject",
    "UploadPart",
    "UploadPartCopy",
    "CreateMultipartUpload",
    "DeleteObject",
    "DeleteObjects",
    "AbortMultipartUpload",
}
CONDITIONAL = {"PutObject", "CompleteMultipartUpload", "CopyObject"}
LONGEST_KEY = 1024
GIB = 1024**3

_writing = threading.RLock()


def carry_out(call, through):
    """Judges a call and lets moto do it; one write at a time, so that a condition and its write are one."""
    if call.action not in {"CreateBucket", "ListBuckets"} and call.bucket not in world.s3().buckets:
        raise Refused("NoSuchBucket", "The specified bucket does not exist", 404)
    with world.LOCK:
        permissions.require(call)
    refuse_by_fault(call)
    if call.object_key and len(call.object_key.encode()) > LONGEST_KEY:
        raise Refused("KeyTooLongError", "Your key is too long", 400)
    if call.action in {"PutObject", "UploadPart"}:
        checksums.verify(call)
        if len(call.body) > 5 * GIB:
            raise Refused("EntityTooLarge", "Your proposed upload exceeds the maximum allowed size", 400)
    if (
        call.action in {"UploadPart", "UploadPartCopy"}
        and not 1 <= int((call.query.get("partNumber") or ["0"])[0]) <= 10000
    ):
        raise Refused("InvalidArgument", "Part number must be an integer between 1 and 10000, inclusive", 400)
    if call.action not in WRITES:
        return hidden_or(call, through)
    with _writing:
        conditions(call)
        if (
            call.action in CONDITIONAL
            and (call.headers.get("if-none-match") or call.headers.get("if-match"))
            and faults.for_call("s3_conflict", call)
        ):
            raise Refused(
                "ConditionalRequestConflict",
                "The conditional request cannot succeed due to a conflicting operation against this resource.",
                409,
            )
        result = through(call)
    if call.action in {"CompleteMultipartUpload", "CopyObject"} and faults.for_call("s3_error_in_200", call):
        body = b'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>InternalError</Code><Message>We encountered an internal error. Please try again.</Message></Error>'
        return 200, [("Content-Type", "application/xml")], body
    return result


def refuse_by_fault(call) -> None:
    if call.action in WRITES and faults.for_call("s3_deny", call):
        raise Refused("AccessDenied", "Access Denied", 403)
    if faults.for_call("s3_slow_down", call):
        raise Refused("SlowDown", "Please reduce your request rate.", 503)


def existing(call):
    """The object under the key now, or None."""
    found = world.s3().buckets[call.bucket].keys.get(call.object_key)
    return found if found is not None and hasattr(found, "etag") else None


def conditions(call) -> None:
    """If-None-Match takes only `*`; If-Match of a missing key is 404, of another object 412."""
    if call.action not in CONDITIONAL | {"DeleteObject"}:
        return
    none, match = call.headers.get("if-none-match"), call.headers.get("if-match")
    if none is None and match is None:
        return
    if none is not None and none.strip('"') != "*":
        raise Refused("NotImplemented", "A header you provided implies functionality that is not implemented", 501)
    if none is not None and match is not None:
        raise Refused("NotImplemented", "A header you provided implies functionality that is not implemented", 501)
    held = existing(call)
    if none is not None and held is not None:
        raise Refused("PreconditionFailed", "At least one of the pre-conditions you specified did not hold", 412)
    if match is not None:
        if held is None:
            raise Refused("NoSuchKey", "The specified key does not exist.", 404)
        if match != "*" and held.etag.strip('"') != match.strip('"'):
            raise Refused("PreconditionFailed", "At least one of the pre-conditions you specified did not hold", 412)
    for name in ("HTTP_IF_MATCH", "HTTP_IF_NONE_MATCH"):
        if call.action != "DeleteObject":
            call.environ.pop(name, None)  # judged here, under the lock


def hidden_or(call, through):
    """A read: who may not list learns nothing about what is missing."""
    result = through(call)
    if call.action in {"GetObject", "HeadObject"} and result[0] == 404:
        need = Need("s3:ListBucket", s3_permissions.bucket_arn(call.bucket), {"s3:prefix": call.object_key})
        with world.LOCK:
            if not permissions.allowed(call, need):
                call.denied = {"action": "s3:ListBucket", "resource": need.resource}
                raise Refused("AccessDenied", "Access Denied", 403)
    return result
