"""A replica is asked whether it takes requests, whatever its metrics say."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from neocloud.gateway import Meter
from neocloud.gateway.metering.meter import DOWN_AFTER
from neocloud.ledger import Status
from neocloud.wire import Exchange

from ..scripted import answers  # noqa: TID252
from ..world import ask, before, run, until  # noqa: TID252

METRICS = b"vllm:num_requests_running 0\nvllm:num_requests_waiting 0\n"


def test_metrics_of_a_replica_that_drains_do_not_keep_it_in_rotation(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def test() -> None:
        async with before(tmp_path, answers(), answers()) as world:
            drains = True
            first = world.mocks[0]
            usual = first.handle

            def handle(exchange: Exchange) -> None:
                if exchange.path == "/metrics":
                    exchange.respond(200, (), METRICS)
                elif exchange.path == "/health" and drains:
                    exchange.respond(503)
                else:
                    usual(exchange)

            world.servers[0].handler = handle
            meter = Meter(world.fleet, world.ledger)
            await meter.start()
            assert [state.healthy for state in world.fleet.states] == [False, True]
            assert (await world.post(ask())).status == 200
            assert (await world.event()).site == "far"
            drains = False
            await meter.start()
            assert [state.healthy for state in world.fleet.states] == [True, True]

    run(test)
    told = [
        record.getMessage()
        for record in caplog.records
        if "near/pool/m/0" in record.msg % record.args
    ]
    assert any("its probe fails" in text for text in told)
    assert any("takes requests again" in text for text in told)


def test_a_lone_replica_that_misses_its_probes_keeps_what_it_has(tmp_path: Path) -> None:
    """Nobody else could answer: it may be busy, and answers yet."""

    async def test() -> None:
        async with before(tmp_path, answers()) as world:
            usual = world.mocks[0].handle
            waiting: list[Exchange] = []

            def handle(exchange: Exchange) -> None:
                if exchange.path in ("/metrics", "/health"):
                    exchange.respond(503)
                else:
                    waiting.append(exchange)

            meter = Meter(world.fleet, world.ledger)
            await meter.start()
            world.servers[0].handler = handle
            asked = asyncio.create_task(world.post(ask()))
            await until(lambda: len(waiting) == 1)
            for _ in range(DOWN_AFTER + 1):
                await meter.look(world.fleet.backends)
            assert [state.healthy for state in world.fleet.states] == [False]
            usual(waiting[0])
            assert (await asked).status == 200
            event = await world.event()
            assert (event.status, event.attempts) == (Status.COMPLETED, 1)

    run(test)
