"""What the flags say agrees with what was planned, for every model of the catalog."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neocloud.perf import ConfigurationError
from neocloud.planner.flags import Launch, LaunchError, Role, launch_of
from neocloud.planner.flags.families import FAMILIES, family_of
from neocloud.planner.flags.formats import MTP

from .cases import CATALOG, Flags, flags_of, line, read, request_for
from .known import KV_DTYPES, QUANTIZATIONS, REASONING_PARSERS, TOOL_PARSERS

MODELS = CATALOG.architecture_names()
ENGINES = ("vllm", "sglang")
WITHOUT_PARSER = {  # base models, and chats that were taught no calls
    "google/gemma-4-26B-A4B",
    "meta-llama/Llama-2-70b-chat-hf",
    "meta-llama/Meta-Llama-3.1-405B",
    "meta-llama/Meta-Llama-3.1-70B",
    "meta-llama/Meta-Llama-3.1-8B",
    "mistralai/Mistral-7B-v0.1",
    "mistralai/Mixtral-8x22B-v0.1",
    "mistralai/Mixtral-8x7B-v0.1",
}


@st.composite
def requests(draw: st.DrawFn, engine: str) -> Launch:
    nodes = draw(st.sampled_from((1, 1, 2)))
    fields = {
        "tp": draw(st.sampled_from((1, 2, 4, 8))),
        "attention_dp": draw(st.sampled_from((1, 1, 2, 8))),
        "pp": draw(st.sampled_from((1, 1, 2))),
        "kv_precision": draw(st.sampled_from(("bf16", "fp8"))),
        "drafts": draw(st.sampled_from((0, 0, 1, 3))),
        "max_batch": draw(st.integers(1, 2048)),
        "batch_tokens": draw(st.sampled_from((2048, 8192, 16384))),
        "block_tokens": draw(st.sampled_from((16, 32, 128))),
        "memory_share": draw(st.sampled_from((0.85, 0.92))),
        "queued_requests": draw(st.none() | st.integers(0, 500)),
        "max_context": draw(st.integers(1024, 131072)),
        "role": draw(st.sampled_from(Role)),
        "nodes": nodes,
    }
    fields["ep"] = draw(st.sampled_from((1, fields["tp"] * fields["attention_dp"])))
    try:
        return request_for(draw(st.sampled_from(MODELS)), engine, **fields)
    except (ConfigurationError, LaunchError):
        return request_for(draw(st.sampled_from(MODELS)), engine)


def widths(engine: str, flags: Flags) -> tuple[int, int, int]:
    """(TP of the attention, attention ranks, stages), as the engine reads its flags."""
    if engine == "vllm":
        return (
            flags.count("--tensor-parallel-size"),
            flags.count("--data-parallel-size"),
            flags.count("--pipeline-parallel-size"),
        )
    ranks = flags.count("--attn-dp-size")
    assert flags.count("--tp-size") % ranks == 0
    return flags.count("--tp-size") // ranks, ranks, flags.count("--pp-size")


@pytest.mark.parametrize("engine", ENGINES)
@given(data=st.data())
def test_numbers_agree_with_the_plan(engine: str, data: st.DataObject) -> None:
    request = data.draw(requests(engine))
    c = request.configuration
    try:
        launch = launch_of(request)
    except LaunchError as error:
        assert not may_run(request), error
        return
    assert may_run(request)
    assert len(launch.nodes) == request.nodes
    for node in range(request.nodes):
        flags = read(engine, launch.nodes[node].arguments)
        assert widths(engine, flags) == (c.tp, c.attention_dp, c.pp)
        assert flags.count("--node-rank", 0) == node
        assert flags.count("--nnodes") == request.nodes
        assert ("--headless" in flags.switches) == (engine == "vllm" and node > 0)
        (held_vllm if engine == "vllm" else held_sglang)(request, flags)
        if dtype := flags.values.get("--kv-cache-dtype"):
            assert dtype in KV_DTYPES[engine]
            assert dtype.startswith("fp8") == (c.kv_precision == "fp8")
        else:
            assert c.kv_precision == "bf16"
        block = flags.count("--block-size" if engine == "vllm" else "--page-size")
        assert block >= c.block_tokens
        assert (block == c.block_tokens) != any("KV blocks of" in note for note in launch.notes)


def may_run(request: Launch) -> bool:
    """Whether the release can run it, said again in other words."""
    c, model = request.configuration, request.architecture
    experts = any(group.experts for group in model.layers)
    supported = MTP[request.engine]
    drafts = not c.drafts or (model.model_type in supported)
    if c.drafts and c.pp > 1:
        drafts = drafts and supported[model.model_type]
    local, rank = c.accelerators // request.nodes, c.tp * c.pp
    fits = local % rank == 0 or rank % local == 0
    spread = c.ep == 1 or experts
    if request.engine == "vllm":
        spread = spread and (c.attention_dp == 1 or experts)
        spread = spread and c.batch_tokens >= math.ceil(c.max_batch / c.attention_dp)
    return drafts and fits and spread


def held_vllm(request: Launch, flags: Flags) -> None:
    c = request.configuration
    batch = flags.count("--max-num-seqs") * c.attention_dp
    assert c.max_batch <= batch < c.max_batch + c.attention_dp
    assert flags.count("--max-num-batched-tokens") == c.batch_tokens
    assert float(flags.values["--gpu-memory-utilization"]) == c.memory_share
    assert flags.count("--max-model-len") == request.max_context
    assert ("--enable-expert-parallel" in flags.switches) == (c.ep > 1)
    if request.queued_requests is None:
        assert "--max-num-queued-reqs" not in flags.values
    else:
        assert flags.count("--max-num-queued-reqs") - batch == request.queued_requests
    drafted = json.loads(flags.values.get("--speculative-config", "{}"))
    assert drafted.get("num_speculative_tokens", 0) == c.drafts
    transfer = json.loads(flags.values.get("--kv-transfer-config", "{}"))
    roles = {Role.PREFILL: "kv_producer", Role.DECODE: "kv_consumer"}
    assert transfer.get("kv_role") == roles.get(request.role)


def held_sglang(request: Launch, flags: Flags) -> None:
    c, m = request.configuration, request.memory
    batch = flags.count("--max-running-requests")
    assert c.max_batch <= batch < c.max_batch + c.attention_dp
    assert batch % c.attention_dp == 0
    assert flags.count("--chunked-prefill-size") // c.attention_dp == c.batch_tokens
    assert flags.count("--context-length") == request.max_context
    assert flags.count("--ep-size") == c.ep
    share = float(flags.values["--mem-fraction-static"])
    beside = (m.activations + m.reserve) / m.capacity
    assert c.memory_share - beside - 0.0011 < share < c.memory_share - beside + 1e-9
    queued = flags.values.get("--max-queued-requests")
    if request.queued_requests is None or request.role is not Role.AGGREGATED:
        assert queued is None
    else:
        asked = max(1, request.queued_requests)
        assert asked <= int(queued or 0) * c.attention_dp < asked + c.attention_dp
    assert flags.count("--speculative-num-steps", 0) == c.drafts
    mode = flags.values.get("--disaggregation-mode", Role.AGGREGATED)
    assert mode == request.role


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("model", MODELS)
def test_each_model_of_the_catalog(model: str, engine: str) -> None:
    request = request_for(model, engine)
    flags = flags_of(request)
    tools = flags.values.get("--tool-call-parser")
    reasoning = flags.values.get("--reasoning-parser")
    assert tools in TOOL_PARSERS[engine] | {None}
    assert reasoning in REASONING_PARSERS[engine] | {None}
    assert "--quantization" not in flags.values, "the checkpoint says its format itself"
    told = any("no parser" in note for note in launch_of(request).notes)
    assert told == (model in WITHOUT_PARSER)
    assert (tools is None) == told
    if engine == "vllm":
        assert ("--enable-auto-tool-choice" in flags.switches) == (tools is not None)


def test_the_tables_name_what_the_releases_have() -> None:
    for family in FAMILIES:
        assert family.source
        for engine, parsers in (("vllm", family.vllm), ("sglang", family.sglang)):
            assert parsers.tools in TOOL_PARSERS[engine], family.name
            assert parsers.reasoning in REASONING_PARSERS[engine] | {""}, family.name


@pytest.mark.parametrize(
    ("like", "checkpoint", "name"),
    [
        ("deepseek-ai/DeepSeek-V3", "deepseek-ai/DeepSeek-V3", "DeepSeek V3"),
        ("deepseek-ai/DeepSeek-R1", "deepseek-ai/DeepSeek-R1-0528", "DeepSeek R1"),
        ("Qwen/Qwen3-235B-A22B", "Qwen/Qwen3-235B-A22B-Instruct-2507", "Qwen3 Instruct"),
        ("Qwen/Qwen3-235B-A22B", "Qwen/Qwen3-235B-A22B-Thinking-2507", "Qwen3 Thinking"),
        ("Qwen/Qwen3-8B", "Qwen/Qwen3-8B", "Qwen3"),
        ("moonshotai/Kimi-K2-Instruct", "moonshotai/Kimi-K2-Thinking", "Kimi K2 Thinking"),
        ("meta-llama/Meta-Llama-3.1-70B", "meta-llama/Llama-3.3-70B-Instruct", "Llama 3"),
        ("meta-llama/Meta-Llama-3.1-8B", "someone/their-own-8B", None),
        ("mistralai/Mixtral-8x22B-v0.1", "mistralai/Mixtral-8x22B-Instruct-v0.1", "Mistral"),
        ("google/gemma-4-26B-A4B", "google/gemma-4-26B-A4B-it", "Gemma 4"),
        ("deepseek-ai/DeepSeek-V3.2", "deepseek-ai/DeepSeek-V3.2", "DeepSeek V3.2"),
        ("deepseek-ai/DeepSeek-V4-Pro", "deepseek-ai/DeepSeek-V4-Pro", "DeepSeek V4"),
    ],
)
def test_a_family_is_known_by_its_name(like: str, checkpoint: str, name: str | None) -> None:
    family = family_of(CATALOG.architecture(like), checkpoint)
    assert (family.name if family else None) == name


@pytest.mark.parametrize(
    ("engine", "model", "precision", "written"),
    [
        ("vllm", "Qwen/Qwen3-8B", "fp8", "fp8_per_tensor"),
        ("vllm", "Qwen/Qwen3-30B-A3B", "mxfp4", "mxfp4"),
        ("sglang", "Qwen/Qwen3-8B", "fp8", "fp8"),
        ("vllm", "Qwen/Qwen3-8B", "bf16", None),
        ("vllm", "Qwen/Qwen3-32B-FP8", "fp8", None),
        ("sglang", "openai/gpt-oss-20b", "mxfp4", None),
        ("vllm", "Qwen/Qwen3-8B", "fp4", "start from a checkpoint in fp4"),
        ("sglang", "deepseek-ai/DeepSeek-R1", "fp4", "start from a checkpoint in fp4"),
        ("vllm", "deepseek-ai/DeepSeek-R1", "bf16", "start from a checkpoint in bf16"),
    ],
)
def test_weights_are_converted_only_where_the_checkpoint_differs(
    engine: str, model: str, precision: str, written: str | None
) -> None:
    request = request_for(model, engine, precision=precision)
    method = flags_of(request).values.get("--quantization")
    told = [note for note in launch_of(request).notes if "start from" in note]
    if written is None:
        assert (method, told) == (None, [])
    elif written in QUANTIZATIONS[engine]:
        assert (method, told) == (written, [])
    else:
        assert method is None
        assert written in told[0]


R1 = "deepseek-ai/DeepSeek-R1"


@pytest.mark.parametrize(
    ("model", "engine", "fields", "told"),
    [
        (R1, "atom", {}, "engine 'atom' is not one of vllm, sglang"),
        (R1, "vllm", {"tp": 8, "ep": 4}, "over all 8 accelerators of a stage or over none"),
        (R1, "sglang", {"tp": 8, "ep": 3}, "not a multiple of ep 3"),
        (R1, "vllm", {"tp": 8, "nodes": 3}, "8 accelerators cannot be split evenly over 3"),
        (R1, "vllm", {"tp": 2, "attention_dp": 6, "nodes": 4}, "neither whole ranks of 2"),
        (R1, "sglang", {"tp": 8, "pp": 2, "drafts": 1}, "with 2 stages"),
        (R1, "vllm", {"max_batch": 64, "batch_tokens": 32}, "too small for 64 sequences"),
        (R1, "vllm", {"queued_requests": -1}, "-1 waiting requests"),
        ("Qwen/Qwen3-8B", "vllm", {"attention_dp": 2}, "share no weights"),
        ("Qwen/Qwen3-8B", "sglang", {"tp": 2, "ep": 2}, "no experts to spread over 2"),
    ],
)
def test_what_cannot_run_is_refused(
    model: str, engine: str, fields: dict[str, int], told: str
) -> None:
    with pytest.raises(LaunchError, match=re.escape(told)):
        launch_of(request_for(model, engine, **fields))


@pytest.mark.parametrize("engine", ENGINES)
def test_drafts_of_an_unknown_family_are_refused(engine: str) -> None:
    request = request_for("Qwen/Qwen3-8B", engine)
    drafting = msgspec.structs.replace(request.configuration, drafts=1)
    with pytest.raises(LaunchError, match=f"{engine} drafts no tokens with Qwen/Qwen3-8B's own"):
        launch_of(replace(request, configuration=drafting))


def test_an_address_that_is_given_is_listened_on() -> None:
    assert "--host 10.1.2.3 " in line(launch_of(request_for(R1, "vllm", tp=8, host="10.1.2.3")))


def test_a_template_and_code_of_the_checkpoint_are_told() -> None:
    notes = launch_of(request_for(R1, "vllm", tp=8)).notes
    assert any("tool_chat_template_deepseekr1.jinja" in note for note in notes)
    notes = launch_of(request_for("moonshotai/Kimi-K2-Instruct", "sglang", tp=8)).notes
    assert any("--trust-remote-code" in note for note in notes)


def test_a_cache_in_fp8_only_is_told() -> None:
    request = request_for("deepseek-ai/DeepSeek-V4-Flash", "vllm", tp=8)
    assert any("in fp8 only" in note for note in launch_of(request).notes)
    assert "--kv-cache-dtype" not in flags_of(request).values
