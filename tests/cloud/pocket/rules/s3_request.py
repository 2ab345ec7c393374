"""Which operation on S3 a request is, on which bucket and key; path style and virtual-host style."""

import re
from xml.sax.saxutils import unescape as unescape_entities

HOSTED = re.compile(r"^(?P<bucket>[a-z0-9.-]+)\.s3[.-][a-z0-9-]*\.?(?:amazonaws\.com|localhost|pocket)")


def read(call) -> None:
    """Sets `bucket`, `object_key`, `action` and the parameters for the ledger."""
    host = HOSTED.match(call.headers.get("host", ""))
    path = call.path.lstrip("/")
    if host:
        call.bucket, call.object_key = host["bucket"], path
    else:
        call.bucket, _, call.object_key = path.partition("/")
    call.delete_keys = []
    call.action = bucket_action(call) if not call.object_key else object_action(call)
    if not call.bucket:
        call.action = "ListBuckets"
    if call.action == "DeleteObjects":
        call.delete_keys = [
            unescape(k.decode("utf-8", "replace")) for k in re.findall(rb"<Key>(.*?)</Key>", call.body, re.DOTALL)
        ]
    interesting = {
        k: v
        for k, v in call.headers.items()
        if k.startswith("x-amz-")
        and k not in {"x-amz-security-token", "x-amz-user-agent"}
        or k in {"if-match", "if-none-match", "range", "content-md5"}
    }
    call.params = {
        "Bucket": call.bucket,
        "Key": call.object_key,
        "bytes": len(call.body),
        "query": {k: v[0] for k, v in call.query.items() if not k.startswith("X-Amz-")},
        "headers": interesting,
    }


def unescape(text: str) -> str:
    return unescape_entities(text, {"&quot;": '"', "&apos;": "'"})


def object_action(call) -> str:
    q, method = call.query, call.method
    copy = "x-amz-copy-source" in call.headers
    if method == "PUT":
        if "uploadId" in q:
            return "UploadPartCopy" if copy else "UploadPart"
        if "tagging" in q:
            return "PutObjectTagging"
        if "acl" in q:
            return "PutObjectAcl"
        return "CopyObject" if copy else "PutObject"
    if method == "POST":
        return (
            "CreateMultipartUpload"
            if "uploads" in q
            else "CompleteMultipartUpload" if "uploadId" in q else "PostObject"
        )
    if method == "DELETE":
        return "AbortMultipartUpload" if "uploadId" in q else "DeleteObject"
    if method == "HEAD":
        return "HeadObject"
    for name, action in (
        ("uploadId", "ListParts"),
        ("attributes", "GetObjectAttributes"),
        ("tagging", "GetObjectTagging"),
        ("acl", "GetObjectAcl"),
    ):
        if name in q:
            return action
    return "GetObject"


def bucket_action(call) -> str:
    q, method = call.query, call.method
    if method == "POST" and "delete" in q:
        return "DeleteObjects"
    if method == "HEAD":
        return "HeadBucket"
    for name in (
        "lifecycle",
        "notification",
        "policy",
        "versioning",
        "encryption",
        "tagging",
        "acl",
        "cors",
        "logging",
        "publicAccessBlock",
        "ownershipControls",
    ):
        if name in q:
            word = {
                "lifecycle": "LifecycleConfiguration",
                "notification": "BucketNotification",
                "policy": "BucketPolicy",
            }.get(name, "Bucket" + name[0].upper() + name[1:])
            return {"GET": "Get", "PUT": "Put", "DELETE": "Delete"}.get(method, method.title()) + word
    if method == "PUT":
        return "CreateBucket"
    if method == "DELETE":
        return "DeleteBucket"
    if "uploads" in q:
        return "ListMultipartUploads"
    if "versions" in q:
        return "ListObjectVersions"
    if "location" in q:
        return "GetBucketLocation"
    return "ListObjectsV2" if q.get("list-type") == ["2"] else "ListObjects"
