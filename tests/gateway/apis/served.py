"""The APIs behind a small HTTP server, before an engine that says what a test tells it."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from neocloud.gateway.apis.api import Api, Asked, Usage, Wanted
from neocloud.gateway.apis.refusals import ApiError, error_body
from neocloud.wire import Exchange, serve

JSON = ((b"content-type", b"application/json"),)
EVENTS = ((b"content-type", b"text/event-stream"),)
Answer = bytes | list[bytes]
Engine = Callable[[str, dict[str, Any]], Answer]


@dataclass
class Served:
    """One engine behind some APIs.

    Attributes:
        engine: path and body in; a whole answer out, or the pieces of a stream.
        speaks: APIs of the engine.
        asked: requests as they were read.
        sent: what the engine was sent.
        used: usage of each answer.
        base: where clients go.
    """

    engine: Engine
    speaks: frozenset[str]
    apis: dict[str, Api]
    wanted: dict[str, Any] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    sent: list[dict[str, Any]] = field(default_factory=list)
    used: list[Usage | None] = field(default_factory=list)
    base: str = ""

    def handle(self, exchange: Exchange) -> None:
        api = self.apis[exchange.path]
        try:
            asked = api.read(exchange.body)
            dialect = api.toward(self.speaks)
            assert dialect is not None
            wanted = Wanted(**{"model": asked.model, **self.wanted})
            body = json.loads(dialect.request(exchange.body, asked, wanted))
        except ApiError as error:
            told = error_body(error.status, str(error), error.code, anthropic=api.anthropic)
            exchange.respond(error.status, JSON, told)
            return
        self.asked.append(asked)
        self.sent.append(body)
        answer = self.engine(dialect.path.decode(), body)
        if isinstance(answer, bytes):
            told, usage = dialect.whole(answer, asked)
            self.used.append(usage)
            exchange.respond(200, JSON, told)
            return
        stream = dialect.stream(asked)
        exchange.start(200, EVENTS)
        for piece in answer:
            if out := stream.feed(piece):
                exchange.write(out)
        if rest := stream.rest():
            exchange.write(rest)
        self.used.append(stream.usage)
        if stream.complete or stream.failed:
            exchange.finish(stream.held)
        else:
            exchange.abort()


@contextmanager
def served(engine: Engine, speaks: set[str], *apis: Api, **wanted: Any) -> Iterator[Served]:
    """Serve in a thread of its own, so that clients that block can call."""
    world = Served(engine, frozenset(speaks), {api.path: api for api in apis}, wanted)
    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(serve(world.handle, "127.0.0.1", 0))
    world.base = f"http://127.0.0.1:{server.address[1]}/v1"
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield world
    finally:
        asyncio.run_coroutine_threadsafe(server.close_gracefully(5.0), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
