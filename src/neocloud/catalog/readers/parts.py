"""Parts that the readers build layers of: attention, feed-forward, and what stands around them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from neocloud.catalog.config_fields import ConfigFields
from neocloud.catalog.records import AttentionKind, LayerGroup


@dataclass(frozen=True, slots=True)
class Attention:
    """A layer's attention; the fields mean what they mean in `LayerGroup`, for one layer."""

    parameters: int
    norms: int = 0
    kind: AttentionKind = AttentionKind.FULL
    window: int = 0
    kv_elements: int = 0
    kv_split: int = 1
    kv_stride: int = 1
    recent_tokens: int = 0
    index_elements: int = 0
    state_elements: int = 0
    pair_flops: float = 0.0
    decode_pair_flops: float = 0.0
    index_pair_flops: float = 0.0

    def sliding(self, window: int) -> Attention:
        """The same, reading only the last `window` tokens; the whole past where 0."""
        if not window:
            return self
        return replace(self, kind=AttentionKind.SLIDING, window=window)


@dataclass(frozen=True, slots=True)
class FeedForward:
    """A layer's feed-forward part: dense or shared weights with the router, and routed experts."""

    dense: int
    experts: int = 0
    experts_per_token: int = 0
    expert: int = 0


@dataclass(frozen=True, slots=True)
class Body:
    """What a reader finds: the layers, and what stands beside embedding and head."""

    layers: tuple[LayerGroup, ...]
    query_heads: int
    kv_heads: int
    head_dim: int
    norm_parameters: int
    """Of the norm before the head, with whatever else stands there."""
    mtp_layers: int = 0
    mtp_parameters: int = 0


Reader = Callable[[ConfigFields], Body]
"""Reads the layers of one `model_type`."""


def layer(attention: Attention, feed_forward: FeedForward, norms: int) -> LayerGroup:
    """One layer; `norms` are the scales outside of the attention."""
    return LayerGroup(
        count=1,
        attention=attention.kind,
        window=attention.window,
        attention_parameters=attention.parameters,
        dense_parameters=feed_forward.dense,
        experts=feed_forward.experts,
        experts_per_token=feed_forward.experts_per_token,
        expert_parameters=feed_forward.expert,
        norm_parameters=norms + attention.norms,
        kv_elements=attention.kv_elements,
        kv_split=attention.kv_split,
        kv_stride=attention.kv_stride,
        recent_tokens=attention.recent_tokens,
        index_elements=attention.index_elements,
        state_elements=attention.state_elements,
        pair_flops=attention.pair_flops,
        decode_pair_flops=attention.decode_pair_flops,
        index_pair_flops=attention.index_pair_flops,
    )


def grouped(layers: Iterable[LayerGroup]) -> tuple[LayerGroup, ...]:
    """Equal layers counted together, in order of first appearance."""
    counts = Counter(layers)
    return tuple(replace(one, count=count) for one, count in counts.items())


def gqa_body(fields: ConfigFields, layers: Iterable[LayerGroup]) -> Body:
    """A body of grouped-query attention with one norm before the head."""
    return Body(
        layers=grouped(layers),
        query_heads=fields.count("num_attention_heads"),
        kv_heads=kv_heads(fields),
        head_dim=head_dim(fields),
        norm_parameters=fields.count("hidden_size"),
    )


def kv_heads(fields: ConfigFields) -> int:
    """KV heads: as many as query heads where the field is missing."""
    return fields.count("num_key_value_heads", fields.count("num_attention_heads"))


def head_dim(fields: ConfigFields) -> int:
    """Width of a head: the hidden width shared out where the field is missing."""
    return fields.count(
        "head_dim", fields.count("hidden_size") // fields.count("num_attention_heads")
    )


def projections(
    hidden: int, heads: int, kv: int, key: int, value: int, *, bias: bool = False, out: bool = False
) -> int:
    """Weights of the query, key, value and output projections of grouped-query attention.

    Args:
        hidden: width of the model.
        heads: query heads.
        kv: KV heads.
        key: width of a query or key head.
        value: width of a value head.
        bias: the first three have biases.
        out: the output projection has a bias.
    """
    inward = heads * key + kv * (key + value)
    return hidden * (inward + heads * value) + bias * inward + out * hidden


def pair_flops(heads: int, key: int, value: int) -> float:
    """FLOPs of one pair: a query head's product with a key, and the weighted sum of a value."""
    return 2.0 * heads * (key + value)


def gqa(
    fields: ConfigFields, *, bias: bool = False, output_bias: bool = False, norms: int = 0
) -> Attention:
    """Grouped-query attention over the whole past, keys and values of equal width."""
    heads, kv, width = fields.count("num_attention_heads"), kv_heads(fields), head_dim(fields)
    pair = pair_flops(heads, width, width)
    return Attention(
        parameters=projections(
            fields.count("hidden_size"), heads, kv, width, width, bias=bias, out=output_bias
        ),
        norms=norms,
        kv_elements=2 * kv * width,
        kv_split=kv,
        pair_flops=pair,
        decode_pair_flops=pair,
    )


def gated(hidden: int, inner: int, *, bias: bool = False) -> int:
    """Weights of a gated feed-forward part: gate, up and down projection."""
    return 3 * hidden * inner + bias * (2 * inner + hidden)


def at_most(fields: ConfigFields, name: str, limit: int) -> int:
    """How many experts a token visits: no more than there are."""
    value = fields.count(name)
    if value > limit:
        raise fields.refuse(f"{name} is {value}, more than the {limit} experts there are")
    return value


def pick(fields: ConfigFields, name: str, kinds: Sequence[str], known: Sequence[str]) -> None:
    """Refuse a list of layer kinds that does not name each layer by a known kind."""
    layers = fields.layers()
    if len(kinds) != layers or set(kinds) - set(known):
        raise fields.refuse(f"{name} does not name {layers} layers as {' or '.join(known)}")
