"""Steady state of one replica under load: open loop (a rate) and closed loop (a concurrency).

With B sequences generating, O output tokens each, a decode step of T(B) seconds and a prompt that
adds w seconds of step time, each request's decoding takes D = O T(B) + B w: its own O steps, and
the prompts of the B requests that arrive meanwhile (in steady state one arrives as one leaves).
So the rate is B / D and the time per token T(B) + B w / O. Nothing is left to iterate: everything
follows from B.

Percentiles. With the rate given, requests inside form a station whose speed depends on their number
(a product-form queue), so their number has variance B / (1 - e), where e is the elasticity of the
decode step's time to the batch. A request sees the mean over its own stay; over one stay D of an
exponentially correlated process with correlation time D / (1 - e) that mean has the share
2 (x - 1 + exp(-x)) / x^2 of the variance, x = 1 - e. Prompts that come meanwhile add the variance
of a compound Poisson sum.

First token. An arrival waits for the step that runs (length-biased: steps with a prompt are longer
and caught more often), shares its own first step with the prompts that came during that one, and
its tail is taken exponential. tests/perf/test_steady.py holds these against the scheduler itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np

from neocloud.perf import kernels
from neocloud.perf.numbers import StepNumbers
from neocloud.perf.records import Load, Steady

_CLOSED_ROUNDS = 40

Array = Any


def decode_seconds(n: StepNumbers, load: Load, batch: Array) -> Array:
    """Seconds of a step that only generates, for `batch` sequences."""
    nothing = np.zeros_like(np.asarray(batch, dtype=float))
    return kernels.step_seconds(n, batch, batch * load.context, nothing, nothing)


def prefill_seconds(
    n: StepNumbers, batch: Array, context: float, prompt: float, batch_tokens: Array
) -> Array:
    """Seconds that a prompt of `prompt` tokens adds to the steps it shares with `batch` others.

    A prompt longer than what a step has left is cut into equal chunks.
    """
    room = np.maximum(batch_tokens - batch, 1.0)
    chunks = np.ceil(prompt / room)
    tokens = prompt / chunks
    pairs = kernels.causal_pairs(prompt) / chunks
    nothing = np.zeros_like(tokens)
    alone = kernels.step_seconds(n, batch, batch * context, nothing, nothing)
    together = kernels.step_seconds(n, batch, batch * context, tokens, pairs)
    return chunks * (together - alone)


def _first_token(
    n: StepNumbers, load: Load, batch: Array, prompt: float, batch_tokens: Array
) -> Array:
    """Seconds from admission to first token with nobody else's prompt in the way."""
    step = decode_seconds(n, load, batch)
    room = np.maximum(batch_tokens - batch, 1.0)
    chunks = np.ceil(prompt / room)
    own = prefill_seconds(n, batch, load.context, prompt, batch_tokens)
    # The prompt's own steps carry the others' tokens too; with nobody there a step is only its own.
    return n.first_token_s + chunks * step + own


def at_batch(
    n: StepNumbers,
    load: Load,
    batch: Array,
    *,
    batch_tokens: Array,
    max_batch: Array,
    kv_tokens: Array,
    percentile: float,
) -> Steady:
    """Steady state, open loop, in which `batch` sequences generate on average.

    Args:
        n: numbers of one configuration, or of n as columns (n, 1).
        load: lengths of the requests.
        batch: mean decode batch, above 0; broadcasts against the columns.
        batch_tokens: tokens that one step may carry.
        max_batch: sequences that may run at once.
        kv_tokens: tokens that the KV cache holds.
        percentile: of the latencies, 0 to 100.
    """
    output = load.output_tokens
    step = decode_seconds(n, load, batch)
    prompt = prefill_seconds(n, batch, load.context, load.input_tokens, batch_tokens)
    stay = output * step + batch * prompt
    rate = batch / stay
    tpot = stay / output
    z = NormalDist().inv_cdf(percentile / 100.0)
    spread = _batch_spread(n, load, batch, step)
    share = rate * prompt  # of time, spent on prompts; below 1 since stay > batch x prompt
    crowd = batch + z * spread.seen
    slow = decode_seconds(n, load, np.maximum(crowd, batch)) / (1.0 - share)
    interrupted = np.sqrt(rate * stay * (1.0 + load.input_cv2)) * prompt / output
    slow = tpot + np.sqrt(np.square(slow - tpot) + np.square(z * interrupted))
    running = -np.expm1(-(batch + rate * (n.first_token_s + step + prompt)))
    caught = running * _caught_seconds(rate, step, prompt, load.input_cv2)
    others = 2.0 * caught * rate * prompt
    first = _first_token(n, load, batch, load.input_tokens, batch_tokens)
    ttft = first + caught + others
    crowded = np.maximum(crowd, batch)
    tail = -np.log1p(-percentile / 100.0)
    slow_ttft = _first_token(n, load, crowded, load.long_input, batch_tokens)
    slow_ttft = slow_ttft + tail * (caught + others)
    inside = batch + rate * (ttft - n.first_token_s)
    needed = batch + z * spread.at_once
    return Steady(
        requests_per_s=rate,
        concurrency=inside,
        decode_batch=batch,
        ttft_s=ttft,
        ttft_s_at_percentile=np.maximum(slow_ttft, ttft),
        tpot_s=tpot,
        tpot_s_at_percentile=slow,
        busy=-np.expm1(-inside),
        watts=_watts(n, load, batch, rate, step, prompt, inside, batch_tokens),
        fits=(needed <= max_batch) & (needed * load.context <= kv_tokens),
    )


@dataclass(frozen=True, slots=True)
class _Spread:
    """Standard deviations of the decode batch: at an instant, and as one request sees it."""

    at_once: Array
    seen: Array


def _batch_spread(n: StepNumbers, load: Load, batch: Array, step: Array) -> _Spread:
    """See the module's text; the elasticity is a difference quotient, kept below 0.9."""
    more = decode_seconds(n, load, batch * 1.05)
    elasticity = np.clip(np.log(more / step) / np.log(1.05), 0.0, 0.9)
    x = 1.0 - elasticity
    variance = batch / x
    seen = 2.0 * (x - 1.0 + np.exp(-x)) / np.square(x)
    return _Spread(np.sqrt(variance), np.sqrt(seen * variance))


def _caught_seconds(rate: Array, step: Array, prompt: Array, cv2: float) -> Array:
    """Mean rest of the step that an arrival finds running: E[S^2] / 2 E[S] over time.

    A share rate (step + prompt) of the time, at most all, goes to steps that carry a prompt.
    """
    mixed = step + prompt
    share = np.minimum(rate * mixed, 1.0)
    square = np.square(mixed) + cv2 * np.square(prompt)
    return (1.0 - share) * step / 2.0 + share * square / (2.0 * mixed)


def _wait(busy: Array, prompt: Array, cv2: float) -> Array:
    """Mean wait for other prompts as in M/G/1 (Pollaczek-Khinchine) at a prompt load `busy`."""
    return busy * prompt * (1.0 + cv2) / (2.0 * np.maximum(1.0 - busy, 1e-6))


def _watts(
    n: StepNumbers,
    load: Load,
    batch: Array,
    rate: Array,
    step: Array,
    prompt: Array,
    inside: Array,
    batch_tokens: Array,
) -> Array:
    """Mean power: energy of decode steps and prompts while busy, idle power for the rest."""
    busy = -np.expm1(-inside)
    nothing = np.zeros_like(np.asarray(step, dtype=float))
    of_step = kernels.step_joules(n, batch, batch * load.context, nothing, nothing, step)
    tokens = np.minimum(load.input_tokens, np.maximum(batch_tokens - batch, 1.0))
    pairs = kernels.causal_pairs(load.input_tokens) * tokens / load.input_tokens
    memory, compute = kernels.roofline_seconds(n, nothing, nothing, tokens, pairs)
    share = load.input_tokens / tokens
    of_prompt = n.tp * (
        n.static_w * prompt + n.dynamic_w * np.minimum(prompt, share * (memory + compute))
    )
    decoding = np.maximum(busy - rate * prompt, 0.0)
    return decoding / step * of_step + rate * of_prompt + (1.0 - busy) * n.idle_w * n.tp


def at_concurrency(
    n: StepNumbers,
    load: Load,
    concurrency: Array,
    *,
    batch_tokens: Array,
    max_batch: Array,
    kv_tokens: Array,
) -> Steady:
    """Steady state, closed loop: `concurrency` requests are always inside.

    Each client sends its next request when its last is answered. Requests beyond what the batch
    limit or the KV cache holds wait for a place.
    """
    room = np.minimum(max_batch, kv_tokens / load.context)
    inside = np.minimum(concurrency, np.maximum(room, 1.0))
    batch = inside * 0.9
    for _ in range(_CLOSED_ROUNDS):
        step = decode_seconds(n, load, batch)
        prompt = prefill_seconds(n, batch, load.context, load.input_tokens, batch_tokens)
        stay = load.output_tokens * step + batch * prompt
        wait = _closed_wait(batch, prompt, stay, load.input_cv2)
        ttft = _first_token(n, load, batch, load.input_tokens, batch_tokens) + step / 2.0 + wait
        batch = 0.5 * batch + 0.5 * inside * stay / (stay + ttft)
    rate = batch / stay
    outside = np.maximum(concurrency / inside - 1.0, 0.0) * (stay + ttft)
    ttft = ttft + outside
    tpot = stay / load.output_tokens
    return Steady(
        requests_per_s=rate,
        concurrency=concurrency,
        decode_batch=batch,
        ttft_s=ttft,
        ttft_s_at_percentile=ttft,
        tpot_s=tpot,
        tpot_s_at_percentile=tpot,
        busy=np.ones_like(rate),
        watts=_watts(n, load, batch, rate, step, prompt, concurrency, batch_tokens),
        fits=kv_tokens > 0,
    )


def _closed_wait(batch: Array, prompt: Array, stay: Array, cv2: float) -> Array:
    """Wait for other prompts when the population is fixed: at most all others are ahead."""
    busy = np.minimum(batch * prompt / stay, 0.95)
    return np.minimum(_wait(busy, prompt, cv2), batch * prompt / 2.0)
