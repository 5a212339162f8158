"""What brings events to the store is killed under load: no request notices, nothing is lost."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from tests.fakes.upstream import process
from tests.gateway.crash.front import Front
from tests.gateway.crash.judge import Verdict
from tests.gateway.crash.load import Given, Load, given_by
from tests.gateway.world import run, until

from neocloud.ledger import Status, ledger_place

CLIENTS = 12
KILLS = 4
SEED = 8


@pytest.mark.slow
def test_a_shipper_that_is_killed_is_missed_by_nobody(tmp_path: Path) -> None:
    given: list[Given] = []
    with process() as upstream:
        front = Front(tmp_path, upstream, "sqlite:///usage.db")
        load = Load(front, SEED)

        async def test() -> None:
            await front.start()
            clients = load.clients(CLIENTS)
            try:
                for _ in range(KILLS):
                    goal = load.answered + 4 * CLIENTS
                    await until(lambda goal=goal: load.answered >= goal)
                    await until(front.kill_shipper)  # it is started again after a moment
                    await asyncio.sleep(0.1)
                goal = load.answered + 4 * CLIENTS
                await until(lambda: load.answered >= goal)
                load.over = True
                await asyncio.gather(*clients)
                assert await front.stop() == 0
            finally:
                front.kill()
            given.append(await given_by(upstream))

        run(test, within_s=90)
    verdict = Verdict(ledger_place("sqlite:///usage.db", tmp_path), load.asked, given[0])
    assert set(verdict.statuses()) == {Status.COMPLETED}
    assert verdict.most_sent == 1
    assert len(verdict.whole) == len(verdict.events) == len(load.asked) == given[0].requests
