"""OpenAI's chat completions."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from neocloud.gateway.apis.api import AnswerStream, Asked, Dialect, Usage, Wanted, tier_of
from neocloud.gateway.apis.openai.body import engine_body
from neocloud.gateway.apis.openai.events import OpenAIEvents
from neocloud.gateway.apis.openai.usage import usage_of_body
from neocloud.gateway.apis.refusals import ApiError

MAX_ANSWERS = 128
"""As OpenAI documents for `n`."""


class _StreamOptions(msgspec.Struct):
    include_usage: bool | None = False


class _Request(msgspec.Struct):
    model: str
    messages: msgspec.Raw
    stream: bool | None = False
    stream_options: _StreamOptions | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    n: int | None = None
    service_tier: str | None = None


_decoder = msgspec.json.Decoder(_Request)


def check_limits(limit: int | None, answers: int) -> None:
    """Refuse limits that are none.

    Raises:
        ApiError: 400.
    """
    if limit is not None and limit < 1:
        raise ApiError(400, "max_tokens must be at least 1", "bad_max_tokens")
    if not 1 <= answers <= MAX_ANSWERS:
        raise ApiError(400, f"n must lie between 1 and {MAX_ANSWERS}", "bad_n")


class _ThroughChat:
    """Chat completions of an engine that speaks them: bytes pass through."""

    path = b"/v1/chat/completions"

    def request(self, body: bytes, asked: Asked, wanted: Wanted) -> bytes:
        """The client's bytes with what the gateway wants."""
        return engine_body(body, asked, wanted, "max_tokens", ("max_completion_tokens",))

    def stream(self, asked: Asked) -> AnswerStream:
        """Events pass through."""
        return OpenAIEvents(wants_usage=asked.wants_usage, answers=asked.answers)

    def whole(self, body: bytes, asked: Asked) -> tuple[bytes, Usage | None]:  # noqa: ARG002
        """The engine's bytes."""
        return body, usage_of_body(body)

    def refusal(self, status: int, body: bytes) -> bytes:  # noqa: ARG002
        """The engine's words."""
        return body


class Chat:
    """`POST /v1/chat/completions`."""

    name = "chat"
    path = "/v1/chat/completions"
    anthropic = False
    through: ClassVar[Dialect] = _ThroughChat()

    def read(self, body: bytes) -> Asked:
        """Read a request.

        Raises:
            ApiError: 400, the body is no chat completion request.
        """
        try:
            request = _decoder.decode(body)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise ApiError(
                400, f"the body is no chat completion request: {error}", "bad_body"
            ) from None
        limit = request.max_completion_tokens
        if limit is None:
            limit = request.max_tokens
        answers = 1 if request.n is None else request.n
        check_limits(limit, answers)
        options = request.stream_options
        return Asked(
            model=request.model,
            prompt=bytes(request.messages),
            stream=bool(request.stream),
            wants_usage=options is not None and bool(options.include_usage),
            limit=limit,
            answers=answers,
            service_tier=tier_of(request.service_tier),
        )

    def toward(self, speaks: frozenset[str]) -> Dialect | None:
        """Through, to whoever speaks chat."""
        return self.through if self.name in speaks else None
