"""A client that takes less than is written holds up the writer, and nothing piles up."""

from __future__ import annotations

import asyncio

import uvloop

from neocloud.wire import Exchange, Limits, serve


def test_back_pressure_reaches_the_writer() -> None:
    events: list[str] = []
    written = 0
    may_go = asyncio.Event()

    def pause() -> None:
        events.append("pause")
        may_go.clear()

    def resume() -> None:
        events.append("resume")
        may_go.set()

    async def produce(exchange: Exchange) -> None:
        nonlocal written
        may_go.set()
        exchange.on_back_pressure(pause, resume)
        exchange.start(200)
        for _ in range(200):
            exchange.write(b"x" * 100_000)
            written += 1
            await may_go.wait()
        exchange.finish()

    tasks: list[asyncio.Task[None]] = []

    async def main() -> None:
        server = await serve(
            lambda exchange: tasks.append(asyncio.ensure_future(produce(exchange))),
            "127.0.0.1",
            0,
            Limits(write_timeout_s=30),
        )
        reader, writer = await asyncio.open_connection(*server.address, limit=1000)
        writer.write(b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
        while "pause" not in events:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
        stalled = written
        await asyncio.sleep(0.1)
        assert written == stalled < 200
        size = 0
        while data := await reader.read(1 << 20):
            size += len(data)
        assert size > 20_000_000
        assert "resume" in events
        writer.close()
        await server.close_gracefully(1)

    uvloop.run(main())
    assert tasks[0].done()
