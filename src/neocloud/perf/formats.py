"""Number formats of weights and cache: bytes stored, and what a product of them is computed in."""

from __future__ import annotations

from neocloud.catalog import Architecture
from neocloud.catalog.precisions import BITS_PER_WEIGHT

BYTES_PER_WEIGHT = {name: bits / 8.0 for name, bits in BITS_PER_WEIGHT.items()}
"""Stored bytes of a weight, scales included."""
BYTES_PER_KV = {"bf16": 2.0, "fp8": 1.0}
STATE_BYTES = 2.0
"""Of a number of a linear layer's state: kept in 16 bits."""
_COMPUTE = {
    "bf16": "bf16",
    "fp8": "fp8",
    "fp4": "fp4",
    "mxfp4": "fp4",
    "int8": "int8",
    "int4": "bf16",
    "int4-g128": "bf16",
}


def compute_format(precision: str) -> str:
    """Format that products of weights stored in `precision` are computed in."""
    return _COMPUTE[precision]


def layer_precisions(architecture: Architecture, precision: str) -> tuple[str, str]:
    """Number formats of (attention and dense, expert) weights for a configured precision.

    A checkpoint's own precision leaves its attention as published. A model with experts in 4 bits
    has only these in 4 bits: the rest fitted near one byte a weight in published results.
    """
    if precision in {architecture.checkpoint_precision, architecture.published_precision}:
        return architecture.attention_precision, architecture.published_precision
    if precision in {"fp4", "mxfp4", "int4", "int4-g128"} and any(
        g.experts for g in architecture.layers
    ):
        return ("fp8" if precision == "fp4" else "bf16"), precision
    return precision, precision
