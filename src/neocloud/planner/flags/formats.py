"""Number formats and blocks as the engines' kernels take them, by model family."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from neocloud.catalog import Architecture
from neocloud.perf import Configuration
from neocloud.planner.flags.records import LaunchError

_BLOCK_UNIT: Mapping[str, int] = MappingProxyType({
    "deepseek_v3": 64,
    "deepseek_v32": 64,
    "glm_moe_dsa": 64,
    "kimi_k2": 64,
    "kimi_k25": 64,
    "kimi_k3": 64,
    "minimax_m3": 128,
    "deepseek_v4": 256,
})  # fmt: skip
"""Tokens that the KV blocks of a family come in, by `model_type`.

vLLM 0.33.0, `get_supported_kernel_block_sizes`: FlashMLA 64, FlashInfer's MLA 32 or 64, sparse
indexer 64 (`v1/attention/backends/mla`), MiniMax M3 128, DeepSeek V4's indexer 256. A smaller
`--block-size` shuts these kernels out and a slow one is taken. SGLang 0.5.23 sets the same sizes
by itself (`arg_groups/overrides.py`, `arg_groups/model_overrides`)."""

FP8_CACHE_ONLY = frozenset({"deepseek_v4"})
"""Families with no other KV cache: vLLM 0.33.0 `models/deepseek_v4/attention.py`, SGLang 0.5.23
`arg_groups/deepseek_v4_hook.py` (asserts `auto` or `fp8_e4m3`)."""

FP8_CACHE_BY_DEFAULT = frozenset({"deepseek_v32", "glm_moe_dsa"})
"""Families whose cache is FP8 on some accelerators unless told otherwise: vLLM 0.33.0
`config/cache.py`, `model_executor/models/config.py`."""

MTP: Mapping[str, Mapping[str, bool]] = MappingProxyType({
    "vllm": MappingProxyType({
        "deepseek_v3": True,
        "deepseek_v32": True,
        "glm_moe_dsa": True,
        "qwen3_5": True,
        "qwen3_5_moe": True,
        "deepseek_v4": False,
        "step3p7": False,
    }),
    "sglang": MappingProxyType({
        "deepseek_v3": False,
        "deepseek_v32": False,
        "glm_moe_dsa": False,
        "qwen3_5": False,
        "qwen3_5_moe": False,
        "deepseek_v4": False,
        "step3p7": False,
    }),
})  # fmt: skip
"""Families whose own layers draft, by engine and `model_type`; True where that goes together with
pipeline parallelism.

vLLM 0.33.0: `config/speculative.py` (`hf_config_override`), and whether the draft model is one that
`SupportsPP`. SGLang 0.5.23: `configs/model_config.py` (`_config_draft_model`), and
`arg_groups/validation_hook.py`, which refuses stages outside of prefill."""

_ONLINE: Mapping[tuple[str, str], str] = MappingProxyType({
    ("vllm", "fp8"): "fp8_per_tensor",
    ("vllm", "mxfp4"): "mxfp4",
    ("sglang", "fp8"): "fp8",
})  # fmt: skip
"""`--quantization` that converts all 16-bit weights while loading, by engine and planned format:
vLLM 0.33.0 `config/quantization.py`, SGLang 0.5.23 `arg_groups/choices.py`. Their NVFP4 converters
leave the dense layers in 16 bits and vLLM's INT8 computes in 16 bits, which is not what was
planned."""


def block_tokens(architecture: Architecture, configuration: Configuration) -> int:
    """Tokens of a KV block: those planned, in whole units of the family's kernels."""
    unit = _BLOCK_UNIT.get(architecture.model_type, 1)
    return -(-configuration.block_tokens // unit) * unit


def online_quantization(
    engine: str, architecture: Architecture, configuration: Configuration
) -> tuple[str, str]:
    """(Value of `--quantization` or empty, note or empty) for the planned format of the weights.

    Empty where the checkpoint is in that format already: the engine reads it from `config.json`.
    """
    published, planned = architecture.published_precision, configuration.precision
    if planned in {published, architecture.checkpoint_precision}:
        return "", ""
    method = _ONLINE.get((engine, planned), "") if published == "bf16" else ""
    if method:
        return method, ""
    return "", (
        f"the plan is for weights in {planned}, and {architecture.name} has {published}: "
        f"start from a checkpoint in {planned}"
    )


def check_drafts(engine: str, architecture: Architecture, configuration: Configuration) -> None:
    """Raise `LaunchError` where the engine cannot draft as planned."""
    if not configuration.drafts:
        return
    family = architecture.model_type
    if family not in MTP[engine]:
        raise LaunchError(f"{engine} drafts no tokens with {architecture.name}'s own layers")
    if configuration.pp > 1 and not MTP[engine][family]:
        raise LaunchError(
            f"{engine} drafts no tokens for {architecture.name} with {configuration.pp} stages"
        )
