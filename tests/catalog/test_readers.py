"""Each family's mechanisms are read as its makers build them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neocloud.catalog import AttentionKind, CatalogError, architecture_of, load_catalog
from neocloud.catalog.readers import READERS
from neocloud.catalog.records import Architecture
from neocloud.catalog.tables import DATA

CATALOG = load_catalog()
CONFIGS: dict[str, dict[str, Any]] = {
    path.stem.replace("__", "/"): json.loads(path.read_text())
    for path in sorted((DATA / "configs").glob("*.json"))
}


def kinds(model: str) -> dict[AttentionKind, int]:
    found: dict[AttentionKind, int] = {}
    for group in CATALOG.architecture(model).layers:
        found[group.attention] = found.get(group.attention, 0) + group.count
    return found


def changed(model: str, **change: Any) -> Architecture:
    return architecture_of(CONFIGS[model] | change, "x")


FULL, SLIDING = AttentionKind.FULL, AttentionKind.SLIDING
SPARSE, LINEAR = AttentionKind.SPARSE, AttentionKind.LINEAR


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("deepseek-ai/DeepSeek-V3", {FULL: 61}),
        ("deepseek-ai/DeepSeek-V3.2", {SPARSE: 61}),
        ("deepseek-ai/DeepSeek-V4-Flash", {SLIDING: 2, SPARSE: 21, FULL: 20}),
        ("deepseek-ai/DeepSeek-V4-Pro", {SPARSE: 30, FULL: 31}),
        ("zai-org/GLM-5", {SPARSE: 78}),
        ("moonshotai/Kimi-K3", {LINEAR: 69, FULL: 24}),
        ("Qwen/Qwen3.5-397B-A17B", {LINEAR: 45, FULL: 15}),
        ("google/gemma-4-26B-A4B", {SLIDING: 25, FULL: 5}),
        ("XiaomiMiMo/MiMo-V2-Flash", {SLIDING: 39, FULL: 9}),
        ("MiniMaxAI/MiniMax-M2.5", {FULL: 62}),
        ("MiniMaxAI/MiniMax-M3", {FULL: 3, SPARSE: 57}),
        ("meta-llama/Llama-4-Scout-17B-16E-Instruct", {SLIDING: 36, FULL: 12}),
        ("mistralai/Mistral-7B-v0.1", {SLIDING: 32}),
    ],
)
def test_attention_of_each_layer(model: str, expected: dict[AttentionKind, int]) -> None:
    assert kinds(model) == expected


@pytest.mark.parametrize(
    ("model", "dense", "routed", "shared"),
    [  # layers without and with experts, and weights of the shared experts of one layer
        ("deepseek-ai/DeepSeek-V3", 3, 58, 3 * 7168 * 2048),
        ("moonshotai/Kimi-K2-Instruct", 1, 60, 3 * 7168 * 2048),
        ("moonshotai/Kimi-K3", 1, 92, 3 * 7168 * 6144),
        ("meta-llama/Llama-4-Maverick-17B-128E-Instruct", 24, 24, 3 * 5120 * 8192),
        ("meta-llama/Llama-4-Scout-17B-16E-Instruct", 0, 48, 3 * 5120 * 8192),
        ("XiaomiMiMo/MiMo-V2-Flash", 1, 47, 0),
        ("MiniMaxAI/MiniMax-M3", 3, 57, 3 * 6144 * 3072),
        ("stepfun-ai/Step-3.7-Flash", 3, 42, 3 * 4096 * 1280),
        ("Qwen/Qwen3.5-27B", 64, 0, 0),
    ],
)
def test_first_dense_layers_and_shared_experts(
    model: str, dense: int, routed: int, shared: int
) -> None:
    layers = CATALOG.architecture(model).layers
    assert sum(g.count for g in layers if not g.experts) == dense
    assert sum(g.count for g in layers if g.experts) == routed
    for group in layers:
        if group.experts:
            assert shared <= group.dense_parameters
            if not shared:
                assert group.dense_parameters < 2 * group.experts * 7168


def test_latent_attention_by_hand() -> None:
    (group, _) = CATALOG.architecture("deepseek-ai/DeepSeek-V3").layers
    assert group.attention_parameters == (
        7168 * 1536 + 1536 * 128 * 192  # queries
        + 7168 * 576 + 512 * 128 * 256  # latent and rotary key; keys and values out of it
        + 128 * 128 * 7168
    )  # fmt: skip
    assert (group.kv_elements, group.kv_split) == (576, 1)
    assert group.pair_flops == 2 * 128 * (192 + 128)
    assert group.decode_pair_flops == 2 * 128 * (576 + 512)


def test_an_indexer_has_weights_keys_and_a_window() -> None:
    dense = CATALOG.architecture("deepseek-ai/DeepSeek-V3").layers[0]
    sparse = CATALOG.architecture("deepseek-ai/DeepSeek-V3.2").layers[0]
    assert sparse.window == 2048
    assert sparse.index_elements == 128
    assert sparse.index_pair_flops == 2 * 64 * 128
    # Its queries from the compressed query, its key, and a weight a head.
    added = 1536 * 64 * 128 + 7168 * 128 + 7168 * 64
    assert sparse.attention_parameters - dense.attention_parameters == added


def test_layers_that_share_an_indexer_have_none() -> None:
    layers = CATALOG.architecture("zai-org/GLM-5.2").layers
    own = sum(g.count for g in layers if g.index_elements)
    assert (own, CATALOG.architecture("zai-org/GLM-5.2").layer_count) == (21, 78)
    assert {g.window for g in layers} == {2048}


def test_compressed_attention_of_deepseek_v4() -> None:
    by_stride = {g.kv_stride: g for g in CATALOG.architecture("deepseek-ai/DeepSeek-V4-Pro").layers}
    assert set(by_stride) == {4, 128}
    assert (by_stride[4].window, by_stride[4].recent_tokens) == (1024, 128)
    assert (by_stride[128].window, by_stride[128].recent_tokens) == (0, 128)
    assert {g.kv_elements for g in by_stride.values()} == {512}


def test_the_grouped_output_projection_of_deepseek_v4_by_hand() -> None:
    sliding = CATALOG.architecture("deepseek-ai/DeepSeek-V4-Flash").layers[0]
    assert sliding.attention is SLIDING
    assert sliding.attention_parameters == (
        4096 * 1024 + 1024 * 64 * 512 + 4096 * 512 + 64 * 512 * 1024 + 8 * 1024 * 4096
    )


def test_keys_wider_than_values() -> None:
    found = {g.attention: g for g in CATALOG.architecture("XiaomiMiMo/MiMo-V2-Flash").layers}
    assert (found[FULL].kv_elements, found[FULL].kv_split) == (4 * 320, 4)
    assert (found[SLIDING].kv_elements, found[SLIDING].kv_split) == (8 * 320, 8)
    assert found[FULL].pair_flops == 2 * 64 * 320


def test_one_projection_for_keys_and_values() -> None:
    full = next(g for g in CATALOG.architecture("google/gemma-4-26B-A4B").layers
                if g.attention is FULL)  # fmt: skip
    assert full.attention_parameters == 2816 * (2 * 16 * 512 + 2 * 512)
    assert full.kv_elements == 2 * 2 * 512


def test_a_wrapper_is_read_as_its_text_model() -> None:
    seen = CATALOG.architecture("Qwen/Qwen3-VL-8B-Instruct")
    alone = CATALOG.architecture("Qwen/Qwen3-8B")
    assert seen.parameters == alone.parameters
    assert (seen.model_type, alone.model_type) == ("qwen3_vl", "qwen3")


@pytest.mark.parametrize(
    ("model", "change", "told"),
    [
        ("deepseek-ai/DeepSeek-V3", {"n_routed_experts": 4}, "more than the 4 experts"),
        ("deepseek-ai/DeepSeek-V3", {"first_k_dense_replace": -1}, "whole number from 0"),
        ("deepseek-ai/DeepSeek-V4-Pro", {"compress_ratios": [4]}, "1 entries for 61 layers"),
        ("deepseek-ai/DeepSeek-V4-Pro", {"o_groups": 7}, "does not divide 128 heads"),
        ("deepseek-ai/DeepSeek-V4-Pro", {"expert_dtype": "fp3"}, "expert_dtype 'fp3'"),
        ("zai-org/GLM-5.2", {"indexer_types": ["full"]}, "does not name 78 layers"),
        ("MiniMaxAI/MiniMax-M3", {"sparse_attention_config": 3}, "expected an object"),
        ("MiniMaxAI/MiniMax-M3", {"moe_layer_freq": [1] * 3}, "3 entries for 60 layers"),
        ("MiniMaxAI/MiniMax-M3", {"moe_layer_freq": None}, "has not 60"),
        ("XiaomiMiMo/MiMo-V2-Flash", {"hybrid_layer_pattern": None}, "is missing"),
        ("XiaomiMiMo/MiMo-V2-Flash", {"moe_layer_freq": [2] * 48}, "not a list of 0 and 1"),
        ("stepfun-ai/Step-3.7-Flash", {"layer_types": []}, "does not name 45 layers"),
        ("google/gemma-4-26B-A4B", {"text_config": 1}, "text_config is not an object"),
        ("google/gemma-4-26B-A4B", {"model_type": None}, "model_type None is not a name"),
    ],
)
def test_what_is_not_understood_is_named(model: str, change: dict[str, Any], told: str) -> None:
    with pytest.raises(CatalogError, match=r"^x: ") as caught:
        changed(model, **change)
    assert told in str(caught.value)


@pytest.mark.parametrize(
    ("field", "value"),
    [("hidden_size_per_layer_input", 256), ("num_kv_shared_layers", 4),
     ("use_double_wide_mlp", True)],
)  # fmt: skip
def test_features_of_small_gemmas_are_refused(field: str, value: Any) -> None:
    config = CONFIGS["google/gemma-4-26B-A4B"]
    text = config["text_config"] | {field: value}
    with pytest.raises(CatalogError, match=f"{field} is set, which is not supported yet"):
        architecture_of(config | {"text_config": text}, "x")


def test_every_reader_has_a_model_in_the_catalog() -> None:
    read = {c.get("text_config", c)["model_type"] for c in CONFIGS.values()}
    assert read == set(READERS)


values = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 5000) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=4,
)


def places(node: dict[str, Any], path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Paths of all fields, those of objects inside too."""
    found: list[tuple[str, ...]] = []
    for key, value in node.items():
        if key == "vision_config":
            continue
        found.append((*path, key))
        if isinstance(value, dict):
            found += places(value, (*path, key))
    return found


@settings(max_examples=400)
@given(st.data())
def test_a_broken_configuration_raises_nothing_else(data: st.DataObject) -> None:
    model = data.draw(st.sampled_from(sorted(CONFIGS)))
    config = json.loads(json.dumps(CONFIGS[model]))
    for _ in range(data.draw(st.integers(1, 3))):
        path = data.draw(st.sampled_from(places(config)))
        node = config
        for key in path[:-1]:
            node = node[key]
        if data.draw(st.booleans()):
            node[path[-1]] = data.draw(values)
        else:
            del node[path[-1]]
        if not places(config):
            break
    try:
        found = architecture_of(config, "any")
    except CatalogError as error:
        assert str(error).startswith("any: ")
    else:
        assert 0 < found.active_parameters <= found.parameters + found.head_parameters
        assert found.mtp_parameters >= 0
