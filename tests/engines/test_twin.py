"""The emulated engine against the same scheduler in virtual time: the same steps, one by one.

What came over HTTP at some time of the wall clock is run again as a list of arrivals. Composition
of every step, cached tokens of every request, preemptions, busy time and energy must be the same.
"""

from __future__ import annotations

import asyncio
import json
import random

import pytest

from neocloud.engines.emulated.clocked import ClockedReplica
from neocloud.replica import replay

from .world import chat, plan_with, run, serving, table

SPEED = 2.0
REQUESTS = 60


class Logged:
    """A step table that notes what it is asked."""

    def __init__(self, speed: float) -> None:
        self.table = table()
        self.speed = speed
        self.steps: list[tuple[int, ...]] = []

    @property
    def idle_watts(self) -> float:
        return self.table.idle_watts

    def cost(self, *composition: int) -> tuple[float, float]:
        self.steps.append(composition)
        seconds, joules = self.table.cost(*composition)
        return seconds / self.speed, joules / self.speed


def bodies(seed: int) -> list[dict[str, object]]:
    """Prompts of a few beginnings, some long enough for several chunks, answers of any length."""
    draw = random.Random(seed)
    heads = [f"{draw.random()} " * draw.choice((5, 60, 300)) for _ in range(6)]
    return [
        chat(
            draw.choice(heads) + f"{draw.random()} " * draw.choice((1, 20, 200)),
            max_tokens=draw.randint(1, 120),
            ignore_eos=True,
            seed=number,
        )
        for number in range(REQUESTS)
    ]


@pytest.mark.parametrize("seed", [1, 2])
def test_the_same_arrivals_give_the_same_steps_against_the_wall_clock_and_in_virtual_time(
    seed, monkeypatch
):
    log = Logged(SPEED)
    arrivals, sequences = [], []
    submit = ClockedReplica.submit

    def noted(self, asked, delivery):
        refused = submit(self, asked, delivery)
        assert refused is None
        arrivals.append(next(reversed(self._served.values())).arrival_s)
        sequences.extend(asked)
        return refused

    monkeypatch.setattr(ClockedReplica, "submit", noted)

    async def test() -> None:
        # A cache for some requests only, so that some are thrown back; chunks of 512 tokens.
        small = plan_with(max_batch=24, batch_tokens=512, kv_tokens=16 * 280)
        async with serving(small) as world:
            replica = world.engines[world.first.replica].replica
            replica._timeline.replica._steps = log
            draw, cached = random.Random(seed), {}

            async def ask(number: int, body: dict[str, object]) -> None:
                answer = json.loads((await world.post(body)).body)
                cached[number] = answer["usage"]["prompt_tokens_details"]["cached_tokens"]

            async with asyncio.TaskGroup() as group:
                order = []
                for number, body in enumerate(bodies(seed)):
                    group.create_task(ask(number, body))
                    order.append(number)
                    await asyncio.sleep(draw.choice((0.0, 0.0, 0.001, 0.01)))
            counts = replica._timeline.replica.snapshot()
            limits = replica.limits
            of_prompt = await world.metrics()
        virtual = Logged(SPEED)
        again = replay(sequences, arrivals, limits, virtual)
        assert virtual.steps == log.steps
        assert again.steps == counts.steps == len(log.steps) > 150
        assert again.preemptions == counts.preemptions
        assert again.busy_s == pytest.approx(counts.busy_s, rel=1e-9)
        assert again.joules == pytest.approx(counts.joules, rel=1e-9)
        assert sorted(s.cached_tokens for s in again.served) == sorted(cached.values())
        assert sum(cached.values()) == of_prompt.cached_tokens
        # The trace is one that shows something.
        assert counts.preemptions > 0
        assert any(cached.values())
        assert any(prefill and decodes for decodes, _, prefill, _ in log.steps)
        full = [decodes + prefill for decodes, _, prefill, _ in log.steps if prefill]
        assert full.count(512) > 10  # prompts in chunks

    run(test)
