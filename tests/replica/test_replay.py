"""Arrivals in virtual time: exact small cases, a queue's theory, and the time line (R16)."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neocloud.replica import Limits, Refusal, Replica, Request, Timeline, replay

from .workloads import Prices, jobs

NOTHING = np.array([], dtype=np.uint64)
LIMITS = Limits(max_batch=4, batch_tokens=16, block_tokens=4, kv_blocks=64)


class Constant:
    """Every step takes two seconds and ten joules."""

    def cost(self, decodes, decode_context, prefill_tokens, prefill_pairs):
        return 2.0, 10.0


def request(prompt: int, answer: int, ids=NOTHING) -> Request:
    return Request(input_tokens=prompt, output_tokens=answer, prefix_ids=np.array(ids, np.uint64))


def test_steps_follow_each_other_and_a_late_arrival_starts_when_it_comes():
    done = replay([request(4, 3), request(4, 1)], [1.0, 20.0], LIMITS, Constant())
    first, second = done.served
    assert (first.first_token_s, first.finish_s) == (3.0, 7.0)
    assert (second.first_token_s, second.finish_s) == (22.0, 22.0)
    assert (done.steps, done.busy_s, done.joules, done.end_s) == (4, 8.0, 40.0, 22.0)


def test_an_arrival_waits_for_the_step_that_runs_and_is_in_time_at_its_end():
    done = replay([request(4, 3)] * 3, [0.0, 1.0, 4.0], LIMITS, Constant())
    assert [s.first_token_s for s in done.served] == [2.0, 4.0, 6.0]


def test_arrivals_at_once_share_a_step_and_order_of_the_list_does_not_matter():
    done = replay(
        [request(4, 1), request(4, 2), request(4, 1)], [5.0, 0.0, 5.0], LIMITS, Constant()
    )
    assert [s.index for s in done.served] == [0, 1, 2]
    assert [s.first_token_s for s in done.served] == [7.0, 2.0, 7.0]


def test_refusals_are_told_and_the_rest_is_served():
    limits = Limits(max_batch=1, batch_tokens=16, block_tokens=4, kv_blocks=4, max_queue=1)
    asked = [request(9, 9), request(4, 4), request(4, 4), request(4, 4)]
    done = replay(asked, [0.0, 0.0, 1.0, 1.0], limits, Constant())
    assert done.refused == (0, 3)
    assert [s.index for s in done.served] == [1, 2]


def test_hits_and_preemptions_are_told_by_request():
    limits = Limits(max_batch=2, batch_tokens=16, block_tokens=4, kv_blocks=5)
    asked = [request(5, 12, [1]), request(5, 12, [1])]
    done = replay(asked, [0.0, 0.0], limits, Constant())
    assert [s.cached_tokens for s in done.served] == [0, 4]
    assert [s.preemptions for s in done.served] == [0, 1]
    assert done.preemptions == 1


def test_as_many_arrivals_as_requests():
    with pytest.raises(ValueError, match="1 requests but 2 arrivals"):
        replay([request(1, 1)], [0.0, 1.0], LIMITS, Constant())


def test_waiting_agrees_with_queueing_theory():
    """One at a time with one-token answers is an M/D/1 queue: mean wait rho s / (2 (1 - rho))."""
    rng = np.random.default_rng(3)
    service, load, count = 2.0, 0.7, 40_000
    arrivals = np.cumsum(rng.exponential(service / load, count))
    limits = Limits(max_batch=1, batch_tokens=16, block_tokens=4, kv_blocks=8)
    done = replay([request(4, 1)] * count, arrivals.tolist(), limits, Constant())
    wait = np.mean([s.finish_s - s.arrival_s - service for s in done.served])
    assert wait == pytest.approx(load * service / (2 * (1 - load)), rel=0.06)
    assert done.busy_s == service * count


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_a_late_owner_sees_the_same_steps(data):
    """R16: whenever the owner looks, the steps are those of the replay."""
    work = data.draw(st.lists(st.tuples(st.floats(0, 300), jobs(4)), max_size=12))
    work.sort(key=lambda pair: pair[0])
    requests = [job.request() for _, job in work]
    arrivals = [at for at, _ in work]
    limits = Limits(max_batch=3, batch_tokens=8, block_tokens=4, kv_blocks=12)
    expected = replay(requests, arrivals, limits, Prices())

    timeline = Timeline(Replica(limits, Prices()))
    finishes: dict[int, float] = {}
    looks = data.draw(st.lists(st.floats(0, 600), max_size=20))
    moments = [(at, 0, i) for i, at in enumerate(arrivals)] + [(at, 1, 0) for at in looks]
    index_of: dict[int, int] = {}

    def collect(now: float) -> None:
        for ended in timeline.advance(now):
            finishes.update((index_of[h], ended.time_s) for h in ended.result.finished)

    for at, kind, index in sorted(moments):
        # An arrival is in time for the step that begins at that very moment.
        while timeline.due is not None and timeline.due < at:
            collect(timeline.due)
        if kind == 1:
            collect(at) if at not in arrivals else None
            continue
        handle = timeline.replica.submit(requests[index])
        if not isinstance(handle, Refusal):
            index_of[handle] = index
        if not any(other == at for other in arrivals[index + 1 :]):
            timeline.start(at)
    collect(float("inf"))
    assert finishes == {s.index: s.finish_s for s in expected.served}
    snap = timeline.replica.snapshot()
    assert (snap.steps, snap.busy_s, snap.joules) == (
        expected.steps,
        expected.busy_s,
        expected.joules,
    )
