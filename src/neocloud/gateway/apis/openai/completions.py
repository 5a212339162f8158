"""OpenAI's text completions: one answer or several for each of one prompt or several."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from neocloud.gateway.apis.api import AnswerStream, Asked, Dialect, Usage, Wanted, tier_of
from neocloud.gateway.apis.openai.body import engine_body
from neocloud.gateway.apis.openai.chat import MAX_ANSWERS
from neocloud.gateway.apis.openai.events import OpenAIEvents
from neocloud.gateway.apis.openai.prompts import prompts_of
from neocloud.gateway.apis.openai.usage import usage_of_body
from neocloud.gateway.apis.refusals import ApiError


class _StreamOptions(msgspec.Struct):
    include_usage: bool | None = False


class _Request(msgspec.Struct):
    model: str
    prompt: msgspec.Raw
    stream: bool | None = False
    stream_options: _StreamOptions | None = None
    max_tokens: int | None = None
    n: int | None = None
    best_of: int | None = None
    service_tier: str | None = None


class AskedCompletion(Asked, frozen=True, kw_only=True):
    """What is read of a text completion request.

    Attributes:
        prompts: how many there are.
        choices: what comes back for each; `best_of` may have more generated than that.
    """

    prompts: int = 1
    choices: int = 1


_decoder = msgspec.json.Decoder(_Request)


class _ThroughCompletions:
    """Completions of an engine that speaks them: bytes pass through."""

    path = b"/v1/completions"

    def request(self, body: bytes, asked: Asked, wanted: Wanted) -> bytes:
        """The client's bytes with what the gateway wants."""
        return engine_body(body, asked, wanted, "max_tokens")

    def stream(self, asked: Asked) -> AnswerStream:
        """Events pass through."""
        prompts, choices = 1, asked.answers
        if isinstance(asked, AskedCompletion):
            prompts, choices = asked.prompts, asked.choices
        return OpenAIEvents(
            wants_usage=asked.wants_usage, answers=prompts * choices, prompts=prompts
        )

    def whole(self, body: bytes, asked: Asked) -> tuple[bytes, Usage | None]:  # noqa: ARG002
        """The engine's bytes."""
        return body, usage_of_body(body)

    def refusal(self, status: int, body: bytes) -> bytes:  # noqa: ARG002
        """The engine's words."""
        return body


class Completions:
    """`POST /v1/completions`."""

    name = "completions"
    path = "/v1/completions"
    anthropic = False
    through: ClassVar[Dialect] = _ThroughCompletions()

    def read(self, body: bytes) -> Asked:
        """Read a request.

        A limit of 0 is one: with `echo` it asks for the prompt's own log probabilities.

        Raises:
            ApiError: 400, the body is no completion request.
        """
        try:
            request = _decoder.decode(body)
            prompt = bytes(request.prompt)
            prompts = prompts_of(prompt, "prompt")
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise ApiError(400, f"the body is no completion request: {error}", "bad_body") from None
        if request.max_tokens is not None and request.max_tokens < 0:
            raise ApiError(400, "max_tokens must not be negative", "bad_max_tokens")
        choices = 1 if request.n is None else request.n
        best_of = 1 if request.best_of is None else request.best_of
        if not 1 <= choices <= MAX_ANSWERS:
            raise ApiError(400, f"n must lie between 1 and {MAX_ANSWERS}", "bad_n")
        if not 1 <= best_of <= MAX_ANSWERS:
            raise ApiError(400, f"best_of must lie between 1 and {MAX_ANSWERS}", "bad_best_of")
        options = request.stream_options
        return AskedCompletion(
            model=request.model,
            prompt=prompt,
            stream=bool(request.stream),
            wants_usage=options is not None and bool(options.include_usage),
            limit=request.max_tokens,
            service_tier=tier_of(request.service_tier),
            answers=prompts * max(choices, best_of),
            prompts=prompts,
            choices=choices,
        )

    def toward(self, speaks: frozenset[str]) -> Dialect | None:
        """Through, to whoever speaks completions."""
        return self.through if self.name in speaks else None
