"""A scripted engine as a process of its own, which outlives gateways that are killed.

Answers a moment after it is asked, and piece by piece, so that a kill finds requests at any stage.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import scripted  # beside this program
import uvloop

from neocloud.wire import Exchange, serve

PIECE_S = 0.004


def slowly(engine: scripted.Mock, exchange: Exchange, request: dict[str, Any]) -> None:
    """As many tokens as `max_tokens` says, each a little later."""
    loop, tokens = asyncio.get_running_loop(), request["max_tokens"]

    def step(number: int) -> None:
        if exchange.closed:
            return
        if number < tokens:
            if exchange.started:
                exchange.write(scripted.token(f"t{number}"))
            loop.call_later(PIECE_S, step, number + 1)
        elif exchange.started:
            exchange.finish(scripted.end_of(request, tokens))
        else:
            exchange.respond(200, scripted.JSON, scripted.plain(tokens))

    if request.get("stream"):
        exchange.start(200, scripted.EVENTS)
    step(0)


async def main() -> None:
    server = await serve(scripted.Mock(slowly).handle, "127.0.0.1", 0)
    host, port = server.address
    print(f"http://{host}:{port}", flush=True)
    await asyncio.to_thread(sys.stdin.read)  # until the test ends, however it does
    await server.close_gracefully(0)


if __name__ == "__main__":
    uvloop.run(main())
