"""Kimi Linear and the text part of Kimi K3: three linear layers of four, latent attention between.

Linear layers are Kimi Delta Attention (arXiv 2510.26692): a state of `head_dim` x `head_dim` a
head, with a gate a channel, behind short convolutions. K3 (arXiv 2607.24653) puts a gate on every
attention's output, and its routed experts work on a narrower vector, made by one projection before
and undone by one after them.
"""

from __future__ import annotations

from dataclasses import replace

from neocloud.catalog.config_fields import ConfigFields
from neocloud.catalog.readers.deepseek import latent_of, mla
from neocloud.catalog.readers.parts import (
    Attention,
    Body,
    FeedForward,
    at_most,
    gated,
    grouped,
    layer,
)
from neocloud.catalog.records import AttentionKind


def kimi_linear(fields: ConfigFields) -> Body:
    """Kimi Linear and Kimi K3."""
    one = latent_of(fields)
    hidden, layers = one.hidden, fields.layers()
    lists = fields.part("linear_attn_config")
    linear, full = lists.numbers("kda_layers"), lists.numbers("full_attn_layers")
    if linear & full or linear | full != set(range(1, layers + 1)):
        raise fields.refuse(f"linear_attn_config does not name each of {layers} layers once")
    latent = mla(one)
    if fields.flag("mla_use_output_gate", default=False):
        latent = replace(latent, parameters=latent.parameters + hidden * one.heads * one.value)
    delta = _delta(lists, hidden)
    routed, dense = _experts(fields), FeedForward(gated(hidden, fields.count("intermediate_size")))
    first = fields.amount("first_k_dense_replace", default=0)
    step = fields.count("moe_layer_freq", 1)
    residuals = 4 * hidden if fields.has("attn_res_block_size") else 0
    return Body(
        layers=grouped(
            layer(
                delta if number + 1 in linear else latent,
                dense if number < first or number % step else routed,
                2 * hidden + residuals,
            )
            for number in range(layers)
        ),
        query_heads=one.heads,
        kv_heads=fields.count("num_key_value_heads", one.heads),
        head_dim=one.nope + one.rope,
        norm_parameters=hidden + residuals // 2,
    )


def _delta(lists: ConfigFields, hidden: int) -> Attention:
    """Kimi Delta Attention."""
    heads, width = lists.count("num_heads"), lists.count("head_dim")
    taps = lists.count("short_conv_kernel_size")
    inner = heads * width
    narrow_gate = hidden * width + width * inner  # of the decay; of the output where not full
    output_gate = hidden * inner if lists.flag("use_full_rank_gate", default=False) else narrow_gate
    return Attention(
        parameters=4 * hidden * inner
        + output_gate
        + narrow_gate
        + hidden * heads
        + 3 * inner * taps
        + inner,
        norms=heads + width,
        kind=AttentionKind.LINEAR,
        kv_split=heads,
        state_elements=heads * width * width + 3 * inner * (taps - 1),
    )


def _experts(fields: ConfigFields) -> FeedForward:
    hidden, experts = fields.count("hidden_size"), fields.count("num_experts")
    inner = fields.count("moe_intermediate_size")
    narrow = fields.count("routed_expert_hidden_size", hidden)
    around = 0
    if narrow != hidden:
        around = 2 * hidden * narrow + narrow * fields.flag("latent_moe_use_norm", default=False)
    return FeedForward(
        dense=(hidden + 1) * experts
        + around
        + gated(hidden, inner) * fields.amount("num_shared_experts", default=0),
        experts=experts,
        experts_per_token=at_most(fields, "num_experts_per_token", experts),
        expert=gated(narrow, inner),
    )
