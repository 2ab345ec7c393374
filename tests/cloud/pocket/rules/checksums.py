"""Verifies what the client says about the bytes it sends: checksums in headers and in trailers, MD5, the signed payload hash."""

import base64
import hashlib
import zlib

from .refusal import Refused

CRC64_POLYNOMIAL = 0x9A6C9329AC4BC9B5  # CRC-64/NVME, reflected
CRC32C_POLYNOMIAL = 0x82F63B78


def crc_table(polynomial: int) -> list[int]:
    table = []
    for byte in range(256):
        crc = byte
        for _ in range(8):
            crc = (crc >> 1) ^ (polynomial if crc & 1 else 0)
        table.append(crc)
    return table


_CRC64, _CRC32C = crc_table(CRC64_POLYNOMIAL), crc_table(CRC32C_POLYNOMIAL)


def crc64nvme(data: bytes) -> bytes:
    try:
        from awscrt.checksums import crc64nvme as fast

        return fast(data).to_bytes(8, "big")
    except ImportError:
        pass
    crc = 0xFFFFFFFFFFFFFFFF
    for byte in data:
        crc = _CRC64[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    return (crc ^ 0xFFFFFFFFFFFFFFFF).to_bytes(8, "big")


def crc32c(data: bytes) -> bytes:
    crc = 0xFFFFFFFF
    for byte in data:
        crc = _CRC32C[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    return (crc ^ 0xFFFFFFFF).to_bytes(4, "big")


ALGORITHMS = {
    "sha256": lambda d: hashlib.sha256(d).digest(),
    "sha1": lambda d: hashlib.sha1(d).digest(),
    "crc32": lambda d: zlib.crc32(d).to_bytes(4, "big"),
    "crc32c": crc32c,
    "crc64nvme": crc64nvme,
}


def unchunked(call) -> tuple[bytes, dict]:
    """The bytes behind aws-chunked encoding, and its trailing headers."""
    if not call.headers.get("x-amz-content-sha256", "").startswith(
        "STREAMING-"
    ) and "aws-chunked" not in call.headers.get("content-encoding", ""):
        return call.body, {}
    body, out, at = call.body, [], 0
    while True:
        end = body.find(b"\r\n", at)
        if end < 0:
            raise Refused("IncompleteBody", "The request body terminated unexpectedly", 400)
        size = int(body[at:end].split(b";")[0], 16)
        if size == 0:
            trailer = body[end + 2 :]
            break
        out.append(body[end + 2 : end + 2 + size])
        if len(out[-1]) != size:
            raise Refused("IncompleteBody", "The request body terminated unexpectedly", 400)
        at = end + 2 + size + 2
    trailers = {}
    for line in trailer.split(b"\r\n"):
        name, colon, value = line.partition(b":")
        if colon:
            trailers[name.decode().strip().lower()] = value.decode().strip()
    data = b"".join(out)
    declared = call.headers.get("x-amz-decoded-content-length")
    if declared is not None and int(declared) != len(data):
        raise Refused(
            "IncompleteBody", "You did not provide the number of bytes specified by the Content-Length HTTP header", 400
        )
    return data, trailers


def verify(call) -> tuple[str, str] | None:
    """Refuses bytes that are not what was announced; returns the algorithm and value that the client gave, if any."""
    data, trailers = unchunked(call)
    signed = call.headers.get("x-amz-content-sha256", "")
    if len(signed) == 64 and signed != hashlib.sha256(call.body).hexdigest():
        raise Refused(
            "XAmzContentSHA256Mismatch",
            "The provided 'x-amz-content-sha256' header does not match what was computed.",
            400,
        )
    md5 = call.headers.get("content-md5")
    if md5 and md5 != base64.b64encode(hashlib.md5(data).digest()).decode():
        raise Refused("BadDigest", "The Content-MD5 you specified did not match what we received.", 400)
    given = None
    promised = call.headers.get("x-amz-trailer", "").lower()
    if promised.startswith("x-amz-checksum-") and promised not in trailers:
        raise Refused(
            "MalformedTrailerError",
            "The request contained trailing data that was not well-formed or did not conform to our published schema.",
            400,
        )
    for name, value in {**call.headers, **trailers}.items():
        algorithm = name.removeprefix("x-amz-checksum-")
        if not name.startswith("x-amz-checksum-") or algorithm not in ALGORITHMS:
            continue
        given = (algorithm, value)
        if base64.b64encode(ALGORITHMS[algorithm](data)).decode() != value:
            raise Refused(
                "BadDigest", f"The {algorithm.upper()} you specified did not match the calculated checksum.", 400
            )
    return given
