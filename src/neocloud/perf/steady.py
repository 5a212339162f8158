"""Steady state of one replica under an open loop: requests come at a rate, at random.

A replica is ranks x stages alike, with an equal share of its sequences each. With B sequences
generating on one on average, everything follows from B and nothing is left to iterate: a request
gains a tokens in the mean step S(B) of `mix`, its decoding takes D = O S / a, the rate is B / D.

Percentiles. Let s be the share of time spent on prompts, g = 1 / (1 - s), e the elasticity of the
plain step's time to the batch, c = 1 - e, v the squared coefficient of variation of prompts. An
arrival adds one to the batch, and its prompt keeps others from leaving, s g of them: g in all, with
mean square G = g^2 + s^2 g^2 v. What is added decays at the rate c / D, and departures add noise of
their own. So the batch has, to first order in its deviations, the variance B (G + 1) / (2 c).

A request sees the mean of that over its own stay, and the prompts that come meanwhile. For a stay
of r D, with u = c r and h = 2 (u - 1 + exp(-u)) / u^2, its time per token has the relative variance

    [ e^2 h (G + 1) / (2 c)  +  s^2 g^2 (1 + v) / r  +  e s g^2 (1 + s v) h ] / B

from the batch, from the prompts, and from both being moved by the same arrivals. It is taken to be
log-normal.

First token. An arrival waits for the step that runs (length-biased: steps with a prompt are longer
and caught more often) and shares its own first step with the prompts that came during that one.
Nearly all of that falls on those who find a step with a prompt running, and among them it is taken
exponential. tests/perf/test_steady.py holds these against the scheduler itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np

from neocloud.perf import kernels
from neocloud.perf.mix import Mix, chunks_of, decode_seconds, mix_of_steps, prompt_space
from neocloud.perf.numbers import StepNumbers
from neocloud.perf.records import Load, Steady

_MOST_ROOM = 0.9
"""Of the tokens that a step may carry. With more on average prompts queue for places in steps, and
the formulas for the first token, which know no such queue, do not hold."""

Array = Any


def _prompt_seconds(
    n: StepNumbers, load: Load, batch: Array, prompt: float, batch_tokens: Array
) -> Array:
    """Seconds that a prompt of `prompt` tokens adds to steps that it has for itself."""
    chunks = chunks_of(n, prompt, batch, batch_tokens)
    tokens = prompt / chunks
    pairs = kernels.causal_pairs(prompt) / chunks
    together = kernels.step_seconds(n, batch, batch * load.context, tokens, pairs)
    return chunks * (together - decode_seconds(n, load, batch)) + n.host_prompt_s


def _first_token(
    n: StepNumbers, load: Load, batch: Array, prompt: float, batch_tokens: Array
) -> Array:
    """Seconds from admission to first token with nobody else's prompt in the way."""
    # The prompt's own steps carry the others' tokens too; with nobody there a step is only its own.
    chunks = chunks_of(n, prompt, batch, batch_tokens)
    own = _prompt_seconds(n, load, batch, prompt, batch_tokens)
    return n.first_token_s + chunks * decode_seconds(n, load, batch) + own


def _one_more(n: StepNumbers, load: Load, batch: Array, batch_tokens: Array) -> Array:
    """Seconds that a prompt adds to a step that has one already."""
    tokens = np.minimum(load.input_tokens, prompt_space(n, batch, batch_tokens))
    pairs = kernels.causal_pairs(tokens)
    context = batch * load.context
    two = kernels.step_seconds(n, batch, context, 2.0 * tokens, 2.0 * pairs)
    one = kernels.step_seconds(n, batch, context, tokens, pairs)
    return (two - one) * load.input_tokens / tokens + n.host_prompt_s


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
    """Steady state, open loop, in which `batch` sequences of a replica generate on average.

    Args:
        n: numbers of one configuration, or of n as columns (n, 1).
        load: lengths of the requests.
        batch: mean decode batch of the replica, above 0; broadcasts against the columns.
        batch_tokens: tokens that one step of a rank may carry.
        max_batch: sequences that may run at once on the replica.
        kv_tokens: tokens that the KV cache of the replica holds.
        percentile: of the latencies, 0 to 100.
    """
    ranks = n.ranks * n.stages
    own = batch / ranks
    mix = mix_of_steps(n, load, own, batch_tokens)
    z = NormalDist().inv_cdf(percentile / 100.0)
    spread = _spread(n, load, own, mix)
    tpot = mix.mean / n.accepted * (1.0 + spread.more)
    rate = own / (load.output_tokens * tpot)
    slow = tpot * np.maximum(np.exp(z * spread.stay - np.square(spread.stay) / 2.0), 1.0)
    running = -np.expm1(-n.ranks * (own + rate * (n.first_token_s + mix.mean + mix.prompt)))
    caught = running * mix.square / (2.0 * mix.mean)
    # A prompt in several chunks keeps those behind it waiting for all of its steps.
    chunks = chunks_of(n, load.input_tokens, own, batch_tokens)
    others = 2.0 * caught * rate * _one_more(n, load, own, batch_tokens) * chunks
    ttft = _first_token(n, load, own, load.input_tokens, batch_tokens) + caught + others
    needed = own + z * spread.batch
    wait = caught + others
    crowd = np.maximum(needed, own)
    usual = _first_token(n, load, crowd, load.input_tokens, batch_tokens)
    longer = _first_token(n, load, crowd, load.long_input, batch_tokens) - usual
    # Long prompts and long waits come independently: their excesses add as squares.
    slow_ttft = usual + wait + np.hypot(longer, _tail(mix, wait, percentile) - wait)
    inside = own + rate * (ttft - n.first_token_s)
    busy = -np.expm1(-n.ranks * inside)
    idle = n.idle_w * n.group
    return Steady(
        requests_per_s=rate * ranks,
        concurrency=inside * ranks,
        decode_batch=batch,
        batch_at_percentile=needed * ranks,
        ttft_s=ttft,
        ttft_s_at_percentile=np.maximum(slow_ttft, ttft),
        tpot_s=tpot,
        tpot_s_at_percentile=slow,
        busy=busy,
        watts=n.stages * (busy * mix.joules / mix.mean + (1.0 - busy) * idle),
        fits=(needed * ranks <= max_batch)
        & (needed * ranks * load.context <= kv_tokens)
        & (mix.room <= _MOST_ROOM),
    )


def _tail(mix: Mix, mean: Array, percentile: float) -> Array:
    """A wait at the percentile whose mean over all arrivals is `mean`; see the module's text."""
    beyond = 1.0 - percentile / 100.0
    waiting = mean / mix.busy_with_prompt * np.log(np.maximum(mix.busy_with_prompt / beyond, 1.0))
    return np.maximum(waiting, mix.plain * percentile / 100.0)


@dataclass(frozen=True, slots=True)
class _Spread:
    """Standard deviations: of the batch, and of a request's time per token over the mean's."""

    batch: Array
    stay: Array
    more: Array
    """By how much the mean time per token exceeds that at the mean batch."""


def _spread(n: StepNumbers, load: Load, batch: Array, mix: Mix) -> _Spread:
    """See the module's text. The elasticity is taken from one sequence more, kept below 0.9.

    One more is what a request sees beside the others, so this holds below a batch of 1 as well.
    """
    more = decode_seconds(n, load, batch + 1.0)
    e = np.clip(batch * (more / mix.plain - 1.0), 0.0, 0.9)
    s, v = mix.share, load.input_cv2
    c, g = 1.0 - e, 1.0 / (1.0 - s)
    square = np.square(g) * (1.0 + np.square(s) * v)
    r = load.typical_output / load.output_tokens
    u = c * r
    h = 2.0 * (u - 1.0 + np.exp(-u)) / np.square(u)
    of_batch = (square + 1.0) / (2.0 * c)
    of_stay = (
        np.square(e) * h * of_batch
        + np.square(s * g) * (1.0 + v) / r
        + e * s * np.square(g) * (1.0 + s * v) * h
    )
    return _Spread(
        batch=np.sqrt(batch * of_batch),
        stay=np.sqrt(of_stay / batch),
        # First order holds for small deviations: no batch varies more than one that fades away at
        # random, whose standard deviation is its mean.
        more=e * c * np.minimum(of_batch / batch, 1.0),
    )
