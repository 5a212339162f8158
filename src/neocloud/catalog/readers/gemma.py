"""Text part of Gemma 4."""

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
    pair_flops,
    pick,
)

UNREAD = ("hidden_size_per_layer_input", "num_kv_shared_layers")
"""Features of the small models, which change what is stored: refused where set."""


def gemma4(fields: ConfigFields) -> Body:
    """Gemma 4 dense or with experts: sliding layers, and full ones with wider, fewer heads.

    A layer with experts has a dense part beside them. In full layers keys are values too
    (`attention_k_eq_v`): one projection makes both, but they are kept apart, as only the keys turn.
    """
    for name in UNREAD:
        if fields.amount(name, default=0):
            raise fields.refuse(f"{name} is set, which is not supported yet")
    if fields.flag("use_double_wide_mlp", default=False):
        raise fields.refuse("use_double_wide_mlp is set, which is not supported yet")
    kinds = fields.names("layer_types")
    pick(fields, "layer_types", kinds, ("sliding_attention", "full_attention"))
    bias = fields.flag("attention_bias", default=False)
    sliding = gqa(fields, bias=bias, output_bias=bias, norms=2 * head_dim(fields))
    kept = {
        "sliding_attention": sliding.sliding(fields.count("sliding_window")),
        "full_attention": _full(fields, bias=bias),
    }
    feed_forward, norms = _feed_forward(fields)
    return gqa_body(fields, (layer(kept[kind], feed_forward, norms) for kind in kinds))


def _full(fields: ConfigFields, *, bias: bool) -> Attention:
    hidden, heads = fields.count("hidden_size"), fields.count("num_attention_heads")
    width = fields.count("global_head_dim", head_dim(fields))
    one = fields.flag("attention_k_eq_v", default=False)
    kv = fields.count("num_key_value_heads")
    if one:
        kv = fields.count("num_global_key_value_heads", kv)
    inward = heads * width + kv * width * (1 if one else 2)
    pair = pair_flops(heads, width, width)
    return Attention(
        parameters=hidden * (inward + heads * width) + bias * (inward + hidden),
        norms=2 * width,
        kv_elements=2 * kv * width,
        kv_split=kv,
        pair_flops=pair,
        decode_pair_flops=pair,
    )


def _feed_forward(fields: ConfigFields) -> tuple[FeedForward, int]:
    """The part, and the scales of the norms around attention and it."""
    hidden = fields.count("hidden_size")
    dense = gated(hidden, fields.count("intermediate_size"))
    if not fields.flag("enable_moe_block", default=False):
        return FeedForward(dense), 4 * hidden
    experts = fields.count("num_experts")
    routed = FeedForward(
        dense=dense + hidden * experts + hidden + experts,
        experts=experts,
        experts_per_token=at_most(fields, "top_k_experts", experts),
        expert=gated(hidden, fields.count("moe_intermediate_size")),
    )
    return routed, 7 * hidden
