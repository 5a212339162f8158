"""Heads that repeat are read like heads that do not."""

from __future__ import annotations

import asyncio

import pytest
import uvloop
from hypothesis import given, settings
from hypothesis import strategies as st

from neocloud.wire import Exchange, serve
from neocloud.wire.repeated import Repeated

HEAD = b"POST /v1/chat HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\nX-A: b\r\n\r\n%b"


def message(body: bytes) -> bytes:
    return HEAD % (len(body), body)


def test_the_body_of_the_same_head_is_found() -> None:
    repeated = Repeated.of(message(b"abc"))
    assert repeated is not None
    assert repeated.body_of(message(b"")) == b""
    assert repeated.body_of(message(b"x" * 1234)) == b"x" * 1234


@pytest.mark.parametrize(
    "other",
    [
        message(b"abc")[:-1],  # not all of it is here
        message(b"abc") + b"G",  # the next request has begun
        message(b"abc").replace(b"X-A: b", b"X-A: c"),
        message(b"abc").replace(b"/v1/chat", b"/v1/chax"),
        message(b"abc").replace(b"Length: 3", b"Length: +3"),
        message(b"abc").replace(b"Length: 3", b"Length: 0x3"),
        message(b"abc").replace(b"Length: 3", b"Length: 3, 3"),
        message(b"abc").replace(b"Length: 3", b"Length: 3\r\nTransfer-Encoding: chunked"),
        message(b"abc").replace(b"Length: 3", b"Length: 99999999999999999999"),
        message(b"abc").replace(b"Length: 3\r\n", b"Length: 3\n"),
        b"",
    ],
)
def test_anything_else_goes_to_the_parser(other: bytes) -> None:
    repeated = Repeated.of(message(b"abc"))
    assert repeated is not None
    assert repeated.body_of(other) is None


@pytest.mark.parametrize(
    "first",
    [
        b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: h\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: h\r\nX: content-length\r\nContent-Length: 0\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n",
    ],
)
def test_heads_without_one_plain_length_are_not_kept(first: bytes) -> None:
    assert Repeated.of(first) is None


FIELDS = st.sampled_from([b"", b"X-A: b\r\n", b"X-A: c\r\n", b"X-Content-Length: 5\r\n"])
BODIES = st.one_of(st.binary(max_size=40), st.just(b"\r\n\r\ncontent-length: 3\r\n\r\nabc"))


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(FIELDS, BODIES, st.integers(0, 60)), min_size=1, max_size=8))
def test_requests_are_read_alike_with_and_without(
    asked: list[tuple[bytes, bytes, int]],
) -> None:
    def told(*, kept: bool) -> list[tuple[str, bytes, bytes]]:
        seen: list[tuple[str, bytes, bytes]] = []

        def handle(exchange: Exchange) -> None:
            fields = exchange.headers.get(b"x-a", b"")
            seen.append((exchange.path, fields, exchange.body))
            exchange.respond(200, (), exchange.body)

        async def main() -> None:
            server = await serve(handle, "127.0.0.1", 0)
            reader, writer = await asyncio.open_connection(*server.address)
            for fields, body, cut in asked:
                data = b"POST /p HTTP/1.1\r\nHost: h\r\n%bContent-Length: %d\r\n\r\n%b" % (
                    fields, len(body), body,
                )  # fmt: skip
                writer.write(data[:cut])
                await writer.drain()
                if cut:
                    await asyncio.sleep(0)
                writer.write(data[cut:])
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
                assert await reader.readexactly(length) == body
            writer.close()
            await server.close_gracefully(0)

        with pytest.MonkeyPatch.context() as patch:
            if not kept:
                patch.setattr(Repeated, "of", classmethod(lambda *_: None))
            uvloop.run(main())
        return seen

    assert told(kept=True) == told(kept=False)
