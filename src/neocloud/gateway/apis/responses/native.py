"""The Responses API of an engine that speaks it: what is changed, watched and held."""

from __future__ import annotations

import re

import msgspec

from neocloud.gateway.apis.api import AnswerStream, Asked, Usage, Wanted
from neocloud.gateway.apis.event_stream import MAX_EVENT_BYTES, WholeEvents, events_of, payload_of
from neocloud.gateway.apis.openai.body import mixed_salt
from neocloud.gateway.apis.responses.request import MULTIPLIERS

_ABSENT = msgspec.Raw()
_CONTENT = re.compile(rb'"delta": ?"[^"]')
_GOOD_ENDS = frozenset({"response.completed", "response.incomplete"})
_BAD_ENDS = frozenset({"response.failed", "response.cancelled"})
_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])


class _CachedDetails(msgspec.Struct):
    cached_tokens: int | None = 0


class _ReasoningDetails(msgspec.Struct):
    reasoning_tokens: int | None = 0


class _Told(msgspec.Struct):
    input_tokens: int
    output_tokens: int | None = 0
    input_tokens_details: _CachedDetails | None = None
    output_tokens_details: _ReasoningDetails | None = None


class _Response(msgspec.Struct):
    usage: msgspec.Raw = _ABSENT


class _Event(msgspec.Struct):
    type: str | None = None
    response: _Response | None = None
    error: msgspec.Raw = _ABSENT


_told = msgspec.json.Decoder(_Told)
_responses = msgspec.json.Decoder(_Response)
_events = msgspec.json.Decoder(_Event)


def _usage(raw: msgspec.Raw) -> Usage | None:
    if bytes(raw) in {b"", b"null"}:
        return None
    try:
        told = _told.decode(raw)
    except msgspec.MsgspecError:
        return None
    inputs, outputs = max(0, told.input_tokens), max(0, told.output_tokens or 0)
    cached = told.input_tokens_details
    reasoning = told.output_tokens_details
    return Usage(
        inputs,
        max(0, min(cached.cached_tokens or 0, inputs)) if cached is not None else 0,
        outputs,
        max(0, min(reasoning.reasoning_tokens or 0, outputs)) if reasoning is not None else 0,
    )


class ThroughResponses:
    """Responses of an engine that speaks them: answers pass through."""

    path = b"/v1/responses"

    def request(self, body: bytes, asked: Asked, wanted: Wanted) -> bytes:
        """The client's fields with what the gateway wants; the engine is to store nothing."""
        fields = _fields.decode(body)
        for name in MULTIPLIERS:
            fields.pop(name, None)
        fields["model"] = _raw(wanted.model)
        fields["store"] = msgspec.Raw(b"false")
        if asked.limit is None and wanted.limit is not None:
            fields["max_output_tokens"] = _raw(wanted.limit)
        if wanted.salt_field:
            own = fields.get(wanted.salt_field)
            salt = wanted.salt if own is None else mixed_salt(wanted.salt, bytes(own))
            fields[wanted.salt_field] = _raw(salt)
        return msgspec.json.encode(fields)

    def stream(self, asked: Asked) -> AnswerStream:  # noqa: ARG002
        """Events pass through."""
        return ResponsesEvents()

    def whole(self, body: bytes, asked: Asked) -> tuple[bytes, Usage | None]:  # noqa: ARG002
        """The engine's bytes."""
        try:
            return body, _usage(_responses.decode(body).usage)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return body, None

    def refusal(self, status: int, body: bytes) -> bytes:  # noqa: ARG002
        """The engine's words."""
        return body


def _raw(value: str | int) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(value))


class ResponsesEvents:
    """Takes the pieces of one streamed answer; an `AnswerStream`.

    What is held is the event that ends it: `response.completed`, `.incomplete` or `.failed`. This
    API has no `[DONE]`; an engine's own is left out.
    """

    counted = True
    __slots__ = (
        "_cutter", "_ended", "content_events", "content_seen", "failed", "held", "usage",
    )  # fmt: skip

    def __init__(self) -> None:
        self._cutter = WholeEvents()
        self._ended = False
        self.usage: Usage | None = None
        self.content_seen = False
        self.content_events = 0
        self.failed = False
        self.held = b""

    @property
    def complete(self) -> bool:
        """True if the event that ends an answer has come, and tells no failure."""
        return self._ended and not self.failed

    @property
    def oversized(self) -> bool:
        """True if an event, or what follows the end, does not end."""
        return self._cutter.oversized or len(self.held) > MAX_EVENT_BYTES

    def feed(self, data: bytes) -> bytes:
        """Take a piece; what may go to the client now."""
        whole = self._cutter.add(data)
        if not whole:
            return b""
        if not self.held and not _to_read(whole):
            self._count(whole)
            return whole
        return self._by_event(whole)

    def rest(self) -> bytes:
        """What came after the last complete event, once the body has ended."""
        rest = self._cutter.rest()
        return self._by_event(rest) if rest else b""

    def _count(self, whole: bytes) -> None:
        found = len(_CONTENT.findall(whole))
        if found:
            self.content_seen = True
            self.content_events += found

    def _by_event(self, whole: bytes) -> bytes:
        out = []
        for event in events_of(whole):
            passed = self._event(event) if _to_read(event) else event
            self._count(passed)
            if self._ended:
                self.held += passed
            else:
                out.append(passed)
        return b"".join(out)

    def _event(self, event: bytes) -> bytes:
        payload = payload_of(event)
        if payload == b"[DONE]":
            return b""
        try:
            read = _events.decode(payload)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            self.failed = self.failed or b'"error"' in payload
            return event
        if read.response is not None:
            usage = _usage(read.response.usage)
            if usage is not None:
                self.usage = usage
        kind = read.type
        if kind == "error" or kind in _BAD_ENDS or bytes(read.error) not in {b"", b"null"}:
            self.failed = True
        if kind in _GOOD_ENDS or kind in _BAD_ENDS:
            self._ended = True
        return event


def _to_read(data: bytes) -> bool:
    """False if nothing in these events concerns the gateway: no answer's state, error or end."""
    return b'"response"' in data or b"error" in data or b"[DONE]" in data
