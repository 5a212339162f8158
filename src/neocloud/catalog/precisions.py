"""Number formats of weights: those we know, and which of them a checkpoint uses where."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from neocloud.catalog.records import CatalogError

BITS_PER_WEIGHT: Mapping[str, float] = MappingProxyType({
    "bf16": 16.0,
    "fp8": 8.0,  # scales of 128 x 128 blocks or whole tensors: under 0.01 bit
    "fp4": 4.5,  # NVFP4: 4 bits, an 8-bit scale for 16 weights
    "mxfp4": 4.25,  # OCP MX 1.0: 4 bits, an 8-bit scale for 32 weights
    "int8": 8.0,
    "int4": 4.5,  # weights only: 4 bits, a 16-bit scale for 32 weights
    "int4-g128": 4.15625,  # weights only: a 16-bit scale and a 4-bit zero point for 128 weights
})  # fmt: skip
"""Stored bits of a weight by format, with the scales of its group."""

PRECISIONS = tuple(BITS_PER_WEIGHT)
"""Formats of weights that can be planned with. Any 16-bit format counts as bf16: it takes the same
bytes and runs at the same rate."""

_DTYPES = {"bfloat16": "bf16", "float16": "bf16", "float32": "bf16"}  # engines load 32 as 16 bit
_METHODS = {"fp8": "fp8", "fbgemm_fp8": "fp8", "mxfp4": "mxfp4"}  # `quant_method`, Transformers
_PACKED = ("gptq", "awq", "auto-round")  # `quant_method`s that state bits and group size
_ALGORITHMS = {"FP8": "fp8", "NVFP4": "fp4"}  # `quant_algo` of ModelOpt
_EXPERT_DTYPES = {"fp4": "mxfp4"}  # `expert_dtype` of DeepSeek V4
_KNOWN = ", ".join([*_METHODS, *_PACKED, "compressed-tensors", *_ALGORITHMS])


@dataclass(frozen=True, slots=True)
class Precisions:
    """Formats of a checkpoint's parts; `experts` is empty where it is that of `layers`."""

    layers: str
    attention: str
    head: str
    experts: str = ""


def read_precisions(config: Mapping[str, Any], where: str) -> Precisions:
    """Formats of the layers' weights, attention projections, routed experts, embedding and head.

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
    weights = _format(quantised, where)
    left_out = _left_out(quantised, where)
    layers = plain if any(map(_is_dense, left_out)) else weights
    attention = plain if _mostly(filter(_is_attention, left_out), config) else layers
    experts = _experts(config, weights, where)
    return Precisions(layers, attention, plain, experts if experts != layers else "")


def _experts(config: Mapping[str, Any], weights: str, where: str) -> str:
    """Format of routed experts: the checkpoint's, unless `expert_dtype` sets them apart."""
    dtype = config.get("expert_dtype")
    if dtype is None:
        return weights
    if not isinstance(dtype, str) or dtype not in _EXPERT_DTYPES:
        raise CatalogError(
            f"{where}: expert_dtype {dtype!r} is not known; known are {', '.join(_EXPERT_DTYPES)}"
        )
    return _EXPERT_DTYPES[dtype]


def _format(quantised: Mapping[str, Any], where: str) -> str:
    """Format of what is quantised."""
    method, algorithm = str(quantised.get("quant_method")), str(quantised.get("quant_algo"))
    found = _METHODS.get(method) or _ALGORITHMS.get(algorithm)
    if found:
        return found
    if method in _PACKED:
        return _integer(quantised.get("bits"), quantised.get("group_size"), where)
    if method == "compressed-tensors":
        return _compressed(quantised, where)
    asked = quantised.get("quant_method") or quantised.get("quant_algo")
    raise CatalogError(f"{where}: quantization_config uses {asked!r}; known are {_KNOWN}")


def _integer(bits: object, group: object, where: str) -> str:
    if bits == 8:
        return "int8"
    if bits == 4 and isinstance(group, int) and group in (32, 64, 128):
        return "int4" if group < 128 else "int4-g128"
    raise CatalogError(
        f"{where}: quantization_config has weights of {bits!r} bits in groups of {group!r}; "
        "known are 8 bits, and 4 bits in groups of 32, 64 or 128"
    )


def _compressed(quantised: Mapping[str, Any], where: str) -> str:
    """Format that the `config_groups` of compressed-tensors state; they must agree."""
    groups = quantised.get("config_groups")
    if not isinstance(groups, Mapping) or not groups:
        raise CatalogError(f"{where}: quantization_config has no config_groups")
    found = {_group(group, where) for group in groups.values()}
    if len(found) > 1:
        raise CatalogError(
            f"{where}: quantization_config mixes {', '.join(sorted(found))}, "
            "which is not supported yet"
        )
    return found.pop()


def _group(group: object, where: str) -> str:
    weights = group.get("weights") if isinstance(group, Mapping) else None
    if not isinstance(weights, Mapping):
        raise CatalogError(f"{where}: a group of quantization_config has no weights")
    kind, bits, size = weights.get("type"), weights.get("num_bits"), weights.get("group_size")
    if kind == "int":
        return _integer(bits, size, where)
    if kind == "float" and bits == 8:
        return "fp8"
    if kind == "float" and bits == 4 and size in (16, 32):
        return "fp4" if size == 16 else "mxfp4"
    raise CatalogError(
        f"{where}: quantization_config has weights of type {kind!r}, {bits!r} bits, in groups of "
        f"{size!r}; known are int, float of 8 bits, and float of 4 bits in groups of 16 or 32"
    )


def _left_out(quantised: Mapping[str, Any], where: str) -> tuple[str, ...]:
    """Names (or patterns) of the modules that are not quantised."""
    for field in ("modules_to_not_convert", "ignore", "exclude_modules", "ignored_layers"):
        listed = quantised.get(field)
        if listed:
            if not isinstance(listed, list | tuple):
                raise CatalogError(f"{where}: the modules that are not quantised are not a list")
            return tuple(map(str, listed))
    return ()


_ATTENTION = re.compile(r"self_attn[.*\\$]*$|self_attn\.(?:q|k|v|o|qkv|q_a|q_b|kv_b)_proj")
_LAYER = re.compile(r"layers\.(\d{1,5})\.")


def _is_attention(name: str) -> bool:
    """True for the whole attention or one of its large projections, not a norm or an indexer."""
    return _ATTENTION.search(name) is not None


def _is_dense(name: str) -> bool:
    """True for shared experts: where these are left out, only routed experts are quantised."""
    return "shared_expert" in name and "shared_expert_gate" not in name


def _mostly(names: Iterable[str], config: Mapping[str, Any]) -> bool:
    """True where the names speak of layers in general, or of more than half of them by number."""
    numbers = set()
    for name in names:
        numbered = _LAYER.search(name)
        if numbered is None:
            return True
        numbers.add(numbered[1])
    layers = config.get("num_hidden_layers")
    return isinstance(layers, int) and 2 * len(numbers) > layers
