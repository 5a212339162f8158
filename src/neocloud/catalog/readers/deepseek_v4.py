"""DeepSeek V4: compressed attention and hyper-connections (report: arXiv 2606.19348).

Each layer keeps one vector a token that is key and value of all heads. `compress_ratios` says how
a layer sees the past beyond the last `sliding_window` tokens: 0, not at all; 4, entries of four
tokens each, of which an indexer picks the best `index_topk`; 128, entries of 128 tokens, all read.
The residual stream runs `hc_mult` times side by side, mixed before and after each part.
"""

from __future__ import annotations

from dataclasses import replace

from neocloud.catalog.config_fields import ConfigFields
from neocloud.catalog.readers.deepseek import experts_of
from neocloud.catalog.readers.parts import Attention, Body, grouped, layer, pair_flops
from neocloud.catalog.records import AttentionKind

INDEXED_STRIDE = 4
"""The compression at which an indexer chooses and windows of tokens overlap."""


def deepseek_v4(fields: ConfigFields) -> Body:
    """DeepSeek V4 Flash and Pro: experts in every layer."""
    hidden, layers = fields.count("hidden_size"), fields.layers()
    drafts = fields.amount("num_nextn_predict_layers", default=0, most=100)
    strides = fields.series("compress_ratios")
    if len(strides) not in (layers, layers + drafts):
        raise fields.refuse(
            f"compress_ratios has {len(strides)} entries for {layers} layers and {drafts} drafts"
        )
    routed = experts_of(fields)
    hashed = replace(routed, dense=routed.dense - routed.experts)  # a table routes: no biases
    streams = fields.count("hc_mult", most=1000)
    norms = 2 * hidden + 2 * _mixer(hidden, streams)
    by_table = fields.amount("num_hash_layers", default=0)
    kept = {stride: _attention(fields, stride) for stride in set(strides)}
    draft = layer(_attention(fields, 0), routed, norms).parameters
    collapse = streams * streams * hidden + streams + 1
    return Body(
        layers=grouped(
            layer(kept[stride], hashed if number < by_table else routed, norms)
            for number, stride in enumerate(strides[:layers])
        ),
        query_heads=fields.count("num_attention_heads"),
        kv_heads=1,
        head_dim=fields.count("head_dim"),
        norm_parameters=hidden + collapse,
        mtp_layers=drafts,
        mtp_parameters=drafts * (draft + 2 * hidden * hidden + 3 * hidden + collapse),
    )


def _mixer(hidden: int, streams: int) -> int:
    """Weights that mix the streams around one part of a layer."""
    mixes = (2 + streams) * streams
    return mixes * streams * hidden + mixes + 3


def _attention(fields: ConfigFields, stride: int) -> Attention:
    hidden, heads = fields.count("hidden_size"), fields.count("num_attention_heads")
    width, rank = fields.count("head_dim"), fields.count("q_lora_rank")
    out_rank, groups = fields.count("o_lora_rank"), fields.count("o_groups")
    if heads % groups:
        raise fields.refuse(f"o_groups is {groups}, which does not divide {heads} heads")
    pair = pair_flops(heads, width, width)
    recent = fields.count("sliding_window")
    local = Attention(
        parameters=rank * (hidden + heads * width)
        + hidden * width
        + heads * width * out_rank
        + groups * out_rank * hidden,
        norms=rank + width + heads,
        kind=AttentionKind.SLIDING,
        window=recent,
        kv_elements=width,
        pair_flops=pair,
        decode_pair_flops=pair,
    )
    if not stride:
        return local
    if stride != INDEXED_STRIDE:
        return replace(
            local,
            kind=AttentionKind.FULL,
            window=0,
            kv_stride=stride,
            recent_tokens=recent,
            parameters=local.parameters + _compressor(hidden, width, stride),
            norms=local.norms + width,
        )
    index_heads, index_width = fields.count("index_n_heads"), fields.count("index_head_dim")
    return replace(
        local,
        kind=AttentionKind.SPARSE,
        window=fields.count("index_topk"),
        kv_stride=stride,
        recent_tokens=recent,
        parameters=local.parameters
        + _compressor(hidden, 2 * width, stride)
        + _compressor(hidden, 2 * index_width, stride)
        + rank * index_heads * index_width
        + hidden * index_heads,
        norms=local.norms + width + index_width,
        index_elements=index_width // stride,
        index_pair_flops=2.0 * index_heads * index_width / stride,
    )


def _compressor(hidden: int, width: int, stride: int) -> int:
    """Weights that make one entry of `stride` tokens: values, gates, a bias a place."""
    return 2 * hidden * width + stride * width
