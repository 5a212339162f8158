"""Multi-head latent attention: DeepSeek V3, R1 and V3.2, Kimi K2, GLM-5.

The cache keeps one latent of `kv_lora_rank` numbers for all heads, with `qk_rope_head_dim` numbers
of a shared rotary key. In prefill the latent is expanded to keys and values of each head. In decode
(and wherever each query reads other tokens, as sparse attention does) the expanding products move
into queries and outputs, so a pair costs two products over the latent itself (DeepSeek-V2 report,
arXiv 2405.04434, section 2.1).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from neocloud.catalog.config_fields import ConfigFields
from neocloud.catalog.readers.parts import (
    Attention,
    Body,
    FeedForward,
    at_most,
    gated,
    grouped,
    layer,
    pair_flops,
    pick,
)
from neocloud.catalog.records import AttentionKind


@dataclass(frozen=True, slots=True)
class Latent:
    """Widths of latent attention, as `config.json` names them."""

    hidden: int
    heads: int
    query_rank: int
    rank: int
    rope: int
    nope: int
    value: int


def latent_of(fields: ConfigFields) -> Latent:
    """The widths; `query_rank` is 0 where queries are not compressed."""
    return Latent(
        hidden=fields.count("hidden_size"),
        heads=fields.count("num_attention_heads"),
        query_rank=fields.count("q_lora_rank") if fields.has("q_lora_rank") else 0,
        rank=fields.count("kv_lora_rank"),
        rope=fields.count("qk_rope_head_dim"),
        nope=fields.count("qk_nope_head_dim"),
        value=fields.count("v_head_dim"),
    )


def mla(one: Latent) -> Attention:
    """Multi-head latent attention over the whole past."""
    queries = one.heads * (one.nope + one.rope)
    if one.query_rank:
        query_weights = one.query_rank * (one.hidden + queries)
    else:
        query_weights = one.hidden * queries
    return Attention(
        parameters=query_weights
        + one.hidden * (one.rank + one.rope)
        + one.rank * one.heads * (one.nope + one.value)
        + one.heads * one.value * one.hidden,
        norms=one.query_rank + one.rank,
        kv_elements=one.rank + one.rope,
        kv_split=1,
        pair_flops=pair_flops(one.heads, one.nope + one.rope, one.value),
        decode_pair_flops=pair_flops(one.heads, one.rank + one.rope, one.rank),
    )


def dsa(fields: ConfigFields, one: Latent, *, indexer: bool) -> Attention:
    """DeepSeek sparse attention: an indexer scores all tokens, the best `index_topk` are read.

    The indexer has its own queries (from the compressed query), one key a token, and a weight for
    each of its heads (DeepSeek-V3.2 report, arXiv 2512.02556, section 2.1).

    Args:
        fields: the configuration.
        one: widths of the latent attention.
        indexer: False for a layer that reads what the indexer of a layer before it chose.
    """
    dense = mla(one)
    sparse = replace(
        dense,
        kind=AttentionKind.SPARSE,
        window=fields.count("index_topk"),
        pair_flops=dense.decode_pair_flops,
    )
    if not indexer:
        return sparse
    heads, width = fields.count("index_n_heads"), fields.count("index_head_dim")
    return replace(
        sparse,
        parameters=dense.parameters
        + (one.query_rank or one.hidden) * heads * width
        + one.hidden * width
        + one.hidden * heads,
        norms=dense.norms + 2 * width,
        index_elements=width,
        index_pair_flops=2.0 * heads * width,
    )


def experts_of(fields: ConfigFields) -> FeedForward:
    """Routed experts with a correction bias each, and shared experts."""
    hidden, experts = fields.count("hidden_size"), fields.count("n_routed_experts")
    inner = fields.count("moe_intermediate_size")
    return FeedForward(
        dense=(hidden + 1) * experts
        + gated(hidden, inner) * fields.amount("n_shared_experts", default=0),
        experts=experts,
        experts_per_token=at_most(fields, "num_experts_per_tok", experts),
        expert=gated(hidden, inner),
    )


def deepseek_v3(fields: ConfigFields) -> Body:
    """DeepSeek V3 and R1, Kimi K2: latent attention, first layers dense, then experts."""
    return _body(fields, [mla(latent_of(fields))] * fields.layers())


def deepseek_v32(fields: ConfigFields) -> Body:
    """DeepSeek V3.2: V3 with sparse attention."""
    return _body(fields, [dsa(fields, latent_of(fields), indexer=True)] * fields.layers())


def glm_moe_dsa(fields: ConfigFields) -> Body:
    """GLM-5: as DeepSeek V3.2; where `indexer_types` says so, layers share an indexer (GLM-5.2)."""
    one = latent_of(fields)
    kinds = fields.names("indexer_types") or ("full",) * fields.layers()
    pick(fields, "indexer_types", kinds, ("full", "shared"))
    kept = {kind: dsa(fields, one, indexer=kind == "full") for kind in ("full", "shared")}
    return _body(fields, [kept[kind] for kind in kinds])


def _body(fields: ConfigFields, attentions: list[Attention]) -> Body:
    """Layers with these attentions, and MTP layers like the last of them.

    An MTP layer joins the embedding of the next token to the hidden state by one projection
    (DeepSeek-V3 report, arXiv 2412.19437, section 2.2); embedding and head are the model's own.
    """
    one = latent_of(fields)
    hidden = one.hidden
    first = fields.amount("first_k_dense_replace", default=0)
    routed = experts_of(fields)
    dense = FeedForward(gated(hidden, fields.count("intermediate_size")))
    step = fields.count("moe_layer_freq", 1)
    layers = [
        layer(attention, dense if number < first or number % step else routed, 2 * hidden)
        for number, attention in enumerate(attentions)
    ]
    drafts = fields.amount("num_nextn_predict_layers", default=0)
    indexed = max(attentions, key=lambda a: a.parameters)  # GLM-5.2: the draft layer has its own
    draft = layer(indexed, routed, 2 * hidden).parameters + 2 * hidden * hidden + 3 * hidden
    return Body(
        layers=grouped(layers),
        query_heads=one.heads,
        kv_heads=fields.count("num_key_value_heads", one.heads),
        head_dim=one.nope + one.rope,
        norm_parameters=hidden,
        mtp_layers=drafts,
        mtp_parameters=drafts * draft,
    )
