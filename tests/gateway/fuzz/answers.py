"""What a gateway wrote to a connection, read without mercy."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

_STATUS = re.compile(rb"HTTP/1\.1 ([1-5]\d\d) ([ -~]*)")
_FIELD = re.compile(rb"([a-z0-9-]+): ([^\x00-\x08\x0a-\x1f\x7f]*)")
INTERIM = b"HTTP/1.1 100 Continue\r\n\r\n"


@dataclass(frozen=True)
class Answer:
    """One answer.

    Attributes:
        whole: its body came to its end.
    """

    status: int
    fields: dict[bytes, bytes]
    body: bytes
    whole: bool

    @property
    def ends(self) -> bool:
        """True if it says that the connection ends with it."""
        return self.fields.get(b"connection") == b"close"


def answers_of(data: bytes, methods: Sequence[str]) -> list[Answer]:
    """All answers in what was written.

    Args:
        data: as written.
        methods: of the requests that they answer, as far as these were understood.

    Raises:
        AssertionError: a byte is not where it belongs.
    """
    found: list[Answer] = []
    while data:
        if data.startswith(INTERIM):
            data = data[len(INTERIM) :]
            continue
        head, end, data = data.partition(b"\r\n\r\n")
        assert end, f"a head that does not end: {head[:200]!r}"
        status, *lines = head.split(b"\r\n")
        match = _STATUS.fullmatch(status)
        assert match, f"not a status line: {status[:200]!r}"
        fields: dict[bytes, bytes] = {}
        for line in lines:
            field = _FIELD.fullmatch(line)
            assert field, f"not a field: {line[:200]!r}"
            assert field[1] not in fields, f"twice: {field[1]!r}"
            fields[field[1]] = field[2]
        bodiless = len(found) < len(methods) and methods[len(found)] == "HEAD"
        body, data, whole = _body(data, fields, bodiless=bodiless)
        found.append(Answer(int(match[1]), fields, body, whole))
    return found


def _body(data: bytes, fields: dict[bytes, bytes], *, bodiless: bool) -> tuple[bytes, bytes, bool]:
    length = fields.get(b"content-length")
    assert length is None or b"transfer-encoding" not in fields, "two framings"
    if bodiless:
        return b"", data, True
    if length is not None:
        size = int(length)
        return data[:size], data[size:], len(data) >= size
    if fields.get(b"transfer-encoding") == b"chunked":
        return _chunks(data)
    assert fields.get(b"connection") == b"close", "nothing says where the body ends"
    return data, b"", True


def _chunks(data: bytes) -> tuple[bytes, bytes, bool]:
    body = b""
    while True:
        size, end, rest = data.partition(b"\r\n")
        if not end:
            return body, b"", False
        assert re.fullmatch(rb"[0-9a-f]+", size), f"not the size of a chunk: {size[:50]!r}"
        count = int(size, 16)
        if len(rest) < count + 2:
            return body + rest, b"", False
        assert rest[count : count + 2] == b"\r\n", "a chunk is longer than it says"
        body, data = body + rest[:count], rest[count + 2 :]
        if not count:
            return body, data, True
