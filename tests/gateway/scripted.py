"""An engine that does what a test tells it, and counts what it is asked."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable
from typing import Any

from neocloud.wire import Exchange

JSON = ((b"content-type", b"application/json"),)
EVENTS = ((b"content-type", b"text/event-stream"),)
PROMPT_TOKENS = 7
DONE = b"data: [DONE]\n\n"

Script = Callable[["Mock", Exchange, dict[str, Any]], None]


class Mock:
    """Handler of a server.

    Attributes:
        script: what it does with a chat request.
        bodies: chat requests as they came, in order.
        headers: their header fields.
        asked: chat requests by the text of their first message.
        whole: answers that it wrote to their end.
        gone: set once a client left before its answer was whole.
    """

    def __init__(self, script: Script) -> None:
        self.script = script
        self.bodies: list[bytes] = []
        self.headers: list[dict[bytes, bytes]] = []
        self.asked: Counter[str] = Counter()
        self.whole = 0
        self.begun = asyncio.Event()
        self.gone = asyncio.Event()
        self.open: list[Exchange] = []

    def handle(self, exchange: Exchange) -> None:
        if exchange.path == "/health":
            exchange.respond(200)
        elif exchange.path == "/v1/models":
            body = json.dumps({"object": "list", "data": [{"id": "m", "object": "model"}]})
            exchange.respond(200, JSON, body.encode())
        elif exchange.path == "/counts":
            exchange.respond(200, JSON, json.dumps(self.asked).encode())
        elif exchange.path == "/v1/chat/completions":
            self.bodies.append(exchange.body)
            self.headers.append(exchange.headers)
            request = json.loads(exchange.body)
            self.asked[request["messages"][0]["content"]] += 1
            exchange.on_disconnect(self.gone.set)
            self.script(self, exchange, request)
            self.begun.set()
        else:
            exchange.respond(404)


def usage(tokens: int) -> dict[str, object]:
    return {
        "prompt_tokens": PROMPT_TOKENS,
        "completion_tokens": tokens,
        "total_tokens": PROMPT_TOKENS + tokens,
        "prompt_tokens_details": {"cached_tokens": 2},
    }


def event(**fields: object) -> bytes:
    text = json.dumps({"id": "c", "object": "chat.completion.chunk", **fields})
    return b"data: " + text.encode() + b"\n\n"


def token(text: str, finish: str | None = None) -> bytes:
    return event(choices=[{"index": 0, "delta": {"content": text}, "finish_reason": finish}])


def end_of(request: dict[str, Any], tokens: int) -> bytes:
    """The events after the last token."""
    last = event(choices=[{"index": 0, "delta": {}, "finish_reason": "stop"}])
    if (request.get("stream_options") or {}).get("include_usage"):
        last += event(choices=[], usage=usage(tokens))
    return last + DONE


def plain(tokens: int) -> bytes:
    message = {"role": "assistant", "content": "word " * tokens}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return json.dumps({"id": "c", "choices": [choice], "usage": usage(tokens)}).encode()


def answers(tokens: int = 3) -> Script:
    """Answers well, at once."""

    def script(mock: Mock, exchange: Exchange, request: dict[str, Any]) -> None:
        if request.get("stream"):
            exchange.start(200, EVENTS)
            for number in range(tokens):
                exchange.write(token(f"t{number}"))
            exchange.finish(end_of(request, tokens))
        else:
            exchange.respond(200, JSON, plain(tokens))
        mock.whole += 1

    return script


def says(status: int, message: str) -> Script:
    """Refuses."""

    def script(mock: Mock, exchange: Exchange, request: dict[str, Any]) -> None:
        exchange.respond(status, JSON, json.dumps({"error": {"message": message}}).encode())
        mock.whole += 1

    return script


def streams(*pieces: bytes, then: str = "finish") -> Script:
    """Writes these pieces, then ends well ("finish"), breaks off ("abort"), or waits ("wait")."""

    def script(mock: Mock, exchange: Exchange, request: dict[str, Any]) -> None:
        exchange.start(200, EVENTS)
        for piece in pieces:
            exchange.write(piece)
        if then == "finish":
            exchange.finish()
        elif then == "abort":
            exchange.abort()
        else:
            mock.open.append(exchange)

    return script


def waits(mock: Mock, exchange: Exchange, request: dict[str, Any]) -> None:
    """Does not begin to answer."""
    mock.open.append(exchange)
