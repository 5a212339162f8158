"""An unstreamed chat completion as a message of Anthropic's, and what both forms share."""

from __future__ import annotations

from typing import Any

import msgspec

from neocloud.gateway.apis.api import Asked, Usage
from neocloud.gateway.apis.messages.usage import told_usage
from neocloud.gateway.apis.openai.usage import read_usage
from neocloud.gateway.apis.refusals import ApiError

BROKEN = frozenset({"abort", "error"})
"""Why an engine (vLLM, SGLang) stopped where it did not end the answer but gave it up."""
_REASONS = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "function_call": "tool_use",
    "content_filter": "refusal",
}


class MessageAsked(Asked, frozen=True, kw_only=True):
    """A request of the Messages API.

    Attributes:
        stops: its stop sequences.
        hides_thinking: it says that the model shall not think; what it thinks all the same is
            counted and not shown.
    """

    stops: tuple[str, ...] = ()
    hides_thinking: bool = False


class _Function(msgspec.Struct):
    name: str = ""
    arguments: str | dict[str, Any] | None = None


class _Call(msgspec.Struct):
    id: str | None = None
    function: _Function | None = None


class _Message(msgspec.Struct):
    content: str | None = None
    refusal: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    tool_calls: list[_Call] | None = None


class _Choice(msgspec.Struct):
    message: _Message
    finish_reason: str | None = None
    stop_reason: str | int | None = None
    matched_stop: str | int | None = None


class _Completion(msgspec.Struct):
    choices: list[_Choice]
    id: str = ""
    usage: msgspec.Raw = msgspec.Raw()


_completions = msgspec.json.Decoder(_Completion)


def stop_of(
    finish: str | None, matched: str | int | None, asked: Asked, *, called: bool, refused: bool
) -> tuple[str, str | None]:
    """Why the answer stopped, in Anthropic's words, and at which stop sequence.

    Args:
        finish: `finish_reason` of the engine.
        matched: what it stopped at, as vLLM (`stop_reason`) and SGLang (`matched_stop`) tell:
            text, or the number of a token.
        asked: the request.
        called: there is a tool call; engines that are told which one end with `stop` all the same.
        refused: there is a refusal.
    """
    if refused:
        return "refusal", None
    reason = _REASONS.get(finish or "stop", "end_turn")
    if reason == "end_turn":
        if called:
            return "tool_use", None
        if isinstance(matched, str) and isinstance(asked, MessageAsked) and matched in asked.stops:
            return "stop_sequence", matched
    return reason, None


def message_id(engine_id: str) -> str:
    """Id of the message: the engine's own under Anthropic's prefix."""
    return "msg_" + engine_id.removeprefix("chatcmpl-").removeprefix("msg_")


def message_of_completion(body: bytes, asked: Asked) -> tuple[bytes, Usage | None]:
    """A chat completion as a message, and its usage if it tells.

    Raises:
        ApiError: 502, it is no chat completion, or one that the engine gave up.
    """
    try:
        read = _completions.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise ApiError(502, "the engine's answer is no chat completion", "engine_failed") from None
    if not read.choices or read.choices[0].finish_reason in BROKEN:
        raise ApiError(502, "the engine gave no whole answer", "engine_failed")
    choice = read.choices[0]
    usage = read_usage(bytes(read.usage))
    content = _content(choice.message, asked, read.id)
    matched = choice.stop_reason if choice.stop_reason is not None else choice.matched_stop
    reason, sequence = stop_of(
        choice.finish_reason,
        matched,
        asked,
        called=bool(choice.message.tool_calls),
        refused=bool(choice.message.refusal),
    )
    message = {
        "id": message_id(read.id),
        "type": "message",
        "role": "assistant",
        "model": asked.model,
        "content": content,
        "stop_reason": reason,
        "stop_sequence": sequence,
        "usage": told_usage(usage),
    }
    return msgspec.json.encode(message), usage


def _content(message: _Message, asked: Asked, engine_id: str) -> list[dict[str, object]]:
    content: list[dict[str, object]] = []
    thought = message.reasoning_content or message.reasoning
    if thought and not (isinstance(asked, MessageAsked) and asked.hides_thinking):
        content.append({"type": "thinking", "thinking": thought, "signature": ""})
    texts = (message.content, message.refusal)
    content += [{"type": "text", "text": text} for text in texts if text]
    for call in message.tool_calls or ():
        function = call.function or _Function()
        content.append(
            {
                "type": "tool_use",
                "id": call.id or f"toolu_{message_id(engine_id)[4:]}_{len(content)}",
                "name": function.name,
                "input": _input(function.arguments),
            }
        )
    return content


def _input(arguments: str | dict[str, Any] | None) -> object:
    """A tool call's arguments as the object that Anthropic's clients expect.

    What is no object, such as arguments cut off at `max_tokens`, stands in one under
    `INVALID_JSON`: nothing is lost, and no client takes it for a call that it may run.
    """
    if not arguments:
        return {}
    if isinstance(arguments, dict):
        return arguments
    try:
        msgspec.json.decode(arguments, type=dict[str, msgspec.Raw])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return {"INVALID_JSON": arguments} if arguments.strip() else {}
    return msgspec.Raw(arguments.encode())
