"""Report 17 (production-stack 749, vllm-project router 135): one stuck backend hangs the router.

There `/v1/models` failed too. Ours: of three replicas one takes everything and answers nothing, its
health page neither. What it holds is asked of another; all other answers come as before; listings
answer.
"""

from __future__ import annotations

import asyncio
import time

import pytest
from tests.fakes.upstream import running
from tests.gateway.world import run, until

from neocloud.gateway import Meter
from neocloud.ledger import Status

from .stage import STREAMING, Stage, body_of, stage

CLIENTS = 12
EACH = 25


async def client(up: Stage, number: int, took: dict[str, float]) -> None:
    for step in range(EACH):
        api = STREAMING[(number + step) % len(STREAMING)]
        begun = time.monotonic()
        answer = await up.post(api, body_of(api, "FIRST_MS=5", stream=step % 2 == 0))
        assert answer.status == 200, answer.body
        took[answer.headers[b"x-request-id"].decode()] = time.monotonic() - begun


async def listings(up: Stage, over: asyncio.Event, rounds: list[int]) -> None:
    while not over.is_set():
        for page in ("/v1/models", "/v1/models/m", "/readyz", "/healthz", "/metrics"):
            assert (await up.get(page)).status == 200
        rounds[0] += 1
        await asyncio.sleep(0.01)


@pytest.mark.slow
def test_report_17_a_black_hole_among_three_is_felt_by_nobody_else(tmp_path, monkeypatch):
    # Fails if a probe, a listing or a choice waits for the stuck one: then answers of the others
    # would take as long as those that it had swallowed. Compared within the run. Seen to fail with
    # a replica that is never given up.
    monkeypatch.setattr("neocloud.gateway.metering.meter.PROBE_S", 0.3)
    monkeypatch.setattr("neocloud.gateway.metering.meter.PROBE_TIMEOUT_S", 0.5)

    async def test() -> None:
        async with running() as one, running() as two, running() as hole, stage(
            tmp_path, one, two, hole
        ) as up:  # fmt: skip
            meter = Meter(up.fleet, up.ledger)
            await meter.start()
            probing = asyncio.create_task(meter.run())
            over, rounds = asyncio.Event(), [0]
            listing = asyncio.create_task(listings(up, over, rounds))
            took: dict[str, float] = {}
            hole.mute = True
            await asyncio.gather(*(client(up, n, took) for n in range(CLIENTS)))
            over.set()
            await listing
            assert rounds[0] > 5
            probing.cancel()
            await asyncio.gather(probing, return_exceptions=True)
            await judged(up, took)

    async def judged(up: Stage, took: dict[str, float]) -> None:
        events = await up.settled(CLIENTS * EACH)
        assert {event.status for event in events} == {Status.COMPLETED}
        stuck = up.fleet.states[2]
        assert not stuck.healthy
        assert stuck.replica not in {event.replica for event in events}
        swallowed = sorted(took[e.request_id] for e in events if e.attempts == 2)
        others = sorted(took[e.request_id] for e in events if e.attempts == 1)
        assert len(swallowed) + len(others) == len(events)
        assert 1 <= len(swallowed) <= CLIENTS
        await until(lambda: len(up.attempts()) == len(swallowed))
        assert {(a.replica, a.fault) for a in up.attempts()} == {(stuck.replica, "replica_down")}
        assert others[int(len(others) * 0.99)] < swallowed[0]

    run(test)
