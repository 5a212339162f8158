"""Time and energy of a step, on SI floats and arrays that broadcast. No units, no look-ups.

A step carries `decodes` sequences that generate one token each and attend to `context` tokens in
all, and `prefill` prompt tokens that attend to `pairs` (query, key) pairs in all.

Weight products follow (memory^s + compute^s)^(1/s) with compute = FLOPs / rate x (M + M0) / M:
there is no hard change from memory-bound to compute-bound, and few rows use the units badly.
Experts: of E, a step with M tokens visits E (1 - (1 - k/E)^M) under even routing.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from neocloud.perf.numbers import StepNumbers, Value

# numpy's own arithmetic on `float | NDArray` loses the type at every step.
Array = Any


def _product(n: StepNumbers, data: Array, flops: Array, rate: Value, rows: Array) -> Array:
    """Seconds of weight products: `data` bytes read, `flops` done at `rate` over `rows` rows."""
    memory = data / n.weight_rate
    half = np.where(rows > 0, n.half_rows / np.maximum(rows, 1.0), 0.0)
    compute = flops / rate * (1.0 + half)
    return (memory**n.smoothing + compute**n.smoothing) ** (1.0 / n.smoothing)


def experts_hit(experts: Array, per_token: Array, tokens: Array) -> Array:
    """Expected experts of a layer that at least one of `tokens` tokens visits (even routing)."""
    share = np.where(experts > 0, per_token / np.maximum(experts, 1.0), 0.0)
    return experts * -np.expm1(tokens * np.log1p(-np.minimum(share, 1.0 - 1e-12)))


def weight_seconds(n: StepNumbers, decodes: Array, prefill: Array) -> Array:
    """Seconds of all weight products of a step."""
    tokens = decodes + prefill
    some = tokens > 0
    dense = _product(
        n, n.dense_bytes * some, n.dense_flops_per_token * tokens, n.dense_rate, tokens
    )
    hit = experts_hit(n.experts, n.experts_per_token, tokens)
    visits = n.experts_per_token * tokens
    memory = hit * n.expert_bytes / n.weight_rate
    # Each expert hit works on visits / hit rows and is at half its rate at expert_half_rows.
    compute = n.expert_flops_per_row * (visits + n.expert_half_rows * hit) / n.expert_rate
    routed = (memory**n.smoothing + compute**n.smoothing) ** (1.0 / n.smoothing)
    # Only the last token of a prompt needs the output projection.
    rows = decodes + (prefill > 0)
    head = _product(n, n.head_bytes * some, n.head_flops_per_row * rows, n.head_rate, rows)
    return dense + routed + head


def kv_bytes(n: StepNumbers, decodes: Array, context: Array) -> Array:
    """KV bytes that one rank reads for the decoding sequences; windows bound what is kept."""
    mean = context / np.maximum(decodes, 1.0)
    return n.kv_bytes_per_token * context + n.kv_window_bytes_per_token * decodes * np.minimum(
        mean, n.window
    )


def kv_seconds(n: StepNumbers, decodes: Array, context: Array) -> Array:
    """Seconds of decode attention."""
    some = decodes > 0
    return some * n.layers * n.kv_floor_s + kv_bytes(n, decodes, context) / n.kv_rate


def prefill_flops(n: StepNumbers, prefill: Array, pairs: Array) -> Array:
    """FLOPs of prefill attention on one rank; a window bounds the pairs of each token."""
    return n.pair_flops * pairs + n.pair_window_flops * np.minimum(pairs, prefill * n.window)


def prefill_attention_seconds(n: StepNumbers, prefill: Array, pairs: Array) -> Array:
    """Seconds of prefill attention. Long prompts use the units better than short ones.

    P tokens without a past have P (P + 1) / 2 pairs, so L = 2 pairs / P is about the length they
    attend to. At an efficiency of L / (L + half) of the rate, pairs take as long as
    pairs + P half / 2 of them would at the full rate. A layer with a window takes as long as one
    without would for a prompt twice the window.
    """
    lost = prefill * n.prefill_half_tokens / 2.0 * (n.pair_flops + n.pair_window_flops)
    return (pairs > 0) * (prefill_flops(n, prefill, pairs) + lost) / n.attention_rate


def collective_seconds(n: StepNumbers, tokens: Array) -> Array:
    """Seconds of two all-reduces a layer: latency plus 2 (t - 1) / t of the bytes over the link."""
    several = n.tp > 1
    latency = n.collective_s * (1.0 + 0.3 * np.log2(n.tp))
    moved = 2.0 * (n.tp - 1.0) / n.tp * n.reduce_bytes_per_token * tokens / n.link_rate
    return several * (tokens > 0) * 2.0 * n.layers * (latency + moved)


def floor_seconds(n: StepNumbers, tokens: Array) -> Array:
    """Seconds of launches that nothing hides."""
    return (tokens > 0) * (n.layers * n.layer_floor_s + n.expert_layers * n.expert_floor_s)


def roofline_seconds(
    n: StepNumbers, decodes: Array, context: Array, prefill: Array, pairs: Array
) -> tuple[Array, Array]:
    """The least that memory and compute could take at the data sheet's peak: (memory, compute)."""
    tokens = decodes + prefill
    some = tokens > 0
    hit = experts_hit(n.experts, n.experts_per_token, tokens)
    data = some * (n.dense_bytes + n.head_bytes) + hit * n.expert_bytes
    data = data + kv_bytes(n, decodes, context)
    flops = (
        n.dense_flops_per_token * tokens
        + n.expert_flops_per_row * n.experts_per_token * tokens
        + n.head_flops_per_row * (decodes + (prefill > 0))
        + prefill_flops(n, prefill, pairs)
    )
    return data / n.peak_bytes_per_s, flops / n.peak_flops


def terms(
    n: StepNumbers, decodes: Array, context: Array, prefill: Array, pairs: Array
) -> tuple[Array, Array, Array, Array, Array, Array]:
    """Seconds of a step: (weights, KV, prefill attention, collectives, floor, host)."""
    tokens = decodes + prefill
    return (
        weight_seconds(n, decodes, prefill),
        kv_seconds(n, decodes, context),
        prefill_attention_seconds(n, prefill, pairs),
        collective_seconds(n, tokens),
        floor_seconds(n, tokens),
        (tokens > 0) * n.host_s,
    )


def step_seconds(
    n: StepNumbers, decodes: Array, context: Array, prefill: Array, pairs: Array
) -> NDArray[np.float64]:
    """Seconds of a step, all terms."""
    weights, kv, attention, collectives, floor, host = terms(n, decodes, context, prefill, pairs)
    total: NDArray[np.float64] = weights + kv + attention + collectives + floor + host
    return total


def step_joules(
    n: StepNumbers,
    decodes: Array,
    context: Array,
    prefill: Array,
    pairs: Array,
    seconds: Array,
) -> NDArray[np.float64]:
    """Energy of a step of all ranks and their share of the hosts.

    Power is the empty step's plus a part in proportion to how busy memory and compute are, each
    against its peak; both at once cannot exceed one.
    """
    memory, compute = roofline_seconds(n, decodes, context, prefill, pairs)
    busy = np.minimum(1.0, (memory + compute) / np.maximum(seconds, 1e-12))
    joules: NDArray[np.float64] = (n.static_w + n.dynamic_w * busy) * n.tp * seconds
    return joules


def causal_pairs(prefill: Array) -> Array:
    """(query, key) pairs of a prompt of `prefill` tokens without a past."""
    return prefill * (prefill + 1.0) / 2.0


def cell(axis: Any, count: int, value: float) -> tuple[int, float]:
    """Lower index and fraction of `value` on an ascending axis.

    Below the first point the fraction is 0; above the last it exceeds 1, so that a straight line
    continues the last cell. Works on lists and arrays; compiles unchanged.
    """
    if value <= axis[0]:
        return 0, 0.0
    low, high = 0, count - 1
    while high - low > 1:
        middle = (low + high) // 2
        if axis[middle] <= value:
            low = middle
        else:
            high = middle
    return low, (value - axis[low]) / (axis[low + 1] - axis[low])


def interpolate(
    values: Any, sizes: tuple[int, int], at: tuple[int, int, int], by: tuple[float, float, float]
) -> float:
    """Trilinear interpolation in a flat table of shape (.., sizes[0], sizes[1]).

    Args:
        values: the table, row-major.
        sizes: lengths of its second and third axis.
        at: lower corner of the cell.
        by: fraction within it along each axis.
    """
    u, v, w = by
    row = (at[0] * sizes[0] + at[1]) * sizes[1] + at[2]
    next_row = row + sizes[1]
    next_plane = row + sizes[0] * sizes[1]
    next_both = next_plane + sizes[1]
    near = (1.0 - v) * ((1.0 - w) * values[row] + w * values[row + 1]) + v * (
        (1.0 - w) * values[next_row] + w * values[next_row + 1]
    )
    far = (1.0 - v) * ((1.0 - w) * values[next_plane] + w * values[next_plane + 1]) + v * (
        (1.0 - w) * values[next_both] + w * values[next_both + 1]
    )
    return float((1.0 - u) * near + u * far)
