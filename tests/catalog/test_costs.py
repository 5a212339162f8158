"""Bytes and FLOPs that follow from an architecture alone, against values worked out by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neocloud.catalog import (
    architecture_of,
    decode_flops_per_token,
    kv_bytes_per_token,
    load_catalog,
    prefill_flops_per_token,
    state_bytes,
    weight_bytes,
)

CATALOG = load_catalog()
NAMES = CATALOG.architecture_names()


@pytest.mark.parametrize(
    ("model", "by_hand"),
    [
        ("meta-llama/Meta-Llama-3.1-8B", 131_072),  # 2 x 32 layers x 8 heads x 128 x 2 bytes
        ("meta-llama/Meta-Llama-3.1-70B", 327_680),  # 2 x 80 x 8 x 128 x 2
        ("meta-llama/Meta-Llama-3.1-405B", 516_096),  # 2 x 126 x 8 x 128 x 2
        ("openai/gpt-oss-120b", 73_728),  # 2 x 36 x 8 x 64 x 2, half of it in sliding layers
        ("Qwen/Qwen3-30B-A3B", 98_304),  # 2 x 48 x 4 x 128 x 2
        ("mistralai/Mixtral-8x7B-v0.1", 131_072),  # 2 x 32 x 8 x 128 x 2
        ("deepseek-ai/DeepSeek-V3", 70_272),  # 61 x (512 + 64) x 2
        ("deepseek-ai/DeepSeek-V3.2", 85_888),  # 61 x (512 + 64 + 128 of the indexer) x 2
        ("zai-org/GLM-5.2", 95_232),  # 78 x 576 x 2, and 21 indexers x 128 x 2
        ("moonshotai/Kimi-K3", 27_648),  # 24 x 576 x 2; the 69 linear layers keep none
        ("Qwen/Qwen3.5-27B", 65_536),  # 16 full layers x 2 x 4 x 256 x 2
        ("google/gemma-4-26B-A4B", 225_280),  # (25 x 2 x 8 x 256 + 5 x 2 x 2 x 512) x 2
        ("XiaomiMiMo/MiMo-V2-Flash", 222_720),  # (9 x 4 + 39 x 8) x (192 + 128) x 2
    ],
)
def test_kv_bytes_per_token_by_hand(model: str, by_hand: int) -> None:
    found = CATALOG.architecture(model)
    assert kv_bytes_per_token(found) == by_hand
    assert kv_bytes_per_token(found, "fp8") == by_hand / 2


def test_compressed_attention_keeps_one_entry_for_many_tokens() -> None:
    found = CATALOG.architecture("deepseek-ai/DeepSeek-V4-Flash")
    # 2 sliding layers, 21 of stride 4 with an indexer of 128 / 4 a token, 20 of stride 128.
    numbers = 2 * 512 + 21 * (512 / 4 + 128 / 4) + 20 * 512 / 128
    assert kv_bytes_per_token(found) == 2 * numbers


def test_state_of_linear_layers_by_hand() -> None:
    found = CATALOG.architecture("Qwen/Qwen3.5-27B")
    # 48 layers: 48 heads of 128 x 128, and 3 inputs of a convolution of 10,240 channels.
    assert state_bytes(found) == 2 * 48 * (48 * 128 * 128 + 3 * 10_240)
    assert state_bytes(CATALOG.architecture("openai/gpt-oss-20b")) == 0


@pytest.mark.parametrize(
    ("model", "gigabytes"),
    [  # what the checkpoints weigh on the Hugging Face Hub, without draft layers and towers
        ("meta-llama/Meta-Llama-3.1-70B", 141.1),
        ("openai/gpt-oss-120b", 65.2),
        ("openai/gpt-oss-20b", 13.8),
    ],
)
def test_weight_bytes_of_the_checkpoint(model: str, gigabytes: float) -> None:
    assert weight_bytes(CATALOG.architecture(model)) / 1e9 == pytest.approx(gigabytes, rel=0.01)


def test_weight_bytes_by_part() -> None:
    found = CATALOG.architecture("moonshotai/Kimi-K2.5")
    routed = 60 * 384 * 3 * 7168 * 2048
    assert weight_bytes(found) == routed * 4.5 / 8 + (found.parameters - routed) * 2
    assert weight_bytes(found, "bf16") == found.parameters * 2
    tied = CATALOG.architecture("Qwen/Qwen3-0.6B")
    assert weight_bytes(tied) == tied.parameters * 2


def test_decode_flops_by_hand() -> None:
    llama = CATALOG.architecture("meta-llama/Meta-Llama-3.1-8B")
    # All but the embedding and 65 norms of 4096; 32 layers x 1000 pairs x 4 x 32 heads x 128.
    multiplied = 8_030_261_248 - 525_336_576 - 65 * 4096
    assert decode_flops_per_token(llama, 1000) == 2 * multiplied + 524_288_000
    deepseek = CATALOG.architecture("deepseek-ai/DeepSeek-V3")
    pairs = decode_flops_per_token(deepseek, 1001) - decode_flops_per_token(deepseek, 1)
    assert pairs == 1000 * 61 * 2 * 128 * (512 + 64 + 512)


def test_sparse_attention_reads_no_more_than_the_indexer_chose() -> None:
    found = CATALOG.architecture("deepseek-ai/DeepSeek-V3.2")
    grown = decode_flops_per_token(found, 101_000) - decode_flops_per_token(found, 100_000)
    assert grown == 1000 * 61 * 2 * 64 * 128  # the indexer alone


def test_prefill_flops_by_hand() -> None:
    tiny = architecture_of(
        {"model_type": "mistral", "hidden_size": 64, "intermediate_size": 128,
         "num_hidden_layers": 1, "num_attention_heads": 4, "vocab_size": 100,
         "max_position_embeddings": 512, "sliding_window": 2}, "tiny",
    )  # fmt: skip
    inside = 4 * 64 * 64 + 3 * 64 * 128
    # Pairs of three tokens that see at most two: 1 + 2 + 2; each 4 x 64 FLOPs over all heads.
    assert prefill_flops_per_token(tiny, 3) == pytest.approx(
        2 * inside + 2 * 6400 / 3 + 5 / 3 * 256
    )


@pytest.mark.parametrize("model", NAMES)
def test_one_token_costs_the_same_as_prompt_and_as_answer(model: str) -> None:
    found = CATALOG.architecture(model)
    prompt, answer = prefill_flops_per_token(found, 1), decode_flops_per_token(found, 1)
    # Latent attention multiplies otherwise for one pair: next to nothing of the whole.
    assert prompt == pytest.approx(answer, rel=1e-3)


@given(st.sampled_from(NAMES), st.integers(1, 10**6), st.integers(1, 10**6))
def test_more_past_never_costs_less(model: str, one: int, other: int) -> None:
    found = CATALOG.architecture(model)
    less, more = sorted((one, other))
    assert decode_flops_per_token(found, less) <= decode_flops_per_token(found, more)
    assert prefill_flops_per_token(found, more) > 0
