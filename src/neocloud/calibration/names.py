"""Names of models, engines and precisions as measured rows write them, to the catalog's."""

from __future__ import annotations

import re
from functools import cache

from neocloud.calibration.records import RowError
from neocloud.catalog import Catalog

_SUFFIXES = re.compile(
    r"(-(instruct|chat|hf|it|base|nvfp4|fp4|fp8|mxfp4|int4|int8|bf16|awq|gptq|w8a8|kv"
    r"|static|pertensor|dynamic|\d{4}|v0\.\d))+$"
)
_ALIASES = {
    "deepseek-v3.1": "deepseek-v3",
    "deepseek-r1-0528": "deepseek-r1",
    "llama-3.3-70b": "llama-3.1-70b",
    "llama-3-70b": "llama-3.1-70b",
    "llama-3-8b": "llama-3.1-8b",
}
"""Models of one architecture: what differs is training alone."""


def plain_name(name: str) -> str:
    """A model's name without organisation, family prefix, precision and tuning."""
    last = name.replace("__", "/").rsplit("/", 1)[-1].lower().replace("_", "-")
    last = re.sub(r"^meta-", "", last)
    while (shorter := _SUFFIXES.sub("", last)) != last:
        last = shorter
    return _ALIASES.get(last, last)


@cache
def _by_plain_name(names: tuple[str, ...]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name in sorted(names, key=len, reverse=True):
        found[plain_name(name)] = name  # the shortest name of several wins
    return found


def model_of(catalog: Catalog, *names: str) -> str:
    """Catalog name of the first of `names` that the catalog knows.

    Raises:
        RowError: none is known.
    """
    known = _by_plain_name(catalog.architecture_names())
    for name in names:
        if name and plain_name(name) in known:
            return known[plain_name(name)]
    raise RowError(f"the catalog has no model {names[0]!r}; give its config.json as `config`")


_ENGINES = {
    "trt": "trtllm",
    "tensorrt-llm": "trtllm",
    "tensorrt_llm": "trtllm",
    "trtllm": "trtllm",
    "vllm": "vllm",
    "vllm-ascend": "vllm",
    "sglang": "sglang",
    "atom": "atom",
}


def engine_of(name: str) -> tuple[str, str]:
    """(engine, layer that splits prefill from generation): `dynamo-trt` is (`trtllm`, `dynamo`)."""
    layer, _, rest = name.lower().partition("-")
    if layer in {"dynamo", "mori"} and rest:
        return engine_of(rest)[0], layer
    return _ENGINES.get(name.lower(), "other"), ""


_PRECISIONS = {
    "bf16": "bf16",
    "fp16": "bf16",
    "": "bf16",
    "fp8": "fp8",
    "fp8_block": "fp8",
    "fp4": "fp4",
    "nvfp4": "fp4",
    "mxfp4": "mxfp4",
    "int8": "int8",
    "int8-weights": "int8",
    "int4": "int4",
    "int4-weights": "int4",
    "int4_wo": "int4",
}


def precision_of(name: str, model: str) -> str:
    """Number format of weights; gpt-oss is MXFP4 under any label.

    Raises:
        RowError: an unknown name.
    """
    if "gpt-oss" in model:
        return "mxfp4"
    if name.lower() not in _PRECISIONS:
        raise RowError(f"precision {name!r} is not one of {', '.join(filter(None, _PRECISIONS))}")
    return _PRECISIONS[name.lower()]
