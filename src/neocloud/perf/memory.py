"""What fits: memory of one accelerator by part."""

from __future__ import annotations

from neocloud.catalog import Accelerator, Architecture
from neocloud.perf.numbers import (
    BYTES_PER_WEIGHT,
    check,
    kv_bytes_per_token,
    layer_precisions,
)
from neocloud.perf.records import Configuration, Memory

_ACTIVATION_BYTES_PER_TOKEN_AND_HIDDEN = 16.0
"""Live hidden-sized tensors of one layer in bf16 (residual, norm, q/k/v, gate and up, output):
about eight. An assumption; engines measure theirs at start."""
_GRAPHS_BYTES = 1.0e9
"""CUDA graphs and the runtime's context. vLLM's documentation speaks of 1 to 3 GB in all; an
assumption until fitted on tight configurations."""
_COLLECTIVE_BYTES = 0.4e9
"""NCCL's buffers with more than one rank: AIConfigurator's system files state 0.34 to 0.41 GB."""


def memory(
    architecture: Architecture, accelerator: Accelerator, configuration: Configuration
) -> Memory:
    """Account for one accelerator's memory.

    The engine takes `memory_share` of the capacity; weights, activations of the largest step and
    a reserve come off it; the rest is KV cache. Sliding layers keep at most their window, so each
    of `max_batch` sequences reserves that much, and the tokens are counted by the layers with full
    attention.
    """
    check(architecture, accelerator, configuration)
    tp = configuration.tp
    capacity = accelerator.memory_bytes.known(f"memory of {accelerator.key}")
    dense_format, expert_format = layer_precisions(architecture, configuration.precision)
    dense = sum(
        g.count * (g.attention_parameters + g.dense_parameters) for g in architecture.layers
    )
    expert = sum(g.count * g.experts * g.expert_parameters for g in architecture.layers)
    ends = architecture.embedding_parameters
    if not architecture.tied:
        ends += architecture.head_parameters
    weights = (
        dense * BYTES_PER_WEIGHT[dense_format]
        + expert * BYTES_PER_WEIGHT[expert_format]
        + ends * BYTES_PER_WEIGHT["bf16"]
    ) / tp
    logits = configuration.max_batch * architecture.vocabulary * 4.0 / tp
    activations = logits + (
        configuration.batch_tokens * architecture.hidden * _ACTIVATION_BYTES_PER_TOKEN_AND_HIDDEN
    )
    reserve = _GRAPHS_BYTES + (_COLLECTIVE_BYTES if tp > 1 else 0.0)
    full, sliding, window = kv_bytes_per_token(architecture, configuration)
    left = capacity * configuration.memory_share - weights - activations - reserve
    for_windows = sliding * window * configuration.max_batch if full else 0.0
    per_token = full or sliding
    blocks = int(max(0.0, left - for_windows) / (per_token * configuration.block_tokens))
    return Memory(
        capacity=capacity,
        weights=weights,
        activations=activations,
        reserve=reserve,
        kv_cache=left,
        kv_bytes_per_token=per_token,
        kv_tokens=blocks * configuration.block_tokens,
    )
