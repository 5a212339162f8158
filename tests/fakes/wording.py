"""Answers in OpenAI's words: chat, completions, embeddings, errors; and what all APIs share."""

from __future__ import annotations

import base64
import struct
from typing import Any

import msgspec

from .asking import Amounts, Asked
from .behaviour import Behaviour

CREATED = 1_700_000_000
DIMENSIONS = 8
encode = msgspec.json.encode


class Event(msgspec.Struct, frozen=True):
    """One event of a stream.

    Attributes:
        kind: `open`, `content`, `finish`, `usage` or `end`.
        data: what it says.
        name: its `event:` field; empty for none.
        tokens: generated for it.
    """

    kind: str
    data: bytes
    name: str = ""
    tokens: int = 0


DONE = Event("end", b"[DONE]")


def usage(amounts: Amounts, completion: int, behaviour: Behaviour) -> dict[str, Any]:
    """The usage object after so many tokens."""
    if behaviour.usage == "bad":
        return {"prompt_tokens": -5, "completion_tokens": "many", "total_tokens": None}
    said: dict[str, Any] = {
        "prompt_tokens": amounts.prompt,
        "completion_tokens": completion,
        "total_tokens": amounts.prompt + completion,
    }
    if amounts.cached >= 0:
        said["prompt_tokens_details"] = {"cached_tokens": amounts.cached}
    if amounts.reasoning >= 0:
        said["completion_tokens_details"] = {"reasoning_tokens": amounts.reasoning}
    return said


def arguments(amounts: Amounts) -> list[str]:
    """The pieces of a tool call's arguments: JSON once they are joined."""
    texts = [text for text, _ in amounts.pieces] or [""]
    texts[0] = '{"said":"' + texts[0]
    texts[-1] += '"}'
    return texts


def _choice(asked: Asked, index: int, finish: str | None, **fields: Any) -> dict[str, Any]:
    return {"index": index, **fields, "logprobs": None, "finish_reason": finish}


def _reason(amounts: Amounts, tool: str) -> str:
    if tool:
        return "tool_calls"
    return "length" if amounts.cut else "stop"


def _base(asked: Asked, behaviour: Behaviour, kind: str) -> dict[str, Any]:
    return {"id": behaviour.id, "object": kind, "created": CREATED, "model": asked.model}


def openai_whole(asked: Asked, amounts: Amounts, behaviour: Behaviour, tool: str) -> bytes:
    """A chat or text completion that is not streamed."""
    text = "".join(piece for piece, _ in amounts.pieces)
    fields: dict[str, Any]
    if asked.api == "completions":
        fields, kind = {"text": text}, "text_completion"
    elif tool:
        function = {"name": tool, "arguments": "".join(arguments(amounts))}
        call = {"id": "call-0", "type": "function", "function": function}
        message = {"role": "assistant", "content": None, "tool_calls": [call]}
        fields, kind = {"message": message}, "chat.completion"
    else:
        fields, kind = {"message": {"role": "assistant", "content": text}}, "chat.completion"
    reason = _reason(amounts, tool)
    said = _base(asked, behaviour, kind)
    said["choices"] = [_choice(asked, index, reason, **fields) for index in range(asked.n)]
    if behaviour.usage != "never":
        said["usage"] = usage(amounts, amounts.completion, behaviour)
    return encode(said)


def openai_events(asked: Asked, amounts: Amounts, behaviour: Behaviour, tool: str) -> list[Event]:
    """A chat or text completion as a stream; `Behaviour.usage` says where the usage stands."""
    chat, where, asks = asked.api == "chat", behaviour.usage, asked.include_usage
    base = _base(asked, behaviour, "chat.completion.chunk" if chat else "text_completion")
    each = where == "each" or (where in ("own", "null") and asks and asked.continuous_usage)
    null = where == "null" or (where == "own" and asks)

    def event(kind: str, choice: dict[str, Any], done: int, tokens: int = 0) -> Event:
        said = {**base, "choices": [choice]}
        last = kind == "content" and done == amounts.completion
        ends = kind == "finish" and choice["index"] == asked.n - 1
        here = {"cumulative": kind == "content", "last": last, "finish": ends}
        if each or here.get(where):
            said["usage"] = usage(amounts, done, behaviour)
        elif null:
            said["usage"] = None
        return Event(kind, encode(said), tokens=tokens)

    events, done = [], 0
    if chat:
        for index in range(asked.n):
            opening: dict[str, Any] = {"role": "assistant", "content": "" if not tool else None}
            if tool:
                function = {"name": tool, "arguments": ""}
                opening["tool_calls"] = [
                    {"index": 0, "id": "call-0", "type": "function", "function": function}
                ]
            events.append(event("open", _choice(asked, index, None, delta=opening), 0))
    texts = arguments(amounts) if tool else [text for text, _ in amounts.pieces]
    counts = [tokens for _, tokens in amounts.pieces] or [0] * len(texts)
    for text, tokens in zip(texts, counts, strict=True):
        for index in range(asked.n):
            done += tokens
            fields: dict[str, Any] = {"text": text}
            if tool:
                fields = {"delta": {"tool_calls": [{"index": 0, "function": {"arguments": text}}]}}
            elif chat:
                fields = {"delta": {"content": text}}
            events.append(event("content", _choice(asked, index, None, **fields), done, tokens))
    reason, nothing = _reason(amounts, tool), {"delta": {}} if chat else {"text": ""}
    events += [
        event("finish", _choice(asked, index, reason, **nothing), done) for index in range(asked.n)
    ]
    if asks and where in ("own", "null", "bad"):
        said = {**base, "choices": [], "usage": usage(amounts, done, behaviour)}
        events.append(Event("usage", encode(said)))
    return [*events, DONE] if behaviour.done else events


def embeddings_whole(asked: Asked, amounts: Amounts, behaviour: Behaviour) -> bytes:
    """A unit vector an input: the first axis for the first, and so on."""
    data = []
    for index in range(asked.inputs):
        vector = [float(axis == index % DIMENSIONS) for axis in range(DIMENSIONS)]
        packed = base64.b64encode(struct.pack(f"<{DIMENSIONS}f", *vector)).decode()
        data.append(
            {
                "object": "embedding",
                "index": index,
                "embedding": packed if asked.base64 else vector,
            }
        )
    said = {"object": "list", "model": asked.model, "data": data}
    if behaviour.usage != "never":
        said["usage"] = {"prompt_tokens": amounts.prompt, "total_tokens": amounts.prompt}
    return encode(said)


def error_body(api: str, status: int, message: str, code: str = "", param: str = "") -> bytes:
    """An error in the words of the API."""
    kind = {404: "not_found_error", 429: "rate_limit_error"}.get(
        status, "invalid_request_error" if status < 500 else "server_error"
    )
    if api == "messages":
        return encode({"type": "error", "error": {"type": kind, "message": message}})
    error = {"message": message, "type": kind, "param": param or None, "code": code or status}
    return encode({"error": error})
