"""Whole command lines of a handful of configurations."""

from __future__ import annotations

from neocloud.planner.flags import Launch, Role, addressed, launch_of

from .cases import line, request_for

LLAMA, R1, QWEN = (
    "meta-llama/Meta-Llama-3.1-8B",
    "deepseek-ai/DeepSeek-R1",
    "Qwen/Qwen3-32B",
)
WIDE = {"tp": 1, "attention_dp": 16, "ep": 16, "max_batch": 1024, "nodes": 2}
R1_TOOLS = "--enable-auto-tool-choice --tool-call-parser deepseek_v3 --reasoning-parser deepseek_r1"


def written(request: Launch, node: int = 0) -> str:
    return line(launch_of(request), node)


def test_dense_on_one_accelerator() -> None:
    assert written(request_for(LLAMA, "vllm", queued_requests=64)) == (
        "serve meta-llama/Meta-Llama-3.1-8B --served-model-name m --host 127.0.0.1 "
        "--tensor-parallel-size 1 --max-num-seqs 256 --max-num-batched-tokens 8192 "
        "--max-num-queued-reqs 320 --max-model-len 32768 --block-size 16 "
        "--gpu-memory-utilization 0.92 --enable-prompt-tokens-details --shutdown-timeout 30"
    )
    assert written(request_for(LLAMA, "sglang", queued_requests=64)) == (
        "serve --model-path meta-llama/Meta-Llama-3.1-8B --served-model-name m --host 127.0.0.1 "
        "--tp-size 1 --max-running-requests 256 --chunked-prefill-size 8192 "
        "--max-prefill-tokens 8192 --max-queued-requests 64 --context-length 32768 "
        "--page-size 16 --mem-fraction-static 0.908 --enable-cache-report --enable-metrics"
    )


# The share of SGLang by hand, H200 of 141 GB, 8,192 tokens a step: 0.92 less 256 x 128,256 x 4
# bytes of logits, 8,192 x 4,096 x 16 of activations and 1.0 GB of reserve (Llama); less
# 512 x 129,280 x 4, 8,192 x 7,168 x 16 and 1.4 GB (R1).


def test_r1_within_a_node() -> None:
    assert written(request_for(R1, "vllm", tp=8)) == (
        "serve deepseek-ai/DeepSeek-R1 --served-model-name m --host 127.0.0.1 "
        "--tensor-parallel-size 8 --max-num-seqs 256 --max-num-batched-tokens 8192 "
        "--max-model-len 32768 --block-size 64 --gpu-memory-utilization 0.92 "
        f"--enable-prompt-tokens-details --shutdown-timeout 30 {R1_TOOLS}"
    )


def test_r1_over_two_nodes() -> None:
    launch = launch_of(request_for(R1, "vllm", **WIDE))
    shared = (
        "--tensor-parallel-size 1 --data-parallel-size 16 --enable-expert-parallel "
        "--max-num-seqs 64 --max-num-batched-tokens 8192 --max-model-len 32768 --block-size 64 "
        "--gpu-memory-utilization 0.92 --enable-prompt-tokens-details --shutdown-timeout 30 "
        f"{R1_TOOLS}"
    )
    meet = "--master-addr $NODE_0 --master-port 29501 --data-parallel-rpc-port 29550"
    start = "serve deepseek-ai/DeepSeek-R1 --served-model-name m"
    assert line(launch, 0) == f"{start} --host $NODE_0 --nnodes 2 --node-rank 0 {meet} {shared}"
    assert line(launch, 1) == f"{start} --headless --nnodes 2 --node-rank 1 {meet} {shared}"


def test_r1_over_two_nodes_in_sglang() -> None:
    launch = launch_of(request_for(R1, "sglang", **WIDE))
    assert line(launch, 1) == (
        "serve --model-path deepseek-ai/DeepSeek-R1 --served-model-name m --host $NODE_1 "
        "--nnodes 2 --node-rank 1 --dist-init-addr $NODE_0:20000 --tp-size 16 --attn-dp-size 16 "
        "--ep-size 16 --max-running-requests 1024 --chunked-prefill-size 131072 "
        "--max-prefill-tokens 8192 --context-length 32768 --page-size 64 "
        "--mem-fraction-static 0.901 --enable-cache-report --enable-metrics "
        "--tool-call-parser deepseekv3 --reasoning-parser deepseek-r1"
    )


def test_two_stages_over_two_nodes() -> None:
    request = request_for("meta-llama/Meta-Llama-3.1-405B", "vllm", tp=8, pp=2, nodes=2)
    assert written(request, 1) == (
        "serve meta-llama/Meta-Llama-3.1-405B --served-model-name m --headless --nnodes 2 "
        "--node-rank 1 --master-addr $NODE_0 --master-port 29501 --tensor-parallel-size 8 "
        "--pipeline-parallel-size 2 --max-num-seqs 256 --max-num-batched-tokens 8192 "
        "--max-model-len 32768 --block-size 16 --gpu-memory-utilization 0.92 "
        "--enable-prompt-tokens-details --shutdown-timeout 30"
    )


def test_drafts() -> None:
    assert '--speculative-config {"method": "mtp", "num_speculative_tokens": 3} ' in written(
        request_for(R1, "vllm", tp=8, drafts=3)
    )
    assert (
        "--speculative-algorithm NEXTN --speculative-num-steps 3 --speculative-eagle-topk 1 "
        "--speculative-num-draft-tokens 4 "
    ) in written(request_for(R1, "sglang", tp=8, drafts=3))


def test_prompts_and_answers_apart() -> None:
    prefill = launch_of(request_for(QWEN, "vllm", tp=2, role=Role.PREFILL))
    decode = launch_of(request_for(QWEN, "vllm", tp=2, role=Role.DECODE))
    assert line(prefill).endswith(
        '--kv-transfer-config {"kv_connector": "NixlConnector", "kv_role": "kv_producer"}'
    )
    assert line(decode).endswith('"kv_role": "kv_consumer"}')
    assert "--host $NODE_0" in line(prefill)
    assert prefill.nodes[0].environment == (
        ("VLLM_NIXL_SIDE_CHANNEL_HOST", "$NODE_0"),
        ("VLLM_NIXL_SIDE_CHANNEL_PORT", "5600"),
    )
    assert written(request_for(QWEN, "sglang", tp=2, role=Role.PREFILL)).endswith(
        "--disaggregation-mode prefill --disaggregation-transfer-backend mooncake "
        "--disaggregation-bootstrap-port 8998"
    )
    decoding = launch_of(request_for(QWEN, "sglang", role=Role.DECODE, queued_requests=8))
    assert line(decoding).endswith(
        "--disaggregation-mode decode --disaggregation-transfer-backend mooncake"
    )
    assert "--max-queued-requests" not in line(decoding)
    assert any("bounds no queue" in note for note in decoding.notes)


def test_fp8_cache() -> None:
    assert "--kv-cache-dtype fp8 " in written(request_for(QWEN, "vllm", kv_precision="fp8"))
    assert "--kv-cache-dtype fp8_e4m3 " in written(request_for(QWEN, "sglang", kv_precision="fp8"))
    sparse = "deepseek-ai/DeepSeek-V3.2"  # FP8 unless told otherwise
    assert "--kv-cache-dtype bfloat16 " in written(request_for(sparse, "vllm", tp=8))
    assert "--kv-cache-dtype bf16 " in written(request_for(sparse, "sglang", tp=8))


def test_addresses_are_filled_in() -> None:
    launch = launch_of(request_for(R1, "sglang", role=Role.PREFILL, **WIDE))
    filled = addressed(launch, ("10.0.0.1", "10.0.0.2"))
    assert "--host 10.0.0.2" in line(filled, 1)
    assert "--dist-init-addr 10.0.0.1:20000" in line(filled, 1)
    assert "$NODE" not in "".join(line(filled, node) for node in (0, 1))
    prefill = launch_of(request_for(QWEN, "vllm", role=Role.PREFILL))
    (node,) = addressed(prefill, ("10.0.0.9",)).nodes
    assert ("VLLM_NIXL_SIDE_CHANNEL_HOST", "10.0.0.9") in node.environment
