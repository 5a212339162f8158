"""The client against servers that misbehave."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
import uvloop

from neocloud.wire import (
    Address,
    Client,
    ClientLimits,
    Exchange,
    InPieces,
    Pool,
    ResponseHead,
    UpstreamError,
    UpstreamFault,
    fetch,
    serve,
)

Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter, int], Awaitable[None]]


def run(
    script: Script,
    test: Callable[[Pool], Awaitable[None]],
    limits: ClientLimits | None = None,
) -> int:
    """Run `test` against a server that speaks by `script`; returns how often it was dialled."""
    dialled = 0

    async def main() -> None:
        async def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal dialled
            dialled += 1
            try:
                await script(reader, writer, dialled)
            except (ConnectionError, asyncio.IncompleteReadError):
                pass
            finally:
                writer.close()

        server = await asyncio.start_server(accepted, "127.0.0.1", 0)
        client = Client(limits)
        try:
            async with asyncio.timeout(20):
                await test(client.pool(Address("127.0.0.1", server.sockets[0].getsockname()[1])))
        finally:
            await client.close()
            server.close()
            await server.wait_closed()

    uvloop.run(main())
    return dialled


async def request(reader: asyncio.StreamReader) -> bytes:
    return await reader.readuntil(b"\r\n\r\n")


class Log(InPieces):
    def __init__(self) -> None:
        self.events: list[object] = []
        self.ended = asyncio.Event()

    def on_head(self, head: ResponseHead) -> None:
        self.events.append(head.status)

    def on_data(self, data: bytes) -> None:
        self.events.append(data)

    def on_end(self) -> None:
        self.events.append("end")
        self.ended.set()

    def on_error(self, error: UpstreamError) -> None:
        self.events.append((error.fault, error.answered))
        self.ended.set()


OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


def test_connections_are_kept_alive() -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _: int) -> None:
        while True:
            await request(reader)
            writer.write(OK)

    async def test(pool: Pool) -> None:
        for _ in range(20):
            assert (await fetch(pool, b"GET", b"/")).body == b"ok"

    assert run(script, test) == 1


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok",
        b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok",
        OK + b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nextra",
    ],
)
def test_connections_that_cannot_be_kept_are_not(answer: bytes) -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _: int) -> None:
        while True:
            await request(reader)
            writer.write(answer)

    async def test(pool: Pool) -> None:
        for _ in range(3):
            assert (await fetch(pool, b"GET", b"/")).body == b"ok"

    assert run(script, test) == 3


def test_keep_alive_that_lies_is_retried_once_on_a_fresh_connection() -> None:
    """llama.cpp says keep-alive and closes: the second request meets a dead connection."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, n: int) -> None:
        await request(reader)
        writer.write(OK)
        if n == 1:
            await request(reader)  # read the next one, then close without a word

    async def test(pool: Pool) -> None:
        assert (await fetch(pool, b"POST", b"/", body=b"1")).body == b"ok"
        assert (await fetch(pool, b"POST", b"/", body=b"2")).body == b"ok"

    assert run(script, test) == 2


def test_the_retry_happens_once() -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, n: int) -> None:
        await request(reader)
        if n == 1:
            writer.write(OK)
            await request(reader)

    async def test(pool: Pool) -> None:
        assert (await fetch(pool, b"GET", b"/")).body == b"ok"
        with pytest.raises(UpstreamError) as caught:
            await fetch(pool, b"GET", b"/")
        assert caught.value.fault == UpstreamFault.LOST
        assert not caught.value.answered

    assert run(script, test) == 2


def test_a_fresh_connection_that_breaks_is_not_retried() -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _: int) -> None:
        await request(reader)

    async def test(pool: Pool) -> None:
        with pytest.raises(UpstreamError):
            await fetch(pool, b"GET", b"/")

    assert run(script, test) == 1


@pytest.mark.parametrize(
    ("answer", "events"),
    [
        (b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nab", [200, b"ab", ("lost", True)]),
        (
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n",
            [200, b"ab", ("lost", True)],
        ),
        (b"HTTP/1.1 200 OK\r\n\r\nab", [200, b"ab", "end"]),
        (b"HTTP/1.1 200 O", [("lost", False)]),
        (b"nonsense\r\n\r\n", [("protocol", False)]),
        (
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nab",
            [200, b"ab", "end"],
        ),
        (b"HTTP/1.1 204 No Content\r\n\r\n", [204, "end"]),
        (
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\nzz\r\n",
            [200, b"ab", ("protocol", True)],
        ),
        (b"HTTP/1.1 200 OK\r\nx: " + b"y" * 70_000, [("protocol", False)]),
    ],
)
def test_answers(answer: bytes, events: list[object]) -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _: int) -> None:
        await request(reader)
        writer.write(answer)
        await writer.drain()

    async def test(pool: Pool) -> None:
        log = Log()
        pool.request(b"GET", b"/", log)
        await log.ended.wait()
        assert log.events == events

    run(script, test)


def test_refused_connection_and_timeouts() -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, n: int) -> None:
        await request(reader)
        if n == 2:
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\no")
        await asyncio.sleep(5)

    async def test(pool: Pool) -> None:
        for answered in (False, True):
            with pytest.raises(UpstreamError) as caught:
                await fetch(pool, b"GET", b"/")
            assert caught.value.fault == UpstreamFault.TIMEOUT
            assert caught.value.answered is answered

    run(script, test, ClientLimits(head_timeout_s=0.2, read_timeout_s=0.2))

    async def refused() -> None:
        client = Client()
        try:
            with pytest.raises(UpstreamError) as caught:
                await fetch(client.pool(Address("127.0.0.1", 9)), b"GET", b"/")
            assert caught.value.fault == UpstreamFault.CONNECT
        finally:
            await client.close()

    uvloop.run(refused())


def test_idle_connections_are_closed() -> None:
    closed = []

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _: int) -> None:
        await request(reader)
        writer.write(OK)
        assert await reader.read() == b""
        closed.append(True)

    async def test(pool: Pool) -> None:
        await fetch(pool, b"GET", b"/")
        while pool.connections or not closed:
            await asyncio.sleep(0.02)

    run(script, test, ClientLimits(idle_s=0.1))


def test_abort_closes_the_connection_and_says_nothing_more() -> None:
    closed = []

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _: int) -> None:
        await request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n")
        assert await reader.read() == b""
        closed.append(True)

    async def test(pool: Pool) -> None:
        log = Log()
        call = pool.request(b"GET", b"/", log)
        while len(log.events) < 2:
            await asyncio.sleep(0.001)
        call.abort()
        call.abort()
        while not closed:
            await asyncio.sleep(0.001)
        assert log.events == [200, b"ab"]

    run(script, test)


def test_abort_while_connecting() -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _: int) -> None:
        while True:
            await request(reader)
            writer.write(OK)

    async def test(pool: Pool) -> None:
        log = Log()
        pool.request(b"GET", b"/", log).abort()
        assert (await fetch(pool, b"GET", b"/")).status == 200
        assert log.events == []

    run(script, test)


def test_paused_answers_wait_in_the_network() -> None:
    sent = 0

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _: int) -> None:
        nonlocal sent
        await request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 20000000\r\n\r\n")
        for _ in range(200):
            writer.write(b"x" * 100_000)
            await writer.drain()
            sent += 1
        await request(reader)

    class Slow(Log):
        def on_head(self, head: ResponseHead) -> None:
            super().on_head(head)
            call.pause()

    async def test(pool: Pool) -> None:
        nonlocal call
        log = Slow()
        call = pool.request(b"GET", b"/", log)
        while not log.events:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.2)
        stalled = sent
        await asyncio.sleep(0.1)
        assert sent == stalled < 200
        call.resume()
        await log.ended.wait()
        assert log.events[-1] == "end"
        assert sum(len(e) for e in log.events if isinstance(e, bytes)) == 20_000_000

    call = None  # type: ignore[assignment]
    run(script, test)


def test_connections_are_bounded() -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _: int) -> None:
        await request(reader)
        await asyncio.sleep(5)

    async def test(pool: Pool) -> None:
        logs = [Log() for _ in range(5)]
        for log in logs:
            pool.request(b"GET", b"/", log)
        while sum(bool(log.events) for log in logs) < 3:
            await asyncio.sleep(0.001)
        assert [log.events for log in logs if log.events] == [[("full", False)]] * 3

    run(script, test, ClientLimits(max_connections=2))


@pytest.mark.parametrize("turns", range(6))
def test_closing_while_connections_are_made_comes_to_an_end(turns: int) -> None:
    """However far the dialling is; the event loop need not tell a connection that it is closed."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _: int) -> None:
        await reader.read()

    async def test(pool: Pool) -> None:
        for _ in range(20):
            client, logs = Client(), [Log(), Log()]
            mine = client.pool(pool.address)
            for log in logs:
                mine.request(b"GET", b"/", log)
            for _ in range(turns):
                await asyncio.sleep(0)
            await client.close()
            assert mine.connections == 0
            assert [len(log.events) for log in logs] == [1, 1]

    run(script, test)


def test_a_closed_client_dials_no_more() -> None:
    """Not for a new request, nor to send again what met a dead connection."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _: int) -> None:
        await request(reader)
        writer.write(OK)
        await reader.read()

    async def test(pool: Pool) -> None:
        client = Client()
        mine = client.pool(pool.address)
        await fetch(mine, b"GET", b"/")
        under_way, late = Log(), Log()
        mine.request(b"GET", b"/", under_way)
        await client.close()
        mine.request(b"GET", b"/", late)
        for log in (under_way, late):
            await log.ended.wait()
            assert log.events == [("connect", False)]

    assert run(script, test) == 1


def test_client_and_server_agree_on_long_bodies() -> None:
    def mirror(exchange: Exchange) -> None:
        exchange.start(200, (), len(exchange.body))
        exchange.write(exchange.body[:70_000])
        exchange.finish(exchange.body[70_000:])

    async def main() -> None:
        server = await serve(mirror, "127.0.0.1", 0)
        client = Client()
        body = bytes(range(256)) * 4000
        answer = await fetch(client.pool(Address(*server.address)), b"POST", b"/x", body=body)
        assert answer.body == body
        await client.close()
        await server.close_gracefully(1)

    uvloop.run(main())


def test_addresses() -> None:
    assert Address.of_url("http://127.0.0.1:8000/v1") == Address("127.0.0.1", 8000)
    assert Address.of_url("https://api.example.com/v1") == Address("api.example.com", 443, True)
    assert Address("::1", 80).authority == "[::1]"
    assert [Address("a", port, True).authority for port in (443, 80)] == ["a", "a:80"]
    for url in ("ftp://a", "a:80", "http://", "http://user:word@a/", "http://a:port/"):
        with pytest.raises(ValueError, match=r".+"):
            Address.of_url(url)
