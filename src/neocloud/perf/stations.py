"""Steady state of prefill apart from decode under an open loop: requests come at random, at a rate.

Workers are ranks x stages alike, each on its own with an equal share of the requests, as in
`closed_loop.disaggregated`: where no rank mixes prompts into others' steps, none waits for them.

Decode. With no prompt on the worker, B sequences on a rank are those of `steady` with s = 0: their
variance is B / c. A request counts itself beside those it meets, so it sees the step of B + 1.

Prefill. A step carries what waits, u tokens of it, at most C = batch_tokens, and takes T(u) =
a + b u. Let requests come at the rate l with mean I and variation v of their tokens, m wait when a
step starts, o = m - u remain, z be the chance that then nothing waits and the next step is one
prompt's. With g = l I b and h = l I a, and r = h / C + g the utilisation, mean and mean square of m
stay what they are from step to step if

    E[u] (1 - g) = h + z I
    E[u^2] (1 - g^2) + 2 C (1 - r) E[o] = h^2 + 2 h g E[u] + (l E[T] + z) I^2 (1 + v)

Beyond C the tokens that wait fade at the rate 2 (1 - r) / (I (1 + v)) of a queue M/G/1; how often
they get there follows from a Weibull law with the mean and variance that m has without a bound, of
the same density at C. Little's law gives the mean time: it counts the prompts that wait as steps go
on, those in steps until their step ends.

A late prompt waits for the step that runs, whose rest is taken uniform, and for others' tokens, for
which the time is taken exponential. Long steps follow each other, so both are late together; that
the prompt itself is long comes on top independently, so those excesses add as squares.

The time to the first token ends with the hand-over, as in the closed loop whose rows it was fitted
to: what the first decode step adds is in `transfer_s`. tests/perf/test_stations.py holds both
stations against the scheduler itself.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import msgspec
import numpy as np

from neocloud.perf import kernels
from neocloud.perf.mix import decode_seconds
from neocloud.perf.numbers import StepNumbers
from neocloud.perf.records import Load, Steady

Array = Any
_MOST_UTILISATION = 0.98
"""Of prefill workers that a deployment may have: beyond, waits grow without bound."""
_ALIKE = 0.02
"""Variation of prompts below which all take the same number of steps."""
_HALVINGS = 8
"""Of the chance that a step finds nothing waiting after it."""


class Prefilling(msgspec.Struct, frozen=True, kw_only=True):
    """Steady state of one prefill worker, or arrays of them.

    Attributes:
        requests_per_s: prompts worked off.
        concurrency: requests waiting, in steps or being handed over, mean.
        ttft_s: time to the first token, hand-over included, mean.
        ttft_s_at_percentile: the same at the percentile asked for.
        step_tokens: prompt tokens of a step, mean.
        busy: share of time in which a rank works, mean of its ranks.
        watts: mean power of the worker, its share of the hosts included, PUE not.
    """

    requests_per_s: Any
    concurrency: Any
    ttft_s: Any
    ttft_s_at_percentile: Any
    step_tokens: Any
    busy: Any
    watts: Any


def decoding(
    n: StepNumbers,
    load: Load,
    batch: Array,
    *,
    max_batch: Array,
    kv_tokens: Array,
    percentile: float,
) -> Steady:
    """Steady state of a decode worker, on which no prompt is worked on.

    Its times to the first token are those to the first that it makes itself, from the moment at
    which it has the cache: each request's second.

    Args:
        n: numbers of one configuration, or of n as columns (n, 1).
        load: lengths of the requests.
        batch: sequences that generate on the worker, mean, above 0; broadcasts against columns.
        max_batch: sequences that may run at once on the worker.
        kv_tokens: tokens that its KV cache holds.
        percentile: of the latencies, 0 to 100.
    """
    ranks = n.ranks * n.stages
    own = batch / ranks
    z = NormalDist().inv_cdf(percentile / 100.0)
    plain, seen = decode_seconds(n, load, own), decode_seconds(n, load, own + 1.0)
    e = np.clip(own * (seen / plain - 1.0), 0.0, 0.9)
    c = 1.0 - e
    u = c * load.typical_output / load.output_tokens
    of_stay = np.square(e) * 2.0 * (u - 1.0 + np.exp(-u)) / np.square(u) / c
    stay = np.sqrt(of_stay / own)
    tpot = seen / n.accepted
    rate = own / (load.output_tokens * tpot)
    # What is on its way already has its place.
    needed = (own + z * np.sqrt(own / c) + rate * n.transfer_s) * ranks
    runs = -np.expm1(-own)
    second = seen * (1.0 + runs / 2.0)
    busy = -np.expm1(-n.ranks * own)
    crowd = own / runs
    context = crowd * load.context
    step = kernels.decode_seconds(n, crowd, context)
    power = kernels.step_joules(n, crowd, context, 0.0, 0.0, step) / step
    return Steady(
        requests_per_s=rate * ranks,
        concurrency=batch + rate * ranks * second,
        decode_batch=batch,
        batch_at_percentile=needed,
        ttft_s=second,
        ttft_s_at_percentile=seen * (1.0 + np.maximum(runs - (1.0 - percentile / 100.0), 0.0)),
        tpot_s=tpot,
        tpot_s_at_percentile=tpot * np.maximum(np.exp(z * stay - np.square(stay) / 2.0), 1.0),
        busy=busy,
        watts=n.stages * (busy * power + (1.0 - busy) * n.idle_w * n.group),
        fits=(needed <= max_batch) & (needed * load.context <= kv_tokens),
    )


def prefill_rate(n: StepNumbers, load: Load, batch_tokens: Array) -> Array:
    """Requests a second of a prefill worker whose steps are all full: utilisation 1."""
    full = _step_seconds(n, load, batch_tokens)
    return n.ranks * n.stages * batch_tokens / (load.input_tokens * full)


def prefilling(
    n: StepNumbers,
    load: Load,
    utilisation: Array,
    *,
    batch_tokens: Array,
    percentile: float,
) -> Prefilling:
    """Steady state of a prefill worker at a share of `prefill_rate`.

    Args:
        n: numbers of one configuration, or of n as columns (n, 1).
        load: lengths of the requests.
        utilisation: above 0, below 1; broadcasts against the columns.
        batch_tokens: tokens that one step of a rank may carry.
        percentile: of the latencies, 0 to 100.
    """
    ranks = n.ranks * n.stages
    rate = utilisation * prefill_rate(n, load, batch_tokens) / ranks
    line = _line(n, load, batch_tokens, np.minimum(load.input_tokens, batch_tokens / 2.0))
    s = _steps(line, load, rate, utilisation, batch_tokens)
    # Where steps bend, what they carry on average says along which line.
    line = _line(n, load, batch_tokens, np.minimum(s.carried, batch_tokens * 0.95))
    s = _steps(line, load, rate, utilisation, batch_tokens)
    aside = n.first_token_s + n.transfer_s
    usual = _alone(n, load.input_tokens, batch_tokens)
    longer = _alone(n, load.long_input, batch_tokens) - usual
    wait = np.maximum(s.inside / rate - usual, 0.0)
    excess = _excess(s, wait, percentile)
    ttft = aside + s.inside / rate
    pairs = s.carried * _pairs_of_token(load)
    joules = kernels.step_joules(n, 0.0, 0.0, s.carried, pairs, s.seconds)
    return Prefilling(
        requests_per_s=rate * ranks,
        concurrency=(s.inside + rate * aside) * ranks,
        ttft_s=ttft,
        ttft_s_at_percentile=ttft + np.hypot(longer, excess),
        step_tokens=s.carried,
        busy=s.busy,
        watts=n.stages * (s.busy * joules / s.seconds + (1.0 - s.busy) * n.idle_w * n.group),
    )


def together(
    prefill: StepNumbers,
    decode: StepNumbers,
    load: Load,
    batch: Array,
    *,
    prefill_workers: Array,
    decode_workers: Array,
    batch_tokens: Array,
    max_batch: Array,
    kv_tokens: Array,
    percentile: float,
) -> Steady:
    """Steady state of a deployment of prefill workers that hand over to decode workers.

    Args:
        prefill: numbers of a prefill worker.
        decode: numbers of a decode worker.
        load: lengths of the requests.
        batch: sequences that generate on each decode worker, mean, above 0.
        prefill_workers: how many of them, alike.
        decode_workers: how many of them, alike.
        batch_tokens: tokens that one step of a prefill rank may carry.
        max_batch: sequences that may run at once on a decode worker.
        kv_tokens: tokens that its KV cache holds.
        percentile: of the latencies, 0 to 100.

    Returns:
        All workers as one: sums, and `busy` as the mean over accelerators. Where the prefill
        workers cannot keep up it does not fit and times to the first token are infinite.
    """
    d = decoding(
        decode, load, batch, max_batch=max_batch, kv_tokens=kv_tokens, percentile=percentile
    )
    rate = d.requests_per_s * decode_workers
    utilisation = rate / (prefill_workers * prefill_rate(prefill, load, batch_tokens))
    enough = utilisation <= _MOST_UTILISATION
    shown = np.minimum(utilisation, _MOST_UTILISATION)
    p = prefilling(prefill, load, shown, batch_tokens=batch_tokens, percentile=percentile)
    apart = prefill_workers * prefill.group * prefill.stages
    beside = decode_workers * decode.group * decode.stages
    return Steady(
        requests_per_s=rate,
        concurrency=p.concurrency * prefill_workers + d.concurrency * decode_workers,
        decode_batch=d.decode_batch * decode_workers,
        batch_at_percentile=d.batch_at_percentile * decode_workers,
        ttft_s=np.where(enough, p.ttft_s, np.inf),
        ttft_s_at_percentile=np.where(enough, p.ttft_s_at_percentile, np.inf),
        tpot_s=d.tpot_s,
        tpot_s_at_percentile=d.tpot_s_at_percentile,
        busy=(p.busy * apart + d.busy * beside) / (apart + beside),
        watts=p.watts * prefill_workers + d.watts * decode_workers,
        fits=d.fits & enough,
    )


@dataclass(frozen=True, slots=True)
class _Line:
    """Seconds of a step that carries u tokens: `fixed` + `each` u."""

    fixed: Array
    each: Array


@dataclass(frozen=True, slots=True)
class _Steps:
    """Steps of one rank.

    Attributes:
        seconds: mean time of a step.
        square: mean of its square.
        carried: mean tokens of a step.
        inside: mean requests that wait or are in steps.
        busy: share of time in which a step runs.
    """

    seconds: Array
    square: Array
    carried: Array
    inside: Array
    busy: Array


def _pairs_of_token(load: Load) -> float:
    """(query, key) pairs of a token of a prompt, mean over tokens: long prompts have more."""
    return (load.input_tokens * (1.0 + load.input_cv2) + 1.0) / 2.0


def _step_seconds(n: StepNumbers, load: Load, tokens: Array) -> Array:
    seconds = kernels.step_seconds(n, 0.0, 0.0, tokens, tokens * _pairs_of_token(load))
    return seconds + tokens / load.input_tokens * n.host_prompt_s


def _line(n: StepNumbers, load: Load, most: Array, tokens: Array) -> _Line:
    """Through the steps of `tokens` and of `most` tokens, these being more."""
    full = _step_seconds(n, load, most)
    fixed = full - most * (full - _step_seconds(n, load, tokens)) / (most - tokens)
    fixed = np.clip(fixed, 0.0, 0.999 * full)
    return _Line(fixed=fixed, each=(full - fixed) / most)


def _alone(n: StepNumbers, prompt: float, batch_tokens: Array) -> Array:
    """Seconds of a prompt's steps with nobody else there."""
    chunks = np.ceil(prompt / batch_tokens)
    pairs = kernels.causal_pairs(prompt) / chunks
    seconds = kernels.step_seconds(n, 0.0, 0.0, prompt / chunks, pairs)
    return chunks * seconds + n.host_prompt_s


def _steps(line: _Line, load: Load, rate: Array, utilisation: Array, most: Array) -> _Steps:
    """See the module's text."""
    tokens, v = load.input_tokens, load.input_cv2
    a, b = line.fixed, line.each
    g, h = rate * tokens * b, rate * tokens * a
    free = 1.0 - utilisation
    fading = 2.0 * free / (tokens * (1.0 + v))
    # Steps that a rank takes from one idle time to the next, were all of them full but each last.
    alone = np.ceil(tokens / most) if v < _ALIKE else -1.0 / np.expm1(-most / tokens)
    least = free / (alone * free + utilisation * tokens / most)

    def moments(idle: Array) -> tuple[Array, Array]:
        mean = (h + idle * tokens) / (1.0 - g)
        square = np.square(h) + 2.0 * h * g * mean
        square = square + (rate * (a + b * mean) + idle) * tokens**2 * (1.0 + v)
        return mean, square / (1.0 - np.square(g))

    def unbounded(idle: Array) -> Array:
        mean, square = moments(idle)
        return _nobody(rate, line, mean, square - np.square(mean))

    mean, square = moments(_fixed_point(unbounded, np.ones_like(rate * free)))
    beyond = np.minimum(_beyond(mean, square, most, fading), 1.0 - least)

    def carried_of(idle: Array) -> tuple[Array, Array, Array]:
        mean, unbound = moments(idle)
        square = unbound - 2.0 * most * free * (beyond / fading) / (1.0 - np.square(g))
        return mean, np.clip(square, np.square(mean), mean * most), unbound

    def bounded(idle: Array) -> Array:
        mean, square, _ = carried_of(idle)
        below = np.maximum(mean - beyond * most, 1e-6 * most) / (1.0 - beyond)
        variance = np.maximum(square - beyond * most**2, 0.0) / (1.0 - beyond)
        variance = np.maximum(variance - np.square(below), 0.0)
        return (1.0 - beyond) * _nobody(rate, line, below, variance)

    idle = _fixed_point(bounded, least)
    carried, of_carried, unbound = carried_of(idle)
    seconds, full = a + b * carried, a + b * most
    remain = np.maximum(unbound - of_carried, 0.0) * (1.0 - np.square(g)) / (2.0 * most * free)
    of_seconds = np.square(a) + 2.0 * a * b * carried + np.square(b) * of_carried
    cycle = seconds + idle / rate
    waiting = (a * carried + b * of_carried + full * remain) / tokens
    # Steps are longer with long prompts, of which there are fewer to a token.
    waiting = waiting - v * b * (carried - beyond * most)
    # The first of those that remain has been worked on: it counts as one, its tokens do not.
    begun = (1.0 - v) / 2.0 * beyond * seconds
    return _Steps(
        seconds=seconds,
        square=of_seconds,
        carried=carried,
        inside=(waiting + rate * of_seconds / 2.0 + begun) / cycle,
        busy=seconds / cycle,
    )


def _fixed_point(falling: Callable[[Array], Array], high: Array) -> Array:
    """Where a falling function meets its argument, between 0 and `high`; `high` if beyond."""
    low = np.zeros_like(high)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2.0
        above = falling(middle) > middle
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    # Straight between the ends: where functions are smooth this is as good as twice the halvings.
    left, right = falling(low) - low, falling(high) - high
    share = np.clip(left / np.maximum(left - right, 1e-300), 0.0, 1.0)
    return low + share * (high - low)


def _nobody(rate: Array, line: _Line, mean: Array, variance: Array) -> Array:
    """Chance that nobody comes in a step, whose tokens are taken to have a gamma law."""
    scale = np.maximum(variance / mean, 1e-6 * mean)
    return np.exp(-rate * line.fixed) * (1.0 + rate * line.each * scale) ** (-mean / scale)


def _beyond(mean: Array, square: Array, most: Array, fading: Array) -> Array:
    """Chance of more than `most`: a Weibull law below, continued by an exponential one above."""
    # Weibull's shape by its coefficient of variation, to 1 per cent between 0.1 and 1.2.
    variation = np.sqrt(np.clip(square / np.square(mean) - 1.0, 1e-4, 1.0))
    inverse = variation**1.086
    scale = mean / _gamma_of_one_more(inverse)
    y = np.exp(np.clip(np.log(most / scale) / inverse, -14.0, 4.0))
    return 1.0 / (1.0 + fading * most * inverse * np.expm1(y) / y)


def _gamma_of_one_more(x: Array) -> Array:
    """Gamma(1 + x) for x from 0 to 1 (Abramowitz and Stegun 6.1.35, to 5e-5)."""
    return 1.0 + x * (
        -0.5748646 + x * (0.9512363 + x * (-0.6998588 + x * (0.4245549 - x * 0.1010678)))
    )


def _excess(s: _Steps, wait: Array, percentile: float) -> Array:
    """By how much a wait at the percentile exceeds the mean one, over all requests."""
    beyond = np.minimum((1.0 - percentile / 100.0) / s.busy, 1.0)
    waited = wait / s.busy
    rest = np.minimum(s.square / (2.0 * s.seconds), waited)
    queue = waited - rest
    late = rest * (1.0 - 2.0 * beyond) + queue * (-np.log(beyond) - 1.0)
    return np.maximum(np.where(beyond < 1.0, waited + late, 0.0) - wait, 0.0)
