"""Pieces of a body to whole events, for the streams of the Messages API."""

from __future__ import annotations

MAX_EVENT_BYTES = 8 * 1024 * 1024
"""As for OpenAI's streams: an image in an answer fits, an endless event does not."""


class Splitter:
    """Keeps what has come of an event until the rest has."""

    __slots__ = ("_rest",)

    def __init__(self) -> None:
        self._rest = b""

    @property
    def waiting(self) -> int:
        """Bytes of an event that has not ended."""
        return len(self._rest)

    def feed(self, data: bytes) -> bytes:
        """Take a piece; all events that are whole by now, one behind the other."""
        if self._rest:
            data = self._rest + data
        cut = data.rfind(b"\n\n")
        end = cut + 2 if cut >= 0 else 0
        crossed = data.rfind(b"\r\n\r\n")
        if crossed >= 0:
            end = max(end, crossed + 4)
        if end == len(data):
            self._rest = b""
            return data
        self._rest = data[end:]
        return data[:end]

    def rest(self) -> bytes:
        """What came after the last whole event, once the body has ended."""
        rest, self._rest = self._rest, b""
        return rest


def payload_of(event: bytes) -> bytes:
    """The data of an event, its lines joined; empty for a comment."""
    return b"\n".join(
        [line[5:].strip() for line in event.splitlines() if line.startswith(b"data:")]
    )
