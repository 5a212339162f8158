"""A gateway before a fake upstream whose connections tests hold at both ends, byte by byte.

No socket lies between a test and the gateway's side of a connection: what is sent arrives in the
pieces in which it was sent, and it is known when the gateway has nothing more to say.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import uvloop
from hypothesis import HealthCheck, settings
from tests.fakes.asking import NotServedError
from tests.fakes.behaviour import PLAIN, behaviour_of
from tests.fakes.script import refusal
from tests.fakes.upstream import APIS, Upstream
from tests.gateway.fuzz.answers import Answer, answers_of
from tests.gateway.reports.stage import Stage, stage
from tests.gateway.world import KEY

from neocloud.ledger import Reader, UsageEvent
from neocloud.wire import Exchange
from neocloud.wire.connection import ServerConnection

_TIMES = int(os.environ.get("NEOCLOUD_FUZZ", "1"))
"""How many times as many examples are tried; by chance where it is more than 1."""
PATIENCE_S = 20.0
"""A request that was understood and is not answered by then hangs."""
_PATHS = tuple(APIS)


class Sturdy(Upstream):
    """A fake that refuses what it cannot read, as an engine would, rather than break down."""

    def answer(self, connection: Any) -> None:
        try:
            super().answer(connection)
        except Exception as error:  # noqa: BLE001  (whatever it is)
            api = APIS[connection.target.partition("?")[0]]
            connection.play(refusal(api, NotServedError(400, f"cannot be read: {error}"), PLAIN))


class Wire(asyncio.Transport):
    """The gateway's end of a connection."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__({"peername": ("127.0.0.1", 1)})
        self._loop = loop
        self._protocol: Any = None
        self.out = bytearray()
        self.closed = False
        self.ended = False  # the gateway's side alone
        self.paused = False
        self.changed = asyncio.Event()

    def join(self, protocol: Any) -> None:
        self._protocol = protocol
        protocol.connection_made(self)

    def write(self, data: bytes) -> None:  # type: ignore[override]
        assert not self.ended, f"written after its end: {bytes(data)[:100]!r}"
        if not self.closed:
            self.out += data
            self.changed.set()

    def write_eof(self) -> None:
        self.ended = True
        self.changed.set()

    def can_write_eof(self) -> bool:
        return True

    def get_write_buffer_size(self) -> int:
        return 0

    def is_closing(self) -> bool:
        return self.closed

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False
        self.changed.set()

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            self.changed.set()
            self._loop.call_soon(self._protocol.connection_lost, None)

    abort = close


class Heard:
    """What came of one connection.

    Attributes:
        exchanges: requests that the gateway understood.
        answers: what it answered.
        closed: it ended the connection, or its side of it, by itself.
    """

    def __init__(self, exchanges: Sequence[Exchange], out: bytes, *, closed: bool) -> None:
        self.exchanges = list(exchanges)
        self.out = out
        self.answers: list[Answer] = answers_of(out, [each.method for each in exchanges])
        self.closed = closed

    @property
    def statuses(self) -> list[int]:
        return [answer.status for answer in self.answers]


class Stand:
    """The gateway, for many short conversations in one event loop. A context manager.

    Attributes:
        broken: what went wrong outside of any answer: exceptions in callbacks.
        metered: usage events so far.
    """

    def __init__(self, folder: Path, words: str = "", **settings: Any) -> None:
        self._folder = folder
        self._words = words
        self._settings = settings
        self._runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)
        self._stack = AsyncExitStack()
        self.upstream = Sturdy(behaviour_of(words))
        self.up: Stage
        self.broken: list[str] = []
        self.metered = 0
        self._exchanges: list[Exchange] = []

    def __enter__(self) -> Self:
        self._runner.__enter__()
        self.run(self._begin())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        try:
            if kind is None:
                self.run(self._end())
        finally:
            self._runner.__exit__(kind, error, trace)

    def run(self, work: Awaitable[Any]) -> Any:
        async def bounded() -> Any:
            async with asyncio.timeout(PATIENCE_S):
                return await work

        return self._runner.run(bounded())

    async def _begin(self) -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: self.broken.append(str(context)))
        await self.upstream.listen()
        self._stack.push_async_callback(self.upstream.close)
        self.up = await self._stack.enter_async_context(
            stage(self._folder, self.upstream, **self._settings)
        )
        server, handle = self.up.server, self.up.server.handler

        def heard(exchange: Exchange) -> None:
            self._exchanges.append(exchange)
            handle(exchange)

        server.handler = heard
        ledger, settle = self.up.ledger, self.up.ledger.settle

        def settled(event: UsageEvent, on_durable: Callable[[], None] | None) -> None:
            self.metered += 1
            settle(event, on_durable)

        ledger.settle = settled  # type: ignore[method-assign]

    async def _end(self) -> None:
        await self._settled()
        events = self.events()
        assert len(events) == self.upstream.count.totals.requests, "an answer is not metered"
        await self._stack.aclose()
        assert not self.broken, self.broken[:3]

    async def _settled(self) -> None:
        while self.up.ledger.open_requests:
            await asyncio.sleep(0.001)

    def events(self) -> list[UsageEvent]:
        return list(Reader(self._folder / "ledger.db").usage())

    def talk(self, *pieces: bytes) -> Heard:
        """Send pieces over one connection, let the gateway answer, then leave."""
        heard: Heard = self.run(self._talk(pieces))
        return heard

    async def _talk(self, pieces: Sequence[bytes]) -> Heard:
        self._exchanges = []
        wire = Wire(asyncio.get_running_loop())
        connection = ServerConnection(self.up.server)
        wire.join(connection)
        for piece in pieces:
            await self._until(wire, lambda: wire.closed or not wire.paused)
            if wire.closed:
                break
            if piece:
                connection.data_received(piece)
        await self._until(
            wire,
            lambda: (
                wire.closed
                or wire.ended
                or not (connection._current or connection._ready or connection._refusal)
            ),
        )
        closed = wire.closed or wire.ended
        if not wire.closed:
            connection.eof_received()
            wire.close()
        await asyncio.sleep(0)
        await self._settled()
        heard = Heard(self._exchanges, bytes(wire.out), closed=closed)
        self._judge(heard)
        return heard

    async def _until(self, wire: Wire, condition: Callable[[], bool]) -> None:
        while not condition():
            wire.changed.clear()
            await wire.changed.wait()
            await asyncio.sleep(0)

    def _judge(self, heard: Heard) -> None:
        """What holds of every conversation."""
        assert not self.broken, self.broken[:3]
        assert len(heard.answers) <= len(heard.exchanges) + 1
        for answer in heard.answers:
            assert answer.status not in (500, 502, 503, 504), (answer.status, answer.body)
            assert b"internal error" not in answer.body
            assert answer.whole
        for answer in heard.answers[:-1]:
            assert not answer.ends, "something follows the last answer"
        assert self.metered == self.upstream.count.totals.requests, "an answer is not metered"


def fuzzed(examples: int) -> settings:
    """Settings for so many examples: always the same ones, but for who asks for more."""
    return settings(
        derandomize=_TIMES == 1, deadline=None, max_examples=examples * _TIMES, database=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip


def request(
    method: str = "POST",
    target: str | bytes = _PATHS[0],
    body: bytes = b"",
    *fields: tuple[bytes, bytes],
    key: str = KEY,
) -> bytes:
    """A request as it should be; `fields` come last."""
    where = target.encode("latin-1") if isinstance(target, str) else target
    lines = [
        b"%b %b HTTP/1.1" % (method.encode(), where),
        b"host: gateway",
        b"authorization: Bearer " + key.encode(),
    ]
    if body or method == "POST":
        lines.append(b"content-length: %d" % len(body))
    lines += [b"%b: %b" % field for field in fields]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def chat(text: str = "hello", **fields: object) -> bytes:
    """Body of a chat request."""
    said = {"model": "m", "messages": [{"role": "user", "content": text}], **fields}
    return json.dumps(said).encode()
