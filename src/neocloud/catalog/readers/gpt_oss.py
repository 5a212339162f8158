"""OpenAI's gpt-oss."""

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


def gpt_oss(fields: ConfigFields) -> Body:
    """gpt-oss: sliding and full layers in turn, biases everywhere, one sink a query head."""
    hidden, experts = fields.count("hidden_size"), fields.count("num_local_experts")
    bias = fields.flag("attention_bias", default=True)
    sinks = fields.count("num_attention_heads")
    full = gqa(fields, bias=bias, output_bias=bias, norms=sinks)
    sliding = full.sliding(fields.count("sliding_window"))
    routed = FeedForward(
        dense=(hidden + 1) * experts,
        experts=experts,
        experts_per_token=at_most(fields, "num_experts_per_tok", experts),
        expert=gated(hidden, fields.count("intermediate_size"), bias=True),
    )
    kinds = fields.names("layer_types") or (
        ("sliding_attention", "full_attention") * (fields.layers() // 2)
    )
    pick(fields, "layer_types", kinds, ("sliding_attention", "full_attention"))
    return gqa_body(
        fields,
        (
            layer(sliding if kind == "sliding_attention" else full, routed, 2 * hidden)
            for kind in kinds
        ),
    )
