"""Answers in OpenAI's words, as bytes."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from neocloud.engines.emulated.requests import BadRequestError
from neocloud.engines.emulated.voice import Voice
from neocloud.wire import Lines, header_lines

MARK = (b"x-neocloud-emulated", b"true")
JSON_HEADERS = header_lines(((b"content-type", b"application/json"), MARK))
STREAM_HEADERS = header_lines(
    (
        (b"content-type", b"text/event-stream; charset=utf-8"),
        (b"cache-control", b"no-cache"),
        MARK,
    )
)
SHUT_DOWN = "the emulated engine was told to end"
_DONE = b"data: [DONE]\n\n"


def usage(prompt: int, generated: int, cached: int) -> bytes:
    """The usage object."""
    return (
        b'{"prompt_tokens":%d,"completion_tokens":%d,"total_tokens":%d,'
        b'"prompt_tokens_details":{"cached_tokens":%d}}'
        % (prompt, generated, prompt + generated, cached)
    )


class Wording:
    """Every piece of one request's answer. What is the same in all events is put together once.

    Attributes:
        voices: one for each of the answers asked for at once.
        prompt_tokens: of the request.
        cached_tokens: found in the prefix cache; known at the first token.
    """

    __slots__ = (
        "_continuous",
        "_head",
        "_include",
        "_left",
        "_right",
        "cached_tokens",
        "prompt_tokens",
        "voices",
    )

    def __init__(
        self,
        voices: Sequence[Voice],
        *,
        answer_id: bytes,
        created: int,
        model: bytes,
        fingerprint: bytes,
        prompt_tokens: int,
        include_usage: bool = False,
        continuous_usage: bool = False,
    ) -> None:
        names = voices[0].names
        fields = b'","created":%d,"model":"%b","system_fingerprint":"%b","choices":[' % (
            created, model, fingerprint,
        )  # fmt: skip
        head = b'{"id":"%b%b","object":"' % (names.id_prefix, answer_id)
        self._head = head + names.whole + fields
        self._left = b"data: " + head + names.event + fields
        # With the usage at the end, OpenAI's other events say that theirs is null.
        self._right = b'],"usage":null}\n\n' if include_usage else b"]}\n\n"
        self._include = include_usage
        self._continuous = continuous_usage
        self.voices = tuple(voices)
        self.prompt_tokens = prompt_tokens
        self.cached_tokens = 0

    def tokens(self, index: int, first: int, end: int) -> bytes:
        """The event of some tokens of an answer; empty if they complete no letter.

        The first brings with it what opens the answer.
        """
        voice = self.voices[index]
        event = voice.tokens(first, end)
        if event:
            right = self._end(end) if self._continuous else self._right
            event = b"%b%b%b" % (self._left, event, right)
        if first == 0:
            opening = [self._left + choice + self._end(0) for choice in voice.opening()]
            return b"".join((*opening, event))
        return event

    def ending(self, index: int) -> bytes:
        """The event with an answer's finish reason."""
        voice = self.voices[index]
        return self._left + voice.ending() + self._end(voice.speech.tokens)

    def last(self) -> bytes:
        """What follows the last answer's end: the usage if asked for, and the end of the stream."""
        if not self._include:
            return _DONE
        return b'%b],"usage":%b}\n\n%b' % (self._left, self._usage(self._generated()), _DONE)

    def whole(self) -> bytes:
        """All answers in one piece."""
        choices = b",".join([voice.whole() for voice in self.voices])
        return b'%b%b],"usage":%b}' % (self._head, choices, self._usage(self._generated()))

    def _generated(self) -> int:
        return sum(voice.speech.tokens for voice in self.voices)

    def _end(self, generated: int) -> bytes:
        """End of an event behind its choice. As in vLLM, what it counts is that choice's own."""
        if self._continuous:
            return b'],"usage":%b}\n\n' % self._usage(generated)
        return self._right

    def _usage(self, generated: int) -> bytes:
        return usage(self.prompt_tokens, generated, self.cached_tokens)


_TYPES = {404: "invalid_request_error", 405: "invalid_request_error", 503: "service_unavailable"}


def error_body(
    status: int, message: str, param: str | None = None, code: str | None = None
) -> bytes:
    """An error in OpenAI's form."""
    kind = _TYPES.get(status, "invalid_request_error" if status < 500 else "server_error")
    return msgspec.json.encode(
        {"error": {"message": message, "type": kind, "param": param, "code": code}}
    )


def error_event() -> bytes:
    """What vLLM sends into a stream that it gives up: an error, and an end as of all being well."""
    error = {"message": SHUT_DOWN, "type": "server_error", "param": None, "code": 500}
    return b"data: %b\n\n%b" % (msgspec.json.encode({"error": error}), _DONE)


def error_of(refused: BadRequestError) -> bytes:
    """The body that says why a request is not served."""
    return error_body(refused.status, str(refused), refused.param, refused.code)


def refusal(status: int, reason: str, path: str) -> tuple[Lines, bytes]:
    """What the wire answers to requests that never get here."""
    del path
    return JSON_HEADERS, error_body(status, reason)
