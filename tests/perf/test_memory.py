"""Memory by part, counted by hand from the published architectures."""

from __future__ import annotations

import pytest

from neocloud.perf import Configuration, ConfigurationError, DoesNotFitError, Load, memory, predict

from .cases import CATALOG, GPT_OSS, LLAMA_8B, Case, case


def parts(c: Case):
    return memory(c.architecture, c.accelerator, c.configuration)


def test_llama_8b_on_one_h100():
    m = parts(case(LLAMA_8B, "h100-sxm", max_batch=256, batch_tokens=8192))
    attention = 4096 * 4096 * 2 + 4096 * 1024 * 2  # query and output; key and value
    feed_forward = 3 * 4096 * 14336
    ends = 2 * 128_256 * 4096
    assert m.weights == 2 * (32 * (attention + feed_forward) + ends) == 16_059_990_016
    assert m.capacity == 80e9
    assert m.activations == 256 * 128_256 * 4 + 8192 * 4096 * 16
    assert m.reserve == 1e9
    assert m.kv_cache == pytest.approx(0.92 * 80e9 - m.weights - m.activations - m.reserve)
    assert m.kv_bytes_per_token == 32 * 2 * 8 * 128 * 2 == 131_072
    assert m.kv_tokens == 16 * int(m.kv_cache / (16 * 131_072))
    assert 425_000 < m.kv_tokens < 428_000


def test_gpt_oss_on_two_h100():
    c = case(GPT_OSS, "h100-sxm", tp=2, max_batch=128)
    m = parts(c)
    attention = 2880 * (4096 + 1024) + (4096 + 1024) + 4096 * 2880 + 2880  # with biases
    router = 2880 * 128 + 128
    expert = 3 * 2880 * 2880 + 3 * 2880
    ends = 2 * 201_088 * 2880
    experts = 36 * 128 * expert * 4.25 / 8
    assert m.weights == (2 * 36 * (attention + router) + 2 * ends + experts) / 2
    # OpenAI's model card: the checkpoint has 60.8 GiB.
    assert 2 * m.weights / 2**30 == pytest.approx(60.8, rel=0.002)
    # Of each layer half of the 8 KV heads on each rank, keys and values of 64 numbers in bf16.
    one_layer = 4 * 2 * 64 * 2
    assert m.kv_bytes_per_token == 18 * one_layer
    windows = 18 * one_layer * 128 * 128  # 128 sequences keep 128 tokens in the sliding layers
    assert m.kv_tokens == 16 * int((m.kv_cache - windows) / (16 * 18 * one_layer))
    assert m.reserve == 1.4e9  # graphs, and buffers of the collectives


def test_fewer_kv_heads_than_ranks_are_repeated():
    by_tp = [parts(case(LLAMA_8B, "h100-sxm", tp=tp)).kv_bytes_per_token for tp in (1, 2, 4, 8)]
    assert by_tp == [131_072, 65_536, 32_768, 16_384]
    qwen = "Qwen/Qwen3-30B-A3B"  # 4 KV heads
    assert (
        parts(case(qwen, "h100-sxm", tp=8)).kv_bytes_per_token
        == parts(case(qwen, "h100-sxm", tp=4)).kv_bytes_per_token
    )


def test_a_smaller_kv_format_holds_twice_the_tokens():
    bf16, fp8 = (
        parts(case(LLAMA_8B, "h100-sxm", kv_precision=precision)) for precision in ("bf16", "fp8")
    )
    assert fp8.kv_bytes_per_token * 2 == bf16.kv_bytes_per_token
    assert fp8.kv_tokens == pytest.approx(2 * bf16.kv_tokens, abs=32)


def test_what_does_not_fit_says_so_with_numbers():
    c = case("meta-llama/Meta-Llama-3.1-70B", "h100-sxm")
    assert not parts(c).fits
    assert parts(c).kv_tokens == 0
    with pytest.raises(DoesNotFitError, match=r"does not fit 1 x h100-sxm: .* 80 GB") as caught:
        predict(
            c.architecture,
            c.accelerator,
            c.configuration,
            Load(input_tokens=100, output_tokens=100),
            8,
        )
    assert "weights need 141.1 GB" in str(caught.value)
    assert parts(case("meta-llama/Meta-Llama-3.1-70B", "h100-sxm", tp=4)).fits


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"tp": 3}, "tp 3 does not divide the 32 attention heads"),
        ({"tp": 16}, "tp 16 is more than the 8 h100-sxm"),
        ({"precision": "int3"}, "int3 is not one of bf16, fp8, mxfp4"),
        ({"kv_precision": "mxfp4"}, "KV precision mxfp4 is not one of bf16, fp8"),
    ],
)
def test_configurations_that_cannot_exist(settings, message):
    chosen = {"tp": 1, "precision": "bf16"} | settings
    with pytest.raises(ConfigurationError, match=message):
        memory(
            CATALOG.architecture(LLAMA_8B),
            CATALOG.accelerator("h100-sxm"),
            Configuration(accelerator="h100-sxm", **chosen),
        )
