"""The steady state's formulas against the scheduler that they describe.

The same step times go into both, so what differs is queueing alone. Tolerances are what the
formulas are good for, stated here and in docs/accuracy.md.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neocloud.perf import Load, Steady, at_batch, at_concurrency, predict, stack

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
        kv_tokens=float(memory_of(c).kv_tokens),
        percentile=percentile,
    )


def at_clients(c: Case, load: Load, clients: int) -> Steady:
    return at_concurrency(
        c.numbers,
        load,
        np.float64(clients),
        batch_tokens=float(c.configuration.batch_tokens),
        max_batch=float(c.configuration.max_batch),
        kv_tokens=float(memory_of(c).kv_tokens),
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


@pytest.mark.parametrize(
    ("c", "lengths", "clients"),
    [
        (LLAMA_H100, spread(1024, 1024, 300, 1), 8),
        (LLAMA_H100, spread(1024, 1024, 1200, 2), 96),
        (LLAMA_H100, spread(8192, 1024, 400, 3), 16),
        (LLAMA_H100, spread(1024, 200, 4000, 4), 128),
        (GPT_OSS_H100, spread(1024, 1024, 1600, 5), 128),
    ],
)
def test_closed_loop_agrees_with_the_scheduler(c, lengths, clients):
    """A fixed number of clients: rate and TPOT within 3 per cent, TTFT 10, power 2."""
    predicted = at_clients(c, lengths.load(), clients)
    seen = closed_loop(c, lengths, clients)
    assert seen.tpot_s == pytest.approx(float(predicted.tpot_s), rel=0.03)
    assert seen.requests_per_s == pytest.approx(float(predicted.requests_per_s), rel=0.03)
    assert seen.ttft_s == pytest.approx(float(predicted.ttft_s), rel=0.10)
    assert seen.watts == pytest.approx(float(predicted.watts), rel=0.02)


def test_clients_beyond_the_batch_limit_wait():
    """Four times as many as may run: the same rate, and three of four of their time is waiting."""
    c = case(LLAMA_8B, "h100-sxm", max_batch=64)
    lengths = spread(1024, 512, 2000, 6)
    predicted = at_clients(c, lengths.load(), 256)
    seen = closed_loop(c, lengths, 256)
    assert predicted.requests_per_s == pytest.approx(
        at_clients(c, lengths.load(), 64).requests_per_s
    )
    assert seen.requests_per_s == pytest.approx(float(predicted.requests_per_s), rel=0.03)
    assert seen.ttft_s == pytest.approx(float(predicted.ttft_s), rel=0.05)
    in_all = float(predicted.ttft_s + lengths.load().output_tokens * predicted.tpot_s)
    assert float(predicted.ttft_s) / in_all == pytest.approx(0.75, abs=0.02)


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


@given(cases(), st.integers(1, 300), st.integers(1, 300))
@settings(max_examples=100, deadline=None)
def test_more_clients_are_served_no_less(c: Case, few: int, more: int):
    """And each no faster. They fill what is inside: the loop is closed."""
    few, more = sorted((few, more))
    a, b = at_clients(c, CONVERSATION, few), at_clients(c, CONVERSATION, more)
    assert b.requests_per_s >= a.requests_per_s * (1 - 1e-6)
    assert b.ttft_s >= a.ttft_s * (1 - 1e-6)
    stay = b.ttft_s + CONVERSATION.output_tokens * b.tpot_s
    if memory_of(c).fits:
        assert b.requests_per_s * stay == pytest.approx(more, rel=0.01)


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
        kv_tokens=np.array([[float(memory_of(c).kv_tokens)] for c in several]),
        percentile=90.0,
    )
    for row, c in enumerate(several):
        alone = steady(c, CONVERSATION, batches)
        for name in ("requests_per_s", "tpot_s_at_percentile", "ttft_s_at_percentile", "watts"):
            assert getattr(joined, name)[row] == pytest.approx(getattr(alone, name))


def test_predict_is_the_closed_loop_in_other_units():
    load = Load(input_tokens=1000.0, output_tokens=500.0)
    c = case(GPT_OSS, "h100-sxm", tp=2, max_batch=64)
    p = predict(c.architecture, c.accelerator, c.configuration, load, 64)
    s = at_clients(c, load, 64)
    assert p.tpot_ms == pytest.approx(float(s.tpot_s) * 1e3)
    assert p.ttft_ms == pytest.approx(float(s.ttft_s) * 1e3)
    assert p.output_tok_s_per_accelerator == pytest.approx(float(s.requests_per_s) * 500 / 2)
    assert p.total_tok_s_per_accelerator == pytest.approx(3 * p.output_tok_s_per_accelerator)
    assert p.joules_per_output_token == pytest.approx(
        p.watts_per_accelerator / p.output_tok_s_per_accelerator
    )
    assert p.decode_step.total * 1e3 >= p.roofline_decode_ms
