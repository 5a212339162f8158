"""Which number format a checkpoint uses where."""

from __future__ import annotations

from typing import Any

import pytest

from neocloud.catalog import BITS_PER_WEIGHT, PRECISIONS, CatalogError, load_catalog
from neocloud.catalog.precisions import Precisions, read_precisions

CATALOG = load_catalog()


@pytest.mark.parametrize(
    ("model", "layers", "attention", "experts", "head"),
    [
        ("meta-llama/Meta-Llama-3.1-8B", "bf16", "bf16", "", "bf16"),
        ("openai/gpt-oss-120b", "mxfp4", "bf16", "", "bf16"),
        ("Qwen/Qwen3-32B-FP8", "fp8", "fp8", "", "bf16"),
        ("Qwen/Qwen3-32B-FP8-Static-PerTensor", "fp8", "fp8", "", "bf16"),
        ("deepseek-ai/DeepSeek-V3", "fp8", "fp8", "", "bf16"),
        ("zai-org/GLM-5.2-FP8", "fp8", "fp8", "", "bf16"),
        ("deepseek-ai/DeepSeek-V4-Pro", "fp8", "fp8", "mxfp4", "bf16"),
        ("moonshotai/Kimi-K2.5", "bf16", "bf16", "int4", "bf16"),
        ("moonshotai/Kimi-K3", "bf16", "bf16", "mxfp4", "bf16"),
    ],
)
def test_precision_of_the_checkpoint(
    model: str, layers: str, attention: str, experts: str, head: str
) -> None:
    found = CATALOG.architecture(model)
    assert found.checkpoint_precision == layers
    assert found.attention_precision == attention
    assert found.expert_precision == experts
    assert found.head_precision == head
    assert found.published_precision == (experts or layers)


def group(**weights: Any) -> dict[str, Any]:
    return {"quant_method": "compressed-tensors", "config_groups": {"g": {"weights": weights}}}


@pytest.mark.parametrize(
    ("quantised", "found"),
    [
        ({"quant_method": "fbgemm_fp8"}, Precisions("fp8", "fp8", "bf16")),
        ({"quant_method": "modelopt", "quant_algo": "NVFP4"}, Precisions("fp4", "fp4", "bf16")),
        ({"quant_method": "gptq", "bits": 8}, Precisions("int8", "int8", "bf16")),
        ({"quant_method": "gptq", "bits": 4, "group_size": 32}, Precisions("int4", "int4", "bf16")),
        (
            {"quant_method": "awq", "bits": 4, "group_size": 128},
            Precisions("int4-g128", "int4-g128", "bf16"),
        ),
        (group(type="float", num_bits=8), Precisions("fp8", "fp8", "bf16")),
        (group(type="float", num_bits=4, group_size=16), Precisions("fp4", "fp4", "bf16")),
        (group(type="int", num_bits=8), Precisions("int8", "int8", "bf16")),
    ],
)
def test_kinds_of_quantisation(quantised: dict[str, Any], found: Precisions) -> None:
    assert read_precisions({"quantization_config": quantised}, "x") == found


@pytest.mark.parametrize(
    ("left_out", "attention"),
    [
        (["lm_head"], "fp4"),
        (["model.layers.*.self_attn"], "bf16"),
        (["re:.*self_attn.*"], "bf16"),
        (["model.layers.0.self_attn*"], "fp4"),  # one layer of four
        ([f"model.layers.{n}.self_attn.q_proj" for n in range(3)], "bf16"),
        ([f"model.layers.{n}.self_attn.q_a_layernorm" for n in range(4)], "fp4"),
        ([f"model.layers.{n}.self_attn.indexer.k_norm" for n in range(4)], "fp4"),
    ],
)
def test_attention_that_is_left_out(left_out: list[str], attention: str) -> None:
    quantised = {"quant_algo": "NVFP4", "exclude_modules": left_out}
    config = {"num_hidden_layers": 4, "quantization_config": quantised}
    assert read_precisions(config, "x") == Precisions("fp4", attention, "bf16")


@pytest.mark.parametrize(
    ("quantised", "told"),
    [
        ({"quant_method": "bitsandbytes"}, "uses 'bitsandbytes'; known are fp8"),
        ({"quant_algo": "W4A16"}, "uses 'W4A16'; known are fp8"),
        ({"quant_method": "gptq", "bits": 3, "group_size": 128}, "3 bits in groups of 128"),
        ({"quant_method": "gptq", "bits": 4, "group_size": -1}, "4 bits in groups of -1"),
        ({"quant_method": "compressed-tensors"}, "has no config_groups"),
        (
            {"quant_method": "compressed-tensors", "config_groups": {"g": 1}},
            "a group of quantization_config has no weights",
        ),
        (group(type="float", num_bits=6), "type 'float', 6 bits"),
        (
            {"quant_method": "compressed-tensors", "config_groups": {
                "a": {"weights": {"type": "int", "num_bits": 8}},
                "b": {"weights": {"type": "float", "num_bits": 8}}}},
            "mixes fp8, int8",
        ),
    ],
)  # fmt: skip
def test_unknown_quantisation_says_what_was_not_understood(
    quantised: dict[str, Any], told: str
) -> None:
    with pytest.raises(CatalogError, match=r"^x: ") as caught:
        read_precisions({"quantization_config": quantised}, "x")
    assert told in str(caught.value)


def test_stored_bits_hold_the_scales() -> None:
    assert set(PRECISIONS) == set(BITS_PER_WEIGHT)
    assert BITS_PER_WEIGHT["fp4"] == 4 + 8 / 16
    assert BITS_PER_WEIGHT["mxfp4"] == 4 + 8 / 32
    assert BITS_PER_WEIGHT["int4"] == 4 + 16 / 32
    assert BITS_PER_WEIGHT["int4-g128"] == 4 + (16 + 4) / 128
