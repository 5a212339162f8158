"""An engine's event stream: what to pass on, what to keep, what it used.

Tokens are counted from the engine's usage, never from events: an event may hold several or none.
Bytes pass untouched, except for the usage event that the client did not ask for and the `[DONE]`
that waits for the ledger.
"""

from __future__ import annotations

import re

import msgspec

_CONTENT = re.compile(rb'"(?:content|reasoning_content|reasoning|refusal|arguments)": ?"[^"]')
_END = re.compile(rb"\r?\n\r?\n")
_WATCHED = (
    b'"usage":{', b'"usage": {', b'"error"', b"[DONE]", b'"finish_reason":"', b'"finish_reason": "',
)  # fmt: skip
"""Without one of these, events need no reading: most of a stream passes as it came."""
MAX_EVENT_BYTES = 8 * 1024 * 1024


class _Details(msgspec.Struct):
    cached_tokens: int | None = 0


class Usage(msgspec.Struct):
    """Tokens by the engine's own count."""

    prompt_tokens: int
    completion_tokens: int = 0
    prompt_tokens_details: _Details | None = None

    @property
    def cached_tokens(self) -> int:
        """Prompt tokens from the prefix cache, never more than there were prompt tokens."""
        details = self.prompt_tokens_details
        told = (details.cached_tokens or 0) if details is not None else 0
        return min(told, self.prompt_tokens)


class _Choice(msgspec.Struct):
    finish_reason: str | None = None


class _Event(msgspec.Struct):
    usage: Usage | None = None
    choices: list[_Choice] = []
    error: msgspec.Raw | None = None


class _Whole(msgspec.Struct):
    usage: Usage | None = None


_events = msgspec.json.Decoder(_Event)
_wholes = msgspec.json.Decoder(_Whole)
_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])


def usage_of_body(body: bytes) -> Usage | None:
    """Usage of an unstreamed answer; None if it tells none."""
    try:
        return _wholes.decode(body).usage
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None


class EventStream:
    """Takes the pieces of one answer as they come.

    Attributes:
        usage: the last that the engine told.
        content_seen: a token has come.
        content_events: events so far that hold content; an estimate of tokens, no more.
        finished: a choice said why it ended.
        done: `[DONE]` has come.
        failed: the engine reported an error in the stream.
    """

    __slots__ = (
        "_hide_usage", "_rest", "content_events", "content_seen", "done", "failed", "finished",
        "held", "usage",
    )  # fmt: skip

    def __init__(self, *, hide_usage: bool) -> None:
        self._hide_usage = hide_usage
        self._rest = b""
        self.usage: Usage | None = None
        self.content_seen = False
        self.content_events = 0
        self.finished = False
        self.done = False
        self.failed = False
        self.held = b""
        """What waits for the ledger: `[DONE]` and anything after it."""

    @property
    def complete(self) -> bool:
        """True if the engine ended the answer well; `[DONE]` alone does not say that."""
        return (self.done or self.finished) and not self.failed

    @property
    def oversized(self) -> bool:
        """True if an event does not end."""
        return len(self._rest) > MAX_EVENT_BYTES

    def feed(self, data: bytes) -> bytes:
        """Take a piece; what may go to the client now."""
        if self._rest:
            data = self._rest + data
        cut = data.rfind(b"\n\n")
        end = cut + 2 if cut >= 0 else 0
        crossed = data.rfind(b"\r\n\r\n")
        if crossed >= 0:
            end = max(end, crossed + 4)
        self._rest = data[end:]
        whole = data[:end] if self._rest else data
        if not whole:
            return b""
        if not self.held and not any(word in whole for word in _WATCHED):
            self._count(whole)
            return whole
        return self._by_event(whole)

    def rest(self) -> bytes:
        """What came after the last complete event, at the end of the body."""
        rest, self._rest = self._rest, b""
        return self._by_event(rest) if rest else b""

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
            passed = self._event(event)
            if self.done:
                self.held += passed
            else:
                out.append(passed)
        return b"".join(out)

    def _event(self, event: bytes) -> bytes:
        lines = event.splitlines()
        payload = b"\n".join([line[5:].strip() for line in lines if line.startswith(b"data:")])
        if not payload:  # a comment that keeps the connection alive
            return event
        if payload == b"[DONE]":
            self.done = True
            return event
        self._count(event)
        try:
            read = _events.decode(payload)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            self.failed = self.failed or b'"error"' in payload
            return event
        if read.error is not None and bytes(read.error) != b"null":
            self.failed = True
        if any(choice.finish_reason for choice in read.choices):
            self.finished = True
        if read.usage is None:
            return event
        self.usage = read.usage
        if not self._hide_usage:
            return event
        if not read.choices:
            return b""
        fields = _fields.decode(payload)
        del fields["usage"]
        others = [line for line in lines if line and not line.startswith(b"data:")]
        return b"\n".join([*others, b"data: " + msgspec.json.encode(fields), b"", b""])
