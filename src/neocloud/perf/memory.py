"""What fits: memory of one accelerator by part."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neocloud.catalog import Accelerator, Architecture, AttentionKind
from neocloud.perf.checks import check
from neocloud.perf.formats import BYTES_PER_KV, BYTES_PER_WEIGHT, STATE_BYTES, layer_precisions
from neocloud.perf.records import Configuration, Memory
from neocloud.perf.work import windows

Array = Any
_ACTIVATION_BYTES_PER_TOKEN_AND_HIDDEN = 16.0
"""Live hidden-sized tensors of one layer in bf16 (residual, norm, q/k/v, gate and up, output):
about eight. An assumption; engines measure theirs at start."""
_GRAPHS_BYTES = 1.0e9
"""CUDA graphs and the runtime's context. vLLM's documentation speaks of 1 to 3 GB in all; an
assumption until fitted on tight configurations."""
_COLLECTIVE_BYTES = 0.4e9
"""NCCL's buffers with more than one rank: AIConfigurator's system files state 0.34 to 0.41 GB."""


def weight_bytes(architecture: Architecture, configuration: Configuration) -> float:
    """Weights that one accelerator holds.

    Attention weights lie over tp and are repeated on each rank of attention data parallelism;
    feed-forward weights lie over both; norms are everywhere. Stages hold equal shares; embedding
    and head one stage's.
    """
    c = configuration
    dense_format, expert_format = layer_precisions(architecture, c.precision)
    dense, expert = BYTES_PER_WEIGHT[dense_format], BYTES_PER_WEIGHT[expert_format]
    plain = BYTES_PER_WEIGHT[architecture.head_precision]
    layers = architecture.layers
    attention = sum(g.count * g.attention_parameters for g in layers) * dense
    shared = sum(g.count * g.dense_parameters for g in layers) * dense
    routed = sum(g.count * g.experts * g.expert_parameters for g in layers) * expert
    norms = sum(g.count * g.norm_parameters for g in layers) * plain
    ends = architecture.embedding_parameters
    if not architecture.tied:
        ends += architecture.head_parameters
    group = c.tp * c.attention_dp
    inside = attention / c.tp + (shared + routed) / group + norms
    drafted = architecture.mtp_parameters * expert / group if c.drafts else 0.0
    last = ends * plain / c.tp + architecture.norm_parameters * plain
    return inside / c.pp + last + drafted


def kept_bytes(architecture: Architecture, configuration: Configuration) -> tuple[float, float]:
    """(Cache bytes of one token, bytes of one sequence whatever its length) on one accelerator.

    Sliding layers keep at most their window, linear layers a state, compressed attention one entry
    for several tokens and the last ones whole. A model with windows only is counted by the token
    within the window. `neocloud.catalog.costs` counts the same for the whole model.
    """
    c = configuration
    number = BYTES_PER_KV[c.kv_precision]
    token = sequence = 0.0
    for g in architecture.layers:
        here = g.count / c.pp
        entry = here * g.kv_elements / min(c.tp, g.kv_split) * number
        token += here * g.index_elements * number
        sequence += here * g.state_elements / c.tp * STATE_BYTES + entry * g.recent_tokens
        if g.attention is AttentionKind.SLIDING:
            sequence += entry * g.window
        else:
            token += entry / g.kv_stride
    return token, sequence


def memory(
    architecture: Architecture, accelerator: Accelerator, configuration: Configuration
) -> Memory:
    """Account for one accelerator's memory.

    The engine takes `memory_share` of the capacity; weights, activations of the largest step and
    a reserve come off it; the rest is KV cache. Each of the sequences that may run at once
    reserves its windows and states; the tokens are counted by the layers that keep all of them.
    """
    check(architecture, accelerator, configuration)
    c = configuration
    parts = _parts(architecture, accelerator, c)
    logits = float(_logits(architecture, c, np.float64(c.max_batch)))
    blocks = int(_blocks(architecture, c, parts, np.float64(c.max_batch)))
    return Memory(
        capacity=parts.capacity,
        weights=parts.weights,
        activations=parts.activations + logits,
        reserve=parts.reserve,
        kv_cache=parts.left - logits,
        kv_bytes_per_token=parts.per_token,
        kv_tokens=blocks * c.block_tokens,
        replica_kv_tokens=blocks * c.block_tokens * c.attention_dp,
    )


def replica_kv_tokens(
    architecture: Architecture,
    accelerator: Accelerator,
    configuration: Configuration,
    max_batch: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Tokens that the KV cache of a replica holds with other batch limits; see `memory`."""
    check(architecture, accelerator, configuration)
    c = configuration
    blocks = _blocks(architecture, c, _parts(architecture, accelerator, c), max_batch)
    found: NDArray[np.float64] = blocks * (c.block_tokens * c.attention_dp)
    return found


@dataclass(frozen=True, slots=True)
class _Parts:
    """What does not hang on the batch limit, bytes; `left` before logits and cache."""

    capacity: float
    weights: float
    activations: float
    reserve: float
    left: float
    per_token: float
    sequence: float
    """Of a sequence whatever its length; 0 where tokens are counted within the window."""


def _parts(architecture: Architecture, accelerator: Accelerator, c: Configuration) -> _Parts:
    capacity = accelerator.memory_bytes.known(f"memory of {accelerator.key}")
    weights = weight_bytes(architecture, c)
    activations = (
        c.batch_tokens * architecture.hidden * _ACTIVATION_BYTES_PER_TOKEN_AND_HIDDEN / c.tp**0.5
    )
    reserve = _GRAPHS_BYTES + (_COLLECTIVE_BYTES if c.accelerators > 1 else 0.0)
    token, sequence = kept_bytes(architecture, c)
    widest = max(windows(architecture), default=1)
    return _Parts(
        capacity=capacity,
        weights=weights,
        activations=activations,
        reserve=reserve,
        left=capacity * c.memory_share - weights - activations - reserve,
        per_token=token or sequence / widest,
        sequence=sequence if token else 0.0,
    )


def _logits(architecture: Architecture, c: Configuration, max_batch: Array) -> Array:
    found: Array = np.minimum(max_batch, 512.0) * architecture.vocabulary * 4.0 / c.tp
    return found


def _blocks(architecture: Architecture, c: Configuration, parts: _Parts, max_batch: Array) -> Array:
    """Whole blocks of the cache of one attention rank."""
    left = parts.left - _logits(architecture, c, max_batch)
    sequences = parts.sequence * max_batch / (c.attention_dp * c.pp)
    # Windows and states of a full batch; at most half of what is left, so that long batches
    # limits do not claim memory that no sequence will use.
    held = np.minimum(sequences, left / 2.0) if parts.sequence else 0.0
    room = np.maximum(0.0, left - held)
    found: Array = np.floor(room / (parts.per_token * c.block_tokens))
    return found
