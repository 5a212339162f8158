"""What one engine replica takes in and gives back, step by step."""

from __future__ import annotations

from enum import StrEnum
from typing import Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds of one replica's scheduler, in vLLM's terms.

    Attributes:
        max_batch: sequences that may run at once (`--max-num-seqs`).
        batch_tokens: tokens that one step may carry (`--max-num-batched-tokens`); at least
            `max_batch`, so that every running sequence gets its token in every step. vLLM asks
            for the same.
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

    def __post_init__(self) -> None:
        for name in ("max_batch", "batch_tokens", "block_tokens", "kv_blocks"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be at least 1")
        if self.max_queue < 0:
            raise ValueError(f"max_queue is {self.max_queue}; use 0 for no bound")
        if self.batch_tokens < self.max_batch:
            raise ValueError(
                f"batch_tokens {self.batch_tokens} is below max_batch {self.max_batch}; "
                "a step must have room for one token of each running sequence"
            )


class StepCost(Protocol):
    """What a step takes. `perf.StepTable` is one; the replica asks nothing else of it."""

    def cost(
        self, decodes: int, decode_context: int, prefill_tokens: int, prefill_pairs: int
    ) -> tuple[float, float]:
        """Seconds and joules of a step with this composition (see `StepWork`)."""
        ...


class Request(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """One request: its lengths in tokens and its text as the chained hashes of full blocks.

    Attributes:
        input_tokens: prompt length, at least 1.
        output_tokens: tokens it will generate, at least 1.
        prefix_ids: chained hash of each full block (uint64): an id stands for its block and all
            before it. May be empty or shorter than the prompt (the rest is then never shared), or
            go on into the answer, whose blocks then serve a next turn of the conversation.
    """

    input_tokens: int
    output_tokens: int
    prefix_ids: NDArray[np.uint64]

    def __post_init__(self) -> None:
        if self.input_tokens < 1 or self.output_tokens < 1:
            raise ValueError(
                f"a request of {self.input_tokens} input and {self.output_tokens} output tokens: "
                "both must be at least 1"
            )


class RefusalReason(StrEnum):
    """Why a replica does not take a request."""

    TOO_LARGE = "too_large"
    QUEUE_FULL = "queue_full"


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """A request that was not taken; nothing of it remains in the replica.

    Attributes:
        reason: `too_large` (it could never fit, here or later) or `queue_full` (it may elsewhere).
        message: the reason with its numbers.
    """

    reason: RefusalReason
    message: str


class StepWork(msgspec.Struct, frozen=True, kw_only=True):
    """What one step holds.

    Attributes:
        decodes: sequences that generate one token each.
        decode_context: tokens that they attend to, summed; each counts the token it computes.
        prefill_tokens: prompt tokens computed; for a request that was preempted also the answer's
            tokens that it had.
        prefill_pairs: (query, key) pairs of their attention: for each prefilled token, the tokens
            up to and including itself, cached ones too.
        seconds: how long it takes by the step table.
        joules: what energy it takes.
    """

    decodes: int
    decode_context: int
    prefill_tokens: int
    prefill_pairs: int
    seconds: float
    joules: float


class StepResult(msgspec.Struct, frozen=True, kw_only=True):
    """What a finished step gave, by handle; a request aborted during the step is in none.

    Attributes:
        emitted: requests that got one more token, in order of admission; a prompt's last chunk
            gives its first token.
        started: of them, those that got their first token.
        cached_tokens: for each of `started`, prompt tokens that the prefix cache gave.
        finished: of them, those that are done; their blocks are free again.
        preempted: requests thrown back to the queue for want of blocks, newest first.
    """

    emitted: tuple[int, ...]
    started: tuple[int, ...]
    cached_tokens: tuple[int, ...]
    finished: tuple[int, ...]
    preempted: tuple[int, ...]


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """Gauges of one replica now, and counters since its start."""

    running: int
    waiting: int
    kv_usage: float
    """Share of the blocks that running requests hold; cached free blocks do not count."""
    preemptions: int
    prefix_queries: int
    """Prompt tokens looked up in the prefix cache, once a request, at its first admission."""
    prefix_hits: int
    """Of them, found."""
    prompt_tokens: int
    """Prompt tokens, cached ones included, of requests that got their first token."""
    generated_tokens: int
    steps: int
    busy_s: float
    joules: float


class Served(msgspec.Struct, frozen=True, kw_only=True):
    """How one request fared in a replay, seconds of virtual time."""

    index: int
    """Its place among the requests given."""
    arrival_s: float
    first_token_s: float
    finish_s: float
    input_tokens: int
    cached_tokens: int
    output_tokens: int
    preemptions: int


class Replay(msgspec.Struct, frozen=True, kw_only=True):
    """How a replica served a list of arrivals.

    Attributes:
        served: each request that was taken, in the order given.
        refused: places of those that were not.
        steps: steps run.
        busy_s: seconds in which one ran.
        joules: energy of the steps; what an idle replica draws is not in it.
        end_s: when the last step ended.
        preemptions: how often a request was thrown back.
    """

    served: tuple[Served, ...]
    refused: tuple[int, ...]
    steps: int
    busy_s: float
    joules: float
    end_s: float
    preemptions: int
