"""Flags of `vllm serve`.

As `vllm/engine/arg_utils.py` and `vllm/entrypoints/common/cli_args.py` of the release define them.
"""

from __future__ import annotations

import json

from neocloud.planner.flags.formats import FP8_CACHE_BY_DEFAULT
from neocloud.planner.flags.layout import Settled, host_of
from neocloud.planner.flags.records import Launch, LaunchError, NodeCommand, Role, node_address

VLLM_VERSION = "0.33"
"""The release whose flags these are; read in 0.33.0."""
SHUTDOWN_S = 30
"""Seconds that running requests get after SIGTERM. The engine's own 0 cuts them off."""
MASTER_PORT, RPC_PORT, SIDE_CHANNEL_PORT = 29501, 29550, 5600
"""The engine's own: `config/parallel.py`, `envs.py`. Written out so that a firewall can follow."""
_KV_ROLES = {Role.PREFILL: "kv_producer", Role.DECODE: "kv_consumer"}


def vllm_nodes(request: Launch, settled: Settled) -> tuple[NodeCommand, ...]:
    """One command a node.

    Raises:
        LaunchError: vLLM cannot spread the experts so, its ranks share no weights, or a step is
            too small for the batch.
    """
    _check(request, settled)
    shared = [
        *_parallel(request),
        *_scheduler(request, settled),
        *_cache(request, settled),
        *_model(request, settled),
        *_transfer(request),
    ]
    return tuple(
        NodeCommand(
            arguments=(
                "serve",
                request.checkpoint,
                "--served-model-name",
                request.served_name,
                *_place(request, node),
                *shared,
            ),
            environment=_environment(request, node),
        )
        for node in range(request.nodes)
    )


def _check(request: Launch, settled: Settled) -> None:
    c = request.configuration
    if c.ep not in {1, settled.sizes.stage}:
        raise LaunchError(
            f"vLLM spreads experts over all {settled.sizes.stage} accelerators of a stage or over "
            f"none, not over {c.ep}"
        )
    if c.attention_dp > 1 and not any(group.experts for group in request.architecture.layers):
        # `config/parallel.py`, reconfigure_for_independent_dp_rank: each holds all the weights
        raise LaunchError(
            f"ranks of {request.architecture.name}, which has no experts, share no weights in vLLM"
        )
    if c.batch_tokens < settled.sizes.rank_batch:  # `config/scheduler.py` refuses it
        raise LaunchError(
            f"a step of {c.batch_tokens} tokens is too small for {settled.sizes.rank_batch} "
            "sequences"
        )


def _place(request: Launch, node: int) -> list[str]:
    """Where this node stands in the replica. Only the first node has a server."""
    if request.nodes == 1:
        return ["--host", host_of(request, node)]
    server = ["--host", host_of(request, node)] if node == 0 else ["--headless"]
    place = [
        "--nnodes", str(request.nodes),
        "--node-rank", str(node),
        "--master-addr", node_address(0),
        "--master-port", str(MASTER_PORT),
    ]  # fmt: skip
    if request.configuration.attention_dp > 1:
        place += ["--data-parallel-rpc-port", str(RPC_PORT)]
    return server + place


def _parallel(request: Launch) -> list[str]:
    """Widths. vLLM's expert parallelism is a switch: it takes all accelerators of a stage."""
    c = request.configuration
    flags = ["--tensor-parallel-size", str(c.tp)]
    if c.pp > 1:
        flags += ["--pipeline-parallel-size", str(c.pp)]
    if c.attention_dp > 1:
        flags += ["--data-parallel-size", str(c.attention_dp)]
    if c.ep > 1:
        flags.append("--enable-expert-parallel")
    return flags


def _scheduler(request: Launch, settled: Settled) -> list[str]:
    """Limits. Those of sequences and tokens are a rank's, that of requests the replica's.

    vLLM's queue limit counts running requests too (`v1/engine/async_llm.py`).
    """
    flags = [
        "--max-num-seqs", str(settled.sizes.rank_batch),
        "--max-num-batched-tokens", str(request.configuration.batch_tokens),
    ]  # fmt: skip
    if request.queued_requests is not None:
        flags += ["--max-num-queued-reqs", str(settled.sizes.batch + request.queued_requests)]
    return [*flags, "--max-model-len", str(request.max_context)]


def _cache(request: Launch, settled: Settled) -> list[str]:
    c, family = request.configuration, request.architecture.model_type
    flags = [
        "--block-size", str(settled.block_tokens),
        "--gpu-memory-utilization", f"{c.memory_share:g}",
    ]  # fmt: skip
    if c.kv_precision == "fp8":
        flags += ["--kv-cache-dtype", "fp8"]
    elif family in FP8_CACHE_BY_DEFAULT:
        flags += ["--kv-cache-dtype", "bfloat16"]
    return flags


def _model(request: Launch, settled: Settled) -> list[str]:
    """What is loaded, what is reported, how answers are read, and how the engine ends."""
    flags = []
    if settled.quantization:
        flags += ["--quantization", settled.quantization]
    if drafts := request.configuration.drafts:
        # `config/speculative.py`: one name for every family; the older ones warn.
        speculative = {"method": "mtp", "num_speculative_tokens": drafts}
        flags += ["--speculative-config", json.dumps(speculative)]
    flags += ["--enable-prompt-tokens-details", "--shutdown-timeout", str(SHUTDOWN_S)]
    if settled.parsers.tools:
        flags += ["--enable-auto-tool-choice", "--tool-call-parser", settled.parsers.tools]
    if settled.parsers.reasoning:
        flags += ["--reasoning-parser", settled.parsers.reasoning]
    return flags


def _transfer(request: Launch) -> list[str]:
    if request.role is Role.AGGREGATED:
        return []
    transfer = {"kv_connector": "NixlConnector", "kv_role": _KV_ROLES[request.role]}
    return ["--kv-transfer-config", json.dumps(transfer)]


def _environment(request: Launch, node: int) -> tuple[tuple[str, str], ...]:
    """The connector's handshake listens on this machine alone unless told otherwise."""
    if request.role is Role.AGGREGATED:
        return ()
    return (
        ("VLLM_NIXL_SIDE_CHANNEL_HOST", node_address(node)),
        ("VLLM_NIXL_SIDE_CHANNEL_PORT", str(SIDE_CHANNEL_PORT)),
    )
