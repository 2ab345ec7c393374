"""Objects: conditional writes, checksums, limits, multipart uploads, listings and the faults of writes."""

import base64
import hashlib
import threading
import unittest
import urllib.parse
import zlib

from botocore.exceptions import ClientError
from rules_cloud import LOST, RulesTest, rules

MIB = 1024 * 1024


class Objects(RulesTest):
    @property
    def s3(self):
        return self.aws("s3")

    def put(self, key, body=b"x", **named):
        return self.s3.put_object(Bucket=self.facts["bucket"], Key=key, Body=body, **named)

    def get(self, key):
        return self.s3.get_object(Bucket=self.facts["bucket"], Key=key)["Body"].read()

    def upload(self, key, *parts):
        """A multipart upload up to its last step: the arguments of Complete."""
        named = {"Bucket": self.facts["bucket"], "Key": key}
        upload = self.s3.create_multipart_upload(**named)["UploadId"]
        done = [
            {"PartNumber": n, "ETag": self.s3.upload_part(**named, UploadId=upload, PartNumber=n, Body=body)["ETag"]}
            for n, body in enumerate(parts, 1)
        ]
        return {**named, "UploadId": upload, "MultipartUpload": {"Parts": done}}

    def test_create_once(self):
        self.put("once", IfNoneMatch="*")
        self.refused("PreconditionFailed", self.put, "once", b"y", IfNoneMatch="*", status=412)
        self.assertEqual(self.get("once"), b"x")
        self.refused("NotImplemented", self.put, "once", IfNoneMatch='"abc"', status=501)

    def test_create_once_has_one_winner(self):
        won = []

        def race(n):
            try:
                self.put("race", str(n).encode(), IfNoneMatch="*")
                won.append(n)
            except ClientError as error:
                self.assertEqual(error.response["Error"]["Code"], "PreconditionFailed")

        threads = [threading.Thread(target=race, args=(n,)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual([self.get("race")], [str(n).encode() for n in won])

    def test_if_match(self):
        etag = self.put("match")["ETag"]
        self.refused("PreconditionFailed", self.put, "match", IfMatch='"0"', status=412)
        self.put("match", b"2", IfMatch=etag)
        self.refused("NoSuchKey", self.put, "missing", IfMatch=etag, status=404)

    def test_conditions_on_complete_and_copy(self):
        ready = self.upload("multi", b"1")
        self.put("multi", b"other")
        self.refused("PreconditionFailed", self.s3.complete_multipart_upload, **ready, IfNoneMatch="*", status=412)
        self.refused("PreconditionFailed", self.s3.complete_multipart_upload, **ready, IfMatch='"0"', status=412)
        self.s3.complete_multipart_upload(**self.upload("multi2", b"1"), IfNoneMatch="*")
        source = {"Bucket": self.facts["bucket"], "Key": "multi2"}
        self.refused(
            "PreconditionFailed",
            self.s3.copy_object,
            Bucket=self.facts["bucket"],
            Key="multi",
            CopySource=source,
            IfNoneMatch="*",
            status=412,
        )
        self.s3.copy_object(Bucket=self.facts["bucket"], Key="copied", CopySource=source, IfNoneMatch="*")

    def test_delete_if_match(self):
        self.put("gone")
        self.refused(
            "PreconditionFailed",
            self.s3.delete_object,
            Bucket=self.facts["bucket"],
            Key="gone",
            IfMatch='"0"',
            status=412,
        )

    def test_conflict(self):
        self.fault(s3_conflict={"times": 1})
        self.put("plain")
        self.refused("ConditionalRequestConflict", self.put, "conflict", IfNoneMatch="*", status=409)
        self.put("conflict", IfNoneMatch="*")

    def test_committed_but_the_answer_is_lost(self):
        self.fault(s3_lost_answer={"times": 1, "actions": ["PutObject"], "key": "lo*"})
        with self.assertRaises(LOST):
            self.put("lost", b"mine", IfNoneMatch="*")
        self.refused("PreconditionFailed", self.put, "lost", b"mine", IfNoneMatch="*")
        self.assertEqual(self.get("lost"), b"mine")

    def test_error_inside_200(self):
        self.fault(s3_error_in_200={"times": 1})
        answer = None
        try:
            answer = self.s3.complete_multipart_upload(**self.upload("inside", b"1"))
        except ClientError as error:
            self.assertEqual(error.response["Error"]["Code"], "InternalError")
        self.assertIsNone(answer)

    def test_denied_writes_and_slow_down(self):
        self.put("readable")
        self.fault(s3_deny={"seconds": 0.3})
        self.refused("AccessDenied", self.put, "denied", status=403)
        self.assertEqual(self.get("readable"), b"x")
        self.fault(clear={"kind": "s3_deny"})
        self.put("denied")
        self.fault(s3_slow_down={"times": 1})
        self.refused("SlowDown", self.put, "slow", status=503)

    def test_checksums(self):
        body = b"123456789"
        good = {
            "ChecksumSHA256": base64.b64encode(hashlib.sha256(body).digest()).decode(),
            "ChecksumCRC32": base64.b64encode(zlib.crc32(body).to_bytes(4, "big")).decode(),
            "ChecksumCRC64NVME": base64.b64encode(0xAE8B14860A799888.to_bytes(8, "big")).decode(),
            "ChecksumCRC32C": base64.b64encode(0xE3069283.to_bytes(4, "big")).decode(),
        }
        for name, value in good.items():
            self.put("sum", body, **{name: value})
            self.refused("BadDigest", self.put, "sum", b"other", **{name: value}, status=400)
        self.refused(
            "BadDigest",
            self.put,
            "sum",
            b"other",
            ContentMD5=base64.b64encode(hashlib.md5(body).digest()).decode(),
            status=400,
        )

    def test_trailing_checksum(self):
        """As the SDKs send a stream: aws-chunked, the checksum behind the bytes."""
        for value, status in ((zlib.crc32(b"hello"), 200), (1, 400)):
            trailer = base64.b64encode(value.to_bytes(4, "big")).decode()
            body = f"5\r\nhello\r\n0\r\nx-amz-checksum-crc32:{trailer}\r\n\r\n".encode()
            self.assertEqual(
                self.raw_put(
                    "/dayfly-store/trailer",
                    body,
                    {
                        "x-amz-content-sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
                        "x-amz-trailer": "x-amz-checksum-crc32",
                        "x-amz-decoded-content-length": "5",
                        "Content-Encoding": "aws-chunked",
                        "x-amz-sdk-checksum-algorithm": "CRC32",
                    },
                ),
                status,
            )
        self.assertEqual(self.get("trailer"), b"hello")

    def test_chunked_transfer(self):
        self.assertEqual(
            self.raw_put("/dayfly-store/chunked", iter([b"ab", b"cd"]), {"x-amz-content-sha256": "UNSIGNED-PAYLOAD"}),
            200,
        )
        self.assertEqual(self.get("chunked"), b"abcd")

    def raw_put(self, path, body, headers):
        import http.client
        from rules_cloud import switch

        connection = http.client.HTTPConnection("127.0.0.1", switch.server.port)
        connection.request(
            "PUT",
            path,
            body,
            {
                **headers,
                "Authorization": "AWS4-HMAC-SHA256 Credential=AKIAPOCKETADMIN00000/20260101/eu-west-1/s3/aws4_request, "
                "SignedHeaders=host, Signature=0",
            },
            encode_chunked=not isinstance(body, bytes),
        )
        status = connection.getresponse().status
        connection.close()
        return status

    def test_payload_hash(self):
        self.assertEqual(self.raw_put("/dayfly-store/hash", b"hello", {"x-amz-content-sha256": "0" * 64}), 400)
        self.assertEqual(
            self.raw_put(
                "/dayfly-store/hash", b"hello", {"x-amz-content-sha256": hashlib.sha256(b"hello").hexdigest()}
            ),
            200,
        )

    def test_parts(self):
        self.refused(
            "EntityTooSmall", self.s3.complete_multipart_upload, **self.upload("small", b"1", b"2"), status=400
        )
        self.s3.complete_multipart_upload(**self.upload("large", b"a" * 5 * MIB, b"b"))
        self.assertEqual(len(self.get("large")), 5 * MIB + 1)
        ready = self.upload("listed", b"1")
        named = {k: ready[k] for k in ("Bucket", "Key", "UploadId")}
        self.assertEqual(len(self.s3.list_parts(**named)["Parts"]), 1)
        self.refused("InvalidArgument", self.s3.upload_part, **named, PartNumber=10001, Body=b"x")
        self.s3.abort_multipart_upload(**named)
        self.refused("NoSuchUpload", self.s3.list_parts, **named)

    def test_keys(self):
        self.put("é" * 512)
        self.refused("KeyTooLongError", self.put, "é" * 512 + "x", status=400)
        for key in ("a b+c%d", "ünï/cødé", "x//y", "q?r#s"):
            self.put(key, key.encode())
            self.assertEqual(self.get(key), key.encode())

    def test_listing(self):
        for n in range(1005):
            rules.world.s3().put_object(self.facts["bucket"], f"list/{n:04}", b"x")
        self.put("list/Ö")
        self.put("list/Z")
        pages, token = [], None
        while True:
            found = self.s3.list_objects_v2(
                Bucket=self.facts["bucket"], Prefix="list/", **({"ContinuationToken": token} if token else {})
            )
            pages.append([o["Key"] for o in found["Contents"]])
            token = found.get("NextContinuationToken")
            if not found["IsTruncated"]:
                break
        keys = [urllib.parse.unquote(k) for p in pages for k in p]
        self.assertEqual((len(pages[0]), len(keys)), (1000, 1007))
        self.assertEqual(keys, sorted(keys, key=lambda k: k.encode()))
        grouped = self.s3.list_objects_v2(Bucket=self.facts["bucket"], Delimiter="/", Prefix="li")
        self.assertEqual([p["Prefix"] for p in grouped["CommonPrefixes"]], ["list/"])

    def test_missing_bucket(self):
        self.refused("NoSuchBucket", self.s3.put_object, Bucket="no-such-bucket", Key="k", Body=b"", status=404)
        self.refused("404", self.aws("s3", "nobody").head_bucket, Bucket="no-such-bucket", status=404)


if __name__ == "__main__":
    unittest.main()
