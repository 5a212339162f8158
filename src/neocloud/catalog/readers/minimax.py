"""MiniMax M2 and M3."""

from __future__ import annotations

from neocloud.catalog.config_fields import ConfigFields
from neocloud.catalog.readers.parts import (
    Body,
    FeedForward,
    at_most,
    gated,
    gqa,
    gqa_body,
    head_dim,
    kv_heads,
    layer,
)


def minimax_m2(fields: ConfigFields) -> Body:
    """MiniMax M2, M2.5, M2.7: experts in every layer, norms over all queries and all keys.

    The configuration speaks of MTP modules, but the published checkpoints hold none: no draft
    layers are counted.
    """
    hidden, experts = fields.count("hidden_size"), fields.count("num_local_experts")
    heads = fields.count("num_attention_heads") + kv_heads(fields)
    norms = heads * head_dim(fields) if fields.flag("use_qk_norm", default=False) else 0
    routed = FeedForward(
        dense=(hidden + fields.flag("use_routing_bias", default=False)) * experts,
        experts=experts,
        experts_per_token=at_most(fields, "num_experts_per_tok", experts),
        expert=gated(hidden, fields.count("intermediate_size")),
    )
    one = layer(gqa(fields, norms=norms), routed, 2 * hidden)
    return gqa_body(fields, [one] * fields.layers())
