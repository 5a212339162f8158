"""The scheduler against its slow twin, and its rules one by one (docs/invariants.md)."""

from __future__ import annotations

import numba
import numpy as np
import pytest
from hypothesis import given, settings

from neocloud.replica import (
    PLAIN,
    Kernels,
    Limits,
    Refusal,
    RefusalReason,
    Replica,
    Request,
    compiled,
)

from .pair import Pair
from .workloads import Job, Prices, long_scenario, scenarios

NOTHING = np.array([], dtype=np.uint64)


def run(limits: Limits, events: list, kernels: Kernels) -> Pair:
    pair = Pair(limits, kernels)
    for event in events:
        if isinstance(event, Job):
            pair.submit(event)
        elif event == "tick":
            pair.tick()
        else:
            pair.abort(event[1])
    pair.drain()
    return pair


@given(scenarios())
@settings(max_examples=300, deadline=None)
def test_fast_equals_slow(scenario):
    limits, events = scenario
    run(limits, events, PLAIN)


def test_fast_equals_slow_in_a_crowd():
    preemptions = hits = 0
    for seed in range(40):
        counts = run(*long_scenario(seed), PLAIN).fast.snapshot()
        preemptions += counts.preemptions
        hits += counts.prefix_hits
    assert preemptions > 100
    assert hits > 500


@pytest.fixture(scope="module")
def jitted() -> Kernels:
    return compiled(numba.njit)


def test_compiled_equals_plain_exactly(jitted):
    """R15, on workloads long enough to preempt, evict and grow every column."""
    for seed in range(6):
        rng = np.random.default_rng(seed)
        limits = Limits(
            max_batch=int(rng.integers(2, 40)),
            batch_tokens=int(rng.integers(40, 300)),
            block_tokens=int(rng.integers(1, 17)),
            kv_blocks=int(rng.integers(120, 400)),
        )
        replicas = [Replica(limits, Prices(), kernels) for kernels in (PLAIN, jitted)]
        families = rng.integers(0, 2**63, (5, 200)).astype(np.uint64)
        alive: list[int] = []
        preempted = hits = 0
        for _ in range(300):
            for _ in range(rng.poisson(1.5)):
                prompt, family = int(rng.integers(1, 400)), families[rng.integers(5)]
                request = Request(
                    input_tokens=prompt,
                    output_tokens=int(rng.integers(1, 60)),
                    prefix_ids=family[: min(prompt // limits.block_tokens, 200)],
                )
                answers = [r.submit(request) for r in replicas]
                assert answers[0] == answers[1]
                if isinstance(answers[0], int):
                    alive.append(answers[0])
            works = [r.begin_step() for r in replicas]
            assert works[0] == works[1]
            if alive and rng.random() < 0.1:
                victim = alive.pop(rng.integers(len(alive)))
                for r in replicas:
                    r.abort(victim)
            if works[0] is not None:
                results = [r.end_step() for r in replicas]
                assert results[0] == results[1]
                preempted += len(results[0].preempted)
            snapshots = [r.snapshot() for r in replicas]
            assert snapshots[0] == snapshots[1]
            hits = snapshots[0].prefix_hits
        assert hits > 0
    assert preempted > 0


@given(scenarios())
@settings(max_examples=60, deadline=None)
def test_compiled_equals_slow(jitted, scenario):
    limits, events = scenario
    run(limits, events, jitted)


def limits(**changed) -> Limits:
    small = {"max_batch": 4, "batch_tokens": 16, "block_tokens": 4, "kv_blocks": 16}
    return Limits(**(small | changed))


def request(prompt: int, answer: int, ids=()) -> Request:
    return Request(
        input_tokens=prompt, output_tokens=answer, prefix_ids=np.array(ids, dtype=np.uint64)
    )


def step(replica: Replica):
    work = replica.begin_step()
    return work, replica.end_step()


def test_a_prompt_is_computed_in_chunks_and_its_last_gives_the_first_token():
    replica = Replica(limits(), Prices())
    handle = replica.submit(request(40, 2))
    chunks = []
    for _ in range(3):
        work, result = step(replica)
        chunks.append((work.prefill_tokens, work.prefill_pairs, result.emitted))
    assert chunks == [
        (16, 136, ()),
        (16, 16 * 16 + 136, ()),
        (8, 8 * 32 + 36, (handle,)),
    ]
    work, result = step(replica)
    assert (work.decodes, work.decode_context) == (1, 41)
    assert result.finished == (handle,)
    assert replica.begin_step() is None


def test_decodes_share_a_step_with_prefill_and_the_budget():
    replica = Replica(limits(), Prices())
    first = replica.submit(request(8, 10))
    step(replica)
    second = replica.submit(request(20, 5))
    work, result = step(replica)
    assert (work.decodes, work.prefill_tokens) == (1, 15)
    assert result.emitted == (first,)
    work, result = step(replica)
    assert (work.decodes, work.prefill_tokens) == (1, 5)
    assert result.emitted == (first, second)


def test_the_newest_is_preempted_and_computes_its_answer_again():
    """R13. Two requests grow until four blocks do not hold both."""
    replica = Replica(limits(kv_blocks=4, prefix_cache=False), Prices())
    _, new = replica.submit(request(4, 10)), replica.submit(request(4, 7))
    step(replica)
    results = [step(replica) for _ in range(4)]
    assert [r.preempted for _, r in results] == [(), (), (), ()]
    work, result = step(replica)  # the old one needs a third block
    assert result.preempted == (new,)
    assert (work.decodes, work.prefill_tokens) == (1, 0)
    assert replica.snapshot().preemptions == 1
    while True:
        work, result = step(replica)
        if work.prefill_tokens:
            break
    assert work.prefill_tokens == 4 + 5  # the prompt and the five tokens it had
    assert result.emitted == (new,)
    assert step(replica)[1].finished == (new,)


def test_a_prefix_hits_in_whole_blocks_and_never_the_last_token():
    """R8."""
    replica = Replica(limits(), Prices())
    replica.submit(request(8, 1, (101, 102)))
    step(replica)
    replica.submit(request(8, 1, (101, 102)))  # the same: its last token is computed
    replica.submit(request(11, 1, (101, 102)))
    replica.submit(request(11, 1, (101, 999)))
    replica.submit(request(11, 1, (999, 102)))  # a miss ends the hit, whatever follows
    work, result = step(replica)
    assert result.cached_tokens == (4, 8, 4)
    assert work.prefill_tokens == 4 + 3 + 7 + 2
    _, result = step(replica)
    assert result.cached_tokens == (0,)
    counts = replica.snapshot()
    assert (counts.prefix_queries, counts.prefix_hits) == (8 + 8 + 33, 16)


def test_the_prefix_cache_gives_way_to_work_and_the_longest_unused_goes_first():
    """R9."""
    replica = Replica(limits(kv_blocks=6), Prices())
    for ids in ((1, 2), (3, 4)):
        replica.submit(request(8, 1, ids))
        step(replica)
    assert replica.snapshot().kv_usage == 0.0
    replica.submit(request(9, 2, (1, 2)))  # uses 1 and 2 again
    step(replica)
    step(replica)
    replica.submit(request(11, 1, (5, 6)))  # needs three blocks; two are empty, then goes 4
    step(replica)
    replica.submit(request(9, 1, (1, 2)))
    assert step(replica)[1].cached_tokens == (8,)
    replica.submit(request(9, 1, (3, 4)))
    assert step(replica)[1].cached_tokens == (4,)


def test_blocks_of_an_answer_serve_the_next_turn():
    replica = Replica(limits(), Prices())
    replica.submit(request(4, 9, (1, 2, 3)))
    for _ in range(9):
        step(replica)
    replica.submit(request(14, 1, (1, 2, 3)))
    assert step(replica)[1].cached_tokens == (12,)


def test_what_can_never_fit_and_what_the_queue_cannot_hold_is_refused():
    """R6."""
    replica = Replica(limits(kv_blocks=4, max_queue=1), Prices())
    too_large = replica.submit(request(8, 9))
    assert isinstance(too_large, Refusal)
    assert too_large.reason is RefusalReason.TOO_LARGE
    assert "8 input and 9 output" in too_large.message
    assert replica.submit(request(8, 8)) == 0
    full = replica.submit(request(1, 1))
    assert isinstance(full, Refusal)
    assert full.reason is RefusalReason.QUEUE_FULL
    replica.begin_step()
    assert replica.submit(request(1, 1)) == 1


def test_an_abort_frees_at_once_even_within_a_step():
    """R12."""
    replica = Replica(limits(), Prices())
    one, two = replica.submit(request(8, 5)), replica.submit(request(8, 5))
    waiting = replica.submit(request(8, 5))
    work = replica.begin_step()
    replica.abort(one)
    replica.abort(waiting)
    assert replica.snapshot().kv_usage == 3 / 16
    assert work.prefill_tokens == 16
    result = replica.end_step()
    assert result.emitted == (two,)
    replica.abort(one)  # already gone
    replica.abort(two)
    assert replica.begin_step() is None
    assert replica.snapshot().kv_usage == 0.0


def test_an_aborted_prefill_leaves_its_blocks_to_others():
    replica = Replica(limits(), Prices())
    handle = replica.submit(request(12, 5, (1, 2, 3)))
    replica.begin_step()
    replica.abort(handle)
    replica.end_step()
    replica.submit(request(16, 1, (1, 2, 3, 4)))
    assert step(replica)[1].cached_tokens == (12,)


def test_colliding_ids_share_nothing_wrong():
    """Ids that break the chain (two parents, twice in one prompt) only lose sharing."""
    rng = np.random.default_rng(7)
    replica = Replica(limits(kv_blocks=40, max_batch=8), Prices())
    handles = [
        replica.submit(request(21, int(rng.integers(1, 9)), rng.integers(0, 3, 5)))
        for _ in range(200)
    ]
    finished: list[int] = []
    while replica.begin_step() is not None:
        finished += replica.end_step().finished
        assert 0.0 <= replica.snapshot().kv_usage <= 1.0
    assert sorted(finished) == handles
    assert replica.snapshot().kv_usage == 0.0


def test_many_wait_and_columns_grow():
    replica = Replica(limits(kv_blocks=400), Prices())
    ids = np.arange(300, dtype=np.uint64)
    handles = [
        replica.submit(Request(input_tokens=1200, output_tokens=1, prefix_ids=ids + 1000 * i))
        for i in range(200)
    ]
    for handle in handles[20:]:
        replica.abort(handle)
    handles = handles[:20] + [
        replica.submit(Request(input_tokens=1200, output_tokens=1, prefix_ids=ids)) for _ in "ab"
    ]
    finished = []
    while replica.begin_step() is not None:
        finished += replica.end_step().finished
    assert finished == handles


def test_hits_of_a_request_are_known_when_it_is_admitted():
    replica = Replica(limits(), Prices())
    handle = replica.submit(request(8, 2, (1, 2)))
    assert replica.cached_tokens(handle) is None
    replica.begin_step()
    assert replica.cached_tokens(handle) == 0
    replica.end_step()
    step(replica)
    with pytest.raises(KeyError):
        replica.cached_tokens(handle)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"max_batch": 0}, "max_batch is 0"),
        ({"kv_blocks": 0}, "kv_blocks is 0"),
        ({"max_batch": 32}, "batch_tokens 16 is below max_batch 32"),
        ({"max_queue": -1}, "max_queue is -1"),
    ],
)
def test_limits_that_cannot_work_are_refused(wrong, says):
    with pytest.raises(ValueError, match=says):
        limits(**wrong)


def test_a_request_has_at_least_a_token_each_way():
    with pytest.raises(ValueError, match="0 input and 1 output"):
        Request(input_tokens=0, output_tokens=1, prefix_ids=NOTHING)
