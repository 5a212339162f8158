"""A streamed chat completion as Anthropic's event stream, event by event."""

from __future__ import annotations

import msgspec

from neocloud.gateway.apis.api import Asked, Usage
from neocloud.gateway.apis.event_stream import WholeEvents, payload_of
from neocloud.gateway.apis.messages.answer import BROKEN, MessageAsked, message_id, stop_of
from neocloud.gateway.apis.messages.blocks import TEXT, THINKING, Blocks
from neocloud.gateway.apis.messages.native import MESSAGE_STOP
from neocloud.gateway.apis.messages.usage import (
    broken_event,
    error_event,
    message_start,
    told_usage,
)
from neocloud.gateway.apis.openai.usage import read_usage

_PING = b'event: ping\ndata: {"type":"ping"}\n\n'


_ABSENT = msgspec.Raw()
"""A union of `Raw` and `None` would take null alone."""


class _Function(msgspec.Struct, gc=False):
    name: str | None = None
    arguments: str | None = None


class _Call(msgspec.Struct, gc=False):
    index: int | None = None
    id: str | None = None
    function: _Function | None = None


class _Delta(msgspec.Struct):
    content: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    refusal: str | None = None
    tool_calls: list[_Call] | None = None


class _Choice(msgspec.Struct):
    index: int = 0
    delta: _Delta | None = None
    finish_reason: str | None = None
    stop_reason: str | int | None = None
    matched_stop: str | int | None = None


class _Event(msgspec.Struct):
    id: str | None = None
    object: str | None = None
    choices: list[_Choice] | None = None
    usage: msgspec.Raw = _ABSENT
    error: msgspec.Raw = _ABSENT


_events = msgspec.json.Decoder(_Event)


class MessageEvents:
    """Takes the pieces of one chat completion as they come; an `AnswerStream`.

    Each event is passed on as it comes, translated. The last two, `message_delta` with the usage
    and `message_stop`, wait for the engine's usage, which follows its finish, and for the ledger.
    An error ends the answer with Anthropic's `error` event; no `message_stop` follows it, nor an
    answer that broke off.
    """

    counted = True
    __slots__ = (
        "_asked", "_blocks", "_cutter", "_done", "_finish", "_hides", "_matched", "_refused",
        "content_events", "content_seen", "failed", "held", "usage",
    )  # fmt: skip

    def __init__(self, asked: Asked) -> None:
        self._asked = asked
        self._hides = isinstance(asked, MessageAsked) and asked.hides_thinking
        self._cutter = WholeEvents()
        self._blocks: Blocks | None = None  # none before the message has begun
        self._done = False
        self._finish: str | None = None
        self._matched: str | int | None = None
        self._refused = False
        self.usage: Usage | None = None
        self.content_seen = False
        self.content_events = 0
        self.failed = False
        self.held = b""

    @property
    def complete(self) -> bool:
        """True if the engine ended the answer well; `[DONE]` alone does not say that."""
        return (self._done or self._finish is not None) and not self.failed

    @property
    def oversized(self) -> bool:
        """True if an event does not end."""
        return self._cutter.oversized

    def feed(self, data: bytes) -> bytes:
        """Take a piece; what may go to the client now."""
        whole = self._cutter.add(data)
        return self._events(whole) if whole else b""

    def rest(self) -> bytes:
        """What came after the last complete event, at the end of the body.

        An engine that sends no `[DONE]` has its answer ended here.
        """
        rest = self._cutter.rest()
        out = self._events(rest) if rest else b""
        if not self._done and self._finish is not None and not self.failed:
            return out + self._end()
        return out

    def _events(self, whole: bytes) -> bytes:
        if b"\r" in whole:
            whole = whole.replace(b"\r\n", b"\n")
        out = b""
        for event in whole.split(b"\n\n"):
            if not event:
                continue
            if event.startswith(b"data: ") and b"\n" not in event:
                payload = event[6:]
            else:
                payload = payload_of(event)
                if not payload:
                    if event.startswith(b":") and not self._done:  # it keeps the connection alive
                        out += event + b"\n\n"
                    continue
            out += self._event(payload)
        return out

    def _event(self, payload: bytes) -> bytes:
        if payload.strip() == b"[DONE]":
            if self._done:
                return b""
            self._done = True
            return b"" if self.failed else self._end()
        if self._done:
            return b""
        try:
            read = _events.decode(payload)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return self._break(broken_event("the engine sent an event that cannot be read"))
        error = bytes(read.error)
        if error and error != b"null":
            return self._break(error_event(error))
        raw = bytes(read.usage)
        if raw:
            usage = read_usage(raw)
            if usage is not None:
                self.usage = usage
        choices = read.choices
        if choices is None and read.object == "error":
            return self._break(error_event(payload))
        if self.failed:
            return b""
        blocks = self._blocks
        out = b""
        if blocks is None:
            out = self._start(read.id or "")
            blocks = self._blocks
            assert blocks is not None, "the message has begun"
        for choice in choices or ():
            if choice.index == 0:
                out += self._choice(choice, blocks)
        return out

    def _choice(self, choice: _Choice, blocks: Blocks) -> bytes:
        out = b""
        delta = choice.delta
        if delta is not None:
            out = self._delta(delta, blocks)
            if blocks.lost:
                return out + self._break(broken_event("the engine mixed up its tool calls"))
        finish = choice.finish_reason
        if finish:
            if finish in BROKEN:
                return out + self._break(broken_event("the engine gave up the answer"))
            self._finish = finish
            matched = choice.stop_reason
            self._matched = matched if matched is not None else choice.matched_stop
            out += blocks.finish()
        return out

    def _delta(self, delta: _Delta, blocks: Blocks) -> bytes:
        out = b""
        some = False
        thought = delta.reasoning_content or delta.reasoning
        if thought:
            some = True
            if not self._hides:
                out = blocks.text(THINKING, thought)
        if delta.content:
            some = True
            out += blocks.text(TEXT, delta.content)
        if delta.refusal:
            some = self._refused = True
            out += blocks.text(TEXT, delta.refusal)
        for call in delta.tool_calls or ():
            function = call.function
            name, piece = ("", "") if function is None else (function.name, function.arguments)
            some = some or bool(piece)
            out += blocks.tool(call.index, call.id or "", name or "", piece or "")
        if some:
            self.content_seen = True
            self.content_events += 1
        return out

    def _start(self, engine_id: str) -> bytes:
        name = message_id(engine_id)
        self._blocks = Blocks(name.removeprefix("msg_"))
        return message_start(name, self._asked.model, self.usage) + _PING

    def _end(self) -> bytes:
        """Close what is open; the rest of the end is held."""
        out = b"" if self._blocks is not None else self._start("")
        blocks = self._blocks
        assert blocks is not None, "the message has begun"
        out += blocks.finish()
        reason, sequence = stop_of(
            self._finish, self._matched, self._asked, called=blocks.called, refused=self._refused
        )
        delta = {"stop_reason": reason, "stop_sequence": sequence}
        told = {"type": "message_delta", "delta": delta, "usage": told_usage(self.usage)}
        self.held = b"event: message_delta\ndata: %b\n\n%b" % (
            msgspec.json.encode(told),
            MESSAGE_STOP,
        )
        return out

    def _break(self, event: bytes) -> bytes:
        """The answer ends here, and not well; the client is told once."""
        if self.failed:
            return b""
        self.failed = True
        return event
