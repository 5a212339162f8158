"""Number formats of weights: those we know, and which of them a checkpoint uses where."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from neocloud.catalog.records import CatalogError

PRECISIONS = ("bf16", "fp8", "mxfp4")
"""Formats of weights that can be planned with. Any 16-bit format counts as bf16: it takes the same
bytes and runs at the same rate."""

_DTYPES = {"bfloat16": "bf16", "float16": "bf16", "float32": "bf16"}  # engines load 32 as 16 bit
_METHODS = {"fp8": "fp8", "mxfp4": "mxfp4"}  # `quant_method` of Transformers
_ALGORITHMS = {"FP8": "fp8"}  # `quant_algo` of ModelOpt


@dataclass(frozen=True, slots=True)
class Precisions:
    """Formats of a checkpoint's parts."""

    layers: str
    attention: str
    head: str


def read_precisions(config: Mapping[str, Any], where: str) -> Precisions:
    """Formats of the layers' weights, the attention projections, and embedding and head.

    Raises:
        CatalogError: the quantisation is of a kind we do not know.
    """
    dtype = config.get("torch_dtype") or config.get("dtype") or "bfloat16"
    if not isinstance(dtype, str) or dtype not in _DTYPES:
        raise CatalogError(
            f"{where}: dtype {dtype!r} is not known; expected one of {', '.join(_DTYPES)}"
        )
    plain = _DTYPES[dtype]
    quantised = config.get("quantization_config")
    if quantised is None:
        return Precisions(plain, plain, plain)
    if not isinstance(quantised, Mapping):
        raise CatalogError(f"{where}: quantization_config is not an object")
    method, algorithm = quantised.get("quant_method"), quantised.get("quant_algo")
    layers = _METHODS.get(str(method)) or _ALGORITHMS.get(str(algorithm))
    if layers is None:
        known = ", ".join([*_METHODS, *_ALGORITHMS])
        raise CatalogError(
            f"{where}: quantization_config uses {method or algorithm!r}; known are {known}"
        )
    left_out = quantised.get("modules_to_not_convert") or quantised.get("ignore") or ()
    if not isinstance(left_out, list | tuple):
        raise CatalogError(f"{where}: the modules that are not quantised are not a list")
    attention_left_out = any("self_attn" in n and "norm" not in n for n in map(str, left_out))
    return Precisions(layers, plain if attention_left_out else layers, plain)
