"""No answer ends before its usage event is durable, least of all while the ledger fails."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Iterator
from pathlib import Path

import pytest

from neocloud.ledger import Status, committer
from neocloud.ledger.writer import SegmentWriter

from .scripted import DONE, answers, streams, token, waits
from .world import Taker, World, ask, before, run, until


def test_the_event_is_durable_before_the_last_byte(tmp_path: Path) -> None:
    async def test() -> None:
        async with before(tmp_path, answers(), answers()) as world:
            missing: list[str] = []

            def look(taker: Taker) -> None:
                if taker.request_id not in {e.request_id for e in world.usage()}:
                    missing.append(taker.request_id)

            takers = [Taker(look) for _ in range(40)]
            for number, taker in enumerate(takers):
                world.send(ask(str(number), stream=number % 2 == 0), taker)
            await asyncio.gather(*(taker.ended.wait() for taker in takers))
            assert all(taker.whole and taker.status == 200 for taker in takers)
            assert not missing
            assert len({taker.request_id for taker in takers}) == 40
            assert sum(len(mock.bodies) for mock in world.mocks) == len(world.usage()) == 40

    run(test)


class Switch:
    """Makes commits fail while it is on."""

    def __init__(self) -> None:
        self.on = False


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> Iterator[Switch]:
    switch = Switch()
    real = SegmentWriter.append

    def append(writer: SegmentWriter, frame: bytes) -> None:
        if switch.on:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(writer, frame)

    monkeypatch.setattr(SegmentWriter, "append", append)
    monkeypatch.setattr(committer, "_RETRY_S", (0.02,))
    yield switch
    switch.on = False


async def _begun(world: World, stream: bool) -> Taker:
    """A request whose answer has begun, or at least is being made."""
    taker = Taker()
    world.send(ask(stream=stream), taker)
    await world.mocks[0].begun.wait()
    if stream:
        await taker.some.wait()
    else:
        await until(lambda: world.ledger.committed == 1)
    return taker


@pytest.mark.parametrize("stream", [False, True])
def test_while_nothing_can_be_written_no_answer_ends(
    tmp_path: Path, broken: Switch, stream: bool
) -> None:
    async def test() -> None:
        script = streams(token("a"), then="wait") if stream else waits
        async with before(tmp_path, script) as world:
            taker = await _begun(world, stream)
            broken.on = True
            (exchange,) = world.mocks[0].open
            if stream:
                exchange.finish(token("b", "stop") + DONE)
            else:
                answers(1)(world.mocks[0], exchange, {})
            await until(lambda: world.ledger.failure is not None)
            assert (await world.post(ask())).status == 503
            assert (await world.get("/readyz", None)).status == 503
            assert len(world.mocks[0].bodies) == 1
            assert not taker.ended.is_set()
            assert b"[DONE]" not in taker.body
            assert not world.usage()
            broken.on = False
            await taker.ended.wait()
            assert taker.whole
            assert taker.body.endswith(DONE) or not stream
            assert (await world.event()).status is Status.COMPLETED
            world.mocks[0].script = answers()
            assert world.ledger.failure is None
            assert (await world.post(ask())).status == 200
            assert [e.status for e in world.usage()] == [Status.COMPLETED] * 2

    run(test)


def test_nothing_of_an_answer_is_sent_before_its_admission_is_durable(
    tmp_path: Path, broken: Switch
) -> None:
    async def test() -> None:
        async with before(tmp_path, answers()) as world:
            broken.on = True
            taker = Taker()
            world.send(ask(stream=True), taker)
            await until(lambda: world.mocks[0].whole == 1 and world.ledger.open_requests == 0)
            assert not taker.status
            assert not world.usage()
            broken.on = False
            await taker.ended.wait()
            assert taker.whole
            assert taker.body.endswith(DONE)

    run(test)
