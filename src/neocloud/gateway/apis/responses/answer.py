"""A chat completion as an answer of the Responses API."""

from __future__ import annotations

import msgspec

from neocloud.gateway.apis.api import Asked, Usage
from neocloud.gateway.apis.openai.usage import usage_of_body
from neocloud.gateway.apis.refusals import ApiError
from neocloud.gateway.apis.responses.items import (
    CallItem,
    Identity,
    Item,
    MessageItem,
    Outcome,
    OutputText,
    ReasoningItem,
    ReasoningText,
    Refusal,
    identity_of,
    outcome_of,
    response_object,
)


class Function(msgspec.Struct):
    """A called function, or some more of it."""

    name: str | None = None
    arguments: str | None = None


class ToolCall(msgspec.Struct):
    """A call, or some more of it; `index` tells which."""

    index: int | None = None
    id: str | None = None
    function: Function | None = None


class Said(msgspec.Struct):
    """A message, or some more of it; what is thought comes under one of two names."""

    content: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    refusal: str | None = None
    tool_calls: list[ToolCall] | None = None


class Logprobs(msgspec.Struct):
    """Of the tokens of a text, each as the engine writes it."""

    content: list[msgspec.Raw] | None = None


class _Choice(msgspec.Struct):
    message: Said
    finish_reason: str | None = None
    logprobs: Logprobs | None = None


class _Completion(msgspec.Struct):
    choices: list[_Choice]
    id: str | None = None
    created: float | None = None


_completions = msgspec.json.Decoder(_Completion)


def whole_response(body: bytes, asked: Asked) -> tuple[bytes, Usage | None]:
    """The answer, and its usage if the engine tells it.

    Raises:
        ApiError: 502, it is no chat completion, or one that the engine broke off.
    """
    try:
        read = _completions.decode(body)
        choice = read.choices[0]
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, IndexError):
        raise ApiError(502, "the engine's answer is no chat completion", "engine_failed") from None
    identity = identity_of(read.id, read.created, body)
    usage = usage_of_body(body)
    outcome = outcome_of(choice.finish_reason)
    if outcome.failure is not None:
        raise ApiError(502, outcome.failure.message, "engine_failed")
    output = _items(choice, identity, outcome)
    return response_object(asked, identity, outcome, output, usage), usage


def _items(choice: _Choice, identity: Identity, outcome: Outcome) -> list[Item]:
    said = choice.message
    found: list[Item] = []
    thought = said.reasoning_content or said.reasoning
    if thought:
        name = identity.of("rs", len(found))
        found.append(ReasoningItem(name, "completed", [ReasoningText(thought)]))
    parts: list[OutputText | Refusal] = []
    if said.content:
        told = choice.logprobs.content if choice.logprobs is not None else None
        parts.append(OutputText(said.content, logprobs=told or []))
    if said.refusal:
        parts.append(Refusal(said.refusal))
    if parts:
        found.append(MessageItem(identity.of("msg", len(found)), "completed", parts))
    for number, call in enumerate(said.tool_calls or ()):
        function = call.function or Function()
        index = len(found)
        found.append(
            CallItem(
                identity.of("fc", index), "completed", call.id or call_name(identity, number),
                function.name or "", function.arguments or "",
            )
        )  # fmt: skip
    if not found and outcome.status == "completed":
        found.append(MessageItem(identity.of("msg", 0), "completed", [OutputText("")]))
    if found:
        found[-1].status = outcome.item_status
    return found


def call_name(identity: Identity, number: int) -> str:
    """Id of a call to which the engine gave none."""
    return f"call_{identity.suffix}_{number}"
