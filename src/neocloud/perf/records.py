"""What the performance model takes and gives. SI units; one step is one forward pass."""

from __future__ import annotations

import msgspec
import numpy as np
from numpy.typing import NDArray


class Configuration(msgspec.Struct, frozen=True, kw_only=True):
    """How one replica runs one model.

    Attributes:
        accelerator: catalog key.
        tp: tensor parallelism: accelerators of the replica.
        precision: number format of the weights: `bf16`, `fp8`, `mxfp4`.
        kv_precision: number format of the KV cache: `bf16` or `fp8`.
        max_batch: sequences that may run at once (vLLM `--max-num-seqs`).
        batch_tokens: tokens that one step may carry (vLLM `--max-num-batched-tokens`).
        block_tokens: tokens of one KV block (vLLM `--block-size`).
        memory_share: part of the memory the engine may use (vLLM `--gpu-memory-utilization`).
    """

    accelerator: str
    tp: int
    precision: str
    kv_precision: str = "bf16"
    max_batch: int = 256
    batch_tokens: int = 8192
    block_tokens: int = 16
    memory_share: float = 0.92


class Memory(msgspec.Struct, frozen=True, kw_only=True):
    """Memory of one accelerator by part, bytes."""

    capacity: float
    weights: float
    activations: float
    reserve: float
    """Graphs, communication buffers and what else the engine holds."""
    kv_cache: float
    """What is left for the KV cache; negative if the model does not fit."""
    kv_bytes_per_token: float
    kv_tokens: int
    """Tokens that the KV cache of the replica holds; 0 if the model does not fit."""

    @property
    def fits(self) -> bool:
        """True if weights, activations and reserve leave room for at least one block."""
        return self.kv_tokens > 0


class StepTerms(msgspec.Struct, frozen=True, kw_only=True):
    """Time of one step by what it is spent on, seconds."""

    weights: float
    """Matrix products: reading weights and multiplying."""
    kv_read: float
    prefill_attention: float
    collectives: float
    floor: float
    """Launching kernels, layer by layer."""
    host: float
    """The engine's own scheduler and sampling."""

    @property
    def total(self) -> float:
        """The whole step, seconds."""
        return (
            self.weights
            + self.kv_read
            + self.prefill_attention
            + self.collectives
            + self.floor
            + self.host
        )


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """What one replica is asked: mean lengths of the requests, tokens."""

    input_tokens: float
    output_tokens: float
    cached_tokens: float = 0.0


class Steady(msgspec.Struct, frozen=True, kw_only=True):
    """Steady state of one replica.

    Attributes:
        requests_per_s: completed requests.
        concurrency: requests inside the replica, waiting and running, mean.
        decode_batch: sequences that generate at once, mean.
        ttft_s: time to the first token, mean.
        tpot_s: time per output token after the first, mean.
        busy: share of time in which a step runs.
        energy_j_per_s: power of the replica's accelerators and their share of the hosts, watts.
    """

    requests_per_s: float
    concurrency: float
    decode_batch: float
    ttft_s: float
    tpot_s: float
    busy: float
    energy_j_per_s: float


class StepTableData(msgspec.Struct, frozen=True, kw_only=True):
    """A `StepTable` laid down: axes, values in seconds and joules, and what it was made for."""

    decode_batch: NDArray[np.float64]
    context_tokens: NDArray[np.float64]
    prefill_tokens: NDArray[np.float64]
    seconds: NDArray[np.float64]
    joules: NDArray[np.float64]
    prefill_past_seconds: float
    idle_watts: float
