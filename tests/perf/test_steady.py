"""The steady state's formulas against the scheduler that they describe.

The same step times go into both, so what differs is queueing alone. Tolerances are what the
formulas are good for, stated here and in docs/accuracy.md.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neocloud.perf import Load, Steady, at_batch, predict, stack

from .cases import GPT_OSS, LLAMA_8B, Case, case, cases
from .service import closed_loop, fixed, from_trace, memory_of, open_loop, spread

LLAMA_H100 = case(LLAMA_8B, "h100-sxm")
LLAMA_MI300X = case(LLAMA_8B, "mi300x")
GPT_OSS_H100 = case(GPT_OSS, "h100-sxm", tp=2, max_batch=512)
CONVERSATION = Load(
    input_tokens=1155.0,
    output_tokens=211.0,
    context_tokens=1400.0,
    input_cv2=0.9,
    input_at_percentile=2600.0,
    typical_output_tokens=120.0,
)


def steady(c: Case, load: Load, batch, percentile: float = 90.0) -> Steady:
    return at_batch(
        c.numbers,
        load,
        np.asarray(batch, dtype=float),
        batch_tokens=float(c.configuration.batch_tokens),
        max_batch=float(c.configuration.max_batch),
        kv_tokens=float(memory_of(c).replica_kv_tokens),
        percentile=percentile,
    )


@pytest.mark.parametrize(
    ("c", "lengths", "batch"),
    [
        (LLAMA_H100, from_trace(1500, 1), 0.5),
        (LLAMA_H100, from_trace(3000, 2), 8),
        (LLAMA_H100, from_trace(8000, 3), 60),
        (LLAMA_H100, from_trace(12000, 4), 140),
        (LLAMA_MI300X, from_trace(12000, 5), 100),
        (LLAMA_MI300X, fixed(1000, 200, 8000), 60),
        (LLAMA_MI300X, fixed(200, 1000, 2500), 60),
        (LLAMA_MI300X, fixed(4000, 400, 3000), 20),
        (GPT_OSS_H100, from_trace(6000, 6), 60),
        (GPT_OSS_H100, from_trace(10000, 7), 250),
    ],
)
def test_open_loop_agrees_with_the_scheduler(c, lengths, batch):
    """Random arrivals. TPOT within 5 per cent, its tail 8, TTFT 15, its tail 25, power 2."""
    predicted = steady(c, lengths.load(), batch)
    seen = open_loop(c, lengths, float(predicted.requests_per_s), seed=11)
    assert predicted.fits
    assert seen.tpot_s == pytest.approx(predicted.tpot_s, rel=0.05)
    assert seen.decode_batch == pytest.approx(batch, rel=0.08)
    assert seen.tpot_s_at_percentile == pytest.approx(predicted.tpot_s_at_percentile, rel=0.08)
    assert seen.ttft_s == pytest.approx(predicted.ttft_s, rel=0.15)
    assert seen.ttft_s_at_percentile == pytest.approx(predicted.ttft_s_at_percentile, rel=0.25)
    assert seen.busy == pytest.approx(float(predicted.busy), abs=0.05)
    assert seen.watts == pytest.approx(float(predicted.watts), rel=0.02)


@given(cases(), st.floats(0.5, 200.0))
@settings(max_examples=200, deadline=None)
def test_littles_law_and_order(c: Case, batch: float):
    """B = rate x O x TPOT; the percentile is no better than the mean; power is above idle."""
    s = steady(c, CONVERSATION, batch)
    assert s.requests_per_s * CONVERSATION.output_tokens * s.tpot_s == pytest.approx(batch)
    assert s.tpot_s_at_percentile >= s.tpot_s
    assert s.ttft_s_at_percentile >= s.ttft_s
    assert 0.0 < s.busy <= 1.0
    assert s.watts > c.table.idle_watts


@given(cases(), st.lists(st.floats(0.25, 400.0), min_size=2, max_size=6, unique=True))
@settings(max_examples=100, deadline=None)
def test_more_load_is_slower(c: Case, batches: list[float]):
    s = steady(c, CONVERSATION, sorted(batches))
    assert (np.diff(s.requests_per_s) > 0).all()
    assert (np.diff(s.tpot_s) > -1e-12).all()
    assert (np.diff(s.ttft_s) > -1e-12).all()


def test_prompts_that_fill_the_steps_do_not_fit():
    """8,000 tokens in for 50 out: 40 that generate would bring 6,400 prompt tokens a step."""
    load = Load(input_tokens=8000.0, output_tokens=50.0)
    at = steady(LLAMA_MI300X, load, [10.0, 40.0, 50.0, 100.0])
    assert list(at.fits) == [True, True, False, False]


def test_batch_and_cache_limits_hold_at_the_percentile():
    few = case(LLAMA_8B, "h100-sxm", max_batch=64)
    fits = steady(few, CONVERSATION, [20.0, 40.0, 60.0, 80.0]).fits
    assert list(fits) == [True, True, False, False]
    long = Load(input_tokens=30_000.0, output_tokens=2000.0)  # 13 of them fill the cache
    assert list(steady(LLAMA_H100, long, [4.0, 20.0]).fits) == [True, False]


def test_many_configurations_at_once_are_those_one_by_one():
    several = [LLAMA_H100, case(LLAMA_8B, "h100-sxm", tp=2), case(LLAMA_8B, "h100-sxm", tp=4)]
    batches = np.array([1.0, 10.0, 100.0])
    joined = at_batch(
        stack([c.numbers for c in several]),
        CONVERSATION,
        batches[None, :],
        batch_tokens=np.array([[8192.0]] * 3),
        max_batch=np.array([[256.0]] * 3),
        kv_tokens=np.array([[float(memory_of(c).replica_kv_tokens)] for c in several]),
        percentile=90.0,
    )
    for row, c in enumerate(several):
        alone = steady(c, CONVERSATION, batches)
        for name in ("requests_per_s", "tpot_s_at_percentile", "ttft_s_at_percentile", "watts"):
            assert getattr(joined, name)[row] == pytest.approx(getattr(alone, name))
