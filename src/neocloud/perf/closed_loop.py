"""Closed loop: a fixed number of requests in flight, as benchmarks and batch jobs hold it.

c requests for each rank, B of them generating; a step of these takes T_d. Prompts take steps from
generation: w each, so a token takes TPOT = T_d / a + B w / O with a tokens gained a step and O
tokens an answer. An answer lasts D = O TPOT, B / D prompts arrive a second and fill the share
u = w B / D of the time. A request waits for half a step, for other prompts, then for its own; where
lengths are alike, answers end in waves and their prompts wait for each other:

    TTFT = t0 + T_d / 2 + T_own / (1 - y u) + z max(0, B w - D / 5) / 2
    B = min(c, room) D / (D + TTFT)

Ranks that share experts step together, so each waits for the others' prompts: w = T_p d^x for d
ranks. Requests beyond the room wait outside. Solved by a secant for each case.

Disaggregated: prompts go to a station of workers x ranks servers, generation elsewhere sees none.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from neocloud.perf import kernels
from neocloud.perf.numbers import StepNumbers

Array = Any
_ROUNDS = 7
"""Of the secant; published configurations are solved to 1e-14 in six."""
_STATION_ROUNDS = 16
"""Damped rounds of a disaggregated loop."""
_LEAST = 1e-3
"""Batch that a rank never falls below: less than one request in a thousand steps."""
_SPREAD = 0.2
"""Lengths of benchmarks lie over 80 to 100 per cent: a wave ends within a fifth of an answer."""


@dataclass(frozen=True, slots=True)
class Loop:
    """A closed loop solved. Seconds, tokens; arrays over cases.

    Attributes:
        ttft_s: time to the first token, queueing for a place included; mean.
        outside_s: of both, what requests wait for a place outside.
        ttft_median_s: its median: without the wave that a benchmark starts with.
        tpot_s: time per output token after the first.
        batch: sequences that generate on a rank.
        requests_per_s: of the whole deployment.
        busy_prefill: share of time that prompts take from steps.
    """

    ttft_s: Array
    ttft_median_s: Array
    outside_s: Array
    tpot_s: Array
    batch: Array
    requests_per_s: Array
    busy_prefill: Array


def _prompt(
    n: StepNumbers,
    inputs: Array,
    batch_tokens: Array,
    batch: Array,
    context: Array,
    together: Array = 1.0,
) -> tuple[Array, Array]:
    """Seconds that a prompt adds to the steps that carry it, and how many steps those are.

    Args:
        n: numbers of the configuration.
        inputs: prompt length, tokens.
        batch_tokens: tokens that a step may carry.
        batch: sequences that generate on a rank.
        context: tokens that each of them attends to.
        together: prompts that go through their steps at once; the seconds are all of theirs.
    """
    beside = batch * n.share
    space = np.maximum(batch_tokens - beside * n.tokens_per_sequence, 64.0)
    # A fraction of a step more rather than a whole one: batches differ, so the mean is smooth.
    chunks = np.maximum(1.0, together * inputs / space)
    tokens = together * inputs / chunks
    pairs = together * kernels.causal_pairs(inputs) / chunks
    past = beside * context
    alone = kernels.free_seconds(n, beside, past, 0.0, 0.0)
    both = kernels.free_seconds(n, beside, past, tokens, pairs)
    return chunks * (both - alone) + together * n.host_prompt_s, chunks


def _least_seconds(
    n: StepNumbers, inputs: Array, outputs: Array, batch: Array, context: Array
) -> Array:
    """Seconds of a rank that one request needs at the data sheet's peaks, beside `batch` others."""
    steps = outputs / n.accepted / batch
    memory, compute = kernels.roofline_seconds(n, batch, batch * context, 0.0, 0.0)
    _, prompt = kernels.roofline_seconds(n, 0.0, 0.0, inputs, kernels.causal_pairs(inputs))
    return np.maximum(steps * memory, steps * compute + prompt)


def _secant(moved: Array, miss: Array, missed: Array) -> Array:
    """Next move towards a batch that the loop gives back, from the last two misses.

    Where prompts take most of the time, damped rounds creep: each round undoes a tenth of the miss.
    """
    slope = (miss - missed) / np.where(np.abs(moved) > 1e-12, moved, 1.0)
    # A miss that does not shrink on the way tells nothing: go half of it.
    steep = (slope < -1e-3) & (np.abs(moved) > 1e-12)
    return np.where(steep, -miss / np.where(steep, slope, -1.0), 0.5 * miss)


def aggregated(
    n: StepNumbers,
    *,
    inputs: Array,
    outputs: Array,
    concurrency: Array,
    room: Array,
    batch_tokens: Array,
) -> Loop:
    """Solve the loop of engines that prefill and generate.

    Args:
        n: numbers of each case.
        inputs: prompt length, tokens.
        outputs: answer length, tokens.
        concurrency: requests in flight for each rank.
        room: sequences that a rank can run at once (batch limit, KV cache).
        batch_tokens: tokens that a step may carry.
    """
    context = inputs + outputs / 2.0
    inside = np.minimum(concurrency, room)
    batch = np.maximum(inside * 0.8, 0.3)
    coupled = (n.ranks * n.stages) ** n.waiting
    last, missed = batch, np.zeros_like(batch)
    for turn in range(_ROUNDS):
        step = kernels.decode_seconds(n, batch, batch * context)
        own, chunks = _prompt(n, inputs, batch_tokens, batch, context)
        wait = own * np.where(concurrency * n.ranks > 1.5, coupled, 1.0)
        tpot = step / n.accepted + batch * wait / outputs
        stay = outputs * tpot
        busy = np.minimum(batch * wait / stay, 0.98)
        # With one request in flight nobody else's prompt is ever in the way.
        crowd = 1.0 - 1.0 / np.maximum(concurrency, 1.0)
        queue = n.burst * np.maximum(0.0, batch * wait - _SPREAD * stay) / 2.0
        first_wave = n.wave * batch * wait / 2.0 + (1.0 - n.calm) * queue
        own_steps = own + chunks * step * n.share
        ttft = (
            n.first_token_s
            + crowd * step / 2.0
            + own_steps / (1.0 - n.settle * busy * crowd)
            + crowd * n.calm * queue
        )
        usual = ttft
        ttft = ttft + crowd * first_wave
        miss = np.maximum(inside * stay / (stay + ttft), _LEAST) - batch
        move = 0.5 * miss if turn == 0 else _secant(batch - last, miss, missed)
        last, missed = batch, miss
        batch = np.clip(batch + move, _LEAST, np.maximum(inside, _LEAST))
    outside = np.maximum(concurrency / inside - 1.0, 0.0) * (stay + ttft)
    ttft, usual = ttft + outside, usual + outside
    least = concurrency * _least_seconds(n, inputs, outputs, batch, context)
    short = np.maximum(least - (ttft + tpot * (outputs - 1.0)), 0.0)
    ttft, usual = ttft + short, usual + short
    whole = ttft + tpot * (outputs - 1.0)
    return Loop(
        ttft_s=ttft,
        ttft_median_s=usual,
        outside_s=outside,
        tpot_s=tpot,
        batch=batch,
        requests_per_s=concurrency * n.ranks * n.stages / whole,
        busy_prefill=busy,
    )


def disaggregated(
    decode: StepNumbers,
    prefill: StepNumbers,
    *,
    inputs: Array,
    outputs: Array,
    concurrency: Array,
    decode_ranks: Array,
    prefill_ranks: Array,
    room: Array,
    batch_tokens: Array,
) -> Loop:
    """Solve the loop of prefill workers that hand over to decode workers.

    Args:
        decode: numbers of each case's decode configuration.
        prefill: numbers of its prefill configuration.
        inputs: prompt length, tokens.
        outputs: answer length, tokens.
        concurrency: requests in flight in the whole deployment.
        decode_ranks: ranks of all decode workers.
        prefill_ranks: ranks of all prefill workers.
        room: sequences that a decode rank can run at once.
        batch_tokens: tokens that a prefill step may carry.
    """
    context = inputs + outputs / 2.0
    zero = np.zeros_like(concurrency)
    service, _ = _prompt(prefill, inputs, batch_tokens, zero, context)
    # A busy station takes several short prompts in one step.
    several = np.maximum(1.0, batch_tokens / inputs)
    full = _prompt(prefill, inputs, batch_tokens, zero, context, several)[0] / several
    waiting = np.minimum(0.2 * concurrency, 1.0)
    for _ in range(_STATION_ROUNDS):
        batch = np.minimum(np.maximum(concurrency - waiting, 0.5) / decode_ranks, room)
        # A worker that runs at all holds at least one sequence.
        batch = np.maximum(batch, np.minimum(1.0, concurrency))
        step = kernels.decode_seconds(decode, batch, batch * context)
        tpot = step / decode.accepted
        stay = outputs * tpot
        others = (concurrency - 1.0) / np.maximum(concurrency, 1.0)
        queue = waiting / prefill_ranks * others
        answer = service + full * prefill.station * queue
        ttft = prefill.first_token_s + prefill.transfer_s + answer
        # Rounding: waiting for the station, never more than all.
        target = concurrency * ttft / (ttft + stay)
        waiting = 0.6 * waiting + 0.4 * np.minimum(target, concurrency)
    # What the station cannot serve bounds the loop from below.
    least = concurrency * full / prefill_ranks
    whole = np.maximum(ttft + tpot * (outputs - 1.0), least)
    ttft = whole - tpot * (outputs - 1.0)
    return Loop(
        ttft_s=ttft,
        ttft_median_s=ttft,
        outside_s=zero,
        tpot_s=tpot,
        batch=batch,
        requests_per_s=concurrency / whole,
        busy_prefill=zero,
    )
