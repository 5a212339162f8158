"""Arguments of `vllm serve` for a replica of one node whose model family is not looked at."""

from __future__ import annotations

from neocloud.perf import Configuration


def vllm_arguments(
    checkpoint: str, served_name: str, configuration: Configuration, max_context: int
) -> tuple[str, ...]:
    """Arguments of `vllm serve` for tensor parallelism alone.

    Batch limits are given because the engine's own defaults depend on the device's memory, and
    `--enable-prompt-tokens-details` because without it cached tokens are not reported and cannot
    be billed.
    """
    arguments = [
        "serve", checkpoint,
        "--served-model-name", served_name,
        "--host", "127.0.0.1",
        "--tensor-parallel-size", str(configuration.tp),
        "--max-num-seqs", str(configuration.max_batch),
        "--max-num-batched-tokens", str(configuration.batch_tokens),
        "--block-size", str(configuration.block_tokens),
        "--gpu-memory-utilization", f"{configuration.memory_share:g}",
        "--max-model-len", str(max_context),
        "--enable-prompt-tokens-details",
        "--shutdown-timeout", "30",
    ]  # fmt: skip
    if configuration.kv_precision != "bf16":
        arguments += ["--kv-cache-dtype", configuration.kv_precision]
    return tuple(arguments)
