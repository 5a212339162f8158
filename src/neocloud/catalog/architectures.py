"""Reading a model's own `config.json`: one reader a `model_type`, in `readers`.

A reader knows how the publisher's code builds its layers, so that counts of weights are exact, not
estimates; `tests/catalog` holds them against the publishers' own counts. A `model_type` without a
reader is refused: a guess would be wrong where it matters, in attention and experts.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from neocloud.catalog.config_fields import ConfigFields
from neocloud.catalog.precisions import read_precisions
from neocloud.catalog.readers import READERS
from neocloud.catalog.records import Architecture, CatalogError
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

    Of a model that also sees or hears, the text part alone: what stands in `text_config`. Its
    towers run once a picture, are small beside the text model, and are not counted.

    Raises:
        CatalogError: `model_type` has no reader, or a field is missing or odd.
    """
    text = _text_part(config, name)
    kind = text.get("model_type")
    reader = READERS.get(kind) if isinstance(kind, str) else None
    if reader is None:
        raise CatalogError(
            f"{name}: model_type {kind!r} cannot be read yet; supported: {', '.join(READERS)}",
            nearest(str(kind), tuple(READERS)),
        )
    fields = ConfigFields(text, name)
    precisions = read_precisions(text, name)
    hidden, vocabulary = fields.count("hidden_size"), fields.count("vocab_size")
    body = reader(fields)
    return Architecture(
        name=name,
        model_type=str(config["model_type"]),
        hidden=hidden,
        layers=body.layers,
        query_heads=body.query_heads,
        kv_heads=body.kv_heads,
        head_dim=body.head_dim,
        vocabulary=vocabulary,
        embedding_parameters=vocabulary * hidden,
        head_parameters=vocabulary * hidden,
        tied=fields.flag("tie_word_embeddings", default=False),
        max_context=fields.count("max_position_embeddings"),
        checkpoint_precision=precisions.layers,
        attention_precision=precisions.attention,
        head_precision=precisions.head,
        norm_parameters=body.norm_parameters,
        expert_precision=precisions.experts,
        mtp_layers=body.mtp_layers,
        mtp_parameters=body.mtp_parameters,
    )


OUTER_FIELDS = ("tie_word_embeddings", "torch_dtype", "dtype", "quantization_config")
"""Fields that a wrapper may state outside of its `text_config` for the text model too."""


def _text_part(config: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """The configuration of the text model: the whole, or a wrapper's `text_config`."""
    inner = config.get("text_config")
    if inner is None:
        return config
    if not isinstance(inner, Mapping):
        raise CatalogError(f"{name}: text_config is not an object")
    if not isinstance(config.get("model_type"), str):
        raise CatalogError(f"{name}: model_type {config.get('model_type')!r} is not a name")
    outer = {field: config[field] for field in OUTER_FIELDS if config.get(field) is not None}
    return outer | {field: value for field, value in inner.items() if value is not None}
