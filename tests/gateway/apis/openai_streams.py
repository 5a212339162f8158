"""Streams of chat completions as tests write them, and what comes of them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from neocloud.gateway.apis.api import Usage
from neocloud.gateway.apis.openai.events import OpenAIEvents

DONE = b"data: [DONE]\n\n"
SHARED = {"id": "c-1", "object": "chat.completion.chunk", "created": 17, "model": "m"}
USAGE = {
    "prompt_tokens": 11,
    "completion_tokens": 5,
    "total_tokens": 16,
    "prompt_tokens_details": {"cached_tokens": 8},
    "completion_tokens_details": {"reasoning_tokens": 3},
}
COUNTED = Usage(11, 8, 5, 3)


def data(payload: dict[str, Any], *, spaced: bool = False) -> bytes:
    text = json.dumps(payload, separators=None if spaced else (",", ":"), ensure_ascii=False)
    return b"data: " + text.encode() + b"\n\n"


def chunk(text: str = "", finish: str | None = None, index: int = 0, **more: Any) -> dict[str, Any]:
    choice = {"index": index, "delta": {"content": text}, "finish_reason": finish}
    return {**SHARED, "choices": [choice], **more}


def own(usage: dict[str, Any] = USAGE) -> dict[str, Any]:
    return {**SHARED, "choices": [], "usage": usage}


class Seen:
    """All of a stream, and what the client got of it."""

    def __init__(self, pieces: Iterable[bytes], *, asks: bool, **options: int) -> None:
        self.stream = OpenAIEvents(wants_usage=asks, **options)
        self.before_end = b"".join([self.stream.feed(piece) for piece in pieces])
        self.before_end += self.stream.rest()
        self.client = self.before_end + self.stream.held

    @property
    def payloads(self) -> list[Any]:
        return payloads(self.client)

    @property
    def told(self) -> tuple[object, ...]:
        stream = self.stream
        return (
            self.client, stream.held, stream.usage, stream.complete, stream.failed,
            stream.content_seen, stream.content_events,
        )  # fmt: skip


def payloads(body: bytes) -> list[Any]:
    """The data of a stream, by a plain reading of the standard."""
    found = []
    for event in body.replace(b"\r\n", b"\n").split(b"\n\n"):
        lines = [line[5:].removeprefix(b" ") for line in event.split(b"\n") if line[:5] == b"data:"]
        if lines and lines != [b"[DONE]"]:
            found.append(json.loads(b"\n".join(lines)))
    return found


WORDS = [chunk("a"), chunk(" b"), chunk(" c")]
END = chunk("", "stop")

PLACES: dict[str, list[dict[str, Any]]] = {
    "own chunk": [*WORDS, END, own()],
    "own chunk before the reason": [*WORDS, own(), END],
    "last content chunk": [*WORDS, chunk(" d", "stop", usage=USAGE)],
    "finish chunk": [*WORDS, chunk("", "stop", usage=USAGE)],
    "usage first in its chunk": [*WORDS, {"usage": USAGE, **END}],
    "several own chunks": [*WORDS, own({**USAGE, "completion_tokens": 2}), END, own()],
    "cumulative in each": [chunk(w, usage={**USAGE, "completion_tokens": n + 1})
                           for n, w in enumerate("abcd")] + [chunk("", "stop", usage=USAGE)],
    "cumulative, then its own": [chunk(w, usage={**USAGE, "completion_tokens": n + 1})
                                 for n, w in enumerate("abcd")] + [END, own()],
    "null in each": [chunk(w, usage=None) for w in "abc"] + [{**END, "usage": None}, own()],
    "no choices beside it": [*WORDS, END, {**SHARED, "usage": USAGE}],
    "null choices beside it": [*WORDS, END, {**SHARED, "choices": None, "usage": USAGE}],
    "inside the choice": [*WORDS, {**SHARED, "choices": [{**END["choices"][0], "usage": USAGE}]}],
}  # fmt: skip
