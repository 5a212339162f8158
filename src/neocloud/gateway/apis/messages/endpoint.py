"""Anthropic's Messages API, to engines that speak it and, translated, to those that speak chat.

`/v1/messages/count_tokens` is not served: only some engines can count a prompt without answering
it, and a guess would pass for a count.
"""

from __future__ import annotations

from typing import ClassVar

import msgspec

from neocloud.gateway.apis.api import AnswerStream, Asked, Dialect, Usage, Wanted, tier_of
from neocloud.gateway.apis.messages.answer import MessageAsked, message_of_completion
from neocloud.gateway.apis.messages.native import AnthropicEvents
from neocloud.gateway.apis.messages.request import chat_body
from neocloud.gateway.apis.messages.stream import MessageEvents
from neocloud.gateway.apis.messages.turns import BILLING_HEADER
from neocloud.gateway.apis.messages.usage import error_of_engine, usage_of_message
from neocloud.gateway.apis.openai.body import engine_body
from neocloud.gateway.apis.refusals import ApiError

COUNT_TOKENS = "/v1/messages/count_tokens"
_BILLING = BILLING_HEADER.encode()


class _Thinking(msgspec.Struct):
    type: str = ""


class _Request(msgspec.Struct):
    model: str
    messages: msgspec.Raw
    max_tokens: int | None = None
    system: msgspec.Raw = msgspec.Raw()
    tools: msgspec.Raw = msgspec.Raw()
    stream: bool | None = False
    stop_sequences: list[str] | None = None
    thinking: _Thinking | None = None
    n: int | None = None
    service_tier: str | None = None


_decoder = msgspec.json.Decoder(_Request)


def no_token_count() -> ApiError:
    """What `POST /v1/messages/count_tokens` is answered."""
    return ApiError(
        404,
        f"{COUNT_TOKENS} is not served: not every engine can count tokens without answering; the "
        "usage of each answer tells how many its prompt had",
        "no_token_count",
    )


class _ThroughMessages:
    """Messages of an engine that speaks them: bytes pass through.

    vLLM salts its prefix cache here since July 2026 only (its pull request 49498); before, it drops
    `cache_salt` without a word. An endpoint of an older one should be said to speak chat alone.
    """

    path = b"/v1/messages"

    def request(self, body: bytes, asked: Asked, wanted: Wanted) -> bytes:
        """The client's bytes with the engine's model name and salt; the limit is the client's."""
        # what usage a stream tells is fixed in this API, so none is asked for
        return engine_body(body, msgspec.structs.replace(asked, stream=False), wanted, "")

    def stream(self, asked: Asked) -> AnswerStream:
        """Events pass through."""
        return AnthropicEvents(asked)

    def whole(self, body: bytes, asked: Asked) -> tuple[bytes, Usage | None]:  # noqa: ARG002
        """The engine's bytes."""
        return body, usage_of_message(body)

    def refusal(self, status: int, body: bytes) -> bytes:
        """The engine's words in Anthropic's shape, which not all engines keep to here."""
        return error_of_engine(status, body)


class _ByChat:
    """Messages as chat completions, there and back."""

    path = b"/v1/chat/completions"

    def request(self, body: bytes, asked: Asked, wanted: Wanted) -> bytes:
        """The same request in other terms.

        Raises:
            ApiError: 400, it cannot be put in these terms; the message says what and where.
        """
        return chat_body(body, asked, wanted)

    def stream(self, asked: Asked) -> AnswerStream:
        """Events translated one by one."""
        return MessageEvents(asked)

    def whole(self, body: bytes, asked: Asked) -> tuple[bytes, Usage | None]:
        """The answer translated.

        Raises:
            ApiError: 502, it is no chat completion.
        """
        return message_of_completion(body, asked)

    def refusal(self, status: int, body: bytes) -> bytes:
        """The engine's words in Anthropic's shape."""
        return error_of_engine(status, body)


class Messages:
    """`POST /v1/messages`."""

    name = "messages"
    path = "/v1/messages"
    anthropic = True
    through: ClassVar[Dialect] = _ThroughMessages()
    by_chat: ClassVar[Dialect] = _ByChat()

    def read(self, body: bytes) -> Asked:
        """Read a request.

        Raises:
            ApiError: 400, the body is no messages request.
        """
        try:
            request = _decoder.decode(body)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise ApiError(400, f"the body is no messages request: {error}", "bad_body") from None
        if request.max_tokens is None:
            raise ApiError(400, "max_tokens: this field is required", "bad_max_tokens")
        if request.max_tokens < 1:
            raise ApiError(400, "max_tokens: must be at least 1", "bad_max_tokens")
        if request.n not in (None, 1):
            raise ApiError(400, "n: this API gives one answer", "bad_n")
        thinking = request.thinking
        return MessageAsked(
            model=request.model,
            prompt=_prompt(request),
            stream=bool(request.stream),
            wants_usage=True,  # a stream of this API always tells it
            limit=request.max_tokens,
            service_tier=tier_of(request.service_tier),
            stops=tuple(request.stop_sequences or ()),
            hides_thinking=thinking is not None and thinking.type == "disabled",
        )

    def toward(self, speaks: frozenset[str]) -> Dialect | None:
        """Translated, to whoever speaks chat; through, to whoever speaks messages alone.

        Chat comes first because engines tell its usage with each token and salt its cache; of
        native messages they tell usage at the end, and some drop the salt.
        """
        if "chat" in speaks:
            return self.by_chat
        return self.through if self.name in speaks else None


def _prompt(request: _Request) -> bytes:
    """What stands before the answer, in the order in which an engine's cache sees it."""
    system, tools, messages = bytes(request.system), bytes(request.tools), bytes(request.messages)
    if not system and not tools:
        return messages
    return b"[%b,%b,%b]" % (_system(system) or b"null", tools or b"null", messages)


def _system(raw: bytes) -> bytes:
    """The system prompt without what differs in each request of the same conversation."""
    if _BILLING not in raw:
        return raw
    try:
        blocks = msgspec.json.decode(raw, type=list[dict[str, msgspec.Raw]])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return raw
    mark = b'"' + _BILLING
    return msgspec.json.encode(
        [block for block in blocks if not bytes(block.get("text", b"")).startswith(mark)]
    )
