"""An engine's event stream of chat or text completions: what to pass on, what it used.

Tokens are counted from the engine's usage, never from events: an event may hold several or none.
Bytes pass untouched, except for usage that the client did not ask for, or that does not stand where
OpenAI's own clients look for it, and the `[DONE]` that waits for the ledger.
"""

from __future__ import annotations

import re

import msgspec

from neocloud.gateway.apis.api import Usage
from neocloud.gateway.apis.openai_usage import read_usage

_CONTENT = re.compile(rb'"(?:content|reasoning_content|reasoning|refusal|arguments|text)": ?"[^"]')
_END = re.compile(rb"\r?\n\r?\n")
_USAGE_AT_END = b',"usage":{'
_WATCHED = (
    b'"usage"', b'"error"', b"[DONE]", b'"finish_reason":"', b'"finish_reason": "',
)  # fmt: skip
"""Without one of these, events need no reading: most of a stream passes as it came."""
MAX_EVENT_BYTES = 8 * 1024 * 1024


class _Choice(msgspec.Struct):
    finish_reason: str | None = None


class _Event(msgspec.Struct):
    usage: msgspec.Raw | None = None
    choices: list[_Choice] | None = None
    error: msgspec.Raw | None = None


_events = msgspec.json.Decoder(_Event)
_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])


def _given(raw: msgspec.Raw | None) -> bool:
    return raw is not None and bytes(raw) != b"null"


class OpenAIEvents:
    """Takes the pieces of one answer as they come; an `AnswerStream`.

    Args:
        wants_usage: the client asked for the usage event. It then gets exactly one, with empty
            `choices`, before `[DONE]`, wherever the engine told its usage.
    """

    __slots__ = (
        "_base", "_done", "_finished", "_raw_usage", "_rest", "_told", "_wants_usage",
        "content_events", "content_seen", "failed", "held", "usage",
    )  # fmt: skip

    def __init__(self, *, wants_usage: bool) -> None:
        self._wants_usage = wants_usage
        self._rest = b""
        self._done = False
        self._finished = False
        self._told = False  # the client has its usage event
        self._raw_usage: bytes = b""
        self._base = b"{}"  # an event of the answer, for the fields that all of them share
        self.usage: Usage | None = None
        self.content_seen = False
        self.content_events = 0
        self.failed = False
        self.held = b""

    @property
    def complete(self) -> bool:
        """True if the engine ended the answer well; `[DONE]` alone does not say that."""
        return (self._done or self._finished) and not self.failed

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
        if end != len(data):
            self._rest = data[end:]
            data = data[:end]
        else:
            self._rest = b""
        if not data:
            return b""
        if not self.held:
            for word in _WATCHED:
                if word in data:
                    break
            else:
                self._count(data)
                return data
        return self._by_event(data)

    def rest(self) -> bytes:
        """What came after the last complete event, at the end of the body.

        An engine that sends no `[DONE]` has its usage event added here, if the client asked.
        """
        rest, self._rest = self._rest, b""
        out = self._by_event(rest) if rest else b""
        if not self._done and self._finished and not self.failed:
            self.held += self._usage_event()
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
            passed = self._continuous(event)
            if passed is None:
                passed = self._event(event)
            if self._done:
                self.held += passed
            else:
                out.append(passed)
        return b"".join(out)

    def _continuous(self, event: bytes) -> bytes | None:
        """Take the usage off an event that ends in it, as vLLM sends it with each token.

        The text searched for cannot stand inside a JSON string, where its quotes were escaped; and
        if its value is the last of the outermost object, only one brace follows it.
        """
        place = event.rfind(_USAGE_AT_END)
        if place < 0 or event[-3:] != b"}\n\n" or b'"choices":[]' in event:
            return None
        if b'"error"' in event or b"\n" in event[:-2]:
            return None
        raw = event[place + len(_USAGE_AT_END) - 1 : -3]
        usage = read_usage(raw)
        if usage is None:
            return None
        self.usage = usage
        self._raw_usage = raw
        bare = event[:place] + b"}\n\n"
        if b'"finish_reason":"' in bare:
            self._finished = True
            self._base = bare[5:-2]
        self._count(bare)
        return bare

    def _event(self, event: bytes) -> bytes:
        lines = event.splitlines()
        payload = b"\n".join([line[5:].strip() for line in lines if line.startswith(b"data:")])
        if not payload:  # a comment that keeps the connection alive
            return event
        if payload == b"[DONE]":
            added = b"" if self._done or self.failed else self._usage_event()
            self._done = True
            return added + event
        self._count(event)
        try:
            read = _events.decode(payload)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            self.failed = self.failed or b'"error"' in payload
            return event
        if _given(read.error):
            self.failed = True
        if any(choice.finish_reason for choice in read.choices or ()):
            self._finished = True
        if not _given(read.usage):
            return event
        raw = bytes(read.usage or b"")
        usage = read_usage(raw)
        if usage is None:
            return event
        self.usage = usage
        self._raw_usage = raw
        if not read.choices:
            if not self._wants_usage:
                return b""
            self._told = True
            return event
        fields = _fields.decode(payload)
        del fields["usage"]
        self._base = payload
        others = [line for line in lines if line and not line.startswith(b"data:")]
        return b"\n".join([*others, b"data: " + msgspec.json.encode(fields), b"", b""])

    def _usage_event(self) -> bytes:
        """The usage event that the client asked for and the engine did not send as one."""
        if not self._wants_usage or self._told or not self._raw_usage:
            return b""
        self._told = True
        fields = _fields.decode(self._base)
        fields["choices"] = msgspec.Raw(b"[]")
        fields["usage"] = msgspec.Raw(self._raw_usage)
        return b"data: " + msgspec.json.encode(fields) + b"\n\n"
