"""Report 16 (sglang 25811, 13894): one client's bad requests open the breakers of the whole fleet.

There 4xx counted as failures of a worker, and 2,048 requests at once opened it. Ours: a thousand
client errors, of each kind that an engine answers, leave all replicas in rotation; so do thousands
at once.
"""

from __future__ import annotations

import asyncio
import resource

import pytest
from tests.fakes.upstream import running
from tests.gateway.world import run

from neocloud.ledger import Status

from .stage import PATHS, Stage, body_of, stage

ERRORS = 1000
AT_ONCE = 2100
FILES = 5 * AT_ONCE


async def all_serve(up: Stage) -> None:
    """No breaker is open, and each replica still gets its part of what comes next."""
    assert [state.breaker.opened for state in up.fleet.states] == [0] * len(up.fleet.states)
    first = [state.replica for state in up.fleet.states]
    before = len(up.usage())
    answers = await asyncio.gather(
        *(up.post("chat", body_of("chat", "FIRST_MS=30")) for _ in range(8 * len(first)))
    )
    assert {answer.status for answer in answers} == {200}
    events = (await up.settled(before + len(answers)))[before:]
    assert {event.replica for event in events} == set(first)
    assert all(state.healthy for state in up.fleet.states)
    assert [state.breaker.opened for state in up.fleet.states] == [0] * len(first)


@pytest.mark.parametrize("status", [400, 413, 422, 404])
def test_report_16_client_errors_leave_all_replicas_in_rotation(tmp_path, status):
    # Fails if `failed` is told of a 4xx: five in a row open a breaker. So it was seen to.
    async def worker(up: Stage, number: int) -> None:
        for step in range(ERRORS // 20):
            api = list(PATHS)[(number + step) % len(PATHS)]
            answer = await up.post(api, body_of(api, f"STATUS={status}"))
            # an engine that does not know what the gateway knows is set up wrongly
            assert answer.status == (502 if status == 404 else status)

    async def test() -> None:
        async with running() as one, running() as two, running() as three, stage(
            tmp_path, one, two, three
        ) as up:  # fmt: skip
            await asyncio.gather(*(worker(up, number) for number in range(20)))
            events = await up.settled(ERRORS)
            assert len(events) == ERRORS
            assert {event.status for event in events} == {Status.FAILED}
            assert {event.input_tokens + event.output_tokens for event in events} == {0}
            await all_serve(up)

    run(test)


def test_report_16_two_thousand_at_once_open_nothing(tmp_path):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < FILES:
        pytest.skip(f"needs {FILES} open files; this system allows {hard}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, FILES), hard))

    async def test() -> None:
        async with running("FIRST_MS=200") as one, running("FIRST_MS=200") as two, stage(
            tmp_path, one, two
        ) as up:  # fmt: skip
            answers = await asyncio.gather(
                *(up.post("chat", body_of("chat", stream=n % 2 == 0)) for n in range(AT_ONCE))
            )
            assert {answer.status for answer in answers} == {200}
            assert len(await up.settled(AT_ONCE)) == AT_ONCE
            await all_serve(up)

    run(test)
