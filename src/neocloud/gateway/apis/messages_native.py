"""Anthropic's event stream from an engine that speaks it: what to pass on, what it used."""

from __future__ import annotations

import re

import msgspec

from neocloud.gateway.apis.api import Usage
from neocloud.gateway.apis.messages_split import MAX_EVENT_BYTES, Splitter, payload_of
from neocloud.gateway.apis.messages_usage import Told, usage_of_told

_CONTENT = re.compile(rb'"(?:text|thinking|partial_json)": ?"[^"]')
_END = re.compile(rb"\r?\n\r?\n")
_WATCHED = (b"message_", b"error")
"""Without one of these, events need no reading: most of a stream passes as it came."""
MESSAGE_STOP = b'event: message_stop\ndata: {"type":"message_stop"}\n\n'


class _Message(msgspec.Struct):
    usage: Told | None = None


class _Delta(msgspec.Struct):
    stop_reason: str | None = None


class _Event(msgspec.Struct):
    type: str = ""
    message: _Message | None = None
    delta: _Delta | None = None
    usage: Told | None = None
    error: msgspec.Raw | None = None


_events = msgspec.json.Decoder(_Event)


class AnthropicEvents:
    """Takes the pieces of one answer as they come; an `AnswerStream`.

    Bytes pass untouched. `message_stop` waits for the ledger, and never follows an error.
    """

    __slots__ = (
        "_finished", "_split", "_stopped", "_told",
        "content_events", "content_seen", "failed", "held", "usage",
    )  # fmt: skip

    def __init__(self) -> None:
        self._split = Splitter()
        self._told = Told()
        self._finished = False
        self._stopped = False
        self.usage: Usage | None = None
        self.content_seen = False
        self.content_events = 0
        self.failed = False
        self.held = b""

    @property
    def complete(self) -> bool:
        """True if the engine ended the answer well: it told why it stopped, and no error."""
        return (self._stopped or self._finished) and not self.failed

    @property
    def oversized(self) -> bool:
        """True if an event does not end."""
        return self._split.waiting > MAX_EVENT_BYTES

    def feed(self, data: bytes) -> bytes:
        """Take a piece; what may go to the client now."""
        whole = self._split.feed(data)
        if not whole:
            return b""
        if not self._stopped:
            for word in _WATCHED:
                if word in whole:
                    break
            else:
                self._count(whole)
                return whole
        return self._by_event(whole)

    def rest(self) -> bytes:
        """What came after the last complete event, at the end of the body.

        An engine that told why it stopped and then just ended has its `message_stop` added here.
        """
        rest = self._split.rest()
        out = self._by_event(rest) if rest else b""
        if self._finished and not self._stopped and not self.failed:
            self.held += MESSAGE_STOP
        return out

    def _count(self, whole: bytes) -> None:
        found = len(_CONTENT.findall(whole))
        if found:
            self.content_seen = True
            self.content_events += found

    def _by_event(self, whole: bytes) -> bytes:
        out = []
        start = 0
        while start < len(whole):
            found = _END.search(whole, start)
            end = found.end() if found else len(whole)
            event = whole[start:end]
            start = end
            self._read(event)
            if not self._stopped:
                out.append(event)
            elif not self.failed:
                self.held += event
        return b"".join(out)

    def _read(self, event: bytes) -> None:
        payload = payload_of(event)
        if not payload:
            return
        try:
            read = _events.decode(payload)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            self.failed = self.failed or event.startswith(b"event: error")
            return
        kind = read.type
        if kind in {"content_block_delta", "content_block_start"}:
            self._count(event)
        elif kind == "message_start":
            if read.message is not None and read.message.usage is not None:
                self._add(read.message.usage)
        elif kind == "message_delta":
            if read.delta is not None and read.delta.stop_reason:
                self._finished = True
            if read.usage is not None:
                self._add(read.usage)
        elif kind == "message_stop":
            self._stopped = True
        elif kind == "error" or (read.error is not None and bytes(read.error) != b"null"):
            self.failed = True

    def _add(self, told: Told) -> None:
        """Later counts replace earlier ones, field by field; prompts of no tokens replace none."""
        before = self._told
        prompt = (
            told.input_tokens or told.cache_read_input_tokens or told.cache_creation_input_tokens
        )
        for name in Told.__struct_fields__:
            value = getattr(told, name)
            if value is not None and (prompt or name.startswith("output")):
                setattr(before, name, value)
        self.usage = usage_of_told(before)
