"""Reading a model's own `config.json`: one reader a `model_type`.

A reader knows how the publisher's code builds its layers, so that counts of weights are exact, not
estimates; `tests/catalog` holds them against the publishers' own counts. A `model_type` without a
reader is refused: a guess would be wrong where it matters, in attention and experts.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from neocloud.catalog.config_fields import ConfigFields
from neocloud.catalog.precisions import read_precisions
from neocloud.catalog.records import Architecture, AttentionKind, CatalogError, LayerGroup
from neocloud.catalog.tables import nearest

MAX_CONFIG_BYTES = 1_000_000
"""A config.json is some kilobytes; what is larger is something else."""


def read_config(path: Path, name: str) -> Architecture:
    """Read a `config.json`.

    Args:
        path: the file.
        name: how the model is called in messages and plans.

    Raises:
        CatalogError: the file cannot be read, is not such a configuration, or is of a kind that
            we have no reader for.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_CONFIG_BYTES + 1)
    except OSError as error:
        raise CatalogError(f"{name}: cannot be read ({error.strerror})") from None
    except ValueError:  # a NUL in the path
        raise CatalogError(f"{name!r}: is no path") from None
    if len(raw) > MAX_CONFIG_BYTES:
        raise CatalogError(f"{name}: over {MAX_CONFIG_BYTES:,} bytes: not a config.json")
    try:
        config = json.loads(raw)
    except (ValueError, RecursionError):
        raise CatalogError(f"{name}: is not JSON") from None
    if not isinstance(config, dict):
        raise CatalogError(f"{name}: is not a model configuration (a JSON object)")
    return architecture_of(config, name)


def architecture_of(config: Mapping[str, Any], name: str) -> Architecture:
    """Architecture that a configuration describes.

    Raises:
        CatalogError: `model_type` has no reader, or a field is missing or odd.
    """
    kind = config.get("model_type")
    reader = READERS.get(kind) if isinstance(kind, str) else None
    if reader is None:
        raise CatalogError(
            f"{name}: model_type {kind!r} cannot be read yet; supported: {', '.join(READERS)}",
            nearest(str(kind), tuple(READERS)),
        )
    fields = ConfigFields(config, name)
    precisions = read_precisions(config, name)
    hidden, vocabulary = fields.count("hidden_size"), fields.count("vocab_size")
    return Architecture(
        name=name,
        model_type=str(kind),
        hidden=hidden,
        layers=_grouped(_with_cache(reader(fields), fields)),
        query_heads=fields.count("num_attention_heads"),
        kv_heads=_kv_heads(fields),
        head_dim=_head_dim(fields),
        vocabulary=vocabulary,
        embedding_parameters=vocabulary * hidden,
        head_parameters=vocabulary * hidden,
        tied=fields.flag("tie_word_embeddings", default=False),
        max_context=fields.count("max_position_embeddings"),
        checkpoint_precision=precisions.layers,
        attention_precision=precisions.attention,
        head_precision=precisions.head,
        norm_parameters=hidden,
    )


def _with_cache(layers: Iterable[LayerGroup], fields: ConfigFields) -> Iterable[LayerGroup]:
    """Grouped-query attention: keys and values of each KV head; two products a pair and head."""
    pair = 4.0 * fields.count("num_attention_heads") * _head_dim(fields)
    for layer in layers:
        yield replace(
            layer,
            kv_elements=2 * _kv_heads(fields) * _head_dim(fields),
            kv_split=_kv_heads(fields),
            pair_flops=pair,
            decode_pair_flops=pair,
        )


def _grouped(layers: Iterable[LayerGroup]) -> tuple[LayerGroup, ...]:
    """Equal layers counted together, in order of first appearance."""
    counts = Counter(layers)
    return tuple(replace(layer, count=count) for layer, count in counts.items())


def _kv_heads(fields: ConfigFields) -> int:
    return fields.count("num_key_value_heads", fields.count("num_attention_heads"))


def _head_dim(fields: ConfigFields) -> int:
    return fields.count(
        "head_dim", fields.count("hidden_size") // fields.count("num_attention_heads")
    )


def _attention(fields: ConfigFields, *, input_bias: bool, output_bias: bool) -> int:
    """Weights of the query, key, value and output projections of grouped-query attention."""
    hidden, width = fields.count("hidden_size"), _head_dim(fields)
    queries = fields.count("num_attention_heads") * width
    keys_and_values = 2 * _kv_heads(fields) * width
    weights = hidden * (queries + keys_and_values) + queries * hidden
    return weights + input_bias * (queries + keys_and_values) + output_bias * hidden


def _gated(hidden: int, inner: int, *, bias: bool) -> int:
    """Weights of a gated feed-forward part: gate, up and down projection."""
    return 3 * hidden * inner + bias * (2 * inner + hidden)


def _window(fields: ConfigFields, layer: int) -> int:
    """Window of a layer where only the upper layers slide (Qwen); 0 for full attention."""
    if not fields.flag("use_sliding_window", default=False):
        return 0
    sliding = layer >= fields.count("max_window_layers")
    return fields.count("sliding_window") if sliding else 0


def _layer(
    window: int,
    attention: int,
    norms: int,
    *,
    dense: int = 0,
    experts: int = 0,
    experts_per_token: int = 0,
    expert: int = 0,
) -> LayerGroup:
    return LayerGroup(
        count=1,
        attention=AttentionKind.SLIDING if window else AttentionKind.FULL,
        window=window,
        attention_parameters=attention,
        dense_parameters=dense,
        experts=experts,
        experts_per_token=experts_per_token,
        expert_parameters=expert,
        norm_parameters=norms,
    )


def _llama(fields: ConfigFields) -> Iterable[LayerGroup]:
    """Llama 1 to 3: dense, full attention."""
    hidden = fields.count("hidden_size")
    bias = fields.flag("attention_bias", default=False)
    layer = _layer(
        0,
        _attention(fields, input_bias=bias, output_bias=bias),
        2 * hidden,
        dense=_gated(
            hidden, fields.count("intermediate_size"), bias=fields.flag("mlp_bias", default=False)
        ),
    )
    return [layer] * fields.layers()


def _qwen3(fields: ConfigFields) -> Iterable[LayerGroup]:
    """Qwen3 dense: norms on queries and keys."""
    hidden = fields.count("hidden_size")
    bias = fields.flag("attention_bias", default=False)
    attention = _attention(fields, input_bias=bias, output_bias=bias)
    norms = 2 * hidden + 2 * _head_dim(fields)
    dense = _gated(hidden, fields.count("intermediate_size"), bias=False)
    for number in range(fields.layers()):
        yield _layer(_window(fields, number), attention, norms, dense=dense)


def _mixtral(fields: ConfigFields) -> Iterable[LayerGroup]:
    """Mixtral: experts in every layer; where `sliding_window` is set, every layer slides."""
    hidden, experts = fields.count("hidden_size"), fields.count("num_local_experts")
    window = fields.count("sliding_window") if fields.has("sliding_window") else 0
    layer = _layer(
        window,
        _attention(fields, input_bias=False, output_bias=False),
        2 * hidden,
        dense=hidden * experts,
        experts=experts,
        experts_per_token=_at_most(fields, "num_experts_per_tok", experts),
        expert=_gated(hidden, fields.count("intermediate_size"), bias=False),
    )
    return [layer] * fields.layers()


def _qwen3_moe(fields: ConfigFields) -> Iterable[LayerGroup]:
    """Qwen3 with experts: every `decoder_sparse_step`-th layer but `mlp_only_layers`."""
    hidden, experts = fields.count("hidden_size"), fields.count("num_experts")
    bias = fields.flag("attention_bias", default=False)
    attention = _attention(fields, input_bias=bias, output_bias=bias)
    norms = 2 * hidden + 2 * _head_dim(fields)
    step, only_dense = fields.count("decoder_sparse_step", 1), fields.numbers("mlp_only_layers")
    for number in range(fields.layers()):
        window = _window(fields, number)
        if number in only_dense or (number + 1) % step:
            dense = _gated(hidden, fields.count("intermediate_size"), bias=False)
            yield _layer(window, attention, norms, dense=dense)
            continue
        yield _layer(
            window,
            attention,
            norms,
            dense=hidden * experts,
            experts=experts,
            experts_per_token=_at_most(fields, "num_experts_per_tok", experts),
            expert=_gated(hidden, fields.count("moe_intermediate_size"), bias=False),
        )


def _gpt_oss(fields: ConfigFields) -> Iterable[LayerGroup]:
    """gpt-oss: sliding and full layers in turn, biases everywhere, one sink a query head."""
    hidden, experts = fields.count("hidden_size"), fields.count("num_local_experts")
    bias = fields.flag("attention_bias", default=True)
    attention = _attention(fields, input_bias=bias, output_bias=bias)
    norms = 2 * hidden + fields.count("num_attention_heads")
    layers = fields.layers()
    kinds = fields.names("layer_types") or ("sliding_attention", "full_attention") * (layers // 2)
    if len(kinds) != layers or set(kinds) - {"sliding_attention", "full_attention"}:
        raise fields.refuse(f"layer_types does not name {layers} sliding or full layers")
    for kind in kinds:
        yield _layer(
            fields.count("sliding_window") if kind == "sliding_attention" else 0,
            attention,
            norms,
            dense=(hidden + 1) * experts,
            experts=experts,
            experts_per_token=_at_most(fields, "num_experts_per_tok", experts),
            expert=_gated(hidden, fields.count("intermediate_size"), bias=True),
        )


def _at_most(fields: ConfigFields, name: str, limit: int) -> int:
    value = fields.count(name)
    if value > limit:
        raise fields.refuse(f"{name} is {value}, more than the {limit} experts there are")
    return value


READERS: Mapping[str, Callable[[ConfigFields], Iterable[LayerGroup]]] = {
    "llama": _llama,
    "qwen3": _qwen3,
    "qwen3_moe": _qwen3_moe,
    "mixtral": _mixtral,
    "gpt_oss": _gpt_oss,
}
"""One reader a `model_type`: the layers of a configuration, one by one."""
