"""Qwen3, dense and with experts, and the text part of Qwen3-VL."""

from __future__ import annotations

from neocloud.catalog.config_fields import ConfigFields
from neocloud.catalog.readers.parts import (
    Attention,
    Body,
    FeedForward,
    at_most,
    gated,
    gqa,
    gqa_body,
    head_dim,
    layer,
)


def qwen3(fields: ConfigFields) -> Body:
    """Qwen3 dense, and the text part of Qwen3-VL dense: norms on queries and keys."""
    hidden = fields.count("hidden_size")
    attention = _attention(fields)
    dense = FeedForward(gated(hidden, fields.count("intermediate_size")))
    return gqa_body(
        fields,
        (
            layer(attention.sliding(_window(fields, number)), dense, 2 * hidden)
            for number in range(fields.layers())
        ),
    )


def qwen3_moe(fields: ConfigFields) -> Body:
    """Qwen3 with experts: every `decoder_sparse_step`-th layer but `mlp_only_layers`.

    The text part of Qwen3-VL with experts is the same.
    """
    hidden, experts = fields.count("hidden_size"), fields.count("num_experts")
    attention = _attention(fields)
    dense = FeedForward(gated(hidden, fields.count("intermediate_size")))
    routed = FeedForward(
        dense=hidden * experts,
        experts=experts,
        experts_per_token=at_most(fields, "num_experts_per_tok", experts),
        expert=gated(hidden, fields.count("moe_intermediate_size")),
    )
    step, only_dense = fields.count("decoder_sparse_step", 1), fields.numbers("mlp_only_layers")
    return gqa_body(
        fields,
        (
            layer(
                attention.sliding(_window(fields, number)),
                dense if number in only_dense or (number + 1) % step else routed,
                2 * hidden,
            )
            for number in range(fields.layers())
        ),
    )


def _attention(fields: ConfigFields) -> Attention:
    bias = fields.flag("attention_bias", default=False)
    return gqa(fields, bias=bias, output_bias=bias, norms=2 * head_dim(fields))


def _window(fields: ConfigFields, number: int) -> int:
    """Window of a layer where only the upper layers slide; 0 for full attention."""
    if not fields.flag("use_sliding_window", default=False):
        return 0
    sliding = number >= fields.count("max_window_layers")
    return fields.count("sliding_window") if sliding else 0
