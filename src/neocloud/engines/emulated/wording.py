"""Answers in OpenAI's words, as bytes."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from neocloud.engines.emulated.requests import BadRequestError
from neocloud.engines.emulated.tokens import PIECES, answer_text
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


@dataclass(frozen=True, slots=True)
class Interface:
    """How one of the two interfaces words an answer; each field is a piece of JSON.

    Attributes:
        id_prefix: of the answer's id.
        whole: `object` of an answer that is not streamed.
        event: `object` of an event.
        before: of a choice, up to the token's text.
        after: of a choice, from there on.
        opening: choice of the event before the first token; empty for none.
        ending: choice of the event after the last token, up to the finish reason.
        text_before: of the choice of a whole answer, up to its text.
        text_after: of it, from there to the finish reason.
    """

    id_prefix: bytes
    whole: bytes
    event: bytes
    before: bytes
    after: bytes
    opening: bytes
    ending: bytes
    text_before: bytes
    text_after: bytes


CHAT = Interface(
    id_prefix=b"chatcmpl-",
    whole=b"chat.completion",
    event=b"chat.completion.chunk",
    before=b'{"index":0,"delta":{"content":"',
    after=b'"},"logprobs":null,"finish_reason":null}',
    opening=(
        b'{"index":0,"delta":{"role":"assistant","content":"","refusal":null},"logprobs":null,'
        b'"finish_reason":null}'
    ),
    ending=b'{"index":0,"delta":{},"logprobs":null,"finish_reason":"',
    text_before=b'{"index":0,"message":{"role":"assistant","content":"',
    text_after=b'","refusal":null},"logprobs":null,"finish_reason":"',
)

COMPLETION = Interface(
    id_prefix=b"cmpl-",
    whole=b"text_completion",
    event=b"text_completion",
    before=b'{"index":0,"text":"',
    after=b'","logprobs":null,"finish_reason":null}',
    opening=b"",
    ending=b'{"index":0,"text":"","logprobs":null,"finish_reason":"',
    text_before=b'{"index":0,"text":"',
    text_after=b'","logprobs":null,"finish_reason":"',
)


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
        prompt_tokens: of the request.
        output_tokens: that it will generate.
        finish_reason: `stop` or `length`.
        cached_tokens: found in the prefix cache; known at the first token.
    """

    __slots__ = (
        "_after",
        "_continuous",
        "_event",
        "_fields",
        "_head",
        "_include",
        "_interface",
        "_left",
        "cached_tokens",
        "finish_reason",
        "output_tokens",
        "prompt_tokens",
    )

    def __init__(
        self,
        interface: Interface,
        *,
        answer_id: bytes,
        created: int,
        model: bytes,
        fingerprint: bytes,
        prompt_tokens: int,
        output_tokens: int,
        finish_reason: bytes,
        include_usage: bool = False,
        continuous_usage: bool = False,
    ) -> None:
        self._interface = interface
        self._head = b'{"id":"%b%b","object":"' % (interface.id_prefix, answer_id)
        self._fields = b'","created":%d,"model":"%b","system_fingerprint":"%b","choices":[' % (
            created, model, fingerprint,
        )  # fmt: skip
        self._left = b"data: " + self._head + interface.event + self._fields
        self._include = include_usage
        self._continuous = continuous_usage
        self._event = self._left + interface.before
        # With the usage at the end, OpenAI's other events say that theirs is null.
        self._after = interface.after + (b'],"usage":null}\n\n' if include_usage else b"]}\n\n")
        self.prompt_tokens = prompt_tokens
        self.output_tokens = output_tokens
        self.finish_reason = finish_reason
        self.cached_tokens = 0

    def token(self, index: int) -> bytes:
        """The event of token `index`, counted from 0; the first brings the opening with it."""
        piece = PIECES[index % len(PIECES)]
        if self._continuous:
            event = b"%b%b%b%b" % (
                self._event, piece, self._interface.after, self._end(index + 1),
            )  # fmt: skip
        else:
            event = self._event + piece + self._after
        if index == 0 and self._interface.opening:
            return self._left + self._interface.opening + self._end(0) + event
        return event

    def last(self) -> bytes:
        """What follows the last token's event: finish reason, usage if asked for, the end."""
        interface, generated = self._interface, self.output_tokens
        said = b'%b%b%b"}%b' % (
            self._left, interface.ending, self.finish_reason, self._end(generated),
        )  # fmt: skip
        if self._include:
            said += b'%b],"usage":%b}\n\n' % (self._left, self._usage(generated))
        return said + b"data: [DONE]\n\n"

    def whole(self) -> bytes:
        """The answer in one piece."""
        interface = self._interface
        return b'%b%b%b%b%b%b%b"}],"usage":%b}' % (
            self._head,
            interface.whole,
            self._fields,
            interface.text_before,
            answer_text(self.output_tokens),
            interface.text_after,
            self.finish_reason,
            self._usage(self.output_tokens),
        )

    def _end(self, generated: int) -> bytes:
        """End of an event behind its choice."""
        if self._continuous:
            return b'],"usage":%b}\n\n' % self._usage(generated)
        return b'],"usage":null}\n\n' if self._include else b"]}\n\n"

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


def error_of(refused: BadRequestError) -> bytes:
    """The body that says why a request is not served."""
    return error_body(refused.status, str(refused), refused.param, refused.code)


def refusal(status: int, reason: str) -> tuple[Lines, bytes]:
    """What the wire answers to requests that never get here."""
    return JSON_HEADERS, error_body(status, reason)
