"""No step is faster than the data sheet allows, none slower than the one with less in it.

The bounds are derived here anew from the architecture, not taken from the model's own numbers.
"""

from __future__ import annotations

from math import hypot

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neocloud.catalog import AttentionKind
from neocloud.perf import kernels, step_terms

from .cases import GPT_OSS, LLAMA_8B, Case, Work, case, cases, works

BYTES = {"bf16": 2.0, "fp8": 1.0, "mxfp4": 0.53125}
FORMAT = {"bf16": "bf16", "fp8": "fp8", "mxfp4": "fp4"}


def formats(c: Case) -> tuple[str, str]:
    """Number formats of attention and dense weights, and of experts."""
    chosen = c.configuration.precision
    if chosen == c.architecture.checkpoint_precision:
        return c.architecture.attention_precision, chosen
    return chosen, chosen


def peak(c: Case, stored: str) -> float:
    """Dense FLOP/s of the units that work on weights stored so; bf16 where there are none."""
    figure = c.accelerator.flops.get(FORMAT[stored])
    if figure is None or figure.value is None:
        figure = c.accelerator.flops["bf16"]
    return figure.value


def visited(experts: int, per_token: int, tokens: int) -> float:
    """Mean experts that `tokens` tokens visit, each `per_token` of `experts` at random."""
    return experts * (1.0 - (1.0 - per_token / experts) ** tokens)


def least_seconds(c: Case, w: Work) -> tuple[float, float]:
    """Seconds that bytes take at the full bandwidth, and that FLOPs take at the peaks."""
    tp, tokens = c.configuration.tp, w.decodes + w.prefill
    dense_format, expert_format = formats(c)
    data = 2.0 * c.architecture.head_parameters
    compute = 2.0 * c.architecture.head_parameters * (w.decodes + (w.prefill > 0)) / peak(c, "bf16")
    heads = max(1.0, c.architecture.kv_heads / tp) * tp
    for group in c.architecture.layers:
        sliding = group.attention is AttentionKind.SLIDING
        weights = group.attention_parameters + group.dense_parameters
        data += group.count * weights * BYTES[dense_format]
        compute += group.count * 2.0 * weights * tokens / peak(c, dense_format)
        if group.experts:
            hit = visited(group.experts, group.experts_per_token, tokens)
            data += group.count * hit * group.expert_parameters * BYTES[expert_format]
            rows = group.experts_per_token * tokens
            compute += group.count * 2.0 * group.expert_parameters * rows / peak(c, expert_format)
        kept = min(w.context, w.decodes * group.window) if sliding else w.context
        value = BYTES[c.configuration.kv_precision]
        data += group.count * kept * 2.0 * heads * c.architecture.head_dim * value
        pairs = min(w.pairs, w.prefill * group.window) if sliding else w.pairs
        width = c.architecture.query_heads * c.architecture.head_dim
        compute += group.count * 4.0 * width * pairs / peak(c, "bf16")
    return data / tp / c.accelerator.memory_bytes_per_s.value, compute / tp


@given(cases(), works())
@settings(max_examples=400, deadline=None)
def test_no_step_beats_the_roofline(c: Case, w: Work):
    seconds = float(kernels.step_seconds(c.numbers, *w.as_tuple()))
    memory, compute = least_seconds(c, w)
    assert seconds >= max(memory, compute)


@given(cases(), works(), st.data())
@settings(max_examples=300, deadline=None)
def test_more_work_takes_no_less_time(c: Case, w: Work, data):
    """One argument grown, the others held."""
    grown = list(w.as_tuple())
    which = data.draw(st.integers(0, 3))
    grown[which] += data.draw(st.integers(1, 5000))
    if (which == 1 and not w.decodes) or (which == 3 and not w.prefill):
        return  # a context without sequences, pairs without tokens: no such step
    before = float(kernels.step_seconds(c.numbers, *w.as_tuple()))
    after = float(kernels.step_seconds(c.numbers, *grown))
    assert after >= before * (1.0 - 1e-12)


@given(cases(), works())
@settings(max_examples=200, deadline=None)
def test_power_of_a_step_lies_between_idle_and_the_most(c: Case, w: Work):
    n = c.numbers
    seconds = kernels.step_seconds(n, *w.as_tuple())
    watts = float(kernels.step_joules(n, *w.as_tuple(), seconds) / seconds)
    assert watts > n.idle_w * n.tp
    node = c.accelerator.node_power_w.value / c.accelerator.node_accelerators
    assert watts < max(node, c.accelerator.tdp_w.value) * n.tp


def test_an_empty_step_takes_no_time():
    n = case(GPT_OSS, "h100-sxm", tp=2).numbers
    assert kernels.step_seconds(n, 0.0, 0.0, 0.0, 0.0) == 0.0
    assert kernels.step_joules(n, 0.0, 0.0, 0.0, 0.0, 0.0) == 0.0


def test_a_decode_step_by_hand():
    """Llama 3.1 8B in bf16 on one H100, one sequence that attends to 1,000 tokens."""
    c = case(LLAMA_8B, "h100-sxm")
    t = step_terms(c.architecture, c.accelerator, c.configuration, decodes=1, decode_context=1000)
    # 6,979,321,856 weights in the layers and 525,336,576 in the head: two bytes each at 0.8 of
    # 3.35 TB/s, two FLOPs each at 0.6 of 989 TFLOP/s, slowed (1 + 64) times for a single row.
    weights = 6_979_321_856 + 525_336_576
    memory, compute = 2 * weights / (0.8 * 3.35e12), 2 * weights * 65 / (0.6 * 989e12)
    assert t.weights == pytest.approx(hypot(memory, compute))
    # 1,000 tokens of 131,072 bytes at 0.8 of the bandwidth, and 6 us a layer.
    assert t.kv_read == pytest.approx(131_072_000 / (0.8 * 3.35e12) + 32 * 6e-6)
    assert (t.prefill_attention, t.collectives) == (0.0, 0.0)
    assert t.floor == pytest.approx(32 * 40e-6)
    assert t.host == 1e-3
    assert t.total == pytest.approx(sum((t.weights, t.kv_read, t.floor, t.host)))


def test_experts_visited_are_few_for_one_token_and_nearly_all_for_many():
    assert kernels.experts_hit(128.0, 4.0, 1.0) == pytest.approx(4.0)
    assert kernels.experts_hit(128.0, 4.0, 2.0) == pytest.approx(128 * (1 - (31 / 32) ** 2))
    assert kernels.experts_hit(128.0, 4.0, 1000.0) == pytest.approx(128.0, rel=1e-9)
    assert kernels.experts_hit(0.0, 0.0, 50.0) == 0.0


def test_a_window_makes_a_long_prompt_cheaper_than_full_attention():
    """gpt-oss: half of the layers keep 128 tokens; a past beyond that costs the other half only."""
    n = case(GPT_OSS, "h100-sxm", tp=2).numbers
    tokens = 1000.0
    within = float(kernels.prefill_attention_seconds(n, tokens, tokens * 128))
    beyond = float(kernels.prefill_attention_seconds(n, tokens, tokens * 1128))
    full = 4.0 * 64 * 64 / 2 * 18 * tokens * 1000 / n.attention_rate
    assert beyond - within == pytest.approx(full)


def test_collectives_cost_only_where_there_are_several():
    llama = [case(LLAMA_8B, "h100-sxm", tp=tp).numbers for tp in (1, 2, 4, 8)]
    alone, *several = [float(kernels.collective_seconds(n, 64.0)) for n in llama]
    assert alone == 0.0
    assert sorted(several) == several
    # Two for each of 32 layers, 7 us x 1.3 and the hidden state of 64 tokens once over the link.
    moved = 64 * 4096 * 2 / (450e9 * 0.55)
    assert several[0] == pytest.approx(64 * (7e-6 * 1.3 + moved))
    # MI300X: two of eight have one of seven links between them.
    two = float(kernels.collective_seconds(case(LLAMA_8B, "mi300x", tp=2).numbers, 64.0))
    assert two == pytest.approx(64 * (8e-6 * 1.3 + 64 * 4096 * 2 / (448e9 / 7 * 0.50)))
