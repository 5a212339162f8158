"""Memory by part, counted by hand from the published architectures."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neocloud.catalog import AttentionKind, kv_bytes_per_token, state_bytes, weight_bytes
from neocloud.perf import (
    Configuration,
    ConfigurationError,
    DoesNotFitError,
    Load,
    NoParametersError,
    memory,
    predict,
)
from neocloud.perf.memory import kept_bytes

from .cases import (
    CATALOG,
    DEEPSEEK_R1,
    DEEPSEEK_V4,
    GPT_OSS,
    LLAMA_8B,
    MODELS,
    Case,
    case,
    cases,
)


def parts(c: Case):
    return memory(c.architecture, c.accelerator, c.configuration)


def test_llama_8b_on_one_h100():
    m = parts(case(LLAMA_8B, "h100-sxm", max_batch=256, batch_tokens=8192))
    attention = 4096 * 4096 * 2 + 4096 * 1024 * 2  # query and output; key and value
    feed_forward = 3 * 4096 * 14336
    ends = 2 * 128_256 * 4096
    norms = (2 * 32 + 1) * 4096
    # The 8,030,261,248 parameters of the checkpoint, in two bytes.
    assert m.weights == 2 * (32 * (attention + feed_forward) + ends + norms) == 16_060_522_496
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
    norms = 2 * (36 * (2 * 2880 + 64) + 2880)  # with a sink a head; each rank has them all
    assert m.weights == (2 * 36 * (attention + router) + 2 * ends + experts) / 2 + norms
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
        ({"pp": 33}, "pp 33 is more than the 32 layers"),
        ({"precision": "int3"}, "int3 is not one of bf16, fp8, fp4, mxfp4"),
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


def test_tensor_parallelism_fills_a_node_or_whole_nodes():
    architecture = CATALOG.architecture("meta-llama/Meta-Llama-3.1-70B")
    node = replace(CATALOG.accelerator("h100-sxm"), scale_up_domain=6, node_accelerators=6)
    for tp, fits in ((4, True), (8, False), (16, False)):
        configuration = Configuration(accelerator="h100-sxm", tp=tp, precision="fp8")
        if fits:
            memory(architecture, node, configuration)
        else:
            with pytest.raises(ConfigurationError, match=f"tp {tp} is neither within the 6"):
                memory(architecture, node, configuration)
    whole = Configuration(accelerator="h100-sxm", tp=16, precision="fp8")
    assert memory(architecture, CATALOG.accelerator("h100-sxm"), whole).fits


@pytest.mark.parametrize("model", MODELS)
def test_one_accelerator_holds_what_the_catalog_counts(model):
    """All weights, and what a token and a sequence leave in the cache."""
    c = case(model, "b300-sxm")
    a = c.architecture
    # To one in a thousand: a router counts in the format of what it routes to or of the attention.
    assert c.memory.weights == pytest.approx(weight_bytes(a), rel=1e-3)
    token, sequence = kept_bytes(a, c.configuration)
    windows = sum(
        g.count * g.kv_elements * 2.0 * (g.window if g.attention is AttentionKind.SLIDING else 0)
        for g in a.layers
    )
    recent = sum(g.count * g.kv_elements * 2.0 * g.recent_tokens for g in a.layers)
    assert sequence == pytest.approx(state_bytes(a) + windows + recent)
    sliding = sum(
        g.count * g.kv_elements * 2.0 for g in a.layers if g.attention is AttentionKind.SLIDING
    )
    assert token + sliding == pytest.approx(kv_bytes_per_token(a))


def test_compressed_attention_keeps_entries_and_its_last_tokens():
    """DeepSeek V4 Flash keeps far less a token than R1, and something a sequence."""
    small, large = (
        kept_bytes(c.architecture, c.configuration)
        for c in (
            case(DEEPSEEK_V4, "b200-sxm"),
            case(DEEPSEEK_R1, "b200-sxm"),
        )
    )
    assert small[0] < large[0] / 5
    assert small[1] > 0 == large[1]


@given(cases(), st.sampled_from(("tp", "attention_dp", "pp", "kv", "share", "capacity")))
@settings(max_examples=300, deadline=None)
def test_room_grows_with_what_gives_room(c: Case, which: str):
    """More accelerators, a smaller cache format or more memory never hold fewer tokens."""
    s = c.configuration
    chip = c.accelerator
    larger = s
    if which == "kv":
        c = replace(c, configuration=msgspec.structs.replace(s, kv_precision="bf16"))
        larger = msgspec.structs.replace(s, kv_precision="fp8")
    elif which == "share":
        larger = msgspec.structs.replace(s, memory_share=0.96)
    elif which == "capacity":
        more = replace(chip.memory_bytes, value=chip.memory_bytes.value * 1.5)
        chip = replace(chip, memory_bytes=more)
    else:
        larger = msgspec.structs.replace(s, **{which: 2 * getattr(s, which)})
    grown = Case(c.architecture, chip, larger)
    if not grown.exists():
        return
    assert grown.memory.weights <= c.memory.weights * (1 + 1e-12)
    if which != "attention_dp":  # its ranks each keep a cache of their own
        assert grown.memory.kv_tokens >= c.memory.kv_tokens
    assert grown.memory.replica_kv_tokens >= c.memory.replica_kv_tokens


@given(cases())
@settings(max_examples=200, deadline=None)
def test_the_parts_add_up(c: Case):
    m = c.memory
    used = m.weights + m.activations + m.reserve + m.kv_cache
    assert used == pytest.approx(m.capacity * c.configuration.memory_share)
    assert m.fits == (m.kv_tokens > 0)
    assert m.kv_tokens * m.kv_bytes_per_token <= max(m.kv_cache, 0.0) * (1 + 1e-12)
    assert m.replica_kv_tokens == m.kv_tokens * c.configuration.attention_dp


@pytest.mark.parametrize("key", ["tpu-v5e", "tpu-v6e", "tpu7x", "gaudi-3", "trainium2"])
def test_kinds_that_nobody_measured_are_refused(key):
    c = case(LLAMA_8B, key)
    with pytest.raises(NoParametersError, match=f"{key} cannot be predicted: no measured result"):
        predict(
            c.architecture,
            c.accelerator,
            c.configuration,
            Load(input_tokens=100, output_tokens=100),
            8,
        )


def test_a_kind_of_a_measured_generation_is_predicted():
    """Nobody measured the A100 with PCIe; others of its generation stand behind it."""
    c = case(LLAMA_8B, "a100-pcie-80gb")
    assert not c.accelerator.measured
    assert c.exists()
    assert case(LLAMA_8B, "ascend-910b2").exists()
