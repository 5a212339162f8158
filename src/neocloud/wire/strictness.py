"""What of a request's head the parser lets pass and we do not."""

from __future__ import annotations

import httptools

from neocloud.wire.records import Limits

_VERSIONS = frozenset({"1.0", "1.1"})


def wrong_head(
    url: bytes,
    headers: dict[bytes, bytes],
    count: int,
    version: str,
    waiting_bytes: int,
    limits: Limits,
) -> tuple[int, str] | None:
    """Status and reason of a refusal; None if all is well.

    Args:
        url: target as sent.
        headers: fields, names in lower case.
        count: how many fields came, repeated ones counted.
        version: of HTTP, such as `1.1`.
        waiting_bytes: of bodies that wait in the same connection.
        limits: what the server allows.
    """
    if version not in _VERSIONS:  # the parser takes 0.9 and 2.0 too
        return 505, "only HTTP/1.1 and HTTP/1.0 are spoken here"
    if count > limits.max_headers:
        return 431, "too many header fields"
    size = len(url) + sum(map(len, headers)) + sum(map(len, headers.values()))
    if size > limits.max_header_bytes:
        return 431, "request header fields too large"
    if b"host" not in headers and version != "1.0":
        return 400, "no host"
    coding = headers.get(b"transfer-encoding")
    length = headers.get(b"content-length")
    if coding is not None:
        if length is not None or version == "1.0":
            return 400, "transfer-encoding where it must not be"
        if coding.lower() != b"chunked":
            return 501, "the only transfer coding here is chunked"
    elif length is not None and int(length) + waiting_bytes > limits.max_body_bytes:
        return 413, f"the body exceeds {limits.max_body_bytes} bytes"
    if b"expect" in headers and headers[b"expect"].lower() != b"100-continue":
        return 417, "the only expectation met here is 100-continue"
    return None


def target_of(url: bytes) -> str | None:
    """Path and query of a target in origin or absolute form; None if it is none."""
    if url[:1] != b"/" and url != b"*":
        try:
            parsed = httptools.parse_url(url)
        except httptools.HttpParserInvalidURLError:
            return None
        url = parsed.path or b"/"
        if parsed.query:
            url += b"?" + parsed.query
    try:
        return url.decode("ascii")
    except UnicodeDecodeError:
        return None
