"""Cutting a body into server-sent events, whichever way the network cut it before."""

from __future__ import annotations

import re

_END = re.compile(rb"\r?\n\r?\n")
MAX_EVENT_BYTES = 8 * 1024 * 1024
"""An assumption: no engine's event comes near it."""


def _end_of_last(data: bytes) -> int:
    """Where the last whole event ends; 0 if none does."""
    cut = data.rfind(b"\n\n")
    end = cut + 2 if cut >= 0 else 0
    if end != len(data):
        crossed = data.rfind(b"\n\r\n")
        if crossed >= 0:
            end = max(end, crossed + 3)
    return end


class WholeEvents:
    """Gives whole events of a body that comes in pieces; what is not whole yet waits.

    Time is linear in the bytes, however small the pieces: only what is new is searched.

    Attributes:
        waiting: bytes of the event that is not whole yet.
    """

    __slots__ = ("_last", "_pieces", "waiting")

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._last = b""  # the last two bytes that wait: an end may begin in them
        self.waiting = 0

    @property
    def oversized(self) -> bool:
        """True if an event does not end."""
        return self.waiting > MAX_EVENT_BYTES

    def add(self, data: bytes) -> bytes:
        """Take a piece; the events that are whole now, as one."""
        if not self.waiting:
            end = _end_of_last(data)
            if end == len(data):
                return data
            self._keep(data[end:])
            return data[:end]
        end = _end_of_last(self._last + data) - len(self._last)
        if end <= 0:
            self._pieces.append(data)
            self.waiting += len(data)
            self._last = (self._last + data)[-2:]
            return b""
        whole = b"".join((*self._pieces, data[:end]))
        self._pieces = []
        self.waiting = 0
        if end != len(data):
            self._keep(data[end:])
        return whole

    def rest(self) -> bytes:
        """What still waits at the end of the body; it waits no longer."""
        rest = b"".join(self._pieces)
        self._pieces = []
        self.waiting = 0
        return rest

    def _keep(self, data: bytes) -> None:
        self._pieces = [data]
        self.waiting = len(data)
        self._last = data[-2:]


def events_of(whole: bytes) -> list[bytes]:
    """One by one, each with the empty line that ends it; the last may lack it.

    Empty lines beyond it stand as events of their own, so that it does not matter in which piece
    they came.
    """
    found: list[bytes] = []
    start = 0
    crossed = b"\r" in whole
    while start < len(whole):
        if whole[start] in b"\r\n":
            lines = len(whole) - start - len(whole[start:].lstrip(b"\r\n"))
            found.append(whole[start : start + lines])
            start += lines
            continue
        if crossed:
            end = _END.search(whole, start)
            stop = end.end() if end else len(whole)
        else:
            stop = whole.find(b"\n\n", start) + 2
            if stop == 1:  # not found
                stop = len(whole)
        found.append(whole[start:stop])
        start = stop
    return found


def payload_of(event: bytes) -> bytes:
    """Its data, lines joined; empty for a comment."""
    if event.startswith(b"data:") and b"\n" not in event[:-2] and b"\r" not in event:
        return event[5:].strip()
    return b"\n".join([line[5:].strip() for line in event.splitlines() if line[:5] == b"data:"])


__all__ = ["MAX_EVENT_BYTES", "WholeEvents", "events_of", "payload_of"]
