"""Which permissions a call to S3 needs (Service Authorization Reference, Amazon S3)."""

from urllib.parse import unquote

OBJECT_READS = {
    "GetObject": "s3:GetObject",
    "HeadObject": "s3:GetObject",
    "GetObjectAttributes": "s3:GetObject",
    "ListParts": "s3:ListMultipartUploadParts",
    "GetObjectTagging": "s3:GetObjectTagging",
}
OBJECT_WRITES = {
    "PutObject": "s3:PutObject",
    "CreateMultipartUpload": "s3:PutObject",
    "UploadPart": "s3:PutObject",
    "CompleteMultipartUpload": "s3:PutObject",
    "CopyObject": "s3:PutObject",
    "UploadPartCopy": "s3:PutObject",
    "DeleteObject": "s3:DeleteObject",
    "AbortMultipartUpload": "s3:AbortMultipartUpload",
    "PutObjectTagging": "s3:PutObjectTagging",
    "RestoreObject": "s3:RestoreObject",
}
BUCKET = {
    "ListObjectsV2": "s3:ListBucket",
    "ListObjects": "s3:ListBucket",
    "HeadBucket": "s3:ListBucket",
    "ListObjectVersions": "s3:ListBucketVersions",
    "ListMultipartUploads": "s3:ListBucketMultipartUploads",
    "GetBucketLocation": "s3:GetBucketLocation",
    "CreateBucket": "s3:CreateBucket",
    "DeleteBucket": "s3:DeleteBucket",
}


def bucket_arn(bucket: str) -> str:
    return f"arn:aws:s3:::{bucket}"


def object_arn(bucket: str, key: str) -> str:
    return f"arn:aws:s3:::{bucket}/{key}"


def list_context(call) -> dict:
    found = {"s3:prefix": (call.query.get("prefix") or [""])[0]}
    for name in ("delimiter", "max-keys"):
        if name in call.query:
            found[f"s3:{name}"] = call.query[name][0]
    return found


def needs(call) -> list[tuple]:
    bucket, key, action = call.bucket, call.object_key, call.action
    if action == "ListBuckets":
        return [("s3:ListAllMyBuckets", "*", {})]
    if action == "DeleteObjects":
        return [("s3:DeleteObject", object_arn(bucket, k), {}) for k in call.delete_keys]
    if action in OBJECT_READS:
        return [(OBJECT_READS[action], object_arn(bucket, key), {})]
    if action in OBJECT_WRITES:
        found = [(OBJECT_WRITES[action], object_arn(bucket, key), {})]
        if action in {"CopyObject", "UploadPartCopy"}:
            source = unquote(call.headers.get("x-amz-copy-source", "")).lstrip("/").split("?")[0]
            found.append(("s3:GetObject", "arn:aws:s3:::" + source, {}))
        if call.headers.get("if-match"):
            found.append(("s3:GetObject", object_arn(bucket, key), {}))  # S3 User Guide, conditional writes
        if call.headers.get("x-amz-tagging") and action in {"PutObject", "CreateMultipartUpload", "CopyObject"}:
            found.append(("s3:PutObjectTagging", object_arn(bucket, key), {}))
        return found
    return [
        (
            BUCKET.get(action, f"s3:{action}"),
            bucket_arn(bucket),
            list_context(call) if action.startswith("List") else {},
        )
    ]
