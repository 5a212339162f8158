"""The objects of OpenAI's Responses API that the gateway itself writes."""

from __future__ import annotations

import hashlib
import re
import time

import msgspec

from neocloud.gateway.apis.api import Asked, Usage

_NULL = msgspec.Raw(b"null")
_UNFIT = re.compile(r"[^A-Za-z0-9_-]")


class OutputText(msgspec.Struct, tag_field="type", tag="output_text"):
    """Text of the model."""

    text: str
    annotations: list[str] = []
    logprobs: list[msgspec.Raw] = []


class Refusal(msgspec.Struct, tag_field="type", tag="refusal"):
    """The model's words for why it does not answer."""

    refusal: str


class ReasoningText(msgspec.Struct, tag_field="type", tag="reasoning_text"):
    """What it thought."""

    text: str


class MessageItem(msgspec.Struct, tag_field="type", tag="message"):
    """A message of the model."""

    id: str
    status: str
    content: list[OutputText | Refusal]
    role: str = "assistant"


class ReasoningItem(msgspec.Struct, tag_field="type", tag="reasoning"):
    """Thoughts, in full; a summary is not made of them."""

    id: str
    status: str
    content: list[ReasoningText]
    summary: list[str] = []


class CallItem(msgspec.Struct, tag_field="type", tag="function_call"):
    """A function that the model wants called."""

    id: str
    status: str
    call_id: str
    name: str
    arguments: str


Part = OutputText | Refusal | ReasoningText
Item = MessageItem | ReasoningItem | CallItem


class Echo(msgspec.Struct, frozen=True):
    """What an answer repeats of its request, as raw JSON; where it was not said, OpenAI's default.

    `temperature` and `top_p` are null where the client did not set them: the engine's own defaults
    hold then.
    """

    instructions: msgspec.Raw = _NULL
    max_output_tokens: msgspec.Raw = _NULL
    metadata: msgspec.Raw = msgspec.Raw(b"{}")
    parallel_tool_calls: msgspec.Raw = msgspec.Raw(b"true")
    reasoning: msgspec.Raw = msgspec.Raw(b'{"effort":null,"summary":null}')
    temperature: msgspec.Raw = _NULL
    text: msgspec.Raw = msgspec.Raw(b'{"format":{"type":"text"}}')
    tool_choice: msgspec.Raw = msgspec.Raw(b'"auto"')
    tools: msgspec.Raw = msgspec.Raw(b"[]")
    top_logprobs: msgspec.Raw = msgspec.Raw(b"0")
    top_p: msgspec.Raw = _NULL
    user: msgspec.Raw = _NULL


class AskedResponse(Asked, frozen=True, kw_only=True):
    """What is read of a request of the Responses API."""

    echo: Echo = Echo()


class Identity(msgspec.Struct, frozen=True):
    """Names an answer and its items.

    Attributes:
        suffix: what all its ids end in.
        created: when the engine began, seconds since the epoch.
    """

    suffix: str
    created: int

    def of(self, kind: str, index: int) -> str:
        """Id of an item."""
        return f"{kind}_{self.suffix}_{index}"


def identity_of(chat_id: str | None, created: float | None, told: bytes) -> Identity:
    """From what the engine calls its chat completion.

    Args:
        chat_id: the engine's; a hash of `told` stands for it where it tells none.
        created: by the engine's clock; by ours where it tells none.
        told: what came first of the answer.
    """
    suffix = _UNFIT.sub("", (chat_id or "").removeprefix("chatcmpl-"))[:64]
    if not suffix:
        suffix = hashlib.blake2b(told, digest_size=12).hexdigest()
    return Identity(suffix, int(created or time.time()))


class _CachedDetails(msgspec.Struct):
    cached_tokens: int


class _ReasoningDetails(msgspec.Struct):
    reasoning_tokens: int


class _UsageObject(msgspec.Struct):
    input_tokens: int
    input_tokens_details: _CachedDetails
    output_tokens: int
    output_tokens_details: _ReasoningDetails
    total_tokens: int


class Failure(msgspec.Struct, frozen=True):
    """Why an answer failed."""

    message: str
    code: str = "server_error"


class _Incomplete(msgspec.Struct):
    reason: str


class _ResponseObject(msgspec.Struct):
    id: str
    created_at: int
    status: str
    error: Failure | None
    incomplete_details: _Incomplete | None
    model: str
    output: list[Item]
    usage: _UsageObject | None
    instructions: msgspec.Raw
    max_output_tokens: msgspec.Raw
    metadata: msgspec.Raw
    parallel_tool_calls: msgspec.Raw
    reasoning: msgspec.Raw
    temperature: msgspec.Raw
    text: msgspec.Raw
    tool_choice: msgspec.Raw
    tools: msgspec.Raw
    top_logprobs: msgspec.Raw
    top_p: msgspec.Raw
    user: msgspec.Raw
    object: str = "response"
    background: bool = False
    previous_response_id: None = None
    store: bool = False
    truncation: str = "disabled"


_LIMITS = {"length": "max_output_tokens", "content_filter": "content_filter"}
_BROKEN_OFF = frozenset({"abort", "error"})


class Outcome(msgspec.Struct, frozen=True):
    """How an answer stands.

    Attributes:
        status: `in_progress`, `completed`, `incomplete` or `failed`.
        reason: why it is incomplete; else empty.
        failure: why it failed.
    """

    status: str
    reason: str = ""
    failure: Failure | None = None

    @property
    def item_status(self) -> str:
        """Status of the item that the answer ends in."""
        return "completed" if self.status == "completed" else "incomplete"


def outcome_of(finish_reason: str | None) -> Outcome:
    """From the chat completion's reason to finish."""
    if finish_reason in _BROKEN_OFF:
        return Outcome("failed", "", Failure("the engine broke off"))
    reason = _LIMITS.get(finish_reason or "", "")
    return Outcome("incomplete", reason) if reason else Outcome("completed")


def response_object(
    asked: Asked, identity: Identity, outcome: Outcome, output: list[Item], usage: Usage | None
) -> bytes:
    """A whole answer as JSON."""
    echo = asked.echo if isinstance(asked, AskedResponse) else Echo()
    given = {}
    for name in echo.__struct_fields__:
        told = getattr(echo, name)
        given[name] = getattr(_DEFAULTS, name) if bytes(told) == b"null" else told
    return msgspec.json.encode(
        _ResponseObject(
            id=f"resp_{identity.suffix}",
            created_at=identity.created,
            status=outcome.status,
            error=outcome.failure,
            incomplete_details=_Incomplete(outcome.reason) if outcome.reason else None,
            model=asked.model,
            output=output,
            usage=None if usage is None else _usage_object(usage),
            **given,
        )
    )


_DEFAULTS = Echo()


def _usage_object(usage: Usage) -> _UsageObject:
    return _UsageObject(
        usage.input_tokens,
        _CachedDetails(usage.cached_tokens),
        usage.output_tokens,
        _ReasoningDetails(usage.reasoning_tokens),
        usage.input_tokens + usage.output_tokens,
    )
