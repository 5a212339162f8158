"""Stations of prefill apart from decode against the scheduler that they describe.

The same step times go into both, so what differs is queueing alone. What passes outside of steps
(`first_token_s`, `transfer_s`) is the same number on both sides and stays out of what is compared.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neocloud.perf import (
    Load,
    Prefilling,
    Steady,
    decoding,
    prefill_rate,
    prefilling,
    stack,
    together,
)
from neocloud.perf.closed_loop import disaggregated

from .cases import DEEPSEEK_R1, GPT_OSS, LLAMA_8B, LLAMA_70B, Case, case, cases
from .service import fixed, from_trace, memory_of
from .stations_service import decode_rank, deployment, prefill_rank
from .test_steady import CONVERSATION

LLAMA_H100 = case(LLAMA_8B, "h100-sxm")
LLAMA_L40S = case(LLAMA_8B, "l40s", batch_tokens=2048)
LLAMA_70B_H100 = case(LLAMA_70B, "h100-sxm", tp=4)
GPT_OSS_MI300X = case(GPT_OSS, "mi300x", batch_tokens=2048)
R1_B200 = case(DEEPSEEK_R1, "b200-sxm", tp=8)
R1_DRAFTS = case(DEEPSEEK_R1, "b200-sxm", tp=8, drafts=3)
R1_RANKS = case(DEEPSEEK_R1, "h200-sxm", tp=1, attention_dp=8, ep=8)


def decoded(c: Case, load: Load, batch, percentile: float = 90.0) -> Steady:
    return decoding(
        c.numbers,
        load,
        np.asarray(batch, dtype=float),
        max_batch=float(c.configuration.max_batch),
        kv_tokens=float(memory_of(c).replica_kv_tokens),
        percentile=percentile,
    )


def prefilled(c: Case, load: Load, utilisation, percentile: float = 90.0) -> Prefilling:
    return prefilling(
        c.numbers,
        load,
        np.asarray(utilisation, dtype=float),
        batch_tokens=float(c.configuration.batch_tokens),
        percentile=percentile,
    )


def aside(c: Case) -> float:
    return float(c.numbers.first_token_s + c.numbers.transfer_s)


@pytest.mark.parametrize(
    ("c", "lengths", "batch"),
    [
        (LLAMA_H100, from_trace(1500, 1), 0.3),
        (LLAMA_H100, from_trace(3000, 2), 30),
        (LLAMA_H100, from_trace(6000, 3), 100),
        (LLAMA_H100, fixed(4000, 400, 1500), 20),
        (LLAMA_L40S, from_trace(3000, 4), 30),
        (LLAMA_70B_H100, from_trace(2000, 5), 8),
        (GPT_OSS_MI300X, from_trace(6000, 6), 100),
        (R1_B200, fixed(1000, 300, 1500), 20),
        (R1_DRAFTS, from_trace(3000, 7), 20),
        (R1_RANKS, from_trace(4000, 8), 240),
    ],
)
def test_decoding_agrees_with_the_scheduler(c, lengths, batch):
    """TPOT within 3 per cent, its tail 5, the batch 8 (it follows the rate that chance makes); from
    8 on a rank, the time from the hand-over to the second token 6 and its tail 5, power 2."""
    s = decoded(c, lengths.load(), batch)
    seen = decode_rank(c, lengths, float(s.requests_per_s) / c.ranks, seed=11)
    assert seen.tpot_s == pytest.approx(float(s.tpot_s), rel=0.03)
    assert seen.tpot_s_at_percentile == pytest.approx(float(s.tpot_s_at_percentile), rel=0.05)
    assert seen.decode_batch * c.ranks == pytest.approx(batch, rel=0.08)
    if batch >= 8 * c.ranks:
        # Of a drafting worker the scheduler sees parts of steps that give one token each.
        token = float(c.numbers.accepted)
        assert seen.ttft_s == pytest.approx(float(s.ttft_s) / token, rel=0.06)
        late = float(s.ttft_s_at_percentile) / token
        assert seen.ttft_s_at_percentile == pytest.approx(late, rel=0.05)
        assert seen.watts == pytest.approx(float(s.watts), rel=0.02)


@pytest.mark.parametrize(
    ("c", "lengths", "utilisation"),
    [
        (LLAMA_H100, from_trace(6000, 1), 0.2),
        (LLAMA_L40S, fixed(1000, 10, 3000), 0.05),
        (LLAMA_H100, from_trace(8000, 2), 0.8),
        (LLAMA_H100, fixed(1000, 10, 6000), 0.6),
        (LLAMA_L40S, from_trace(8000, 3), 0.6),
        (LLAMA_L40S, fixed(12_000, 10, 3000), 0.6),
        (LLAMA_70B_H100, from_trace(8000, 4), 0.3),
        (LLAMA_70B_H100, fixed(4000, 10, 6000), 0.6),
        (GPT_OSS_MI300X, from_trace(8000, 5), 0.8),
        (GPT_OSS_MI300X, fixed(200, 10, 8000), 0.7),
        (R1_B200, from_trace(12_000, 6), 0.9),
        (R1_RANKS, from_trace(8000, 7), 0.6),
        (R1_RANKS, fixed(1000, 10, 8000), 0.8),
    ],
)
def test_prefilling_agrees_with_the_scheduler(c, lengths, utilisation):
    """Waits and steps alone: their mean within 15 per cent, tail 25, busy time 0.02, power 2."""
    s = prefilled(c, lengths.load(), utilisation)
    seen = prefill_rank(c, lengths, float(s.requests_per_s) / c.ranks, seed=12)
    assert seen.ttft_s == pytest.approx(float(s.ttft_s) - aside(c), rel=0.15)
    late = float(s.ttft_s_at_percentile) - aside(c)
    assert seen.ttft_s_at_percentile == pytest.approx(late, rel=0.25)
    assert seen.busy == pytest.approx(float(s.busy), abs=0.02)
    assert seen.watts == pytest.approx(float(s.watts), rel=0.02)


@pytest.mark.parametrize(
    ("prefill", "decode", "batch", "workers"),
    [
        (LLAMA_H100, LLAMA_H100, 60.0, 2),
        (LLAMA_H100, LLAMA_L40S, 30.0, 3),
        (R1_B200, R1_B200, 40.0, 2),
    ],
)
def test_what_prefill_hands_over_is_decoded_as_if_it_came_at_random(
    prefill, decode, batch, workers
):
    """One after the other, the tolerances of both tests hold."""
    lengths = from_trace(8000, 21)
    s = together(
        prefill.numbers,
        decode.numbers,
        lengths.load(),
        np.float64(batch),
        prefill_workers=1.0,
        decode_workers=float(workers),
        batch_tokens=8192.0,
        max_batch=256.0,
        kv_tokens=1e7,
        percentile=90.0,
    )
    assert s.fits
    first, then = deployment(prefill, decode, lengths, float(s.requests_per_s), workers, seed=22)
    assert first.ttft_s == pytest.approx(float(s.ttft_s) - aside(prefill), rel=0.15)
    late = float(s.ttft_s_at_percentile) - aside(prefill)
    assert first.ttft_s_at_percentile == pytest.approx(late, rel=0.25)
    assert then.tpot_s == pytest.approx(float(s.tpot_s), rel=0.05)
    assert then.tpot_s_at_percentile == pytest.approx(float(s.tpot_s_at_percentile), rel=0.08)
    power = first.watts + workers * then.watts
    assert power == pytest.approx(float(s.watts), rel=0.03)


@given(cases(), st.floats(0.05, 200.0), st.sampled_from([50.0, 90.0, 99.0]))
@settings(max_examples=150, deadline=None)
def test_decoding_keeps_littles_law_and_its_order(c: Case, batch: float, percentile: float):
    s = decoded(c, CONVERSATION, batch, percentile)
    assert s.requests_per_s * CONVERSATION.output_tokens * s.tpot_s == pytest.approx(batch)
    assert s.concurrency == pytest.approx(batch + s.requests_per_s * s.ttft_s)
    assert s.tpot_s_at_percentile >= s.tpot_s
    step = s.tpot_s * float(c.numbers.accepted)
    assert s.ttft_s_at_percentile >= step * (1.0 - 1e-9)
    assert 0.0 < s.busy <= 1.0
    n, size = c.numbers, c.configuration.accelerators
    assert float(n.idle_w) * size < s.watts <= float(n.static_w + n.dynamic_w) * size * (1.0 + 1e-9)


@given(
    cases(),
    st.floats(0.005, 0.99),
    st.floats(20.0, 50_000.0),
    st.floats(0.0, 4.0),
    st.sampled_from([50.0, 90.0, 99.0]),
)
@settings(max_examples=200, deadline=None)
def test_prefilling_keeps_littles_law_and_its_order(
    c: Case, utilisation: float, inputs: float, varied: float, percentile: float
):
    load = Load(input_tokens=inputs, output_tokens=100.0, input_cv2=varied)
    s = prefilled(c, load, utilisation, percentile)
    assert s.concurrency == pytest.approx(s.requests_per_s * s.ttft_s)
    assert s.ttft_s_at_percentile >= s.ttft_s > aside(c)
    # Rates add up: what steps carry is what comes.
    assert 0.0 < s.step_tokens <= c.configuration.batch_tokens * (1.0 + 1e-9)
    assert utilisation - 1e-9 <= s.busy <= 1.0
    n, size = c.numbers, c.configuration.accelerators
    assert float(n.idle_w) * size < s.watts <= float(n.static_w + n.dynamic_w) * size * (1.0 + 1e-9)


@given(cases(), st.floats(20.0, 50_000.0), st.floats(0.0, 4.0))
@settings(max_examples=100, deadline=None)
def test_more_load_is_slower(c: Case, inputs: float, varied: float):
    """The first token and busy time with the rate, the time per token with the batch."""
    load = Load(input_tokens=inputs, output_tokens=100.0, input_cv2=varied)
    s = prefilled(c, load, np.linspace(0.02, 0.98, 25))
    for values in (s.requests_per_s, s.ttft_s, s.busy):
        assert (np.diff(values) > -0.01 * values[1:]).all(), values
    assert s.ttft_s_at_percentile[-1] > s.ttft_s_at_percentile[0]
    d = decoded(c, load, np.geomspace(0.1, 500.0, 30))
    for values in (d.requests_per_s, d.tpot_s, d.batch_at_percentile):
        assert (np.diff(values) > 0).all(), values


@given(cases(), st.floats(20.0, 8000.0))
@settings(max_examples=60, deadline=None)
def test_without_a_queue_and_without_end_it_is_the_closed_loop(c: Case, inputs: float):
    """One request in flight there is a station at rest here; endlessly many, all that it gives.

    With steps ten times as long, so that no roofline bounds them: the loop's prompts know none.
    """
    n = replace(c.numbers, prefill_factor=10.0, decode_factor=10.0)
    load = Load(input_tokens=inputs, output_tokens=2.0)
    loop = disaggregated(
        stack([n, n]),
        stack([n, n]),
        inputs=inputs,
        outputs=2.0,
        concurrency=np.array([[1.0], [1e9]]),
        decode_ranks=1e9,
        prefill_ranks=float(c.ranks),
        room=1e9,
        batch_tokens=8192.0,
    )
    rest = prefilling(n, load, np.float64(1e-6), batch_tokens=8192.0, percentile=50.0)
    assert rest.ttft_s == pytest.approx(float(loop.ttft_s[0, 0]), rel=1e-4)
    most = float(loop.requests_per_s[1, 0])
    assert prefill_rate(n, load, 8192.0) == pytest.approx(most, rel=1e-6)


def test_a_deployment_is_its_workers():
    """Sums of power and rates, the decode side's time per token, the prefill side's first token."""
    n, d = R1_B200.numbers, R1_DRAFTS.numbers
    batches = np.array([1.0, 20.0, 200.0])
    workers = np.array([[1.0], [3.0]])
    s = together(
        n,
        d,
        CONVERSATION,
        batches,
        prefill_workers=workers,
        decode_workers=2.0,
        batch_tokens=8192.0,
        max_batch=256.0,
        kv_tokens=1e7,
        percentile=90.0,
    )
    one = decoded(R1_DRAFTS, CONVERSATION, batches)
    utilisation = 2.0 * one.requests_per_s / prefill_rate(n, CONVERSATION, 8192.0)
    assert list(utilisation < 0.98) == [True, True, False]
    assert s.fits.tolist() == [[True, True, False], [True, True, True]]
    assert np.isinf(s.ttft_s[0, 2]) and np.isfinite(s.ttft_s[1]).all()
    alone = prefilled(R1_B200, CONVERSATION, utilisation[:2])
    assert s.ttft_s[0, :2] == pytest.approx(alone.ttft_s)
    assert s.ttft_s_at_percentile[0, :2] == pytest.approx(alone.ttft_s_at_percentile)
    assert s.watts[0, :2] == pytest.approx(alone.watts + 2.0 * one.watts[:2])
    assert s.busy[0, :2] == pytest.approx((alone.busy + 2.0 * one.busy[:2]) / 3.0)
    assert s.requests_per_s == pytest.approx(np.broadcast_to(2.0 * one.requests_per_s, (3,)))
    assert (s.ttft_s[1, :2] < s.ttft_s[0, :2]).all()


def test_batch_and_cache_limits_hold_at_the_percentile():
    few = case(LLAMA_8B, "h100-sxm", max_batch=64)
    fits = decoded(few, CONVERSATION, [20.0, 40.0, 60.0, 80.0]).fits
    assert list(fits) == [True, True, False, False]
    long = Load(input_tokens=30_000.0, output_tokens=2000.0)  # 13 of them fill the cache
    assert list(decoded(LLAMA_H100, long, [4.0, 20.0]).fits) == [True, False]


def test_many_configurations_at_once_are_those_one_by_one():
    several = [LLAMA_H100, case(LLAMA_8B, "h100-sxm", tp=2), R1_RANKS]
    numbers = stack([c.numbers for c in several])
    batches, shares = np.array([1.0, 10.0, 100.0]), np.array([0.1, 0.5, 0.9])
    decode = decoding(
        numbers, CONVERSATION, batches, max_batch=256.0, kv_tokens=1e7, percentile=90.0
    )
    prefill = prefilling(numbers, CONVERSATION, shares, batch_tokens=8192.0, percentile=90.0)
    for row, c in enumerate(several):
        for name in ("requests_per_s", "tpot_s_at_percentile", "ttft_s_at_percentile", "watts"):
            alone = getattr(decoded(c, CONVERSATION, batches), name)
            assert getattr(decode, name)[row] == pytest.approx(alone)
        for name in ("requests_per_s", "ttft_s", "ttft_s_at_percentile", "step_tokens", "watts"):
            alone = getattr(prefilled(c, CONVERSATION, shares), name)
            assert getattr(prefill, name)[row] == pytest.approx(alone)


def test_prompts_that_vary_wait_longer_and_short_steps_give_less():
    even = Load(input_tokens=1155.0, output_tokens=211.0)
    assert prefilled(R1_B200, CONVERSATION, 0.7).ttft_s > prefilled(R1_B200, even, 0.7).ttft_s
    # Steps that carry less read the weights more often: less is given in all.
    narrow, wide = (prefill_rate(R1_B200.numbers, CONVERSATION, t) for t in (1024.0, 8192.0))
    assert narrow < 0.7 * wide
