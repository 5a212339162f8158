"""Several processes serve: one of them is killed, then all at once; the rules are the same."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from contextlib import suppress
from pathlib import Path

import pytest
from tests.fakes.upstream import process
from tests.gateway.crash.front import Front, children_of, command_of
from tests.gateway.crash.judge import Verdict
from tests.gateway.crash.load import Given, Load, given_by
from tests.gateway.world import run, until

from neocloud.ledger import Status, ledger_place

CLIENTS = 16
KILLS = 6
SEED = 21
_WORKER = b"neocloud.gateway.workers.worker"


def _workers(front: Front) -> list[int]:
    return [child for child in children_of(front.pid) if _WORKER in command_of(child)]


@pytest.mark.slow
def test_workers_are_killed_one_by_one_and_with_their_parent(tmp_path: Path) -> None:
    in_flight: list[int] = []
    given: list[Given] = []
    with process() as upstream:
        front = Front(tmp_path, upstream, "sqlite:///usage.db", options=("--workers", "2"))
        load = Load(front, SEED)

        async def test() -> None:
            chance = random.Random(SEED)
            await front.start()
            clients = load.clients(CLIENTS)
            try:
                for number in range(KILLS):
                    goal = load.answered + 3 * CLIENTS
                    await until(lambda goal=goal: load.answered >= goal)
                    await until(lambda: len(_workers(front)) == 2)
                    workers = _workers(front)
                    in_flight.append(load.in_flight)
                    if number % 3 == 2:
                        front.kill()
                        await until(lambda workers=workers: not any(map(command_of, workers)))
                        await front.start()
                    else:
                        with suppress(ProcessLookupError):
                            os.kill(chance.choice(workers), signal.SIGKILL)
                goal = load.answered + 3 * CLIENTS
                await until(lambda: load.answered >= goal)
                load.over = True
                await asyncio.gather(*clients)
                assert await front.stop() == 0
            finally:
                front.kill()
            given.append(await given_by(upstream))

        run(test, within_s=120)
    verdict = Verdict(ledger_place("sqlite:///usage.db", tmp_path), load.asked, given[0])
    assert len(verdict.whole) >= KILLS * CLIENTS
    assert set(verdict.statuses()) <= {Status.COMPLETED, Status.INTERRUPTED}
    assert len(verdict.surplus) <= sum(in_flight)
    assert verdict.interrupted
    assert verdict.most_sent <= 2  # a client sends again what a lost connection had not answered
    assert 0 <= given[0].requests - len(verdict.events) <= sum(in_flight)
