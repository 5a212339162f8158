"""OpenAI's Responses API: passed through to an engine that speaks it, else translated to chat.

The gateway keeps no answer: no prompt or answer reaches a disk. So what builds on an answer that is
kept is refused, and every answer says `"store": false`.
"""

from __future__ import annotations

from typing import ClassVar

import msgspec

from neocloud.gateway.apis.api import AnswerStream, Asked, Dialect, Usage, Wanted, tier_of
from neocloud.gateway.apis.openai.body import engine_body
from neocloud.gateway.apis.refusals import ApiError
from neocloud.gateway.apis.responses.answer import whole_response
from neocloud.gateway.apis.responses.items import AskedResponse, Echo
from neocloud.gateway.apis.responses.native import ThroughResponses
from neocloud.gateway.apis.responses.request import chat_request
from neocloud.gateway.apis.responses.stream import ChatToResponses

_ABSENT = msgspec.Raw()
_NOT_KEPT = "answers are not kept here"


class _Request(msgspec.Struct):
    model: str
    input: msgspec.Raw
    instructions: str | None = None
    stream: bool | None = False
    max_output_tokens: int | None = None
    background: bool | None = False
    previous_response_id: msgspec.Raw = _ABSENT
    conversation: msgspec.Raw = _ABSENT
    prompt: msgspec.Raw = _ABSENT
    service_tier: str | None = None


_decoder = msgspec.json.Decoder(_Request)
_echoes = msgspec.json.Decoder(Echo)


def not_kept(path: str) -> ApiError:
    """What `GET /v1/responses/{id}`, and all else below `/v1/responses/`, is answered."""
    return ApiError(
        404,
        f"there is nothing at {path[:200]}: {_NOT_KEPT}, so none can be read again, listed, "
        "cancelled or deleted",
        "response_not_found",
    )


class _ThroughChat:
    """Responses of an engine that speaks chat completions: translated."""

    path = b"/v1/chat/completions"

    def request(self, body: bytes, asked: Asked, wanted: Wanted) -> bytes:
        """A chat completion request with what the gateway wants.

        Raises:
            ApiError: 400, chat completions cannot do what is asked for.
        """
        return engine_body(
            chat_request(body), asked, wanted, "max_tokens", ("max_completion_tokens",)
        )

    def stream(self, asked: Asked) -> AnswerStream:
        """Events are translated one by one."""
        return ChatToResponses(asked)

    def whole(self, body: bytes, asked: Asked) -> tuple[bytes, Usage | None]:
        """The chat completion as a response.

        Raises:
            ApiError: 502, it is none.
        """
        return whole_response(body, asked)

    def refusal(self, status: int, body: bytes) -> bytes:  # noqa: ARG002
        """The engine's words: both APIs have the same errors."""
        return body


class Responses:
    """`POST /v1/responses`."""

    name = "responses"
    path = "/v1/responses"
    anthropic = False
    through: ClassVar[Dialect] = ThroughResponses()
    through_chat: ClassVar[Dialect] = _ThroughChat()

    def read(self, body: bytes) -> Asked:
        """Read a request.

        Raises:
            ApiError: 400, the body is no request of this API, or needs answers that are kept.
        """
        try:
            request = _decoder.decode(body)
            echo = _echoes.decode(body)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise ApiError(400, f"the body is no response request: {error}", "bad_body") from None
        given = bytes(request.input)
        if given[:1] not in {b'"', b"["}:
            raise ApiError(400, "input must be a string or a list of items", "bad_body")
        _refuse_state(request)
        limit = request.max_output_tokens
        if limit is not None and limit < 1:
            raise ApiError(400, "max_output_tokens must be at least 1", "bad_max_tokens")
        if request.instructions:
            given = b"[%b,%b]" % (bytes(echo.instructions), given)
        return AskedResponse(
            model=request.model,
            prompt=given,
            stream=bool(request.stream),
            wants_usage=True,  # the event that ends a stream always tells it
            limit=limit,
            service_tier=tier_of(request.service_tier),
            echo=echo,
        )

    def toward(self, speaks: frozenset[str]) -> Dialect | None:
        """Translated, to whoever speaks chat; through, to whoever speaks responses alone.

        Chat comes first because engines tell its usage with each token, and because tools that an
        engine would call by itself, at an address that the client names, do not pass that way.
        """
        if "chat" in speaks:
            return self.through_chat
        return self.through if self.name in speaks else None


def _refuse_state(request: _Request) -> None:
    for name, what in (
        ("previous_response_id", "send the earlier turns in input"),
        ("conversation", "send the earlier turns in input"),
        ("prompt", "send the prompt itself in instructions and input"),
    ):
        if bytes(getattr(request, name)) not in {b"", b"null"}:
            raise ApiError(400, f"{name}: {_NOT_KEPT}; {what}", "no_stored_responses")
    if request.background:
        raise ApiError(
            400, f"background: {_NOT_KEPT}, so none could be fetched later; ask without it, with "
            "stream for a long one", "no_stored_responses",
        )  # fmt: skip
