"""What is held for those who come, and for those who do not take what they get, is bounded."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest
from tests.fakes.upstream import process, running
from tests.gateway.crash.census import census, grown, objects
from tests.gateway.crash.front import Front, resident_bytes
from tests.gateway.crash.load import PATHS, body_of
from tests.gateway.reports.stage import rules_of, stage
from tests.gateway.world import KEY, Taker, authorization, run, until

from neocloud.gateway.tenants import callers
from neocloud.ledger import Reader, Status, ledger_place
from neocloud.ledger.writer import SegmentWriter
from neocloud.wire import Address, Client, fetch

_SMALL = 50
"""Bound of caches of what clients say, in a test that has no time to fill the real ones."""
_MEGABYTE = 2**20


class Fresh:
    """Requests of which none is like another: prompt, address, metro, fields, key, model, path."""

    def __init__(self, address: Address, seed: int) -> None:
        self._address = address
        self._chance = random.Random(seed)
        self.sent = 0

    def _request(self) -> bytes:
        chance, number = self._chance, self.sent
        self.sent += 1
        api = chance.choice(tuple(PATHS))
        fields = {"stream": True} if chance.random() < 0.4 and api != "embeddings" else {}
        text = f"{chance.getrandbits(200):x} {number}"
        body, path, key = body_of(api, text, 5, user=f"u{number}", **fields), PATHS[api], KEY
        kind = chance.random()
        if kind < 0.04:
            key = f"wrong-{number}"
        elif kind < 0.08:
            body = body_of(api, text, 5, model=f"model-{number}")
        elif kind < 0.12:
            path = b"/nowhere/%d" % number
        elif kind < 0.14:
            body = body[:-3]
        lines = [
            b"POST %b HTTP/1.1" % path,
            b"host: h%d" % number,
            b"authorization: Bearer " + key.encode(),
            b"x-neocloud-metro: metro-%d" % number,
            b"x-field-%d: %d" % (number, number),
            b"user-agent: agent/%d" % number,
            b"content-length: %d" % len(body),
            b"connection: close",
        ]
        if kind > 0.95:
            lines.append(b"x-neocloud-explain: 1")
        return b"\r\n".join(lines) + b"\r\n\r\n" + body

    async def _one(self) -> None:
        data = self._request()
        source = f"127.{self._chance.randint(1, 254)}.{self._chance.randint(0, 255)}.1"
        reader, writer = await asyncio.open_connection(
            self._address.host, self._address.port, local_addr=(source, 0)
        )
        writer.write(data)
        if self._chance.random() < 0.05:  # one that leaves at once
            await asyncio.sleep(0)
        else:
            answer = await reader.read()
            assert answer.startswith(b"HTTP/1.1 ")
            assert not answer.startswith(b"HTTP/1.1 5"), answer[:500]
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()

    async def send(self, count: int, at_once: int = 16) -> None:
        """So many requests."""
        goal = self.sent + count

        async def client() -> None:
            while self.sent < goal:
                await self._one()

        await asyncio.gather(*(client() for _ in range(at_once)))


def test_tables_hold_no_more_after_a_thousand_strangers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(callers, "_MAX_METROS", _SMALL)
    monkeypatch.setattr(callers, "_MAX_ADDRESSES", _SMALL)
    rules = msgspec.structs.replace(rules_of(), ranges={"127.0.0.0/8": "here"})

    async def test() -> None:
        async with running() as upstream, stage(tmp_path, upstream, upstream, rules=rules) as up:
            fresh = Fresh(Address(*up.server.address), 5)

            async def count() -> tuple[object, int]:
                await until(lambda: not up.ledger.open_requests and not up.server.connections)
                upstream.heard.clear()
                upstream.count.rows.clear()
                await asyncio.sleep(0.6)  # what sweeps does so twice a second
                return census(up.gateway, up.server, up.client, up.ledger), objects()

            await fresh.send(600)
            before, objects_before = await count()
            await fresh.send(1200)
            middle, objects_after = await count()
            await fresh.send(1200)
            after, _ = await count()
            # A way to end that was new brings a row of buckets once; a leak grows both times.
            first, second = grown(before, middle, by=8), grown(middle, after, by=8)
            assert not first.keys() & second.keys(), (first, second)
            assert sum(before.values()) > 0
            assert objects_after < objects_before + 300  # less than one for every fourth request
            upstream_requests = upstream.count.totals.requests
            assert abs(len(up.usage()) - upstream_requests) <= fresh.sent * 0.05

    run(test, within_s=120)


@pytest.mark.slow
def test_memory_is_flat_under_fresh_requests(tmp_path: Path) -> None:
    # Half a kilobyte a request would show; less is for the test before to find.
    grew = []
    with process() as upstream:
        front = Front(tmp_path, upstream, "sqlite:///usage.db")

        async def test() -> None:
            fresh = Fresh(await front.start(), 6)
            await fresh.send(2000)
            for _ in range(3):
                before = resident_bytes(front.pid)
                await fresh.send(3000)
                grew.append(resident_bytes(front.pid) - before)
            assert await front.stop() == 0

        try:
            run(test, within_s=150)
        finally:
            front.kill()
    # A leak grows each time; what the system lends a busy process in one go does not.
    assert min(grew) < 2 * _MEGABYTE, grew


@asynccontextmanager
async def deaf(address: Address, count: int, body: bytes) -> AsyncIterator[list[socket.socket]]:
    """Clients that ask for a stream and read nothing of it."""
    loop = asyncio.get_running_loop()
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {KEY}\r\n"
        f"content-length: {len(body)}\r\n\r\n"
    )
    sockets = []
    for _ in range(count):
        one = socket.socket()
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16 * 1024)
        one.setblocking(False)
        await loop.sock_connect(one, (address.host, address.port))
        await loop.sock_sendall(one, head.encode() + body)
        sockets.append(one)
    try:
        yield sockets
    finally:
        for one in sockets:
            one.close()


async def _stands_still(url: str, client: Client, requests: int) -> int:
    """Tokens that the upstream has given, once it was asked so often and gives no more."""
    pool = client.pool(Address.of_url(url))
    given, looks = -1, 0
    while looks < 3:
        count = json.loads((await fetch(pool, b"GET", b"/count")).body)
        now = int(count["completion_tokens"])
        looks = looks + 1 if now == given and count["requests"] >= requests else 0
        given = now
        await asyncio.sleep(0.2)
    return given


@pytest.mark.slow
def test_clients_that_read_nothing_stop_the_engine_and_cost_little(tmp_path: Path) -> None:
    # 20 streams of 100 MB each. Where the engine is not stopped, the gateway would hold them.
    clients, size, chunks = 20, 50_000, 2000
    told = []
    with process() as upstream:
        front = Front(tmp_path, upstream, "sqlite:///usage.db")

        async def test() -> None:
            address = await front.start()
            client = Client()
            taker = Taker()
            client.pool(address).request(
                b"POST", PATHS["chat"], taker, authorization(), body_of("chat", "x", 5)
            )
            await taker.ended.wait()
            before = resident_bytes(front.pid)
            words = f"SIZE={size} CHUNKS={chunks} PACE_MS=5"
            body = body_of("chat", words, chunks, stream=True)
            async with deaf(address, clients, body):
                given = await _stands_still(upstream, client, clients + 1)
                held = resident_bytes(front.pid) - before
                other = Taker()  # somebody else is served meanwhile
                client.pool(address).request(
                    b"POST", PATHS["chat"], other, authorization(),
                    body_of("chat", "x", 5, stream=True),
                )  # fmt: skip
                await other.ended.wait()
                assert other.whole
                told.extend((given * size / clients, held / clients))
            place = ledger_place("sqlite:///usage.db", tmp_path)
            await until(lambda: not list(Reader(place).open_requests()))
            assert await front.stop() == 0
            await client.close()
            events = list(Reader(place).usage())
            left = [event for event in events if event.status is Status.ABORTED]
            assert (len(left), len(events)) == (clients, clients + 2), events
            assert all(0 < event.output_tokens <= chunks for event in left)

        try:
            run(test, within_s=90)
        finally:
            front.kill()
    given, held = told
    # What the two sockets take, and that of the engine, is the kernel's: up to some megabytes.
    assert given < 24 * _MEGABYTE, "the engine was not stopped"
    assert held < 1 * _MEGABYTE, "the gateway holds more than a few pieces of each stream"


def test_what_waits_for_a_slow_disk_is_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    size, chunks = 50_000, 1000
    real = SegmentWriter.append
    slow = False

    def append(writer: SegmentWriter, frame: bytes) -> None:
        if slow:
            raise OSError(28, "No space left on device")
        real(writer, frame)

    monkeypatch.setattr(SegmentWriter, "append", append)

    async def test() -> None:
        nonlocal slow
        async with running() as upstream, stage(tmp_path, upstream) as up:
            slow = True
            taker = Taker()
            words = f"SIZE={size} CHUNKS={chunks} PACE_MS=0.01"
            up.send("chat", body_of("chat", words, chunks, stream=True), taker)
            await until(lambda: up.ledger.failure is not None)
            given = -1
            while given != upstream.count.totals.completion_tokens:
                given = upstream.count.totals.completion_tokens
                await asyncio.sleep(0.3)
            assert given * size < 24 * _MEGABYTE, "the engine was not stopped"
            assert not taker.body
            slow = False
            await taker.ended.wait()
            assert taker.whole
            assert len(taker.body) > size * chunks

    run(test)
