"""No step is faster than the data sheet allows, none slower than the one with less in it.

The bounds are derived here anew from the architecture, not taken from the model's own numbers.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neocloud.catalog import Accelerator, AttentionKind, Figure, LayerGroup
from neocloud.perf import Load, Outputs, Prediction, closed_loop, kernels, predict, step_terms

from .cases import DEEPSEEK_R1, DEEPSEEK_V4, GPT_OSS, LLAMA_8B, Case, Work, case, cases, works

BYTES = {"bf16": 2.0, "fp8": 1.0, "mxfp4": 0.53125, "int4": 0.5625, "fp4": 0.5625, "int8": 1.0}
FORMAT = {"bf16": "bf16", "fp8": "fp8", "mxfp4": "fp4", "int4": "bf16", "fp4": "fp4"}


def formats(c: Case) -> tuple[str, str]:
    """Number formats of attention and dense weights, and of experts."""
    chosen, a = c.configuration.precision, c.architecture
    if chosen in {a.checkpoint_precision, a.published_precision}:
        return a.attention_precision, a.expert_precision or a.checkpoint_precision
    if chosen == "int4" and any(g.experts for g in a.layers):
        return "bf16", "int4"
    return chosen, chosen


def peak(c: Case, stored: str) -> float:
    """Dense FLOP/s of the units that work on weights stored so; bf16 where there are none."""
    figure = c.accelerator.flops.get(FORMAT[stored])
    if figure is None or figure.value is None:
        figure = c.accelerator.flops["bf16"]
    return figure.value


def visited(experts: int, per_token: int, tokens: float) -> float:
    """Mean experts that `tokens` tokens visit, each `per_token` of `experts` at random."""
    return experts * (1.0 - (1.0 - per_token / experts) ** tokens)


def seen(g: LayerGroup, many: int, total: float) -> float:
    """Cache entries that `many` queries read, which have `total` tokens before them in all."""
    if g.attention is AttentionKind.LINEAR:
        return 0.0
    kept = total
    if g.attention is not AttentionKind.FULL:
        kept = min(total, many * g.window * g.kv_stride)
    return kept / g.kv_stride + min(total, many * g.recent_tokens)


def least_seconds(c: Case, w: Work) -> tuple[float, float]:
    """Seconds of one rank: of its bytes at the full bandwidth, of its FLOPs at the peaks."""
    tp, dp = c.configuration.tp, c.configuration.attention_dp
    queries = w.decodes * (1 + c.configuration.drafts)
    tokens = queries + w.prefill
    dense_format, expert_format = formats(c)
    head = c.architecture.head_parameters
    data = 2.0 * head / tp
    compute = 2.0 * head * (queries + (w.prefill > 0)) / tp / peak(c, "bf16")
    value = BYTES[c.configuration.kv_precision]
    for g in c.architecture.layers:
        weights = g.attention_parameters / tp + g.dense_parameters / (tp * dp)
        data += g.count * weights * BYTES[dense_format]
        flops = 2.0 * (g.attention_parameters + g.dense_parameters) / tp
        compute += g.count * flops * tokens / peak(c, dense_format)
        if g.experts:
            hit = visited(g.experts, g.experts_per_token, tokens * dp)
            share = g.expert_parameters / (tp * dp)
            data += g.count * hit * share * BYTES[expert_format]
            rows = g.experts_per_token * tokens * dp
            compute += g.count * 2.0 * share * rows / peak(c, expert_format)
        entries = seen(g, w.decodes, w.context)
        data += g.count * entries * g.kv_elements / min(tp, g.kv_split) * value
        data += g.count * w.context * g.index_elements * value
        pairs = seen(g, w.prefill, w.pairs) * g.pair_flops + w.pairs * g.index_pair_flops
        decode = entries * g.decode_pair_flops + w.context * g.index_pair_flops
        pairs += decode * (1 + c.configuration.drafts)
        compute += g.count * pairs / tp / peak(c, "bf16")
    return data / c.accelerator.memory_bytes_per_s.value, compute


def fastest(c: Case) -> float:
    """The best rate of any format over that of bf16: what compute may be ahead of bf16 at most."""
    rates = [f.value for f in c.accelerator.flops.values() if f.value]
    return max(rates) / peak(c, "bf16")


@given(cases(), works())
@settings(max_examples=400, deadline=None)
def test_no_step_beats_the_roofline(c: Case, w: Work):
    """Memory at the data sheet's bandwidth; FLOPs at its fastest format."""
    seconds = float(kernels.step_seconds(c.numbers, *w.as_tuple()))
    memory, compute = least_seconds(c, w)
    assert seconds >= memory * (1 - 1e-12)
    assert seconds >= compute / fastest(c) * (1 - 1e-12)


@given(cases(), works(), st.data())
@settings(max_examples=400, deadline=None)
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


def quicker(accelerator: Accelerator, factor: float, name: str) -> Accelerator:
    figure: Figure = getattr(accelerator, name)
    return replace(accelerator, **{name: replace(figure, value=figure.value * factor)})


RATES = ("memory_bytes_per_s", "scale_up_bytes_per_s", "scale_out_bytes_per_s")


@given(cases(), works(), st.floats(1.01, 10.0), st.sampled_from(RATES))
@settings(max_examples=400, deadline=None)
def test_more_bandwidth_never_slows_a_step(c: Case, w: Work, factor: float, name: str):
    wider = replace(c, accelerator=quicker(c.accelerator, factor, name))
    before = float(kernels.step_seconds(c.numbers, *w.as_tuple()))
    after = float(kernels.step_seconds(wider.numbers, *w.as_tuple()))
    assert after <= before * (1.0 + 1e-12)


LOOPS = (
    cases(),
    st.floats(1.01, 10.0),
    st.sampled_from(RATES),
    st.integers(1, 512),
    st.integers(16, 30_000),
    st.integers(16, 4000),
)


def with_more(c, factor, name, concurrency, inputs, outputs) -> tuple[Prediction, Prediction]:
    load = Load(input_tokens=inputs, output_tokens=outputs)
    before, after = (
        predict(c.architecture, a, c.configuration, load, concurrency)
        for a in (c.accelerator, quicker(c.accelerator, factor, name))
    )
    return before, after


@given(*LOOPS)
@settings(max_examples=1500, deadline=None)
def test_more_bandwidth_never_slows_a_prediction(c, factor, name, concurrency, inputs, outputs):
    """Throughput by the physics and with what neighbours say, of a loop solved to the end."""
    if not c.memory.fits:
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(closed_loop, "_ROUNDS", 100)
        before, after = with_more(c, factor, name, concurrency, inputs, outputs)
    assert total(after.physics) >= total(before.physics) * (1 - 1e-9)
    assert after.requests_per_s >= before.requests_per_s * (1 - 1e-9)


@given(*LOOPS)
@settings(max_examples=1500, deadline=None)
def test_nor_with_what_a_few_rounds_leave_unsolved(c, factor, name, concurrency, inputs, outputs):
    """As it is shipped: rounds end where the loop stands still to about a thousandth."""
    if not c.memory.fits:
        return
    before, after = with_more(c, factor, name, concurrency, inputs, outputs)
    assert after.requests_per_s >= before.requests_per_s * (1 - 2e-3)


def total(outputs: Outputs) -> float:
    return outputs.total_tok_s_per_accelerator


@given(cases(), st.integers(1, 512), st.integers(1, 30_000), st.integers(1, 4000))
@settings(max_examples=1500, deadline=None)
def test_no_prediction_beats_the_roofline(c: Case, concurrency: int, inputs: int, outputs: int):
    """Neither a token's time, nor the rate at which all tokens are multiplied."""
    if not c.memory.fits:
        return
    p = predict(
        c.architecture,
        c.accelerator,
        c.configuration,
        Load(input_tokens=inputs, output_tokens=outputs),
        concurrency,
    )
    assert p.tpot_ms * p.tokens_per_step >= p.roofline_decode_ms * (1 - 1e-9)
    assert p.requests_per_s <= p.roofline_requests_per_s * (1 + 1e-9)
    inside = c.architecture.active_parameters - c.architecture.head_parameters
    rate = p.requests_per_s * (inputs + outputs / p.tokens_per_step) / c.configuration.accelerators
    assert 2.0 * inside * rate <= max(f.value for f in c.accelerator.flops.values() if f.value)


@given(cases(), works())
@settings(max_examples=200, deadline=None)
def test_power_of_a_step_lies_between_idle_and_the_most(c: Case, w: Work):
    n = c.numbers
    seconds = kernels.step_seconds(n, *w.as_tuple())
    watts = float(kernels.step_joules(n, *w.as_tuple(), seconds) / seconds) / float(n.group)
    assert watts > n.idle_w
    node = c.accelerator.node_power_w.value / c.accelerator.node_accelerators
    assert watts < max(node, c.accelerator.tdp_w.value)


def test_an_empty_step_takes_no_time():
    n = case(GPT_OSS, "h100-sxm", tp=2).numbers
    assert kernels.step_seconds(n, 0.0, 0.0, 0.0, 0.0) == 0.0
    assert kernels.step_joules(n, 0.0, 0.0, 0.0, 0.0, 0.0) == 0.0


@given(cases(), works())
@settings(max_examples=200, deadline=None)
def test_the_terms_of_a_step_are_the_step(c: Case, w: Work):
    t = step_terms(
        c.architecture,
        c.accelerator,
        c.configuration,
        decodes=w.decodes,
        decode_context=w.context,
        prefill_tokens=w.prefill,
        prefill_pairs=w.pairs,
    )
    assert t.total == pytest.approx(float(kernels.step_seconds(c.numbers, *w.as_tuple())))
    assert (t.prefill_attention > 0) == (w.prefill > 0)
    assert (t.collectives > 0) == (c.configuration.tp * c.configuration.attention_dp > 1)
    assert min(t.weights, t.floor, t.host) > 0


def test_a_decode_step_by_hand():
    """Llama 3.1 8B in bf16 on one H100, four sequences that attend to 1,000 tokens each."""
    n = case(LLAMA_8B, "h100-sxm").numbers
    # 6,979,321,856 weights in the layers and 525,336,576 in the head: two bytes each, two FLOPs
    # each; in the layers a product of four rows is slowed (4 + half) / 4 times.
    inside, head = 6_979_321_856, 525_336_576
    memory = 2 * (inside + head) / n.weight_rate
    compute = 2 * inside * (4 + n.half_rows) / n.dense_rate + 4 * 2 * head / n.head_rate
    weights, kv, attention, links, floor, host = kernels.terms(n, 4.0, 4000.0, 0.0, 0.0)
    assert weights == pytest.approx(memory + compute)
    # 4,000 tokens of 131,072 bytes; 32 query heads x 128 numbers, two products, 32 layers.
    data, flops = 4000 * 131_072, 4000 * 4 * 32 * 128 * 32
    assert kv == pytest.approx(np.hypot(data / n.kv_rate, flops / n.latent_rate))
    assert (attention, links) == (0.0, 0.0)
    assert floor == n.floor_s
    assert host == pytest.approx(n.host_s + 4 * n.host_sequence_s)
    total = n.decode_factor * (weights + kv + floor + host)
    least = (2 * (inside + head) + data) / 3.35e12
    assert kernels.decode_seconds(n, 4.0, 4000.0) == pytest.approx(max(total, least))


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


def test_compressed_attention_reads_entries_and_its_last_tokens_whole():
    """DeepSeek V4 Flash: one rank, one sequence of 40,000 tokens, counted layer by layer."""
    c = case(DEEPSEEK_V4, "b200-sxm")
    past = 40_000
    numbers = 0.0
    for g in c.architecture.layers:
        entries = past / g.kv_stride
        if g.attention is not AttentionKind.FULL:
            entries = min(entries, g.window)
        numbers += g.count * (g.kv_elements * (entries + g.recent_tokens))
        numbers += g.count * g.index_elements * past
    assert kernels.kv_bytes(c.numbers, 1.0, float(past)) == pytest.approx(2.0 * numbers)


def test_collectives_cost_only_where_there_are_several():
    llama = [case(LLAMA_8B, "h100-sxm", tp=tp).numbers for tp in (1, 2, 4, 8)]
    alone, *several = [float(n.link_s_per_token) for n in llama]
    assert alone == 0.0
    assert sorted(several) == several
    floors = [float(n.floor_s) for n in llama]
    assert sorted(floors) == floors
    # Twice (t - 1) / t of the hidden state for each of 64 all-reduces; MI300X: two of eight have
    # one of seven links between them.
    moved = 64 * 4096 * 2
    for key, rate in (("h100-sxm", 450e9), ("mi300x", 448e9 / 7)):
        n = case(LLAMA_8B, key, tp=2).numbers
        assert 0.1 < moved / rate / float(n.link_s_per_token) <= 0.95


def test_what_crosses_nodes_goes_over_the_network():
    inside, across = (
        case(DEEPSEEK_R1, "h200-sxm", tp=1, attention_dp=dp, ep=dp).numbers.link_s_per_token
        for dp in (8, 16)
    )
    assert across > 4 * inside
    rack = [
        case(DEEPSEEK_R1, "gb200-nvl72", tp=1, attention_dp=dp, ep=dp).numbers.link_s_per_token
        for dp in (8, 16)
    ]
    assert rack[1] < 2 * rack[0]
