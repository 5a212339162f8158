"""From (architecture, accelerator, configuration) to the plain numbers that the kernels take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from neocloud.catalog import Accelerator, Architecture, AttentionKind
from neocloud.perf.parameters import Parameters, parameters_for
from neocloud.perf.records import Configuration

BYTES_PER_WEIGHT = {"bf16": 2.0, "fp8": 1.0, "mxfp4": 4.25 / 8}
"""Stored bytes of a weight; MXFP4 holds 32 weights of 4 bits and one 8-bit scale (OCP MX 1.0)."""
BYTES_PER_KV = {"bf16": 2.0, "fp8": 1.0}
_COMPUTE_FORMAT = {"bf16": "bf16", "fp8": "fp8", "mxfp4": "fp4"}

Value = float | NDArray[np.float64]
"""One number, or one a configuration: arrays that broadcast against batches."""


class ConfigurationError(ValueError):
    """A configuration that cannot exist on this accelerator."""


@dataclass(frozen=True, slots=True)
class StepNumbers:
    """Everything a step's time depends on, per rank (one accelerator of the replica).

    Bytes and FLOPs are of one step or one token as named; rates are those reached, efficiency
    included, except the two `peak_` rates, which are the data sheet's.
    """

    dense_bytes: Value
    dense_flops_per_token: Value
    expert_bytes: Value
    """Of one expert in all its layers."""
    expert_flops_per_row: Value
    experts: Value
    experts_per_token: Value
    head_bytes: Value
    head_flops_per_row: Value
    kv_bytes_per_token: Value
    """Layers with full attention."""
    kv_window_bytes_per_token: Value
    window: Value
    pair_flops: Value
    """Of one (query, key) pair in the layers with full attention."""
    pair_window_flops: Value
    layers: Value
    expert_layers: Value
    tp: Value
    reduce_bytes_per_token: Value
    """Of one all-reduce: the hidden state."""
    link_rate: Value
    weight_rate: Value
    kv_rate: Value
    dense_rate: Value
    expert_rate: Value
    head_rate: Value
    attention_rate: Value
    half_rows: Value
    expert_half_rows: Value
    smoothing: Value
    prefill_half_tokens: Value
    kv_floor_s: Value
    layer_floor_s: Value
    expert_floor_s: Value
    collective_s: Value
    host_s: Value
    first_token_s: Value
    peak_bytes_per_s: Value
    peak_flops: Value
    static_w: Value
    """Power of one accelerator in an empty step, its share of the host included."""
    dynamic_w: Value
    idle_w: Value


def stack(numbers: Sequence[StepNumbers]) -> StepNumbers:
    """Join the numbers of n configurations as columns of shape (n, 1)."""
    return StepNumbers(
        **{
            f.name: np.array([[getattr(n, f.name)] for n in numbers], dtype=np.float64)
            for f in fields(StepNumbers)
        }
    )


def compute_rate(accelerator: Accelerator, precision: str, parameters: Parameters) -> float:
    """FLOP/s that products of weights stored in `precision` reach.

    A format that the accelerator has no unit for is computed in bf16 (fp4 on Hopper and CDNA 3).
    """
    number_format = _COMPUTE_FORMAT[precision]
    figure = accelerator.flops.get(number_format)
    if figure is None or figure.value is None:
        number_format = "bf16"
        figure = accelerator.flops["bf16"]
    peak = figure.known(f"{number_format} FLOP/s of {accelerator.key}")
    return peak * parameters.compute_efficiency[number_format]


def layer_precisions(architecture: Architecture, precision: str) -> tuple[str, str]:
    """Number formats of (attention and dense, expert) weights for a configured precision.

    A checkpoint's own precision leaves its attention as published; any other is taken for all.
    """
    if precision == architecture.checkpoint_precision:
        return architecture.attention_precision, precision
    return precision, precision


def check(
    architecture: Architecture, accelerator: Accelerator, configuration: Configuration
) -> None:
    """Raise `ConfigurationError` where the configuration makes no sense."""
    tp = configuration.tp
    if tp < 1 or architecture.query_heads % tp:
        raise ConfigurationError(
            f"tp {tp} does not divide the {architecture.query_heads} attention heads of "
            f"{architecture.name}"
        )
    if tp > accelerator.scale_up_domain:
        raise ConfigurationError(
            f"tp {tp} is more than the {accelerator.scale_up_domain} {accelerator.key} "
            "that share a fabric"
        )
    if configuration.precision not in BYTES_PER_WEIGHT:
        known = ", ".join(BYTES_PER_WEIGHT)
        raise ConfigurationError(f"precision {configuration.precision} is not one of {known}")
    if configuration.kv_precision not in BYTES_PER_KV:
        known = ", ".join(BYTES_PER_KV)
        raise ConfigurationError(f"KV precision {configuration.kv_precision} is not one of {known}")


def kv_bytes_per_token(
    architecture: Architecture, configuration: Configuration
) -> tuple[float, float, int]:
    """KV bytes of one token on one rank: (layers with full attention, sliding ones, window).

    Keys and values of each KV head; heads are shared out over TP ranks, and repeated where there
    are fewer heads than ranks.
    """
    heads = max(1.0, architecture.kv_heads / configuration.tp)
    one = 2.0 * heads * architecture.head_dim * BYTES_PER_KV[configuration.kv_precision]
    full = sum(g.count for g in architecture.layers if g.attention is AttentionKind.FULL)
    sliding = architecture.layer_count - full
    window = max((g.window for g in architecture.layers), default=0)
    return full * one, sliding * one, window


def step_numbers(
    architecture: Architecture, accelerator: Accelerator, configuration: Configuration
) -> StepNumbers:
    """Derive the kernels' numbers.

    Raises:
        ConfigurationError: the configuration cannot exist on this accelerator.
        MissingFigureError: a figure of the accelerator that is needed is not known.
        NoParametersError: nothing measured stands behind this maker's accelerators.
    """
    check(architecture, accelerator, configuration)
    p = parameters_for(accelerator.maker)
    tp = configuration.tp
    dense_format, expert_format = layer_precisions(architecture, configuration.precision)
    dense = sum(
        g.count * (g.attention_parameters + g.dense_parameters) for g in architecture.layers
    )
    expert_layers = sum(g.count for g in architecture.layers if g.experts)
    expert = sum(g.count * g.expert_parameters for g in architecture.layers if g.experts)
    experts = max((g.experts for g in architecture.layers), default=0)
    visited = max((g.experts_per_token for g in architecture.layers), default=0)
    kv_full, kv_window, window = kv_bytes_per_token(architecture, configuration)
    pair = 4.0 * architecture.query_heads * architecture.head_dim / tp
    full_layers = sum(g.count for g in architecture.layers if g.attention is AttentionKind.FULL)
    bandwidth = accelerator.memory_bytes_per_s.known(f"memory bandwidth of {accelerator.key}")
    peak = accelerator.flops["bf16"].known(f"bf16 FLOP/s of {accelerator.key}")
    best = max(f.value for f in accelerator.flops.values() if f.value is not None)
    return StepNumbers(
        dense_bytes=dense * BYTES_PER_WEIGHT[dense_format] / tp,
        dense_flops_per_token=2.0 * dense / tp,
        expert_bytes=expert * BYTES_PER_WEIGHT[expert_format] / tp,
        expert_flops_per_row=2.0 * expert / tp,
        experts=float(experts),
        experts_per_token=float(visited),
        head_bytes=architecture.head_parameters * 2.0 / tp,
        head_flops_per_row=2.0 * architecture.head_parameters / tp,
        kv_bytes_per_token=kv_full,
        kv_window_bytes_per_token=kv_window,
        window=float(window),
        pair_flops=pair * full_layers,
        pair_window_flops=pair * (architecture.layer_count - full_layers),
        layers=float(architecture.layer_count),
        expert_layers=float(expert_layers),
        tp=float(tp),
        reduce_bytes_per_token=architecture.hidden * 2.0,
        link_rate=_link_rate(accelerator, tp) * p.link_efficiency,
        weight_rate=bandwidth * p.memory_efficiency,
        kv_rate=bandwidth * p.kv_efficiency,
        dense_rate=compute_rate(accelerator, dense_format, p),
        expert_rate=compute_rate(accelerator, expert_format, p),
        head_rate=compute_rate(accelerator, "bf16", p),
        attention_rate=peak * p.prefill_peak,
        half_rows=p.half_rows,
        expert_half_rows=p.expert_half_rows,
        smoothing=p.smoothing,
        prefill_half_tokens=p.prefill_half_tokens,
        kv_floor_s=p.kv_floor_s,
        layer_floor_s=p.layer_floor_s,
        expert_floor_s=p.expert_floor_s,
        collective_s=p.collective_s,
        host_s=p.host_s,
        first_token_s=p.first_token_s,
        peak_bytes_per_s=bandwidth,
        peak_flops=best,
        **_power(accelerator, p),
    )


def _link_rate(accelerator: Accelerator, tp: int) -> float:
    """Bytes/s one way that one of `tp` accelerators has to the others."""
    if tp == 1:
        return 1.0  # never used: there is nobody to talk to
    rate = accelerator.scale_up_bytes_per_s.known(f"scale-up bandwidth of {accelerator.key}")
    # In a full mesh of 8 each accelerator has 7 links and uses only those to its tp - 1 peers.
    return rate * (tp - 1) / 7.0 if accelerator.full_mesh else rate


def _power(accelerator: Accelerator, p: Parameters) -> dict[str, float]:
    """Watts of one accelerator with its share of the node: in an empty step, added, idle."""
    tdp = accelerator.tdp_w.known(f"TDP of {accelerator.key}")
    node = accelerator.node_power_w.known(f"node power of {accelerator.key}")
    host = max(0.0, node / accelerator.node_accelerators - tdp) * p.host_power
    return {
        "static_w": tdp * p.static_power + host,
        "dynamic_w": tdp * p.dynamic_power,
        "idle_w": tdp * p.idle_power + host,
    }
