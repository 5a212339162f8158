"""Heads that repeat: a kept-alive connection sends the same header fields again and again.

Parsing is a good part of what a request costs, and clients, engines too, repeat their head to the
byte except for the length of the body. Such a head was read once by the strict parser; the next one
that equals it around the digits of its length can mean nothing else, so it is not parsed again.
Anything else goes to the parser, which stands at the same place: between two messages.
"""

from __future__ import annotations

import re

_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*([0-9]{1,10})(?=\r\n)", re.IGNORECASE)
_MAX_DIGITS = 10
_ONCE = re.compile(rb"content-length", re.IGNORECASE)
_CODING = re.compile(rb"transfer-encoding", re.IGNORECASE)


class Repeated:
    """A head that was parsed, around its length.

    Attributes:
        prefix: bytes before the digits of the length.
        suffix: bytes after them, the empty line included.
    """

    __slots__ = ("_after", "_rest", "prefix", "suffix")

    def __init__(self, prefix: bytes, suffix: bytes) -> None:
        self.prefix = prefix
        self.suffix = suffix
        self._after = len(prefix)
        self._rest = len(suffix)

    @classmethod
    def of(cls, message: bytes) -> Repeated | None:
        """From a whole message that the parser took; None if its length does not stand there once.

        The body may hold what looks like a field: only the head is searched.
        """
        end = message.find(b"\r\n\r\n")
        head = message[: end + 4]
        if end < 0 or _CODING.search(head) is not None or len(_ONCE.findall(head)) != 1:
            return None
        found = _LENGTH.search(head)
        if found is None:
            return None
        return cls(head[: found.start(1)], head[found.end(1) :])

    def body_of(self, data: bytes) -> bytes | None:
        """The body, if `data` is exactly one message with this head; None for anything else."""
        if not data.startswith(self.prefix):
            return None
        start = self._after
        end = data.find(b"\r", start, start + _MAX_DIGITS + 1)
        if end < 0 or not data.startswith(self.suffix, end):
            return None
        digits = data[start:end]
        if not digits.isdigit() or int(digits) != len(data) - end - self._rest:
            return None
        return data[end + self._rest :]
