"""Heads of requests and answers as bytes. The only place that writes header fields."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import NewType

Header = tuple[bytes, bytes]
"""Name in lower case and value."""

Lines = NewType("Lines", bytes)
"""Header fields as they go over the wire, made by `header_lines`, so known to be whole."""

Headers = Sequence[Header] | Lines

NO_LINES = Lines(b"")

# Framing and the life of the connection are ours: a handler that set them could split an answer.
_OWNED = frozenset(
    (b"connection", b"content-length", b"date", b"host", b"keep-alive", b"transfer-encoding")
)

_STATUS_LINES = {s.value: f"HTTP/1.1 {s.value} {s.phrase}\r\n".encode() for s in HTTPStatus}


def header_lines(headers: Headers) -> Lines:
    """Header fields as bytes; the result may be kept and joined with others.

    Raises:
        ValueError: a name or value holds a line break or NUL (it would inject a field), or a name
            is one that this room writes itself.
    """
    if isinstance(headers, bytes):
        return headers
    for name, _ in headers:
        if name in _OWNED:
            raise ValueError(f"the header {name!r} is written by the wire itself")
    lines = b"".join([b"%b: %b\r\n" % header for header in headers])
    count = len(headers)
    if lines.count(b"\r") != count or lines.count(b"\n") != count or b"\0" in lines:
        raise ValueError("a header with a line break or NUL in its name or value")
    return Lines(lines)


def status_line(status: int) -> bytes:
    """First line of an answer; an unregistered code gets no phrase."""
    line = _STATUS_LINES.get(status)
    return line if line is not None else b"HTTP/1.1 %d \r\n" % status


def prepared_head(method: bytes, target: bytes, host: bytes, headers: Headers) -> Lines:
    """Head of a request with a body, up to its length.

    Raises:
        ValueError: as `request_head`.
    """
    if b" " in target or b"\r" in target or b"\n" in target:
        raise ValueError(f"not a request target: {target!r}")
    return Lines(
        b"%b %b HTTP/1.1\r\nhost: %b\r\n%b" % (method, target, host, header_lines(headers))
    )


def request_head(method: bytes, target: bytes, host: bytes, headers: Headers, length: int) -> bytes:
    """Head of a request with a body of `length` bytes.

    Raises:
        ValueError: the target holds a space or control character.
    """
    if b" " in target or b"\r" in target or b"\n" in target:
        raise ValueError(f"not a request target: {target!r}")
    lines = header_lines(headers)
    if length or method != b"GET":
        return b"%b %b HTTP/1.1\r\nhost: %b\r\n%bcontent-length: %d\r\n\r\n" % (
            method, target, host, lines, length,
        )  # fmt: skip
    return b"%b %b HTTP/1.1\r\nhost: %b\r\n%b\r\n" % (method, target, host, lines)
