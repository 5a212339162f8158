"""Text part of Qwen3.5: three gated delta nets to one gated attention, dense or with experts."""

from __future__ import annotations

from dataclasses import replace

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
    pick,
)
from neocloud.catalog.records import AttentionKind


def qwen3_5(fields: ConfigFields) -> Body:
    """Qwen3.5 dense."""
    dense = gated(fields.count("hidden_size"), fields.count("intermediate_size"))
    return _body(fields, FeedForward(dense))


def qwen3_5_moe(fields: ConfigFields) -> Body:
    """Qwen3.5 with experts in every layer, and one shared expert behind a gate of its own."""
    hidden, experts = fields.count("hidden_size"), fields.count("num_experts")
    routed = FeedForward(
        dense=hidden * experts
        + gated(hidden, fields.count("shared_expert_intermediate_size"))
        + hidden,
        experts=experts,
        experts_per_token=at_most(fields, "num_experts_per_tok", experts),
        expert=gated(hidden, fields.count("moe_intermediate_size")),
    )
    return _body(fields, routed)


def _body(fields: ConfigFields, feed_forward: FeedForward) -> Body:
    """Layers by `layer_types`; MTP layers have full attention, and one projection joins them."""
    hidden, every = fields.count("hidden_size"), fields.count("full_attention_interval", 4)
    kinds = fields.names("layer_types") or tuple(
        "linear_attention" if (number + 1) % every else "full_attention"
        for number in range(fields.layers())
    )
    pick(fields, "layer_types", kinds, ("linear_attention", "full_attention"))
    full = _full(fields)
    kept = {"full_attention": full, "linear_attention": _delta_net(fields)}
    drafts = fields.amount("mtp_num_hidden_layers", default=0)
    draft = drafts * layer(full, feed_forward, 2 * hidden).parameters
    return replace(
        gqa_body(fields, (layer(kept[kind], feed_forward, 2 * hidden) for kind in kinds)),
        mtp_layers=drafts,
        mtp_parameters=draft + bool(drafts) * (2 * hidden * hidden + 3 * hidden),
    )


def _full(fields: ConfigFields) -> Attention:
    """Grouped-query attention whose query projection gives a gate of the output too."""
    bias = fields.flag("attention_bias", default=False)
    width = head_dim(fields)
    plain = gqa(fields, bias=bias, output_bias=bias, norms=2 * width)
    if not fields.flag("attn_output_gate", default=True):
        return plain
    gate = fields.count("num_attention_heads") * width * (fields.count("hidden_size") + bias)
    return replace(plain, parameters=plain.parameters + gate)


def _delta_net(fields: ConfigFields) -> Attention:
    """Gated delta net (arXiv 2412.06464): a state of key width x value width a value head."""
    hidden = fields.count("hidden_size")
    key_width, value_width = (
        fields.count("linear_key_head_dim"),
        fields.count("linear_value_head_dim"),
    )
    heads = fields.count("linear_num_value_heads")
    keys = fields.count("linear_num_key_heads") * key_width
    values = heads * value_width
    taps = fields.count("linear_conv_kernel_dim")
    mixed = 2 * keys + values
    return Attention(
        parameters=hidden * (mixed + 2 * values + 2 * heads) + mixed * taps,
        norms=2 * heads + value_width,
        kind=AttentionKind.LINEAR,
        kv_split=heads,
        state_elements=heads * key_width * value_width + mixed * (taps - 1),
    )
