"""Flags of `sglang serve`, as `sglang/srt/arg_groups/fields` of the release defines them."""

from __future__ import annotations

import math

from neocloud.planner.flags.formats import FP8_CACHE_BY_DEFAULT
from neocloud.planner.flags.layout import Settled, host_of
from neocloud.planner.flags.records import Launch, LaunchError, NodeCommand, Role, node_address

SGLANG_VERSION = "0.5.23"
"""The release whose flags these are."""
INIT_PORT = 20000
"""Where the nodes of a replica meet; the engine has no default. It takes some further ports above
(`server_args.py`, `PortArgs`)."""
BOOTSTRAP_PORT = 8998
"""Where decoding replicas find a prefilling one: the engine's own."""
TRANSFER = "mooncake"
"""The engine's own way to move a KV cache, written out so that both roles agree."""


def sglang_nodes(request: Launch, settled: Settled) -> tuple[NodeCommand, ...]:
    """One command a node.

    Raises:
        LaunchError: the experts cannot be spread so.
    """
    c = request.configuration
    if settled.sizes.stage % c.ep:
        raise LaunchError(
            f"{settled.sizes.stage} accelerators of a stage are not a multiple of ep {c.ep}"
        )
    shared = [
        *_parallel(request, settled),
        *_scheduler(request, settled),
        *_cache(request, settled),
        *_model(request, settled),
        *_transfer(request),
    ]
    return tuple(
        NodeCommand(
            arguments=(
                "serve",
                "--model-path",
                request.checkpoint,
                "--served-model-name",
                request.served_name,
                *_place(request, node),
                *shared,
            )
        )
        for node in range(request.nodes)
    )


def _place(request: Launch, node: int) -> list[str]:
    place = ["--host", host_of(request, node)]
    if request.nodes > 1:
        place += [
            "--nnodes", str(request.nodes),
            "--node-rank", str(node),
            "--dist-init-addr", f"{node_address(0)}:{INIT_PORT}",
        ]  # fmt: skip
    return place


def _parallel(request: Launch, settled: Settled) -> list[str]:
    """Widths. SGLang's tensor width is that of the whole stage: attention ranks are parts of it."""
    c = request.configuration
    flags = ["--tp-size", str(settled.sizes.stage)]
    if c.pp > 1:
        flags += ["--pp-size", str(c.pp)]
    if c.attention_dp > 1:
        flags += ["--attn-dp-size", str(c.attention_dp)]
    if c.ep > 1:
        flags += ["--ep-size", str(c.ep)]
    return flags


def _scheduler(request: Launch, settled: Settled) -> list[str]:
    """Limits, of which the engine divides some over its attention ranks.

    Sequences and a chunk's tokens are given for the replica; a queue is a rank's and holds at least
    one request: `mem_cache/kv_cache_configurator.py` (resolve_max_num_reqs),
    `arg_groups/parallel_hook.py` (handle_data_parallelism), `managers/scheduler.py`
    (_abort_on_queued_limit).
    """
    c = request.configuration
    flags = [
        "--max-running-requests", str(settled.sizes.batch),
        "--chunked-prefill-size", str(c.batch_tokens * c.attention_dp),
        "--max-prefill-tokens", str(c.batch_tokens),
    ]  # fmt: skip
    if request.queued_requests is not None and request.role is Role.AGGREGATED:
        queued = max(1, -(-request.queued_requests // c.attention_dp))
        flags += ["--max-queued-requests", str(queued)]
    return [*flags, "--context-length", str(request.max_context)]


def static_share(request: Launch) -> float:
    """Part of an accelerator's memory that weights and KV cache may take.

    SGLang's fraction leaves out what a step needs beside them (`arg_groups/memory_hook.py`), so
    planned activations and reserve come off the planned share. Rounded down to a thousandth.
    """
    memory = request.memory
    return math.floor((memory.weights + memory.kv_cache) / memory.capacity * 1000.0) / 1000.0


def _cache(request: Launch, settled: Settled) -> list[str]:
    c, family = request.configuration, request.architecture.model_type
    flags = [
        "--page-size", str(settled.block_tokens),
        "--mem-fraction-static", f"{static_share(request):g}",
    ]  # fmt: skip
    if c.kv_precision == "fp8":
        flags += ["--kv-cache-dtype", "fp8_e4m3"]
    elif family in FP8_CACHE_BY_DEFAULT:
        flags += ["--kv-cache-dtype", "bf16"]
    return flags


def _model(request: Launch, settled: Settled) -> list[str]:
    """What is loaded, what is reported, and how answers are read. SIGTERM drains by itself."""
    flags = []
    if settled.quantization:
        flags += ["--quantization", settled.quantization]
    if drafts := request.configuration.drafts:
        # A chain: one candidate a step, and one more token than drafted is checked.
        flags += [
            "--speculative-algorithm", "NEXTN",
            "--speculative-num-steps", str(drafts),
            "--speculative-eagle-topk", "1",
            "--speculative-num-draft-tokens", str(drafts + 1),
        ]  # fmt: skip
    flags += ["--enable-cache-report", "--enable-metrics"]
    if settled.parsers.tools:
        flags += ["--tool-call-parser", settled.parsers.tools]
    if settled.parsers.reasoning:
        flags += ["--reasoning-parser", settled.parsers.reasoning]
    return flags


def _transfer(request: Launch) -> list[str]:
    if request.role is Role.AGGREGATED:
        return []
    flags = ["--disaggregation-mode", str(request.role)]
    flags += ["--disaggregation-transfer-backend", TRANSFER]
    if request.role is Role.PREFILL:
        flags += ["--disaggregation-bootstrap-port", str(BOOTSTRAP_PORT)]
    return flags
