"""Anthropic's event stream from an engine that speaks it: what to pass on, what it used."""

from __future__ import annotations

import re

import msgspec

from neocloud.gateway.apis.api import Asked, Usage
from neocloud.gateway.apis.event_stream import MAX_EVENT_BYTES, WholeEvents, events_of, payload_of
from neocloud.gateway.apis.messages.usage import Told, message_start, usage_of_told

_CONTENT = re.compile(rb'"(?:text|thinking|partial_json)": ?"[^"]')
_WATCHED = (b"message_", b"error")
"""Without one of these, events need no reading: most of a stream passes as it came."""
MESSAGE_STOP = b'event: message_stop\ndata: {"type":"message_stop"}\n\n'


_ABSENT = msgspec.Raw()
"""A union of `Raw` and `None` would take null alone."""


class _Message(msgspec.Struct):
    usage: Told | None = None


class _Delta(msgspec.Struct):
    stop_reason: str | None = None


class _Event(msgspec.Struct):
    type: str = ""
    message: _Message | None = None
    delta: _Delta | None = None
    usage: Told | None = None
    error: msgspec.Raw = _ABSENT


_events = msgspec.json.Decoder(_Event)


class AnthropicEvents:
    """Takes the pieces of one answer as they come; an `AnswerStream`.

    Bytes pass untouched. `message_stop` waits for the ledger, and never follows an error. A stream
    that does not begin with `message_start` gets one, without which clients fail: llama.cpp leaves
    it out where the first token is no whole character. The prompt's tokens are not known then, so
    there is no usage.
    """

    __slots__ = (
        "_asked", "_cutter", "_finished", "_started", "_stopped", "_told",
        "content_events", "content_seen", "counted", "failed", "held", "usage",
    )  # fmt: skip

    def __init__(self, asked: Asked) -> None:
        self._asked = asked
        self._cutter = WholeEvents()
        self._told = Told()
        self._started = False
        self._finished = False
        self._stopped = False
        self.usage: Usage | None = None
        self.counted = False  # `message_start` tells no more of the answer than its first token
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
        """True if an event, or what follows the end, does not end."""
        return self._cutter.oversized or len(self.held) > MAX_EVENT_BYTES

    def feed(self, data: bytes) -> bytes:
        """Take a piece; what may go to the client now."""
        whole = self._cutter.add(data)
        if not whole:
            return b""
        if self._started and not self._stopped:
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
        rest = self._cutter.rest()
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
        for event in events_of(whole):
            kind = self._read(event)
            if not self._started and kind not in {"", "ping", "error"} and not self.failed:
                self._started = True
                if kind != "message_start":
                    out.append(message_start("msg_", self._asked.model, None))
            if not self._stopped:
                out.append(event)
            elif not self.failed:
                self.held += event
        return b"".join(out)

    def _read(self, event: bytes) -> str:
        """Take what an event tells; its type, empty if it has none."""
        payload = payload_of(event)
        if not payload:
            return ""
        try:
            read = _events.decode(payload)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            self.failed = self.failed or event.startswith(b"event: error")
            return ""
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
                self.counted = read.usage.output_tokens is not None
        elif kind == "message_stop":
            self._stopped = True
        elif kind == "error" or bytes(read.error) not in {b"", b"null"}:
            self.failed = True
        return kind

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
        if before.input_tokens is not None:
            self.usage = usage_of_told(before)
