"""What engines say in chat completions, and a strict reader of Anthropic's streams."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from neocloud.gateway.apis.api import AnswerStream, Asked
from neocloud.gateway.apis.messages import Messages

DONE = b"data: [DONE]\n\n"
USAGE = {
    "prompt_tokens": 9,
    "completion_tokens": 4,
    "total_tokens": 13,
    "prompt_tokens_details": {"cached_tokens": 3},
}


def asked(**fields: object) -> Asked:
    body = {"model": "m", "max_tokens": 50, "messages": [], "stream": True, **fields}
    return Messages().read(json.dumps(body).encode())


def event(end: bytes = b"\n\n", **fields: object) -> bytes:
    body = {"id": "chatcmpl-1", "object": "chat.completion.chunk", **fields}
    return b"data: " + json.dumps(body, ensure_ascii=False).encode() + end


def delta(finish: str | None = None, usage: object = None, **fields: object) -> bytes:
    choice = {"index": 0, "delta": fields, "finish_reason": finish}
    more = {} if usage is None else {"usage": usage}
    return event(choices=[choice], **more)


def text(piece: str) -> bytes:
    return delta(content=piece)


def call(index: int, piece: str = "", **fields: object) -> bytes:
    """A piece of a tool call; with `id` and `name` its first."""
    function = {"arguments": piece} | ({"name": fields.pop("name")} if "name" in fields else {})
    return delta(tool_calls=[{"index": index, **fields, "function": function}])


def finish(reason: str = "stop", **fields: object) -> bytes:
    return event(choices=[{"index": 0, "delta": {}, "finish_reason": reason, **fields}])


def usage(told: object = USAGE) -> bytes:
    return event(choices=[], usage=told)


def fed(stream: AnswerStream, *pieces: bytes) -> bytes:
    """What the client gets before the ledger is asked."""
    return b"".join([stream.feed(piece) for piece in pieces]) + stream.rest()


def translated(*pieces: bytes, **fields: object) -> tuple[AnswerStream, bytes]:
    """The stream after these pieces, and what the client gets before the ledger is asked."""
    stream = Messages().by_chat.stream(asked(**fields))
    return stream, fed(stream, *pieces)


@dataclass
class Read:
    """A stream as a strict client reads it."""

    events: list[dict[str, Any]] = field(default_factory=list)
    message: dict[str, Any] = field(default_factory=dict)
    blocks: list[dict[str, Any]] = field(default_factory=list)
    error: dict[str, Any] | None = None
    stopped: bool = False


def read(stream: bytes) -> Read:
    """Read a stream and hold it to the protocol: order, indices, one block open at a time."""
    found = Read()
    opened = False
    assert stream == b"" or stream.endswith(b"\n\n")
    for part in stream.split(b"\n\n")[:-1]:
        if part.startswith(b":"):
            continue
        first, second = part.split(b"\n")
        told = json.loads(second.removeprefix(b"data: "))
        assert first == b"event: " + told["type"].encode()
        found.events.append(told)
        kind = told["type"]
        assert not found.stopped, "nothing follows the end"
        assert found.error is None, "nothing follows an error"
        if kind == "message_start":
            assert not found.message
            found.message = told["message"]
        elif kind == "error":
            found.error = told["error"]
        else:
            assert found.message, "the message has begun"
            opened = _read_block(found, told, opened)
    return found


def _read_block(found: Read, told: dict[str, Any], opened: bool) -> bool:
    kind = told["type"]
    if kind == "content_block_start":
        assert not opened
        assert told["index"] == len(found.blocks)
        found.blocks.append({**told["content_block"], "json": ""})
        return True
    if kind == "content_block_delta":
        assert opened
        assert told["index"] == len(found.blocks) - 1
        block, piece = found.blocks[-1], told["delta"]
        if piece["type"] == "input_json_delta":
            assert block["type"] == "tool_use"
            block["json"] += piece["partial_json"]
        else:
            name = block["type"]
            assert piece["type"] == f"{name}_delta"
            block[name] += piece[name]
        return True
    if kind == "content_block_stop":
        assert opened
        assert told["index"] == len(found.blocks) - 1
        return False
    if kind == "message_delta":
        assert not opened
        found.message |= told["delta"]
        found.message["usage"] = {**found.message["usage"], **told["usage"]}
    elif kind == "message_stop":
        assert found.message["stop_reason"]
        found.stopped = True
    else:
        assert kind == "ping", kind
    return opened
