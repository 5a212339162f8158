"""Answers of the Responses API and of Anthropic's Messages API, in their own words."""

from __future__ import annotations

from typing import Any

from .asking import Amounts, Asked
from .behaviour import Behaviour
from .wording import CREATED, Event, arguments, encode


def _text(amounts: Amounts) -> str:
    return "".join(text for text, _ in amounts.pieces)


# Responses


def _responses_usage(amounts: Amounts) -> dict[str, Any]:
    return {
        "input_tokens": amounts.prompt,
        "input_tokens_details": {"cached_tokens": max(0, amounts.cached)},
        "output_tokens": amounts.completion,
        "output_tokens_details": {"reasoning_tokens": max(0, amounts.reasoning)},
        "total_tokens": amounts.prompt + amounts.completion,
    }


def _item(amounts: Amounts, tool: str, status: str) -> dict[str, Any]:
    whole = status == "completed"
    if tool:
        said = "".join(arguments(amounts)) if whole else ""
        return {
            "type": "function_call", "id": "fc-0", "call_id": "call-0", "name": tool,
            "arguments": said, "status": status,
        }  # fmt: skip
    part = {"type": "output_text", "text": _text(amounts), "annotations": [], "logprobs": []}
    return {
        "type": "message", "id": "msg-0", "role": "assistant", "status": status,
        "content": [part] if whole else [],
    }  # fmt: skip


def _response(
    asked: Asked, amounts: Amounts, behaviour: Behaviour, tool: str, status: str
) -> dict[str, Any]:
    whole = status in ("completed", "incomplete")
    return {
        "id": behaviour.id,
        "object": "response",
        "created_at": CREATED,
        "status": status,
        "model": asked.model,
        "error": None,
        "incomplete_details": {"reason": "max_output_tokens"} if status == "incomplete" else None,
        "instructions": None,
        "metadata": {},
        "output": [_item(amounts, tool, "completed")] if whole else [],
        "parallel_tool_calls": True,
        "temperature": 1.0,
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "usage": _responses_usage(amounts) if whole and behaviour.usage != "never" else None,
    }


def responses_whole(asked: Asked, amounts: Amounts, behaviour: Behaviour, tool: str) -> bytes:
    """A response that is not streamed."""
    status = "incomplete" if amounts.cut else "completed"
    return encode(_response(asked, amounts, behaviour, tool, status))


def responses_events(
    asked: Asked, amounts: Amounts, behaviour: Behaviour, tool: str
) -> list[Event]:
    """A response as events, from `response.created` to the one with its usage."""
    events: list[Event] = []

    def say(kind: str, name: str, tokens: int = 0, **fields: Any) -> None:
        said = {"type": name, "sequence_number": len(events), **fields}
        events.append(Event(kind, encode(said), name, tokens))

    running = _response(asked, amounts, behaviour, tool, "in_progress")
    place: dict[str, Any] = {"item_id": "fc-0" if tool else "msg-0", "output_index": 0}
    say("open", "response.created", response=running)
    say("open", "response.in_progress", response=running)
    item = _item(amounts, tool, "in_progress")
    say("open", "response.output_item.added", output_index=0, item=item)
    counts = [tokens for _, tokens in amounts.pieces] or [0]
    if tool:
        for text, tokens in zip(arguments(amounts), counts, strict=True):
            delta = "response.function_call_arguments.delta"
            say("content", delta, tokens, **place, delta=text)
        whole = "".join(arguments(amounts))
        say("finish", "response.function_call_arguments.done", **place, arguments=whole)
    else:
        place["content_index"] = 0
        part: dict[str, Any] = {"type": "output_text", "text": "", "annotations": []}
        say("open", "response.content_part.added", **place, part=part)
        for text, tokens in amounts.pieces:
            say("content", "response.output_text.delta", tokens, **place, delta=text, logprobs=[])
        part = {**part, "text": _text(amounts)}
        say("finish", "response.output_text.done", **place, text=_text(amounts), logprobs=[])
        say("finish", "response.content_part.done", **place, part=part)
    item = _item(amounts, tool, "completed")
    say("finish", "response.output_item.done", output_index=0, item=item)
    status = "incomplete" if amounts.cut else "completed"
    whole_answer = _response(asked, amounts, behaviour, tool, status)
    say("finish", f"response.{status}", response=whole_answer)
    return events


# Messages


def _messages_usage(amounts: Amounts, output: int) -> dict[str, int]:
    """Anthropic's `input_tokens` leave out what came from the cache."""
    cached = max(0, amounts.cached)
    return {
        "input_tokens": amounts.prompt - cached,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": cached,
        "output_tokens": output,
    }


def _message(asked: Asked, behaviour: Behaviour) -> dict[str, Any]:
    return {
        "id": behaviour.id,
        "type": "message",
        "role": "assistant",
        "model": asked.model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
    }


def _stop(amounts: Amounts, tool: str) -> str:
    if tool:
        return "tool_use"
    return "max_tokens" if amounts.cut else "end_turn"


def messages_whole(asked: Asked, amounts: Amounts, behaviour: Behaviour, tool: str) -> bytes:
    """A message that is not streamed."""
    said = _message(asked, behaviour)
    said["stop_reason"] = _stop(amounts, tool)
    if tool:
        call = {"said": _text(amounts)}
        said["content"] = [{"type": "tool_use", "id": "call-0", "name": tool, "input": call}]
    else:
        said["content"] = [{"type": "text", "text": _text(amounts)}]
    if behaviour.usage != "never":
        said["usage"] = _messages_usage(amounts, amounts.completion)
    return encode(said)


def messages_events(asked: Asked, amounts: Amounts, behaviour: Behaviour, tool: str) -> list[Event]:
    """A message as events; `message_start` counts one output token, `message_delta` all of them."""
    events: list[Event] = []
    told = behaviour.usage != "never"

    def say(kind: str, name: str, tokens: int = 0, **fields: Any) -> None:
        events.append(Event(kind, encode({"type": name, **fields}), name, tokens))

    opening = _message(asked, behaviour)
    if told:
        opening["usage"] = _messages_usage(amounts, 1)
    say("open", "message_start", message=opening)
    block: dict[str, Any] = {"type": "text", "text": ""}
    if tool:
        block = {"type": "tool_use", "id": "call-0", "name": tool, "input": {}}
    say("open", "content_block_start", index=0, content_block=block)
    say("open", "ping")
    if tool:
        counts = [tokens for _, tokens in amounts.pieces] or [0]
        for text, tokens in zip(arguments(amounts), counts, strict=True):
            delta = {"type": "input_json_delta", "partial_json": text}
            say("content", "content_block_delta", tokens, index=0, delta=delta)
    else:
        for text, tokens in amounts.pieces:
            delta = {"type": "text_delta", "text": text}
            say("content", "content_block_delta", tokens, index=0, delta=delta)
    say("finish", "content_block_stop", index=0)
    ending: dict[str, Any] = {
        "delta": {"stop_reason": _stop(amounts, tool), "stop_sequence": None},
    }
    if told:
        ending["usage"] = _messages_usage(amounts, amounts.completion)
    say("finish", "message_delta", **ending)
    say("finish", "message_stop")
    return events
