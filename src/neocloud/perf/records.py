"""What the performance model takes and gives. SI units; one step is one forward pass."""

from __future__ import annotations

from typing import Any

import msgspec


class Configuration(msgspec.Struct, frozen=True, kw_only=True):
    """How one replica runs one model.

    Attributes:
        accelerator: catalog key.
        tp: tensor parallelism of the attention.
        attention_dp: data parallelism of the attention: groups of tp accelerators with sequences of
            their own that share the feed-forward weights (vLLM `--data-parallel-size`).
        pp: pipeline parallelism: stages of tp x attention_dp accelerators.
        ep: expert parallelism: 1 where each expert lies over all accelerators of a stage.
        precision: number format of the weights: `bf16`, `fp8`, `fp4`, `mxfp4`, `int8`, `int4`.
        kv_precision: number format of the KV cache: `bf16` or `fp8`.
        engine: `vllm`, `sglang`, `trtllm`, `atom`.
        drafts: tokens drafted for each sequence and step (multi-token prediction).
        max_batch: sequences that may run at once on the replica (vLLM `--max-num-seqs`, times
            attention_dp).
        batch_tokens: tokens that one step of a rank may carry (vLLM `--max-num-batched-tokens`).
        block_tokens: tokens of one KV block (vLLM `--block-size`).
        memory_share: part of the memory the engine may use (vLLM `--gpu-memory-utilization`).
    """

    accelerator: str
    tp: int
    precision: str
    attention_dp: int = 1
    pp: int = 1
    ep: int = 1
    kv_precision: str = "bf16"
    engine: str = "vllm"
    drafts: int = 0
    max_batch: int = 256
    batch_tokens: int = 8192
    block_tokens: int = 16
    memory_share: float = 0.92

    @property
    def accelerators(self) -> int:
        """Accelerators of one replica."""
        return self.tp * self.attention_dp * self.pp


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
    """Tokens of one attention rank that the KV cache holds; 0 if the model does not fit. A replica
    without attention data parallelism has one such rank, whatever its stages."""
    replica_kv_tokens: int
    """Tokens that the KV cache of the replica holds."""

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
    """Lengths of the requests that a replica is asked, tokens.

    Attributes:
        input_tokens: mean prompt length.
        output_tokens: mean answer length.
        context_tokens: mean tokens a generating sequence attends to; None means prompt plus half
            of the answer. Where lengths vary, long answers count more: E[O (I + O / 2)] / E[O].
        input_cv2: squared coefficient of variation of the prompt length.
        input_at_percentile: prompt length at the objective's percentile; None means the mean.
        typical_output_tokens: answer length at which times per token are spread as they are over
            all requests, E[O^-1/2]^-2: the fewer tokens, the less chance evens out. None means the
            mean.
    """

    input_tokens: float
    output_tokens: float
    context_tokens: float | None = None
    input_cv2: float = 0.0
    input_at_percentile: float | None = None
    typical_output_tokens: float | None = None

    @property
    def context(self) -> float:
        """Mean tokens that a generating sequence attends to."""
        if self.context_tokens is not None:
            return self.context_tokens
        return self.input_tokens + self.output_tokens / 2.0

    @property
    def long_input(self) -> float:
        """Prompt length at the objective's percentile."""
        return self.input_tokens if self.input_at_percentile is None else self.input_at_percentile

    @property
    def typical_output(self) -> float:
        """Answer length that the spread of times per token goes by."""
        if self.typical_output_tokens is None:
            return self.output_tokens
        return self.typical_output_tokens


class Steady(msgspec.Struct, frozen=True, kw_only=True):
    """Steady state of one replica, or arrays of them.

    Attributes:
        requests_per_s: completed requests.
        concurrency: requests inside the replica, waiting and running, mean.
        decode_batch: sequences that generate at once, mean.
        batch_at_percentile: the same at the percentile asked for.
        ttft_s: time to the first token, mean.
        ttft_s_at_percentile: the same at the percentile asked for.
        tpot_s: time per output token after the first, mean.
        tpot_s_at_percentile: the same at the percentile asked for.
        busy: share of time in which a step runs.
        watts: mean power of the replica, its share of the hosts included, PUE not.
        fits: True where the KV cache and the batch limit hold what the percentile needs.
    """

    requests_per_s: Any
    concurrency: Any
    decode_batch: Any
    batch_at_percentile: Any
    ttft_s: Any
    ttft_s_at_percentile: Any
    tpot_s: Any
    tpot_s_at_percentile: Any
    busy: Any
    watts: Any
    fits: Any


class PrefillAttention(msgspec.Struct, frozen=True, kw_only=True):
    """Prefill attention of one step in closed form: FLOPs over a rate that grows with length."""

    flops_per_pair: float
    flops_per_window_pair: float
    window: float
    flops_per_recent_pair: float
    recent: float
    s_per_flop: tuple[float, ...]
    """Seconds of a FLOP in long prompts, at each decode batch of the table."""
    peak_flops: float
    """Of the data sheet."""
    half_tokens: float


class StepPower(msgspec.Struct, frozen=True, kw_only=True):
    """Power of the whole replica in a step, its share of the hosts included, watts."""

    static_w: float
    """In a step that uses neither memory nor compute."""
    dynamic_w: float
    """What memory or compute that is busy all the time adds."""


class StepTableData(msgspec.Struct, frozen=True, kw_only=True):
    """A `StepTable` laid down: axes, values, and what they leave out.

    `seconds`, `memory_s` and `compute_s` are flat, of shape (decode_batch, mean context, prefill
    tokens), without prefill attention: a rank's step as the model has it, and what its bytes and
    FLOPs take at the data sheet's peaks. Decode batches are the replica's, prefill tokens a rank's.
    """

    decode_batch: tuple[float, ...]
    mean_context: tuple[float, ...]
    prefill_tokens: tuple[float, ...]
    seconds: tuple[float, ...]
    memory_s: tuple[float, ...]
    compute_s: tuple[float, ...]
    attention: PrefillAttention
    power: StepPower
    accepted: float
    """Tokens that a sequence gains in a step of the engine."""
    prompt_s: float
    """What a step with a prompt takes beyond the table: its admission."""
    prompt_weight: float
    """Time that a prompt adds to the replica's steps over what it adds to its rank's."""
    prompt_work: float
    """Share of the replica's accelerators that work on a prompt."""
    idle_watts: float
