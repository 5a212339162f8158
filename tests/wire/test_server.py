"""The server against raw bytes: framing, order, limits, the end of connections."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable

import pytest
import uvloop
from hypothesis import given, settings
from hypothesis import strategies as st

from neocloud.wire import Exchange, Limits, Server, serve


def echo(exchange: Exchange) -> None:
    exchange.respond(
        200,
        ((b"x-method", exchange.method.encode()), (b"x-target", exchange.path.encode())),
        exchange.body,
    )


def run(
    handler: Callable[[Exchange], None],
    test: Callable[[Server], Awaitable[None]],
    limits: Limits | None = None,
) -> None:
    async def main() -> None:
        server = await serve(handler, "127.0.0.1", 0, limits)
        try:
            async with asyncio.timeout(20):
                await test(server)
        finally:
            await server.close_gracefully(0)

    uvloop.run(main())


async def talk(server: Server, *parts: bytes, pause_s: float = 0.0) -> bytes:
    """Send parts, read until the server closes."""
    reader, writer = await asyncio.open_connection(*server.address)
    try:
        for part in parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(pause_s)
        return await reader.read()
    except ConnectionResetError:
        return b""
    finally:
        writer.close()


CLOSE = b"GET /last HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n"


def test_pipelined_requests_are_answered_in_order() -> None:
    async def test(server: Server) -> None:
        many = b"".join(
            b"POST /%d HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\n%02d" % (i, i)
            for i in range(50)
        )
        answer = await talk(server, many + CLOSE)
        assert answer.count(b"HTTP/1.1 200 OK\r\n") == 51
        places = [answer.index(b"x-target: /%d\r\n" % i) for i in range(50)]
        assert places == sorted(places)

    run(echo, test)


def test_a_later_request_waits_for_the_one_before() -> None:
    waiting: list[Exchange] = []

    async def test(server: Server) -> None:
        two = b"GET /a HTTP/1.1\r\nhost: a\r\n\r\n" + CLOSE
        answer = asyncio.create_task(talk(server, two))
        while not waiting:
            await asyncio.sleep(0.001)
        await asyncio.sleep(0.02)
        assert [e.path for e in waiting] == ["/a"]
        waiting[0].respond(200, (), b"one")
        while len(waiting) < 2:
            await asyncio.sleep(0.001)
        waiting[1].respond(200, (), b"two")
        text = await answer
        assert text.index(b"one") < text.index(b"two")

    run(waiting.append, test)


REQUESTS = (
    b"POST /a?x=1 HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello"
    b"POST /b HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n"
    b"3\r\nabc\r\n2;ext=1\r\nde\r\n0\r\nhost: trailer\r\n\r\n"
    b"GET /c HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n"
)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, len(REQUESTS)), max_size=12))
def test_splitting_anywhere_changes_nothing(cuts: list[int]) -> None:
    seen: list[tuple[str, str, str, bytes, bytes]] = []

    def handler(e: Exchange) -> None:
        seen.append((e.method, e.path, e.query, e.headers[b"host"], e.body))
        e.respond(200)

    async def test(server: Server) -> None:
        edges = [0, *sorted(cuts), len(REQUESTS)]
        parts = [REQUESTS[a:b] for a, b in itertools.pairwise(edges)]
        await talk(server, *parts)

    run(handler, test)
    assert seen == [
        ("POST", "/a", "x=1", b"h", b"hello"),
        ("POST", "/b", "", b"h", b"abcde"),
        ("GET", "/c", "", b"h", b""),
    ]


SMUGGLING = {
    "both lengths": b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n"
    b"transfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "both lengths, other order": b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n"
    b"content-length: 5\r\n\r\n0\r\n\r\n",
    "two lengths": b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\na",
    "signed length": b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: +1\r\n\r\na",
    "unknown coding": b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: xchunked\r\n\r\n",
    "two codings": b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: gzip, chunked\r\n\r\n"
    b"0\r\n\r\n",
    "coding in 1.0": b"POST / HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "folded field": b"GET / HTTP/1.1\r\nhost: a\r\nx: a\r\n b\r\n\r\n",
    "space before colon": b"GET / HTTP/1.1\r\nhost : a\r\n\r\n",
    "bare line feeds": b"GET / HTTP/1.1\nhost: a\n\n",
    "chunk size": b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n0x1\r\na\r\n",
    "chunk longer than said": b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n"
    b"1\r\nab\r\n0\r\n\r\n",
    "no host": b"GET / HTTP/1.1\r\n\r\n",
    "two hosts": b"GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n",
    "nul": b"GET / HTTP/1.1\r\nhost: a\r\nx: a\0b\r\n\r\n",
    "not ascii": b"GET /\xff HTTP/1.1\r\nhost: a\r\n\r\n",
    "http/2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "no http": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
}


@pytest.mark.parametrize("name", SMUGGLING)
def test_ambiguous_or_malformed_requests_are_refused(name: str) -> None:
    seen: list[Exchange] = []

    async def test(server: Server) -> None:
        answer = await talk(server, SMUGGLING[name] + CLOSE)
        assert answer.startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 501 "))
        assert b"connection: close" in answer
        assert answer.count(b"HTTP/1.1") == 1
        assert not seen

    run(seen.append, test)


def test_a_good_request_before_a_bad_one_is_still_answered() -> None:
    async def test(server: Server) -> None:
        answer = await talk(server, b"GET /a HTTP/1.1\r\nhost: a\r\n\r\n" + b"broken\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
        assert answer.count(b"HTTP/1.1 400 ") == 1

    run(echo, test)


def test_too_large_is_refused() -> None:
    limits = Limits(max_header_bytes=1000, max_headers=10, max_body_bytes=100, linger_s=0.2)
    head = b"POST / HTTP/1.1\r\nhost: a\r\n"

    async def test(server: Server) -> None:
        answer = await talk(server, head + b"content-length: 101\r\n\r\n" + b"x" * 101)
        assert answer.startswith(b"HTTP/1.1 413 ")
        chunks = b"40\r\n" + b"x" * 64 + b"\r\n"
        answer = await talk(server, head + b"transfer-encoding: chunked\r\n\r\n", chunks, chunks)
        assert answer.startswith(b"HTTP/1.1 413 ")
        answer = await talk(server, head + b"x: " + b"y" * 1000 + b"\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 431 ")
        answer = await talk(server, head + b"x: ", b"y" * 2000, pause_s=0.01)
        assert answer.startswith(b"HTTP/1.1 431 ")
        answer = await talk(server, head + b"".join(b"x%d: y\r\n" % i for i in range(10)) + b"\r\n")
        assert answer.startswith(b"HTTP/1.1 431 ")
        answer = await talk(server, CLOSE)
        assert answer.startswith(b"HTTP/1.1 200 ")

    run(echo, test, limits)


def test_a_large_refused_body_does_not_hide_the_refusal() -> None:
    async def test(server: Server) -> None:
        body = b"x" * 5_000_000
        answer = await talk(
            server, b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5000000\r\n\r\n" + body
        )
        assert answer.startswith(b"HTTP/1.1 413 ")

    run(echo, test, Limits(max_body_bytes=1000, linger_s=0.5))


def test_time_limits() -> None:
    limits = Limits(request_timeout_s=0.3, idle_timeout_s=0.3, linger_s=0.2)

    async def test(server: Server) -> None:
        assert (await talk(server, b"POST / HTTP/1.1\r\nhost:")).startswith(b"HTTP/1.1 408 ")
        assert await talk(server) == b""

    run(echo, test, limits)


def test_expect_continue() -> None:
    async def test(server: Server) -> None:
        reader, writer = await asyncio.open_connection(*server.address)
        writer.write(
            b"POST / HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n"
        )
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(b"ab")
        assert (await reader.readuntil(b"ab")).startswith(b"HTTP/1.1 200 ")
        writer.close()

    run(echo, test)


def test_upgrade_is_served_as_what_it_is_and_the_connection_ends() -> None:
    async def test(server: Server) -> None:
        answer = await talk(
            server,
            b"GET /a HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n" + CLOSE,
        )
        assert answer.count(b"HTTP/1.1 200 ") == 1
        assert b"x-target: /a" in answer

    run(echo, test)


def test_old_clients_get_a_body_that_ends_with_the_connection() -> None:
    def handler(exchange: Exchange) -> None:
        exchange.start(200)
        exchange.write(b"one")
        exchange.finish(b"two")

    async def test(server: Server) -> None:
        answer = await talk(server, b"GET / HTTP/1.0\r\n\r\n")
        assert answer.endswith(b"\r\n\r\nonetwo")
        assert b"chunked" not in answer

    run(handler, test)


def test_head_has_no_body() -> None:
    async def test(server: Server) -> None:
        answer = await talk(server, b"HEAD / HTTP/1.1\r\nhost: a\r\n\r\n" + CLOSE)
        head, rest = answer.split(b"\r\n\r\n", 1)
        assert b"content-length: 0" in head
        assert rest.startswith(b"HTTP/1.1 200 ")

    run(echo, test)


def test_chunks_and_end() -> None:
    def handler(exchange: Exchange) -> None:
        exchange.start(200, ((b"content-type", b"text/event-stream"),))
        exchange.write(b"abc")
        exchange.write(b"")
        exchange.finish(b"de")

    async def test(server: Server) -> None:
        answer = await talk(server, CLOSE)
        assert answer.endswith(b"\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")

    run(handler, test)


def test_abort_ends_without_a_clean_end() -> None:
    def handler(exchange: Exchange) -> None:
        exchange.start(200)
        exchange.write(b"abc")
        exchange.abort()

    async def test(server: Server) -> None:
        answer = await talk(server, b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
        assert answer.endswith(b"3\r\nabc\r\n")

    run(handler, test)


def test_headers_cannot_be_injected() -> None:
    errors: list[Exception] = []

    def handler(exchange: Exchange) -> None:
        for header in (
            (b"x", b"a\r\nset-cookie: b"),
            (b"x\ny", b"a"),
            (b"x", b"a\0b"),
            (b"content-length", b"1"),
        ):
            try:
                exchange.respond(200, (header,))
            except ValueError as error:
                errors.append(error)
        exchange.respond(204)

    async def test(server: Server) -> None:
        answer = await talk(server, CLOSE)
        assert answer.startswith(b"HTTP/1.1 204 ")
        assert answer.count(b"HTTP/1.1") == 1

    run(handler, test)
    assert len(errors) == 4


def test_a_failing_handler_answers_500_and_the_server_lives() -> None:
    def handler(exchange: Exchange) -> None:
        if exchange.path == "/bad":
            raise RuntimeError("broken")
        exchange.respond(200)

    async def test(server: Server) -> None:
        answer = await talk(server, b"GET /bad HTTP/1.1\r\nhost: a\r\n\r\n" + CLOSE)
        assert answer.startswith(b"HTTP/1.1 500 ")
        assert b"HTTP/1.1 200 " in answer

    run(handler, test)


def test_disconnect_is_told_at_once() -> None:
    gone = []
    exchanges: list[Exchange] = []

    def handler(exchange: Exchange) -> None:
        exchange.on_disconnect(lambda: gone.append(exchange))
        exchange.start(200)
        exchange.write(b"x")
        exchanges.append(exchange)

    async def test(server: Server) -> None:
        reader, writer = await asyncio.open_connection(*server.address)
        writer.write(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
        await reader.readuntil(b"x\r\n")
        writer.close()
        while not gone:
            await asyncio.sleep(0.001)
        assert exchanges[0].closed
        exchanges[0].write(b"dropped")
        exchanges[0].finish()

    run(handler, test)


def test_graceful_close_lets_running_answers_end() -> None:
    waiting: list[Exchange] = []

    async def main() -> None:
        server = await serve(waiting.append, "127.0.0.1", 0)
        idle = await asyncio.open_connection(*server.address)
        answer = asyncio.create_task(talk(server, b"GET / HTTP/1.1\r\nhost: a\r\n\r\n"))
        while not waiting:
            await asyncio.sleep(0.001)
        closing = asyncio.create_task(server.close_gracefully(10))
        assert await idle[0].read() == b""
        idle[1].close()
        waiting[0].respond(200, (), b"still whole")
        text = await answer
        assert b"connection: close" in text
        assert text.endswith(b"still whole")
        assert await closing == 0

    uvloop.run(main())


def test_graceful_close_has_an_end() -> None:
    waiting: list[Exchange] = []

    async def main() -> None:
        server = await serve(waiting.append, "127.0.0.1", 0)
        answer = asyncio.create_task(talk(server, b"GET / HTTP/1.1\r\nhost: a\r\n\r\n"))
        while not waiting:
            await asyncio.sleep(0.001)
        assert await server.close_gracefully(0.05) == 1
        assert await answer == b""
        assert waiting[0].closed

    uvloop.run(main())
