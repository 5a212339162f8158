"""The steady state's formulas against the scheduler that they describe.

The same step times go into both, so what differs is queueing alone. Tolerances are what the
formulas are good for, stated here and in docs/accuracy.md.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from neocloud.perf import Load, Steady, at_batch, kernels, stack

from .cases import DEEPSEEK_R1, GPT_OSS, LLAMA_8B, Case, case, cases
from .service import fixed, from_trace, memory_of, open_loop

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
    """As long as prompts find room in steps: what does not is never planned with.

    A prompt in one more piece can be a little faster, so a little is allowed; short steps cut
    every prompt in many.
    """
    assume(c.configuration.batch_tokens > 512)
    n = c.numbers
    brought = CONVERSATION.input_tokens / CONVERSATION.output_tokens * float(n.accepted)
    most = 0.9 * c.configuration.batch_tokens / (float(n.tokens_per_sequence) + brought) * c.ranks
    s = steady(c, CONVERSATION, sorted(min(b, most * b / 400.0) for b in batches))
    for values in (s.requests_per_s, s.tpot_s, s.ttft_s):
        assert (np.diff(values) > -0.05 * values[1:]).all(), values


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


@pytest.mark.parametrize("settings", [{"attention_dp": 8, "ep": 8, "tp": 1}, {"tp": 8, "pp": 4}])
def test_ranks_share_the_load_and_wait_for_each_other(settings):
    """As many replicas of one rank each would do it faster but for what they hold and wait."""
    whole = case(DEEPSEEK_R1, "h200-sxm", **settings)
    s = steady(whole, CONVERSATION, 64.0)
    ranks = whole.ranks
    n = whole.numbers
    plain = float(kernels.decode_seconds(n, 64.0 / ranks, 64.0 / ranks * CONVERSATION.context))
    assert s.tpot_s > plain
    assert s.requests_per_s * CONVERSATION.output_tokens * s.tpot_s == pytest.approx(64.0)
    assert s.watts < whole.configuration.accelerators * float(n.static_w + n.dynamic_w)
    free = replace(n, waiting=0.0)
    alone = at_batch(
        free,
        CONVERSATION,
        np.float64(64.0),
        batch_tokens=8192.0,
        max_batch=256.0,
        kv_tokens=1e9,
        percentile=90.0,
    )
    assert alone.tpot_s < s.tpot_s
    # With nothing to wait for, what prompts add is one rank's own.
    more = (float(s.tpot_s) - plain) / (float(alone.tpot_s) - plain)
    assert 1.1 < more < 1.1 * ranks ** float(n.waiting)


def test_drafted_tokens_shorten_answers_by_those_that_are_kept():
    plain, drafted = (
        steady(case(DEEPSEEK_R1, "h200-sxm", tp=8, drafts=drafts), CONVERSATION, 8.0)
        for drafts in (0, 3)
    )
    n = case(DEEPSEEK_R1, "h200-sxm", tp=8, drafts=3).numbers
    assert 1.5 < float(n.accepted) <= 4.0
    assert plain.tpot_s / float(n.accepted) < drafted.tpot_s < plain.tpot_s
    assert drafted.requests_per_s > plain.requests_per_s


@pytest.mark.parametrize(
    ("c", "lengths", "batch"),
    [
        (case(DEEPSEEK_R1, "h200-sxm", tp=1, attention_dp=8, ep=8), from_trace(6000, 8), 60),
        (case(DEEPSEEK_R1, "b200-sxm", tp=8, drafts=3), from_trace(6000, 9), 40),
    ],
)
def test_the_scheduler_sees_ranks_and_drafts_alike(c, lengths, batch):
    """The scheduler knows one replica and one token a step; times agree within 10 per cent."""
    predicted = steady(c, lengths.load(), batch)
    seen = open_loop(c, lengths, float(predicted.requests_per_s), seed=12)
    assert seen.tpot_s == pytest.approx(float(predicted.tpot_s), rel=0.10)
    assert seen.requests_per_s == pytest.approx(float(predicted.requests_per_s), rel=0.08)
    assert seen.watts == pytest.approx(float(predicted.watts), rel=0.05)
