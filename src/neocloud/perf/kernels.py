"""Time and energy of a step, on SI floats and arrays that broadcast. No units, no look-ups.

A step of one rank carries `decodes` sequences that attend to `context` tokens in all, and `prefill`
prompt tokens that attend to `pairs` (query, key) pairs in all.

Weight products follow (memory^s + compute^s)^(1/s) with compute = FLOPs / rate x (M + M0) / M:
there is no hard change from memory-bound to compute-bound, and few rows use the units badly.
Experts: of E, a step with N tokens visits E (1 - (1 - k/E)^N) under even routing.

What a step takes beyond that (engine, generation, model) is a factor on steps that only generate,
and another on what prompts add to a step.
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


def weight_seconds(n: StepNumbers, tokens: Array, rows: Array) -> Array:
    """Seconds of all weight products of a step.

    Args:
        n: numbers of the configuration.
        tokens: tokens of the rank.
        rows: of them, those whose successor is sampled: only these need the output projection.
    """
    some = tokens > 0
    everyone = tokens * n.ranks
    hit = experts_hit(n.experts, n.experts_per_token, everyone)
    visits = n.experts_per_token * everyone
    head = rows > 0
    # Attention, dense and shared weights and the head are read one after another.
    memory = some * n.dense_bytes + head * n.head_bytes
    memory = memory / n.weight_rate
    dense = n.dense_flops_per_token / n.dense_rate
    compute = some * (tokens + n.half_rows) * dense + rows * n.head_flops_per_row / n.head_rate
    products = _joined(memory, compute, n.smoothing)
    memory = hit * n.expert_bytes / n.weight_rate
    # Each expert hit works on visits / hit rows and is at half its rate at expert_half_rows.
    per_row = n.imbalance * n.expert_flops_per_row / n.expert_rate
    compute = per_row * (visits + n.expert_half_rows * hit)
    return products + _joined(memory, compute, n.smoothing)


def _joined(memory: Array, compute: Array, smoothing: Array) -> Array:
    return (memory**smoothing + compute**smoothing) ** (1.0 / smoothing)


def kv_bytes(n: StepNumbers, decodes: Array, context: Array) -> Array:
    """Cache that one rank reads for the decoding sequences; windows bound what is read."""
    data = n.kv_bytes_per_token * context + n.state_bytes * decodes
    data = data + n.kv_window_bytes_per_token * np.minimum(context, decodes * n.window)
    return data + n.kv_recent_bytes_per_token * np.minimum(context, decodes * n.recent)


def kv_flops(n: StepNumbers, decodes: Array, context: Array) -> Array:
    """FLOPs of decode attention."""
    flops = n.kv_flops_per_token * context
    flops = flops + n.kv_window_flops_per_token * np.minimum(context, decodes * n.window)
    flops = flops + n.kv_recent_flops_per_token * np.minimum(context, decodes * n.recent)
    return flops * n.tokens_per_sequence


def kv_seconds(n: StepNumbers, decodes: Array, context: Array) -> Array:
    """Seconds of decode attention: reading the cache, and computing where heads share a latent."""
    data = kv_bytes(n, decodes, context) / n.kv_rate
    return np.hypot(data, kv_flops(n, decodes, context) / n.latent_rate)


def prefill_flops(n: StepNumbers, prefill: Array, pairs: Array) -> Array:
    """FLOPs of prefill attention on one rank; a window bounds the pairs of each token."""
    flops = n.pair_flops * pairs + n.pair_window_flops * np.minimum(pairs, prefill * n.window)
    return flops + n.pair_recent_flops * np.minimum(pairs, prefill * n.recent)


def prefill_attention_seconds(n: StepNumbers, prefill: Array, pairs: Array) -> Array:
    """Seconds of prefill attention. Long prompts use the units better than short ones.

    P tokens without a past have P (P + 1) / 2 pairs, so L = 2 pairs / P is about the length they
    attend to. At an efficiency of L / (L + half) of the rate, pairs take as long as
    pairs + P half / 2 of them would at the full rate. A layer with a window takes as long as one
    without would for a prompt twice the window.
    """
    each = n.pair_flops + n.pair_window_flops + n.pair_recent_flops
    lost = prefill * n.prefill_half_tokens / 2.0 * each
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


def paper_seconds(
    n: StepNumbers, decodes: Array, context: Array, prefill: Array, pairs: Array
) -> Array:
    """Sum of the terms, without the factors."""
    weights, kv, attention, links, floor, host = terms(n, decodes, context, prefill, pairs)
    return weights + kv + attention + links + floor + host


def step_seconds(
    n: StepNumbers, decodes: Array, context: Array, prefill: Array, pairs: Array
) -> NDArray[np.float64]:
    """Seconds of a step. Never less than memory and compute need at the data sheet's peak."""
    seconds: NDArray[np.float64] = np.maximum(
        free_seconds(n, decodes, context, prefill, pairs),
        np.maximum(*roofline_seconds(n, decodes, context, prefill, pairs)),
    )
    return seconds


def free_seconds(
    n: StepNumbers, decodes: Array, context: Array, prefill: Array, pairs: Array
) -> Array:
    """The same as the factors have it, were there no roofline.

    A step that only prefills costs what it would with a sequence that asks next to nothing, and
    what its prompts add.
    """
    nothing = np.zeros(())
    whole = paper_seconds(n, decodes, context, prefill, pairs)
    least = np.where(prefill > 0, 1e-9, 0.0)
    plain = paper_seconds(n, np.maximum(decodes, least), context, nothing, nothing)
    return n.decode_factor * plain + n.prefill_factor * (whole - plain)


def decode_seconds(n: StepNumbers, decodes: Array, context: Array) -> Array:
    """Seconds of a step that only generates: `step_seconds` without a prompt, in half the time."""
    nothing = np.zeros(())
    plain = paper_seconds(n, decodes, context, nothing, nothing)
    least = np.maximum(*roofline_seconds(n, decodes, context, nothing, nothing))
    return np.maximum(n.decode_factor * plain, least)


def roofline_seconds(
    n: StepNumbers, decodes: Array, context: Array, prefill: Array, pairs: Array
) -> tuple[Array, Array]:
    """The least that memory and compute could take at the data sheet's peak: (memory, compute)."""
    tokens = decodes * n.tokens_per_sequence + prefill
    rows = decodes * n.tokens_per_sequence + (prefill > 0)
    some = tokens > 0
    everyone = tokens * n.ranks
    hit = experts_hit(n.experts, n.experts_per_token, everyone)
    data = some * (n.dense_bytes + n.head_bytes) + hit * n.expert_bytes
    data = data + kv_bytes(n, decodes, context)
    flops = (
        n.dense_flops_per_token * tokens
        + n.expert_flops_per_row * n.experts_per_token * everyone
        + n.head_flops_per_row * rows
        + kv_flops(n, decodes, context)
        + prefill_flops(n, prefill, pairs)
    )
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
