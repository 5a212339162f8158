"""What an architecture costs before any machine is chosen: bytes stored, kept and FLOPs a token."""

from __future__ import annotations

from neocloud.catalog.precisions import BITS_PER_WEIGHT
from neocloud.catalog.records import Architecture, AttentionKind, LayerGroup

STATE_FLOPS = 7.0
"""FLOPs a number of a linear layer's state in one step of the delta rule: decay 1, what the key
recalls 2, the correction 2, what the query reads 2."""


def weight_bytes(architecture: Architecture, precision: str | None = None) -> float:
    """Bytes of all weights, without draft layers.

    Args:
        architecture: the model.
        precision: format of all layers' weights; None for the checkpoint's own formats. Norms,
            embedding and head stay as published, as quantisation leaves them out.
    """
    dense = precision or architecture.checkpoint_precision
    attention = precision or architecture.attention_precision
    expert = precision or architecture.expert_precision or architecture.checkpoint_precision
    head = BITS_PER_WEIGHT[architecture.head_precision]
    bits = head * architecture.embedding_parameters
    bits += head * (0 if architecture.tied else architecture.head_parameters)
    bits += head * architecture.norm_parameters
    for group in architecture.layers:
        bits += group.count * (
            BITS_PER_WEIGHT[attention] * group.attention_parameters
            + BITS_PER_WEIGHT[dense] * group.dense_parameters
            + BITS_PER_WEIGHT[expert] * group.experts * group.expert_parameters
            + head * group.norm_parameters
        )
    return bits / 8.0


def kv_bytes_per_token(architecture: Architecture, precision: str = "bf16") -> float:
    """Bytes that the cache grows by with one token, an indexer's keys included.

    Sliding layers count as long as the sequence is shorter than their window; compressed attention
    without the few recent tokens that it keeps whole.
    """
    numbers = sum(
        group.count * (group.kv_elements / group.kv_stride + group.index_elements)
        for group in architecture.layers
    )
    return numbers * BITS_PER_WEIGHT[precision] / 8.0


def state_bytes(architecture: Architecture, precision: str = "bf16") -> float:
    """Bytes that linear layers keep for a sequence, whatever its length."""
    numbers = sum(group.count * group.state_elements for group in architecture.layers)
    return numbers * BITS_PER_WEIGHT[precision] / 8.0


def decode_flops_per_token(architecture: Architecture, past: int) -> float:
    """FLOPs of one decoded token that sees `past` tokens, itself included."""
    flops = 2.0 * architecture.active_parameters
    for group in architecture.layers:
        flops += group.count * (
            _read(group, past) * group.decode_pair_flops
            + past * group.index_pair_flops
            + STATE_FLOPS * group.state_elements
        )
    return flops


def prefill_flops_per_token(architecture: Architecture, tokens: int) -> float:
    """Mean FLOPs a token of a prompt of `tokens` tokens; only its last token needs the head."""
    inside = architecture.active_parameters - architecture.head_parameters
    flops = 2.0 * inside + 2.0 * architecture.head_parameters / tokens
    for group in architecture.layers:
        flops += group.count * (
            _read_by_prompt(group, tokens) / tokens * group.pair_flops
            + (tokens + 1) / 2.0 * group.index_pair_flops
            + STATE_FLOPS * group.state_elements
        )
    return flops


def _read(group: LayerGroup, past: int) -> float:
    """Cache entries that a query reads among `past` tokens."""
    if group.attention is AttentionKind.LINEAR:
        return 0.0
    kept = past / group.kv_stride
    if group.attention is not AttentionKind.FULL:
        kept = min(kept, group.window)
    return kept + min(past, group.recent_tokens)


def _read_by_prompt(group: LayerGroup, tokens: int) -> float:
    """The same, summed over the tokens of a prompt."""
    if group.attention is AttentionKind.LINEAR:
        return 0.0
    limit = tokens
    if group.attention is not AttentionKind.FULL:
        limit = group.window * group.kv_stride
    return _capped(tokens, limit) / group.kv_stride + _capped(tokens, group.recent_tokens)


def _capped(tokens: int, limit: int) -> float:
    """Sum of min(i, limit) for i from 1 to `tokens`."""
    most = min(tokens, limit)
    return most * (most + 1) / 2.0 + (tokens - most) * most
