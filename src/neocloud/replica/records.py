"""What one engine replica takes in and does, step by step."""

from __future__ import annotations

import msgspec
import numpy as np
from numpy.typing import NDArray


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds of one replica's scheduler, in vLLM's terms.

    Attributes:
        max_batch: sequences that may run at once (`--max-num-seqs`).
        batch_tokens: tokens that one step may carry (`--max-num-batched-tokens`).
        block_tokens: tokens of one KV block.
        kv_blocks: blocks of the KV cache.
        prefix_cache: keep the blocks of finished prompts for later ones that begin alike.
        max_queue: requests that may wait; more are refused. 0 means no bound.
    """

    max_batch: int
    batch_tokens: int
    block_tokens: int
    kv_blocks: int
    prefix_cache: bool = True
    max_queue: int = 0


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One request: its prompt as the chained hashes of its full blocks, its lengths in tokens.

    Attributes:
        input_tokens: prompt length, at least 1.
        output_tokens: tokens it will generate, at least 1.
        prefix_ids: chained hash of each full block of the prompt (uint64); may be empty.
    """

    input_tokens: int
    output_tokens: int
    prefix_ids: NDArray[np.uint64]


class StepWork(msgspec.Struct, frozen=True, kw_only=True):
    """What one step holds.

    Attributes:
        decodes: sequences that generate one token each.
        decode_context: tokens that they attend to, summed.
        prefill_tokens: prompt tokens computed.
        prefill_past: sum over prefilled tokens of the tokens computed before their chunk.
        seconds: how long it takes by the step table.
        joules: what energy it takes.
    """

    decodes: int
    decode_context: int
    prefill_tokens: int
    prefill_past: int
    seconds: float
    joules: float


class StepResult(msgspec.Struct, frozen=True, kw_only=True):
    """What a finished step gave, by handle.

    Attributes:
        emitted: requests that got one more token, oldest first; a prompt's last chunk gives its
            first token.
        finished: of them, those that are done; their blocks are free again.
        preempted: requests thrown back to the queue for want of blocks.
    """

    emitted: tuple[int, ...]
    finished: tuple[int, ...]
    preempted: tuple[int, ...]


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """Counters and gauges of one replica since its start."""

    running: int
    waiting: int
    kv_usage: float
    """Share of the blocks that running requests hold; cached free blocks do not count."""
    preemptions: int
    prefix_queries: int
    """Prompt tokens looked up in the prefix cache."""
    prefix_hits: int
    """Of them, found."""
    prompt_tokens: int
    generated_tokens: int
    steps: int
    busy_s: float
    joules: float


class Served(msgspec.Struct, frozen=True, kw_only=True):
    """How one request fared in a replay, seconds of virtual time."""

    arrival_s: float
    first_token_s: float
    finish_s: float
    input_tokens: int
    cached_tokens: int
    output_tokens: int
    preemptions: int
