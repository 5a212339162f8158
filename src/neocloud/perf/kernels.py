"""Time and energy of a step, on SI floats and arrays that broadcast. No units, no look-ups.

A step of one rank carries `decodes` sequences that attend to `context` tokens in all, and `prefill`
prompt tokens that attend to `pairs` (query, key) pairs in all.

Weight products take memory + compute with compute = FLOPs / rate x (M + M0) / M: kernels of a step
differ in which of the two binds, loads and products overlap badly in each, and few rows use the
units badly. (A p-norm of the two fitted p = 1.1; with p above 1 more bandwidth can slow the loop.)
Experts: of E, a step with N tokens visits E (1 - (1 - k/E)^N) under even routing.

What a step takes beyond that (engine, generation, model) is a factor on what a step takes that
multiplies no prompt (weights are read, caches too, kernels are launched), and another on what
prompts add: products, attention, collectives. So no step gets faster by having more to do, nor by
less bandwidth.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from neocloud.perf.numbers import StepNumbers

# numpy's own arithmetic on `float | NDArray` loses the type at every step.
Array = Any


def experts_hit(experts: Array, per_token: Array, tokens: Array) -> Array:
    """Expected experts of a layer that at least one of `tokens` tokens visits (even routing)."""
    share = np.where(experts > 0, per_token / np.maximum(experts, 1.0), 0.0)
    return experts * -np.expm1(tokens * np.log1p(-np.minimum(share, 1.0 - 1e-12)))


def _hit(n: StepNumbers, tokens: Array) -> Array:
    """Experts of a layer that a step of all ranks with `tokens` tokens each visits."""
    if not np.any(n.experts):
        return 0.0
    return experts_hit(n.experts, n.experts_per_token, tokens * n.ranks)


def weight_seconds(n: StepNumbers, tokens: Array, rows: Array) -> Array:
    """Seconds of all weight products of a step.

    Args:
        n: numbers of the configuration.
        tokens: tokens of the rank.
        rows: of them, those whose successor is sampled: only these need the output projection.
    """
    return _products(n, tokens, rows, tokens > 0, _hit(n, tokens))


def _products(n: StepNumbers, tokens: Array, rows: Array, some: Array, hit: Array) -> Array:
    """Seconds of products of `tokens` tokens where weights and `hit` experts a layer are read."""
    # Attention, dense and shared weights and the head are read one after another.
    memory = (n.dense_bytes + n.head_bytes) / n.weight_rate
    dense = n.dense_flops_per_token / n.dense_rate
    compute = (tokens + n.half_rows) * dense + rows * (n.head_flops_per_row / n.head_rate)
    products = some * (memory + compute)
    if not np.any(n.experts):
        return products
    memory = hit * (n.expert_bytes / n.weight_rate)
    # Each expert hit works on visits / hit rows and is at half its rate at expert_half_rows.
    per_row = n.imbalance * n.expert_flops_per_row / n.expert_rate
    compute = tokens * (per_row * n.experts_per_token * n.ranks)
    compute = compute + (per_row * n.expert_half_rows) * hit
    return products + memory + compute


def kv_bytes(n: StepNumbers, decodes: Array, context: Array) -> Array:
    """Cache that one rank reads for the decoding sequences; windows bound what is read."""
    data = n.kv_bytes_per_token * context + n.state_bytes * decodes
    if np.any(n.window):
        data = data + n.kv_window_bytes_per_token * np.minimum(context, decodes * n.window)
    if np.any(n.recent):
        data = data + n.kv_recent_bytes_per_token * np.minimum(context, decodes * n.recent)
    return data


def kv_flops(n: StepNumbers, decodes: Array, context: Array) -> Array:
    """FLOPs of decode attention."""
    q = n.tokens_per_sequence
    flops = (n.kv_flops_per_token * q) * context
    if np.any(n.window):
        window = n.kv_window_flops_per_token * q
        flops = flops + window * np.minimum(context, decodes * n.window)
    if np.any(n.recent):
        recent = n.kv_recent_flops_per_token * q
        flops = flops + recent * np.minimum(context, decodes * n.recent)
    return flops


def kv_seconds(n: StepNumbers, decodes: Array, context: Array) -> Array:
    """Seconds of decode attention: reading the cache, and computing where heads share a latent."""
    return _kv(n, kv_bytes(n, decodes, context), kv_flops(n, decodes, context))


def _kv(n: StepNumbers, data: Array, flops: Array) -> Array:
    # A hypotenuse; numpy's own guards against overflow and takes three times as long.
    return np.sqrt(np.square(data / n.kv_rate) + np.square(flops / n.latent_rate))


def prefill_flops(n: StepNumbers, prefill: Array, pairs: Array) -> Array:
    """FLOPs of prefill attention on one rank; a window bounds the pairs of each token."""
    flops = n.pair_flops * pairs
    if np.any(n.window):
        flops = flops + n.pair_window_flops * np.minimum(pairs, prefill * n.window)
    if np.any(n.recent):
        flops = flops + n.pair_recent_flops * np.minimum(pairs, prefill * n.recent)
    return flops


def prefill_attention_seconds(n: StepNumbers, prefill: Array, pairs: Array) -> Array:
    """Seconds of prefill attention. Long prompts use the units better than short ones.

    P tokens without a past have P (P + 1) / 2 pairs, so L = 2 pairs / P is about the length they
    attend to. At an efficiency of L / (L + half) of the rate, pairs take as long as
    pairs + P half / 2 of them would at the full rate. A layer with a window takes as long as one
    without would for a prompt twice the window.
    """
    each = n.pair_flops + n.pair_window_flops + n.pair_recent_flops
    lost = prefill * (n.prefill_half_tokens / 2.0 * each)
    return (pairs > 0) * (prefill_flops(n, prefill, pairs) + lost) / n.attention_rate


def terms(
    n: StepNumbers, decodes: Array, context: Array, prefill: Array, pairs: Array
) -> tuple[Array, Array, Array, Array, Array, Array]:
    """Seconds of a step on paper: (weights, KV, prefill attention, collectives, floor, host)."""
    tokens = decodes * n.tokens_per_sequence + prefill
    some = tokens > 0
    rows = decodes * n.tokens_per_sequence + (prefill > 0)
    return (
        weight_seconds(n, tokens, rows),
        kv_seconds(n, decodes, context),
        prefill_attention_seconds(n, prefill, pairs),
        tokens * n.link_s_per_token,
        some * n.floor_s,
        some * n.host_s + decodes * n.host_sequence_s,
    )


def step_terms(
    n: StepNumbers, decodes: Array, context: Array, prefill: Array, pairs: Array
) -> tuple[Array, Array, Array, Array, Array, Array]:
    """The same terms with the factors: they add up to the step, where no roofline bounds it."""
    own = decodes * n.tokens_per_sequence
    tokens = own + prefill
    rows = own + (prefill > 0)
    some = tokens > 0
    hit = _hit(n, tokens)
    # What the step would take if its prompts' tokens were multiplied at no cost.
    base = _products(n, own, own, some, hit)
    more = _products(n, tokens, rows, some, hit) - base
    d, p = n.decode_factor, n.prefill_factor
    return (
        d * base + p * more,
        d * kv_seconds(n, decodes, context),
        p * prefill_attention_seconds(n, prefill, pairs),
        (d * own + p * prefill) * n.link_s_per_token,
        d * some * n.floor_s,
        d * (some * n.host_s + decodes * n.host_sequence_s),
    )


def paper_seconds(
    n: StepNumbers, decodes: Array, context: Array, prefill: Array, pairs: Array
) -> Array:
    """Sum of the terms, without the factors."""
    weights, kv, attention, links, floor, host = terms(n, decodes, context, prefill, pairs)
    return weights + kv + attention + links + floor + host


def free_seconds(
    n: StepNumbers, decodes: Array, context: Array, prefill: Array, pairs: Array
) -> Array:
    """Seconds of a step as the factors have it, were there no roofline."""
    weights, kv, attention, links, floor, host = step_terms(n, decodes, context, prefill, pairs)
    return weights + kv + attention + links + floor + host


def step_seconds(
    n: StepNumbers, decodes: Array, context: Array, prefill: Array, pairs: Array
) -> NDArray[np.float64]:
    """Seconds of a step. Never less than memory and compute need at the data sheet's peak."""
    memory, compute = roofline_seconds(n, decodes, context, prefill, pairs)
    seconds: NDArray[np.float64] = np.maximum(
        free_seconds(n, decodes, context, prefill, pairs), np.maximum(memory, compute)
    )
    return seconds


def decode_seconds(n: StepNumbers, decodes: Array, context: Array) -> Array:
    """Seconds of a step that only generates: `step_seconds` without a prompt, in half the time."""
    tokens = decodes * n.tokens_per_sequence
    some = tokens > 0
    hit = _hit(n, tokens)
    data, flops = kv_bytes(n, decodes, context), kv_flops(n, decodes, context)
    paper = _products(n, tokens, tokens, some, hit) + _kv(n, data, flops)
    paper = paper + some * (n.floor_s + n.host_s)
    paper = paper + decodes * (n.host_sequence_s + n.link_s_per_token * n.tokens_per_sequence)
    memory = some * (n.dense_bytes + n.head_bytes) + data + hit * n.expert_bytes
    compute = tokens * (_flops_per_token(n) + n.head_flops_per_row) + flops
    least = np.maximum(memory / n.peak_bytes_per_s, compute / n.peak_flops)
    return np.maximum(n.decode_factor * paper, least)


def _flops_per_token(n: StepNumbers) -> Array:
    return n.dense_flops_per_token + n.expert_flops_per_row * n.experts_per_token * n.ranks


def roofline_seconds(
    n: StepNumbers, decodes: Array, context: Array, prefill: Array, pairs: Array
) -> tuple[Array, Array]:
    """The least that memory and compute could take at the data sheet's peak: (memory, compute)."""
    tokens = decodes * n.tokens_per_sequence + prefill
    rows = decodes * n.tokens_per_sequence + (prefill > 0)
    data = (tokens > 0) * (n.dense_bytes + n.head_bytes) + _hit(n, tokens) * n.expert_bytes
    data = data + kv_bytes(n, decodes, context)
    flops = tokens * _flops_per_token(n) + rows * n.head_flops_per_row
    flops = flops + kv_flops(n, decodes, context) + prefill_flops(n, prefill, pairs)
    return data / n.peak_bytes_per_s, flops / n.peak_flops


def step_joules(
    n: StepNumbers,
    decodes: Array,
    context: Array,
    prefill: Array,
    pairs: Array,
    seconds: Array,
) -> NDArray[np.float64]:
    """Energy of a step of all ranks of a stage and their share of the hosts.

    Power is the empty step's plus a part in proportion to how busy memory and compute are, each
    against its peak; both at once cannot exceed one.
    """
    memory, compute = roofline_seconds(n, decodes, context, prefill, pairs)
    busy = np.minimum(seconds, memory + compute)
    joules: NDArray[np.float64] = (n.static_w * seconds + n.dynamic_w * busy) * n.group
    return joules


def causal_pairs(prefill: Array) -> Array:
    """(query, key) pairs of a prompt of `prefill` tokens without a past."""
    return prefill * (prefill + 1.0) / 2.0
