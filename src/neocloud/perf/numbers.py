"""What the kernels take: the work of a step over the rates that it reaches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from neocloud.perf.constants import CONSTANTS, Constants
from neocloud.perf.values import Value
from neocloud.perf.work import WORK_FIELDS, StepWork


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
    """Layers that read all of the past."""
    kv_window_bytes_per_token: Value
    window: Value
    kv_recent_bytes_per_token: Value
    """Layers that read at most the last `recent` tokens, of models with two windows."""
    recent: Value
    state_bytes: Value
    kv_flops_per_token: Value
    kv_window_flops_per_token: Value
    kv_recent_flops_per_token: Value
    pair_flops: Value
    """Of one (query, key) pair in the layers that see all of the past."""
    pair_window_flops: Value
    pair_recent_flops: Value
    layers: Value
    tp: Value
    ranks: Value
    group: Value
    stages: Value
    tokens_per_sequence: Value
    """Tokens of one sequence in a step: 1, and those drafted."""
    weight_rate: Value
    kv_rate: Value
    dense_rate: Value
    expert_rate: Value
    head_rate: Value
    latent_rate: Value
    """FLOP/s of decode attention."""
    attention_rate: Value
    half_rows: Value
    expert_half_rows: Value
    imbalance: Value
    """Load of the busiest rank of experts over the mean."""
    prefill_half_tokens: Value
    floor_s: Value
    """Launches of a step, and what collectives take whatever their size."""
    link_s_per_token: Value
    """Bytes of collectives over links, a token of the rank."""
    host_s: Value
    host_sequence_s: Value
    host_prompt_s: Value
    first_token_s: Value
    decode_factor: Value
    prefill_factor: Value
    accepted: Value
    """Tokens that a sequence gains in a step."""
    share: Value
    waiting: Value
    settle: Value
    burst: Value
    calm: Value
    station: Value
    transfer_s: Value
    """Of a prompt's cache from a prefill to a decode worker."""
    wave: Value
    peak_bytes_per_s: Value
    peak_flops: Value
    static_w: Value
    """Power of one accelerator in an empty step, its share of the host included."""
    dynamic_w: Value
    idle_w: Value


_DERIVED = frozenset({"imbalance", "host_s"})
_FIELDS = tuple(f.name for f in fields(StepNumbers))
_OF_WORK = tuple(name for name in _FIELDS if name in WORK_FIELDS)
_OF_CONSTANTS = tuple(name for name in _FIELDS if name in CONSTANTS and name not in _DERIVED)


def stack(numbers: Sequence[StepNumbers]) -> StepNumbers:
    """Join the numbers of n configurations as columns of shape (n, 1)."""
    return StepNumbers(
        **{
            name: np.array([[getattr(n, name)] for n in numbers], dtype=np.float64)
            for name in _FIELDS
        }
    )


def numbers_of(w: StepWork, c: Constants) -> StepNumbers:
    """Work over the rates that the constants give; elementwise."""
    several = np.greater(w.tp, 1.0)
    exchanged = np.greater(w.ranks, 1.0)
    reduce_s = w.reduces * c.collective_s * (1.0 + 0.3 * np.log2(w.tp))
    exchange_s = w.exchanges * c.exchange_s * (1.0 + 0.3 * np.log2(w.group))
    # An all-reduce moves 2 (t - 1) / t of the state; an exchange sends it to each target.
    reduced = w.reduces * 2.0 * (w.tp - 1.0) / w.tp * w.hidden_bytes
    sent = w.exchanges * w.targets * (w.group - 1.0) / w.group * w.hidden_bytes
    drafted = np.greater(w.drafts, 0.0)
    return StepNumbers(
        **{name: getattr(w, name) for name in _OF_WORK},
        **{name: getattr(c, name) for name in _OF_CONSTANTS},
        tokens_per_sequence=1.0 + w.drafts,
        weight_rate=w.bandwidth * c.memory_efficiency,
        kv_rate=w.bandwidth * c.kv_efficiency,
        dense_rate=w.dense_peak * c.dense_efficiency * _sized(w.dense_size, c.dense_half_size),
        expert_rate=w.expert_peak * c.expert_efficiency * _sized(w.expert_size, c.expert_half_size),
        head_rate=w.bf16_peak * c.head_efficiency,
        latent_rate=w.bf16_peak * c.latent_efficiency,
        attention_rate=w.bf16_peak * c.prefill_peak,
        imbalance=np.where(np.greater(w.experts, 0) & exchanged, c.imbalance, 1.0),
        floor_s=w.layers * c.layer_floor_s
        + w.expert_layers * c.expert_floor_s
        + w.latent_layers * c.latent_floor_s
        + several * reduce_s
        + exchanged * exchange_s,
        link_s_per_token=several * reduced / (w.tp_link * c.link_efficiency)
        + exchanged * sent / (w.group_link * c.exchange_efficiency),
        host_s=c.host_s * np.where(drafted, c.draft_host, 1.0),
        accepted=np.where(drafted, 1.0 + w.drafts * c.acceptance, 1.0),
        peak_bytes_per_s=w.bandwidth,
        peak_flops=w.peak,
    )


def _sized(size: Value, half: Value) -> Value:
    """Share of its efficiency that a product of `size` weights reaches: half of it at `half`."""
    return np.maximum(size, 1.0) / (np.maximum(size, 1.0) + half)
