"""Workers of one kind of accelerator for prompts alone and for answers alone.

A decode worker's operating point is its largest mean batch that holds the time per token; a prefill
worker's is its highest utilisation that holds the time to the first token. What measured rows
correct is learned of the decode configuration and stands for both (`perf.correction`), so prefill
workers are tabulated without it: steps `f` times as long give 1 / f of the rate at the same
utilisation, and `f` times the time to the first token but for what is no step.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neocloud.perf import (
    DISAGGREGATED,
    Configuration,
    Situation,
    StepNumbers,
    corrections_of,
    decoding,
    layer_of,
    prefilling,
    scaled,
    stack,
    step_numbers,
)
from neocloud.planner.search.dominance import undominated
from neocloud.planner.search.grid import COARSE, FINE, configurations
from neocloud.planner.search.question import Question, Run
from neocloud.planner.search.runs import kv_tokens_of, slower_at
from neocloud.planner.search.states import leading

UTILISATIONS = np.concatenate([np.geomspace(0.02, 0.5, 14, endpoint=False),
                               np.linspace(0.5, 0.97, 16)])  # fmt: skip
"""Of prefill workers: shares of the rate at which all of their steps are full."""
Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoders:
    """Decode workers at operating points, as vectors over points.

    Attributes:
        question: what was asked.
        runs: configurations that fit, by row.
        row: of the run.
        batch: mean decode batch of a rank.
        limit: place of the least batch limit of the grid that holds it.
        rate: requests a second of one worker.
        watts: of one worker.
        size: accelerators of one worker.
        tpot_s: mean time per output token.
        factor: what measured rows and confidence make of all steps, its prefill workers' too.
        later: factor on the time to the first token beyond that.
        examined: points looked at.
        no_room: of them, those without room.
    """

    question: Question
    runs: tuple[Run, ...]
    row: NDArray[np.int64]
    batch: Array
    limit: NDArray[np.int64]
    rate: Array
    watts: Array
    size: Array
    tpot_s: Array
    factor: Array
    later: Array
    examined: int
    no_room: int

    def __len__(self) -> int:
        return len(self.row)


@dataclass(frozen=True, slots=True, kw_only=True)
class Prefills:
    """Prefill workers at `UTILISATIONS`, without what measured rows correct.

    Arrays have the shape (configurations, utilisations), vectors that of configurations.
    """

    question: Question
    layer: str
    """What hands over."""
    configurations: tuple[Configuration, ...]
    numbers: tuple[StepNumbers, ...]
    rate: Array
    late_s: Array
    """Time to the first token at the percentile, from the end of `aside_s` on."""
    aside_s: Array
    """What is no step: the engine's own time, and the hand-over."""
    watts: Array
    size: Array
    fits: NDArray[np.bool_]


def decoders_of(q: Question) -> Decoders:
    """The decode workers of the grid that hold the time per token, best ones only.

    Those are kept that no other beats in accelerators and power for each request and in size.
    """
    layer = layer_of(q.accelerator, q.engine, q.predictor)
    found, tokens, existing = _fitting(q, _decode_grid(q))
    if not found:
        return _no_decoders(q, existing)
    asked = [
        Situation(q.architecture, q.accelerator, c, q.load, DISAGGREGATED, layer) for c in found
    ]
    slower = slower_at(q.confidence, asked, q.predictor)
    runs = tuple(
        Run(
            configuration=c,
            kv_tokens=kv,
            numbers=step_numbers(q.architecture, q.accelerator, c, q.predictor, layer=layer),
            correction=correction,
            slower=float(step),
            later=float(first / step),
        )
        for c, kv, correction, step, first in zip(
            found, tokens, corrections_of(asked, q.predictor), slower.step, slower.first,
            strict=True,
        )
    )  # fmt: skip
    coarse = _decode_states(q, runs, np.broadcast_to(COARSE, (len(runs), len(COARSE))))
    last = leading(coarse.holds, coarse.rate)
    rows = np.flatnonzero(last >= 0)
    no_room = int((~coarse.fits).sum()) + (existing - len(runs)) * len(COARSE)
    examined = existing * len(COARSE) + len(rows) * (FINE - 1)
    if not len(rows):
        return _no_decoders(q, existing)
    step = (COARSE[1] / COARSE[0]) ** (np.arange(FINE) / FINE)
    batches = COARSE[last[rows]][:, None] * step
    fine = _decode_states(q, tuple(runs[int(r)] for r in rows), batches)
    place = np.maximum(leading(fine.holds, fine.rate), 0)
    at = (np.arange(len(rows)), place)
    size = np.array([float(runs[int(r)].configuration.accelerators) for r in rows])
    measures = np.stack([size / fine.rate[at], fine.watts[at] / fine.rate[at], size], axis=1)
    best = undominated(measures)
    return Decoders(
        question=q,
        runs=runs,
        row=rows[best],
        batch=batches[at][best],
        limit=fine.limit[at][best],
        rate=fine.rate[at][best],
        watts=fine.watts[at][best],
        size=size[best],
        tpot_s=fine.tpot_s[at][best],
        factor=fine.factor[at][best],
        later=np.array([runs[int(r)].later for r in rows[best]]),
        examined=examined,
        no_room=no_room,
    )


def prefills_of(q: Question) -> Prefills:
    """The prefill workers of the grid at every utilisation."""
    layer = layer_of(q.accelerator, q.engine, q.predictor)
    found, tokens, _ = _fitting(q, _prefill_grid(q))
    if not found:
        none = np.zeros((0, len(UTILISATIONS)))
        return Prefills(
            question=q, layer=layer, configurations=(), numbers=(), rate=none, late_s=none,
            aside_s=np.zeros(0), watts=none, size=np.zeros(0), fits=none.astype(bool),
        )  # fmt: skip
    each = [step_numbers(q.architecture, q.accelerator, c, q.predictor, layer=layer) for c in found]
    steady = prefilling(
        stack(each),
        q.load,
        UTILISATIONS[None, :],
        batch_tokens=np.array([[float(c.batch_tokens)] for c in found]),
        percentile=q.objective.percentile,
    )
    aside = np.array([float(n.first_token_s + n.transfer_s) for n in each])
    rate = np.asarray(steady.requests_per_s)
    # Prompts stay in the cache until they are handed over.
    held = np.asarray(steady.concurrency) * q.load.input_tokens
    room = np.array([float(kv.max()) for kv in tokens])[:, None]
    return Prefills(
        question=q,
        layer=layer,
        configurations=tuple(found),
        numbers=tuple(each),
        rate=rate,
        late_s=np.asarray(steady.ttft_s_at_percentile) - aside[:, None],
        aside_s=aside,
        watts=np.broadcast_to(np.asarray(steady.watts), rate.shape),
        size=np.array([float(c.accelerators) for c in found]),
        fits=held <= room,
    )


@dataclass(frozen=True, slots=True)
class _DecodeStates:
    rate: Array
    watts: Array
    tpot_s: Array
    factor: Array
    limit: NDArray[np.int64]
    fits: NDArray[np.bool_]
    holds: NDArray[np.bool_]


def _decode_states(q: Question, runs: tuple[Run, ...], own: Array) -> _DecodeStates:
    """Decode workers at mean batches of a rank, shape (runs, batches)."""
    ranks = np.array([[float(r.ranks)] for r in runs])
    tp = np.array([[float(r.configuration.tp)] for r in runs])
    loads = own / tp
    factor = np.stack(
        [r.correction.step_factor(loads[row]) * r.slower for row, r in enumerate(runs)]
    )
    steady = decoding(
        scaled(stack([r.numbers for r in runs]), factor),
        q.load,
        own * ranks,
        max_batch=np.inf,
        kv_tokens=np.inf,
        percentile=q.objective.percentile,
    )
    limits = np.array([float(b) for b in q.grid.batch])
    needed = np.asarray(steady.batch_at_percentile)
    place = np.searchsorted(limits, needed / ranks - 1e-9)
    held = place < len(limits)
    place = np.minimum(place, len(limits) - 1)
    kv = np.take_along_axis(np.stack([r.kv_tokens for r in runs]), place, axis=1)
    fits = held & (needed * q.load.context <= kv)
    return _DecodeStates(
        rate=np.asarray(steady.requests_per_s),
        watts=np.asarray(steady.watts),
        tpot_s=np.asarray(steady.tpot_s),
        factor=factor,
        limit=place,
        fits=fits,
        holds=fits & (steady.tpot_s_at_percentile * 1e3 <= q.objective.tpot_ms),
    )


def _decode_grid(q: Question) -> list[Configuration]:
    """Chunks mean nothing to decode workers: the least of them leaves most room."""
    least = min(q.grid.batch_tokens)
    every = configurations(q.architecture, q.accelerator, q.engine, q.grid)
    return [c for c in every if c.batch_tokens == least]


def _prefill_grid(q: Question) -> list[Configuration]:
    """Prefill workers draft nothing."""
    every = configurations(q.architecture, q.accelerator, q.engine, q.grid)
    return [c for c in every if c.drafts == 0]


def _fitting(
    q: Question, grid: list[Configuration]
) -> tuple[list[Configuration], list[Array], int]:
    """Configurations of a grid that fit, their caches, and how many exist."""
    found: list[Configuration] = []
    tokens: list[Array] = []
    existing = 0
    for c in grid:
        kv = kv_tokens_of(q, c)
        if kv is None:
            continue  # does not exist, so it was never a point
        existing += 1
        if kv[0] > 0.0:
            found.append(c)
            tokens.append(kv)
    return found, tokens, existing


def _no_decoders(q: Question, existing: int) -> Decoders:
    none = np.zeros(0)
    count = existing * len(COARSE)
    return Decoders(
        question=q, runs=(), row=none.astype(np.int64), batch=none, limit=none.astype(np.int64),
        rate=none, watts=none, size=none, tpot_s=none, factor=none, later=none,
        examined=count, no_room=count,
    )  # fmt: skip
