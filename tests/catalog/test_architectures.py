"""Architectures are read from a config.json, and odd ones are refused by name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neocloud.catalog import AttentionKind, CatalogError, architecture_of, load_catalog

CATALOG = load_catalog()


def test_sliding_layers_are_told_apart() -> None:
    found = CATALOG.architecture("openai/gpt-oss-120b")
    kinds = {group.attention: group for group in found.layers}
    assert {kind: group.count for kind, group in kinds.items()} == {
        AttentionKind.SLIDING: 18,
        AttentionKind.FULL: 18,
    }
    assert kinds[AttentionKind.SLIDING].window == 128
    assert kinds[AttentionKind.FULL].window == 0
    assert (kinds[AttentionKind.FULL].experts, kinds[AttentionKind.FULL].experts_per_token) == (
        128,
        4,
    )


@pytest.mark.parametrize("name", CATALOG.architecture_names())
def test_every_configuration_of_the_catalog_is_read(name: str) -> None:
    found = CATALOG.architecture(name)
    assert found.name == name
    assert found.query_heads % found.kv_heads == 0
    assert 0 < found.active_parameters <= found.parameters + found.head_parameters
    assert sum(group.count for group in found.layers) == found.layer_count


LLAMA: dict[str, Any] = {
    "model_type": "llama", "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2,
    "num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 100,
    "max_position_embeddings": 512, "tie_word_embeddings": True,
}  # fmt: skip


def test_a_small_model_by_hand() -> None:
    found = architecture_of(LLAMA, "tiny")
    (layers,) = found.layers
    assert layers.count == 2
    assert layers.attention_parameters == 64 * 64 + 2 * 64 * 32 + 64 * 64  # q, k and v, o
    assert layers.dense_parameters == 3 * 64 * 128
    # Two layers with two norms each, the last norm, one embedding for both ends.
    assert found.parameters == 2 * (12_288 + 24_576 + 2 * 64) + 64 + 100 * 64
    assert found.head_dim == 16


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"model_type": "lama"}, "model_type 'lama' cannot be read yet"),
        ({"model_type": None}, "model_type None"),
        ({"model_type": ["llama"]}, "cannot be read yet"),
        ({"hidden_size": None}, "hidden_size is None"),
        ({"hidden_size": "64"}, "hidden_size is '64'"),
        ({"hidden_size": True}, "hidden_size is True"),
        ({"num_hidden_layers": 0}, "num_hidden_layers is 0"),
        ({"num_hidden_layers": 10**9}, "num_hidden_layers is 1000000000"),
        ({"hidden_size": 3}, "head_dim is 0"),
        ({"attention_bias": "no"}, "attention_bias is 'no'"),
        ({"torch_dtype": "int3"}, "dtype 'int3' is not known"),
        ({"torch_dtype": ["bfloat16"]}, "is not known"),
        (
            {"quantization_config": {"quant_method": "bitsandbytes"}},
            "uses 'bitsandbytes'; known are fp8, ",
        ),
        ({"quantization_config": {"quant_method": ["fp8"]}}, "known are"),
        ({"quantization_config": "fp8"}, "quantization_config is not an object"),
        ({"quantization_config": {"quant_method": "fp8", "ignore": "lm_head"}}, "not a list"),
    ],
)
def test_odd_configurations_are_refused_by_name(change: dict[str, Any], told: str) -> None:
    with pytest.raises(CatalogError, match=r"^tiny: ") as caught:
        architecture_of(LLAMA | change, "tiny")
    assert told in str(caught.value)


def test_more_active_experts_than_experts_are_refused() -> None:
    config = {**LLAMA, "model_type": "mixtral", "num_local_experts": 8, "num_experts_per_tok": 2}
    assert architecture_of(config, "x").layers[0].experts_per_token == 2
    with pytest.raises(CatalogError, match="num_experts_per_tok is 9, more than the 8"):
        architecture_of(config | {"num_experts_per_tok": 9}, "x")


def test_layer_types_that_do_not_fit_are_refused() -> None:
    config = {**LLAMA, "model_type": "gpt_oss", "num_local_experts": 4, "num_experts_per_tok": 2,
              "sliding_window": 128}  # fmt: skip
    assert architecture_of(config, "x").layer_count == 2
    for types in (["full_attention"], ["full_attention", "chunked_attention"]):
        with pytest.raises(CatalogError, match="layer_types does not name 2"):
            architecture_of(config | {"layer_types": types}, "x")


values = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 100_000) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=4,
)


@given(
    st.sampled_from(["llama", "qwen3", "qwen3_moe", "mixtral", "gpt_oss"]),
    st.dictionaries(
        st.sampled_from([*LLAMA, "head_dim", "num_experts", "num_local_experts", "sliding_window",
                         "num_experts_per_tok", "moe_intermediate_size", "layer_types", "ignore",
                         "mlp_only_layers", "decoder_sparse_step", "quantization_config",
                         "torch_dtype", "use_sliding_window", "max_window_layers"]),
        values,
    ),
)  # fmt: skip
def test_no_configuration_raises_anything_else(kind: str, change: dict[str, Any]) -> None:
    change["num_hidden_layers"] = 3
    try:
        found = architecture_of({**LLAMA, **change, "model_type": kind}, "any")
    except CatalogError as error:
        assert str(error).startswith("any: ")
    else:
        assert found.parameters > 0


@pytest.mark.parametrize(
    ("content", "told"),
    [(b"{", "is not JSON"), (b"[]", "is not a model configuration"), (b"[" * 10**5, "is not JSON"),
     (b" " * 1_000_001, "over 1,000,000 bytes"), (b"\xff", "is not JSON")],
    ids=["broken", "list", "deep", "large", "binary"],
)  # fmt: skip
def test_files_that_are_no_configuration_are_refused(
    tmp_path: Path, content: bytes, told: str
) -> None:
    (tmp_path / "config.json").write_bytes(content)
    with pytest.raises(CatalogError, match=told):
        CATALOG.architecture("config.json", tmp_path)


def test_a_file_is_read_as_a_catalog_name_is(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(LLAMA))
    assert CATALOG.architecture("config.json", tmp_path).parameters == (
        architecture_of(LLAMA, "config.json").parameters
    )
    absolute = str(tmp_path / "config.json")
    assert CATALOG.architecture(absolute).name == absolute
    with pytest.raises(CatalogError, match="cannot be read"):
        CATALOG.architecture("gone.json", tmp_path)
