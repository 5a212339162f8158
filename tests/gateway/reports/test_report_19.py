"""Report 19 (smg 1578): prefix state is lost when a gateway fails over: a storm of cache misses.

Ours: where a prompt is at home is a pure function of the prompt and the set of replicas. A second
gateway, and one that is started anew, send the same prompts to the same replicas without a word
between them; when a replica leaves, only what it was home to moves.
"""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from tests.fakes.upstream import Upstream, running
from tests.gateway.world import run

from .stage import PATHS, Stage, body_of, stage

REPLICAS = 5
PROMPTS = 24
KEPT = 8
"""Blocks of 512 bytes that are looked at; a prompt here is longer."""


def prompt(number: int, turns: int = 0) -> str:
    """The beginning is one of a conversation; what follows it differs from turn to turn."""
    return f"conversation {number} " + f"{number:07} " * 700 + f"turn {turns} " * turns


async def homes(up: Stage, api: str, turns: int = 0) -> list[str]:
    """Replicas that answered each prompt, asked one after the other."""
    found = []
    for number in range(PROMPTS):
        answer = await up.post(api, body_of(api, prompt(number, turns)))
        assert answer.status == 200
        found.append(answer.headers[b"x-request-id"].decode())
    by_id = {event.request_id: event.replica for event in await up.settled(PROMPTS)}
    return [by_id[request_id] for request_id in found]


@pytest.mark.parametrize("api", ["chat", "completions", "responses", "messages"])
def test_report_19_affinity_is_a_function_of_prompt_and_replicas(tmp_path: Path, api):
    # Fails if anything learnt decides: the second gateway has seen nothing. By chance alone 24
    # prompts on 5 replicas agree with a probability of 1 in 10^16.
    async def test() -> None:
        async with AsyncExitStack() as stack:
            upstreams: list[Upstream] = [
                await stack.enter_async_context(running()) for _ in range(REPLICAS)
            ]
            first = await stack.enter_async_context(stage(tmp_path, *upstreams))
            found = await homes(first, api)
            assert len(set(found)) == REPLICAS
            assert await homes(first, api, turns=3) == found  # the conversation goes on
            (folder := tmp_path / "other").mkdir()
            async with stage(folder, *upstreams) as second:
                assert await homes(second, api, turns=1) == found
                gone = second.fleet.states[2]
                gone.healthy = False
                second.fleet.changed()
                moved = await homes(second, api, turns=2)
                assert gone.replica not in moved
                assert [
                    (old, new) for old, new in zip(found, moved, strict=True) if old != gone.replica
                ] == [(old, old) for old in found if old != gone.replica]
                gone.healthy = True
                second.fleet.changed()
                assert await homes(second, api) == found
            async with stage(folder, *upstreams) as again:  # started anew
                assert await homes(again, api) == found

    run(test)


def test_report_19_every_api_with_a_prompt_has_affinity():
    assert set(PATHS) == {"chat", "completions", "responses", "messages", "embeddings"}
