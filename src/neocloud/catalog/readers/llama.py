"""Llama 1 to 3, Mistral, Mixtral and Llama 4."""

from __future__ import annotations

from neocloud.catalog.config_fields import ConfigFields
from neocloud.catalog.readers.parts import (
    Body,
    FeedForward,
    at_most,
    gated,
    gqa,
    gqa_body,
    layer,
    pick,
)


def llama(fields: ConfigFields) -> Body:
    """Llama 1 to 3: dense, full attention."""
    hidden = fields.count("hidden_size")
    bias = fields.flag("attention_bias", default=False)
    inner = fields.count("intermediate_size")
    dense = gated(hidden, inner, bias=fields.flag("mlp_bias", default=False))
    one = layer(gqa(fields, bias=bias, output_bias=bias), FeedForward(dense), 2 * hidden)
    return gqa_body(fields, [one] * fields.layers())


def mistral(fields: ConfigFields) -> Body:
    """Mistral: dense; where `sliding_window` is set, every layer slides."""
    hidden = fields.count("hidden_size")
    window = fields.count("sliding_window") if fields.has("sliding_window") else 0
    dense = FeedForward(gated(hidden, fields.count("intermediate_size")))
    one = layer(gqa(fields).sliding(window), dense, 2 * hidden)
    return gqa_body(fields, [one] * fields.layers())


def mixtral(fields: ConfigFields) -> Body:
    """Mixtral: experts in every layer; where `sliding_window` is set, every layer slides."""
    hidden, experts = fields.count("hidden_size"), fields.count("num_local_experts")
    window = fields.count("sliding_window") if fields.has("sliding_window") else 0
    routed = FeedForward(
        dense=hidden * experts,
        experts=experts,
        experts_per_token=at_most(fields, "num_experts_per_tok", experts),
        expert=gated(hidden, fields.count("intermediate_size")),
    )
    one = layer(gqa(fields).sliding(window), routed, 2 * hidden)
    return gqa_body(fields, [one] * fields.layers())


def llama4(fields: ConfigFields) -> Body:
    """Text part of Llama 4: every `interleave_moe_layer_step`-th layer has experts.

    Three layers of four attend within chunks of `attention_chunk_size` tokens, which we count as a
    window of that length; the fourth, without rotary embedding, attends to everything. Beside the
    routed experts each such layer has one shared expert of the same width. Norms on queries and
    keys have no weights.
    """
    hidden, experts = fields.count("hidden_size"), fields.count("num_local_experts")
    inner = fields.count("intermediate_size")
    bias = fields.flag("attention_bias", default=False)
    full = gqa(fields, bias=bias, output_bias=bias)
    chunked = full.sliding(
        fields.count("attention_chunk_size") if fields.has("attention_chunk_size") else 0
    )
    routed = FeedForward(
        dense=hidden * experts + gated(hidden, inner),
        experts=experts,
        experts_per_token=at_most(fields, "num_experts_per_tok", experts),
        expert=gated(hidden, inner),
    )
    dense = FeedForward(gated(hidden, fields.count("intermediate_size_mlp")))
    every = fields.count("interleave_moe_layer_step", 1)
    kinds = fields.names("layer_types") or tuple(
        "full_attention" if number % 4 == 3 else "chunked_attention"
        for number in range(fields.layers())
    )
    pick(fields, "layer_types", kinds, ("chunked_attention", "full_attention"))
    return gqa_body(
        fields,
        (
            layer(
                full if kind == "full_attention" else chunked,
                dense if (number + 1) % every else routed,
                2 * hidden,
            )
            for number, kind in enumerate(kinds)
        ),
    )
