"""MiniMax M2 and M3."""

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
    kv_heads,
    layer,
)
from neocloud.catalog.records import AttentionKind


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


def minimax_m3(fields: ConfigFields) -> Body:
    """Text part of MiniMax M3: block-sparse attention (arXiv 2606.13392), first layers dense.

    In a sparse layer an indexer with few heads scores all tokens, and each query reads the
    `sparse_topk_blocks` blocks of tokens with the best ones. The published count has no room for
    the MTP modules that the configuration names, so no draft layers are counted.
    """
    hidden, experts = fields.count("hidden_size"), fields.count("num_local_experts")
    inner = fields.count("moe_intermediate_size", fields.count("intermediate_size"))
    norms = 2 * head_dim(fields) if fields.flag("use_qk_norm", default=False) else 0
    full = gqa(fields, norms=norms)
    indexer = fields.part("sparse_attention_config")
    sparse = _block_sparse(full, indexer, hidden)
    picks = indexer.series("sparse_attention_freq")
    routes = fields.switches("moe_layer_freq")
    if len(picks) != fields.layers() or not routes:
        raise fields.refuse(
            f"moe_layer_freq or sparse_attention_freq has not {fields.layers()} entries"
        )
    shared = fields.amount("n_shared_experts", default=0)
    routed = FeedForward(
        dense=(hidden + fields.flag("use_routing_bias", default=False)) * experts
        + (gated(hidden, fields.count("shared_intermediate_size")) * shared if shared else 0),
        experts=experts,
        experts_per_token=at_most(fields, "num_experts_per_tok", experts),
        expert=gated(hidden, inner),
    )
    dense = FeedForward(gated(hidden, fields.count("dense_intermediate_size")))
    return gqa_body(
        fields,
        (
            layer(sparse if pick else full, routed if route else dense, 2 * hidden)
            for pick, route in zip(picks, routes, strict=True)
        ),
    )


def _block_sparse(full: Attention, indexer: ConfigFields, hidden: int) -> Attention:
    heads, width = indexer.count("sparse_num_index_heads"), indexer.count("sparse_index_dim")
    return replace(
        full,
        kind=AttentionKind.SPARSE,
        window=indexer.count("sparse_topk_blocks") * indexer.count("sparse_block_size"),
        parameters=full.parameters + hidden * (heads + 1) * width,
        norms=full.norms + 2 * width,
        index_elements=width,
        index_pair_flops=2.0 * heads * width,
    )
