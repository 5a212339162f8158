"""Asking engines in tests: a loop that does not hang, streams taken as they come, waiting."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable

import uvloop

from neocloud.engines import Endpoint
from neocloud.wire import InPieces, Pool, ResponseHead, UpstreamError

CHAT = b"/v1/chat/completions"


def run(test: Callable[[], Awaitable[None]], within_s: float = 60) -> None:
    """Run a test in an event loop; it fails if it hangs."""

    async def main() -> None:
        async with asyncio.timeout(within_s):
            await test()

    uvloop.run(main())


async def until(condition: Callable[[], bool], within_s: float = 8.0) -> None:
    async with asyncio.timeout(within_s):
        while not condition():
            await asyncio.sleep(0.01)


class Taker(InPieces):
    """Takes a streamed answer."""

    def __init__(self) -> None:
        self.status = 0
        self.body = b""
        self.some = asyncio.Event()
        self.ended = asyncio.Event()
        self.error: UpstreamError | None = None

    def on_head(self, head: ResponseHead) -> None:
        self.status = head.status

    def on_data(self, data: bytes) -> None:
        self.body += data
        self.some.set()

    def on_end(self) -> None:
        self.ended.set()

    def on_error(self, error: UpstreamError) -> None:
        self.error = error
        self.some.set()
        self.ended.set()

    def events(self) -> list[dict]:
        *events, last, rest = self.body.decode().split("\n\n")
        assert (last, rest) == ("data: [DONE]", "")
        return [json.loads(event.removeprefix("data: ")) for event in events]


def stream(pool: Pool, endpoint: Endpoint, body: dict[str, object], page: bytes = CHAT):
    """Ask for a stream; the call under way and what takes it."""
    taker = Taker()
    data = json.dumps({"stream": True, **body}).encode()
    return pool.request(b"POST", endpoint.prefix + page, taker, (), data), taker
