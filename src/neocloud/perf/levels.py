"""Keys of a configuration in the fit: what its constants vary with."""

from __future__ import annotations

from neocloud.catalog import Accelerator, Architecture, AttentionKind
from neocloud.perf.constants import Levels
from neocloud.perf.formats import compute_format, layer_precisions
from neocloud.perf.records import Configuration

EPOCH = 2026.25
"""Year, with its fraction, that engines' ages count from."""


def shape_of(architecture: Architecture) -> str:
    """Key of a model in the fit: models of one shape run alike, whatever they were trained on."""
    return f"{architecture.model_type}-{architecture.layer_count}x{architecture.hidden}"


def kind_of(architecture: Architecture) -> str:
    """What kernels a model needs most: for models of a shape not seen before."""
    layers = architecture.layers
    if any(g.attention is AttentionKind.LINEAR for g in layers):
        return "linear"
    if any(
        g.decode_pair_flops != g.pair_flops or g.attention is AttentionKind.SPARSE for g in layers
    ):
        return "latent"
    return "moe" if any(g.experts for g in layers) else "dense"


def levels_of(
    architecture: Architecture,
    accelerator: Accelerator,
    configuration: Configuration,
    *,
    layer: str = "",
    release: str = "",
    age: float = 0.0,
) -> Levels:
    """Keys of a configuration.

    Args:
        architecture: the model.
        accelerator: what it runs on.
        configuration: how it runs.
        layer: what splits prefill from generation: `dynamo`, `mori` or nothing.
        release: engine and version where known.
        age: years since `EPOCH`, negative before.
    """
    dense, expert = layer_precisions(architecture, configuration.precision)
    routed = any(g.experts for g in architecture.layers)

    def computed(precision: str) -> str:
        found = compute_format(precision)
        figure = accelerator.flops.get(found)
        return found if figure is not None and figure.value is not None else "bf16"

    return Levels(
        maker=accelerator.maker,
        generation=accelerator.generation,
        accelerator=accelerator.key,
        engine=configuration.engine,
        layer=layer,
        release=release,
        dense_format=computed(dense),
        expert_format=computed(expert) if routed else computed(dense),
        model=shape_of(architecture),
        kind=kind_of(architecture),
        age=age,
    )
