"""OpenAI's embeddings: vectors of texts. Nothing is generated, so nothing streams or is limited."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from neocloud.gateway.apis.api import AnswerStream, Asked, Dialect, Usage, Wanted
from neocloud.gateway.apis.openai.body import engine_body
from neocloud.gateway.apis.openai.events import OpenAIEvents
from neocloud.gateway.apis.openai.prompts import prompts_of
from neocloud.gateway.apis.openai.usage import usage_of_body
from neocloud.gateway.apis.refusals import ApiError

MAX_INPUTS = 2048
"""As OpenAI documents for `input`."""


class _Request(msgspec.Struct):
    model: str
    input: msgspec.Raw


_decoder = msgspec.json.Decoder(_Request)


class _ThroughEmbeddings:
    """Embeddings of an engine that speaks them: bytes pass through."""

    path = b"/v1/embeddings"

    def request(self, body: bytes, asked: Asked, wanted: Wanted) -> bytes:
        """The client's bytes with the engine's name of the model and the salt."""
        return engine_body(body, asked, wanted, "")

    def stream(self, asked: Asked) -> AnswerStream:
        """Not asked for; should an engine stream nonetheless, its bytes pass."""
        return OpenAIEvents(wants_usage=asked.wants_usage)

    def whole(self, body: bytes, asked: Asked) -> tuple[bytes, Usage | None]:  # noqa: ARG002
        """The engine's bytes."""
        return body, usage_of_body(body)

    def refusal(self, status: int, body: bytes) -> bytes:  # noqa: ARG002
        """The engine's words."""
        return body


class Embeddings:
    """`POST /v1/embeddings`."""

    name = "embeddings"
    path = "/v1/embeddings"
    anthropic = False
    through: ClassVar[Dialect] = _ThroughEmbeddings()

    def read(self, body: bytes) -> Asked:
        """Read a request.

        Raises:
            ApiError: 400, the body is no embedding request.
        """
        try:
            request = _decoder.decode(body)
            prompt = bytes(request.input)
            inputs = prompts_of(prompt, "input")
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise ApiError(400, f"the body is no embedding request: {error}", "bad_body") from None
        if inputs > MAX_INPUTS:
            raise ApiError(400, f"input holds more than {MAX_INPUTS} texts", "too_many_inputs")
        return Asked(model=request.model, prompt=prompt, limit=0, answers=inputs)

    def toward(self, speaks: frozenset[str]) -> Dialect | None:
        """Through, to whoever speaks embeddings."""
        return self.through if self.name in speaks else None
