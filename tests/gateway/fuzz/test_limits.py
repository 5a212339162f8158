"""Limits of size, number and time, each held at the door; what is refused is not metered."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from tests.gateway.fuzz.answers import Answer, answers_of
from tests.gateway.fuzz.stand import chat, request
from tests.gateway.reports.stage import PATHS
from tests.gateway.scripted import Mock, answers, streams, token
from tests.gateway.world import World, before, run, until

from neocloud.ledger import Status
from neocloud.wire import Exchange, Limits

LIMITS = Limits(
    max_header_bytes=4096, max_headers=20, max_body_bytes=10_000, max_pipelined=4,
    max_connections=8, request_timeout_s=0.6, idle_timeout_s=0.8, write_timeout_s=0.6, linger_s=0.3,
)  # fmt: skip
_CHAT = PATHS["chat"]


def with_limits(folder: Path, test: Callable[[World], Awaitable[None]], script: Any = None) -> None:
    async def main() -> None:
        async with before(folder, script or answers(), limits=LIMITS) as world:
            await test(world)
            assert len(world.usage()) == len(world.mocks[0].bodies)

    run(main)


async def sent(world: World, *pieces: bytes, pause_s: float = 0.0) -> list[Answer]:
    """What comes back for these pieces until the gateway closes."""
    reader, writer = await asyncio.open_connection(*world.server.address)
    heard = bytearray()

    async def hear() -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65_536):
                heard.extend(data)

    hearing = asyncio.create_task(hear())
    with contextlib.suppress(ConnectionError):
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            if pause_s:
                await asyncio.sleep(pause_s)
    await hearing
    writer.close()
    return answers_of(bytes(heard), [])


def _chunked(body: bytes) -> bytes:
    head = request("POST", _CHAT, b"").replace(b"content-length: 0", b"transfer-encoding: chunked")
    return head + b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)


_TOO_MUCH = {
    "a long body": (413, request("POST", _CHAT, chat("x" * 10_000))),
    "a long body in a chunk": (413, _chunked(chat("x" * 10_000))),
    "a body that says it is long": (
        413, request("POST", _CHAT).replace(b"length: 0", b"length: 99999999999")),
    "a long field": (431, request("GET", "/healthz", b"", (b"x", b"y" * 5000))),
    "many long fields": (431, request("GET", "/healthz", b"", *[(b"x%d" % n, b"y" * 300)
                                                               for n in range(15)])),
    "many fields": (431, request("GET", "/healthz", b"", *[(b"x", b"y")] * 30)),
    "a long target": (431, request("GET", "/" + "a" * 5000)),
    "a head that does not end": (431, b"GET /healthz HTTP/1.1\r\nx: " + b"y" * 9000),
}  # fmt: skip


@pytest.mark.parametrize("what", _TOO_MUCH)
def test_too_much_is_refused_in_words_that_clients_read(tmp_path: Path, what: str) -> None:
    status, data = _TOO_MUCH[what]

    async def test(world: World) -> None:
        (answer,) = await sent(world, data)
        assert (answer.status, answer.ends) == (status, True)
        assert json.loads(answer.body)["error"]["message"]
        assert (await world.get("/healthz", None)).status == 200

    with_limits(tmp_path, test)


def test_what_is_just_within_the_limits_is_served(tmp_path: Path) -> None:
    async def test(world: World) -> None:
        body = chat("x" * (10_000 - len(chat(""))))
        assert len(body) == LIMITS.max_body_bytes
        close = (b"connection", b"close")
        for data in (request("POST", _CHAT, body, close), _chunked(body)):
            (answer, *_) = await sent(
                world, data.replace(b"host: ", b"connection: close\r\nhost: ")
            )
            assert answer.status == 200
        (answer,) = await sent(world, request("GET", "/healthz", b"", close, (b"x", b"y" * 3500)))
        assert answer.status == 200

    with_limits(tmp_path, test)


@pytest.mark.parametrize("slow", ["head", "body"])
def test_a_request_that_drips_in_is_given_up(tmp_path: Path, slow: str) -> None:
    whole = request("POST", _CHAT, chat("x" * 200))
    cut = 40 if slow == "head" else len(whole) - 40
    drops = [whole[:cut], *(whole[n : n + 1] for n in range(cut, cut + 30))]

    async def test(world: World) -> None:
        (answer,) = await sent(world, *drops, pause_s=0.1)
        assert (answer.status, answer.ends) == (408, True)
        assert not world.mocks[0].bodies

    with_limits(tmp_path, test)


def test_who_says_nothing_is_let_go(tmp_path: Path) -> None:
    async def test(world: World) -> None:
        assert await sent(world) == []
        (answer,) = await sent(world, request("GET", "/healthz"))  # kept alive, then idle
        assert (answer.status, answer.ends) == (200, False)

    with_limits(tmp_path, test)


def test_connections_are_counted(tmp_path: Path) -> None:
    async def test(world: World) -> None:
        held = [await asyncio.open_connection(*world.server.address) for _ in range(8)]
        await until(lambda: world.server.connections == 8)
        assert await sent(world, request("GET", "/healthz")) == []
        for _, writer in held:
            writer.close()
        await until(lambda: world.server.connections == 0)
        assert len(await sent(world, request("GET", "/healthz"))) == 1

    with_limits(tmp_path, test)


def test_a_pipeline_waits_in_the_network(tmp_path: Path) -> None:
    waiting: list[Exchange] = []

    def script(mock: Mock, exchange: Exchange, said: dict[str, Any]) -> None:
        waiting.append(exchange)

    async def test(world: World) -> None:
        reader, writer = await asyncio.open_connection(*world.server.address)
        many = request("POST", _CHAT, chat("x" * 1500))
        for _ in range(300):  # half a megabyte; bodies that wait are bounded, too
            writer.write(many)
        await until(lambda: len(waiting) == 1)
        (connection,) = world.server._connections
        await until(lambda: connection._reading_paused or connection._refusal is not None)
        held = sum(len(each.body) for each in connection._ready)
        assert held <= LIMITS.max_body_bytes
        assert len(world.mocks[0].bodies) == 1
        writer.transport.abort()
        await until(lambda: not world.server.connections)
        del reader

    with_limits(tmp_path, test, script)


def test_who_does_not_take_an_answer_is_given_up_and_billed_for_what_there_was(
    tmp_path: Path,
) -> None:
    pieces = [token("x" * 50_000)] * 600

    async def test(world: World) -> None:
        _, writer = await asyncio.open_connection(*world.server.address, limit=1024)
        writer.write(request("POST", _CHAT, chat(stream=True)))
        event = await world.event()
        assert event.status is Status.ABORTED
        assert event.estimated
        assert 0 < event.output_tokens < 600
        writer.transport.abort()

    with_limits(tmp_path, test, streams(*pieces, then="wait"))
