"""Xiaomi's MiMo-V2."""

from __future__ import annotations

from dataclasses import replace

from neocloud.catalog.config_fields import ConfigFields
from neocloud.catalog.readers.deepseek import experts_of
from neocloud.catalog.readers.parts import (
    Attention,
    Body,
    FeedForward,
    gated,
    gqa_body,
    layer,
    pair_flops,
    projections,
)


def mimo_v2_flash(fields: ConfigFields) -> Body:
    """MiMo-V2-Flash: five sliding layers to one full, keys wider than values, experts but first.

    Its draft layers are not among what the configuration states, so none are counted.
    """
    hidden = fields.count("hidden_size")
    slides, routes = fields.switches("hybrid_layer_pattern"), fields.switches("moe_layer_freq")
    if not slides or not routes:
        raise fields.refuse("hybrid_layer_pattern or moe_layer_freq is missing")
    full = _attention(fields, "")
    sliding = _attention(fields, "swa_").sliding(fields.count("sliding_window"))
    routed, dense = (
        experts_of(fields),
        FeedForward(gated(hidden, fields.count("intermediate_size"))),
    )
    return gqa_body(
        fields,
        (
            layer(sliding if slide else full, routed if route else dense, 2 * hidden)
            for slide, route in zip(slides, routes, strict=True)
        ),
    )


def _attention(fields: ConfigFields, prefix: str) -> Attention:
    """Attention of the full (no prefix) or the sliding layers (`swa_`)."""
    heads = fields.count(f"{prefix}num_attention_heads")
    kv = fields.count(f"{prefix}num_key_value_heads")
    key, value = fields.count(f"{prefix}head_dim"), fields.count(f"{prefix}v_head_dim")
    sinks = "add_swa_attention_sink_bias" if prefix else "add_full_attention_sink_bias"
    pair = pair_flops(heads, key, value)
    plain = Attention(
        parameters=projections(fields.count("hidden_size"), heads, kv, key, value),
        kv_elements=kv * (key + value),
        kv_split=kv,
        pair_flops=pair,
        decode_pair_flops=pair,
    )
    return replace(plain, norms=heads) if fields.flag(sinks, default=False) else plain
