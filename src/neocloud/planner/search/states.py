"""Steady states of many configurations at many batches at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from neocloud.perf import Steady, StepNumbers, at_batch, scaled, stack
from neocloud.planner.search.question import Question, Run
from neocloud.spec import Objective

Array = NDArray[np.float64]
DIP = 0.03
"""How much fewer requests a larger batch may give: prompts cut into one piece more."""


@dataclass(frozen=True, slots=True)
class States:
    """Runs at batches: arrays of shape (runs, batches).

    Attributes:
        steady: latencies at the confidence asked for; `fits` knows all limits.
        limit: place of the least batch limit of the grid that holds each.
    """

    steady: Steady
    limit: NDArray[np.int64]

    @property
    def rate(self) -> Array:
        """Requests a second."""
        found: Array = np.asarray(self.steady.requests_per_s)
        return found

    @property
    def fits(self) -> NDArray[np.bool_]:
        """Where cache, batch limit and step hold what the percentile needs."""
        found: NDArray[np.bool_] = np.asarray(self.steady.fits)
        return found

    def in_time(self, objective: Objective, rtt_ms: float) -> NDArray[np.bool_]:
        """Where there is room and users `rtt_ms` away see the objective met."""
        return in_time(self.steady, objective, rtt_ms)


def in_time(steady: Steady, objective: Objective, rtt_ms: float) -> NDArray[np.bool_]:
    """Where a replica `rtt_ms` from its users has room and meets their objective."""
    found: NDArray[np.bool_] = (
        np.asarray(steady.fits)
        & (steady.tpot_s_at_percentile * 1e3 <= objective.tpot_ms)
        & (steady.ttft_s_at_percentile * 1e3 + rtt_ms <= objective.ttft_ms)
    )
    return found


@dataclass(frozen=True, slots=True)
class Stack:
    """Runs as columns: what evaluating them again and again needs once."""

    runs: tuple[Run, ...]
    numbers: StepNumbers
    batch_tokens: Array
    ranks: Array
    tp: Array
    slower: Array
    later: Array
    kv_tokens: Array
    """Shape (runs, batch limits)."""

    def take(self, rows: NDArray[np.int64]) -> Stack:
        """Some of the runs."""
        return stack_of([self.runs[int(row)] for row in rows])


def stack_of(runs: Sequence[Run]) -> Stack:
    """Runs as columns."""

    def column(values: list[float]) -> Array:
        return np.array(values, dtype=np.float64)[:, None]

    return Stack(
        runs=tuple(runs),
        numbers=stack([r.numbers for r in runs]),
        batch_tokens=column([float(r.configuration.batch_tokens) for r in runs]),
        ranks=column([float(r.ranks) for r in runs]),
        tp=column([float(r.configuration.tp) for r in runs]),
        slower=column([r.slower for r in runs]),
        later=column([r.later for r in runs]),
        kv_tokens=np.stack([r.kv_tokens for r in runs]),
    )


def states(q: Question, stacked: Stack, batch: Array) -> States:
    """Evaluate every run at mean batches of a rank, shape (1, b) or (runs, b)."""
    own = np.broadcast_to(batch, (len(stacked.runs), batch.shape[1]))
    loads = own / stacked.tp
    factor = np.stack([r.correction.step_factor(loads[row]) for row, r in enumerate(stacked.runs)])
    steady = at_batch(
        scaled(stacked.numbers, factor * stacked.slower),
        q.load,
        own * stacked.ranks,
        batch_tokens=stacked.batch_tokens,
        max_batch=np.inf,
        kv_tokens=np.inf,
        percentile=q.objective.percentile,
    )
    return _limited(q, stacked, steady)


def _limited(q: Question, stacked: Stack, steady: Steady) -> States:
    """Choose the least batch limit that holds each state, and see whether the cache does too."""
    limits = np.array([float(b) for b in q.grid.batch])
    needed = np.asarray(steady.batch_at_percentile)
    place = np.searchsorted(limits, needed / stacked.ranks - 1e-9)
    held = place < len(limits)
    place = np.minimum(place, len(limits) - 1)
    tokens = np.take_along_axis(stacked.kv_tokens, place, axis=1)
    fits = np.asarray(steady.fits) & held & (needed * q.load.context <= tokens)
    later = msgspec.structs.replace(
        steady,
        fits=fits,
        ttft_s=steady.ttft_s * stacked.later,
        ttft_s_at_percentile=steady.ttft_s_at_percentile * stacked.later,
    )
    return States(later, place)


def leading(holds: NDArray[np.bool_], rate: Array) -> NDArray[np.int64]:
    """Per row the last column of the leading run of true ones, or -1.

    A batch beyond one that misses the objective is not used even if it met it again; nor one that
    gives fewer requests than a smaller one, but for `DIP`.
    """
    worth = rate >= (1.0 - DIP) * np.maximum.accumulate(rate, axis=1)
    counts: NDArray[np.int64] = np.logical_and.accumulate(holds & worth, axis=1).sum(axis=1)
    return counts - 1
