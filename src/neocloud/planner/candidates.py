"""Search over configurations: which ones serve a model on an accelerator, at what rate and cost.

Exhaustive over tensor parallelism, precision, batch limit and operating batch. The operating point
of a configuration is its largest mean batch that meets the objective; of the points kept, none
costs more per request, reaches fewer users and needs more accelerators than another. That drops
nothing that placement could want: at equal load, equal accelerators draw equal power.

Steps are those of the physics times the factor that measured neighbours give at each batch. The
time to the first token follows from them; what was learned of it alone is left out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neocloud.catalog import Accelerator, Architecture
from neocloud.perf import (
    Configuration,
    ConfigurationError,
    Correction,
    Load,
    Memory,
    Predictor,
    Steady,
    StepNumbers,
    at_batch,
    correction_of,
    memory,
    scaled,
    stack,
    step_numbers,
)
from neocloud.planner.records import OperatingPoint
from neocloud.spec import Objective

BATCH_GRID = np.geomspace(0.25, 1024.0, 180)
"""Mean decode batches looked at: 5 per cent apart."""
_CURVE = (0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.65, 0.8, 0.9)
"""Shares of the operating batch at which a curve is kept."""
_DIP = 0.03


@dataclass(frozen=True, slots=True)
class Candidate:
    """A configuration at its operating point, for users within `max_rtt_ms`."""

    configuration: Configuration
    memory: Memory
    max_rtt_ms: float
    requests_per_s: float
    curve: tuple[OperatingPoint, ...]
    cost_per_hour: float
    """One replica at full load: accelerators and energy."""

    @property
    def cost_per_request(self) -> float:
        """At full load."""
        return self.cost_per_hour / (3600.0 * self.requests_per_s)

    @property
    def idle_watts(self) -> float:
        """Power of a replica that nobody uses."""
        return self.curve[0].watts

    @property
    def full_watts(self) -> float:
        """Power of a replica at full load."""
        return self.curve[-1].watts


@dataclass(frozen=True, slots=True)
class Found:
    """Candidates of one model on one accelerator, and what happened to the other points."""

    candidates: tuple[Candidate, ...]
    examined: int
    no_room: int
    too_slow: int
    dominated: int
    nearest: str
    """Where nothing meets the objective: the least latency that any point reaches."""


@dataclass(frozen=True, slots=True)
class Question:
    """What the search is asked.

    Attributes:
        architecture: the model.
        accelerator: what it should run on.
        load: its requests.
        objective: its latency objective.
        precisions: number formats allowed.
        tps: tensor parallelism to try.
        batches: batch limits to try.
        node_accelerators: a replica must fit a node.
        rtts_ms: round trips between this accelerator's site and the users.
        accelerator_hour: cost of one accelerator-hour, capital and operations.
        kwh: price of a kWh at the site's meter.
        pue: power usage effectiveness.
        predictor: what predictions rest on.
    """

    architecture: Architecture
    accelerator: Accelerator
    load: Load
    objective: Objective
    precisions: tuple[str, ...]
    tps: tuple[int, ...]
    batches: tuple[int, ...]
    node_accelerators: int
    rtts_ms: tuple[float, ...]
    accelerator_hour: float
    kwh: float
    pue: float
    predictor: Predictor


@dataclass(frozen=True, slots=True)
class _Runs:
    """A configuration that fits: what it holds, and what its steps cost."""

    configuration: Configuration
    memory: Memory
    numbers: StepNumbers
    correction: Correction


def _configurations(q: Question) -> list[Configuration]:
    return [
        Configuration(
            accelerator=q.accelerator.key,
            tp=tp,
            precision=precision,
            max_batch=batch,
        )
        for tp in q.tps
        if tp <= q.node_accelerators
        for precision in q.precisions
        for batch in q.batches
    ]


def search(q: Question) -> Found:
    """Look at every point of the grid and keep those that placement may want."""
    kept: list[_Runs] = []
    examined = no_room = 0
    for configuration in _configurations(q):
        try:
            numbers = step_numbers(q.architecture, q.accelerator, configuration, q.predictor)
        except ConfigurationError:
            continue  # does not exist, so it was never a point
        examined += len(BATCH_GRID)
        parts = memory(q.architecture, q.accelerator, configuration)
        if parts.fits:
            correction = correction_of(
                q.architecture, q.accelerator, configuration, q.load, q.predictor
            )
            kept.append(_Runs(configuration, parts, numbers, correction))
        else:
            no_room += len(BATCH_GRID)
    if not kept:
        return Found((), examined, no_room, 0, 0, "nothing: its weights fit no configuration")
    steady = _steady(q, kept, BATCH_GRID)
    fits = np.asarray(steady.fits)
    no_room += int((~fits).sum())
    points: dict[tuple[int, int], float] = {}
    useful = np.zeros_like(fits)
    for rtt in sorted(set(q.rtts_ms)):
        holds = in_time(steady, q.objective, rtt)
        useful |= holds
        best = _largest(holds)
        for row in np.flatnonzero(best >= 0):
            column = int(best[row])
            points[(int(row), column)] = max(points.get((int(row), column), 0.0), rtt)
    too_slow = int(fits.sum() - useful.sum())
    candidates = [_candidate(q, kept[row], column, rtt) for (row, column), rtt in points.items()]
    front = _front(candidates)
    dominated = int(useful.sum()) - len(front)
    nearest = "" if front else _nearest(q, steady, fits)
    return Found(tuple(front), examined, no_room, too_slow, dominated, nearest)


def in_time(steady: Steady, objective: Objective, rtt_ms: float) -> NDArray[np.bool_]:
    """Where a replica `rtt_ms` from its users has room and meets their objective.

    Not where it gives fewer requests than at a smaller batch: nobody would run it there. A few per
    cent less are let pass: prompts cut into one piece more.
    """
    rate = np.asarray(steady.requests_per_s)
    found: NDArray[np.bool_] = (
        np.asarray(steady.fits)
        & (steady.tpot_s_at_percentile * 1e3 <= objective.tpot_ms)
        & (steady.ttft_s_at_percentile * 1e3 + rtt_ms <= objective.ttft_ms)
        & (rate >= (1.0 - _DIP) * np.maximum.accumulate(rate, axis=-1))
    )
    return found


def _steady(q: Question, kept: list[_Runs], batch: NDArray[np.float64]) -> Steady:
    """Steady states of each configuration at each of the batches."""

    def column(values: list[float]) -> NDArray[np.float64]:
        return np.array(values)[:, None]

    return at_batch(
        scaled(
            stack([r.numbers for r in kept]),
            np.stack(
                [r.correction.step_factor(batch / r.configuration.accelerators) for r in kept]
            ),
        ),
        q.load,
        batch[None, :],
        batch_tokens=column([float(r.configuration.batch_tokens) for r in kept]),
        max_batch=column([float(r.configuration.max_batch) for r in kept]),
        kv_tokens=column([float(r.memory.replica_kv_tokens) for r in kept]),
        percentile=q.objective.percentile,
    )


def _largest(mask: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Per row the last true column of the leading run of true ones, or -1.

    A batch beyond one that misses the objective is not used even if it met it again.
    """
    leading = np.logical_and.accumulate(mask, axis=1)
    counts: NDArray[np.int64] = leading.sum(axis=1, dtype=np.int64)
    return counts - 1


def _point(steady: Steady, row: int, column: int) -> OperatingPoint:
    def at(values: NDArray[np.float64]) -> float:
        return float(np.broadcast_to(values, np.shape(steady.requests_per_s))[row, column])

    return OperatingPoint(
        requests_per_s=at(steady.requests_per_s),
        decode_batch=at(steady.decode_batch),
        ttft_ms=at(steady.ttft_s) * 1e3,
        ttft_ms_at_percentile=at(steady.ttft_s_at_percentile) * 1e3,
        tpot_ms=at(steady.tpot_s) * 1e3,
        tpot_ms_at_percentile=at(steady.tpot_s_at_percentile) * 1e3,
        busy=at(steady.busy),
        watts=at(steady.watts),
    )


def _candidate(
    q: Question,
    runs: _Runs,
    column: int,
    rtt: float,
) -> Candidate:
    configuration = runs.configuration
    top = float(BATCH_GRID[column])
    shares = np.array([*(share * top for share in _CURVE), top])
    below = _steady(q, [runs], shares)
    points = _rising([_point(below, 0, i) for i in range(len(shares))])
    idle = OperatingPoint(
        requests_per_s=0.0,
        decode_batch=0.0,
        ttft_ms=points[0].ttft_ms,
        ttft_ms_at_percentile=points[0].ttft_ms_at_percentile,
        tpot_ms=points[0].tpot_ms,
        tpot_ms_at_percentile=points[0].tpot_ms_at_percentile,
        busy=0.0,
        watts=float(runs.numbers.idle_w) * configuration.accelerators,
    )
    rate = points[-1].requests_per_s
    energy = points[-1].watts / 1e3 * q.pue * q.kwh
    return Candidate(
        configuration=configuration,
        memory=runs.memory,
        max_rtt_ms=rtt,
        requests_per_s=rate,
        curve=(idle, *points),
        cost_per_hour=configuration.accelerators * q.accelerator_hour + energy,
    )


def _rising(points: list[OperatingPoint]) -> list[OperatingPoint]:
    """Without those that give as much as a larger batch: a curve is read by its rate."""
    kept = points[-1:]
    for point in reversed(points[:-1]):
        if point.requests_per_s < kept[0].requests_per_s:
            kept.insert(0, point)
    return kept


def _front(candidates: list[Candidate]) -> list[Candidate]:
    """Drop what another beats or equals in cost per request, reach and accelerators."""
    order = sorted(
        candidates,
        key=lambda c: (
            c.cost_per_request,
            c.configuration.accelerators,
            -c.max_rtt_ms,
            c.configuration.max_batch,
        ),
    )
    front: list[Candidate] = []
    for c in order:
        beaten = any(
            k.max_rtt_ms >= c.max_rtt_ms
            and k.configuration.accelerators <= c.configuration.accelerators
            for k in front
        )
        if not beaten:
            front.append(c)
    return front


def _nearest(q: Question, steady: Steady, fits: NDArray[np.bool_]) -> str:
    if not fits.any():
        return "nothing: beside its weights no KV cache fits"
    tpot = float(np.where(fits, steady.tpot_s_at_percentile, np.inf).min()) * 1e3
    ttft = float(np.where(fits, steady.ttft_s_at_percentile, np.inf).min()) * 1e3
    return (
        f"a tpot of {tpot:.1f} ms (objective {q.objective.tpot_ms:g}) and a ttft of {ttft:.0f} ms "
        f"plus {min(q.rtts_ms):.0f} ms of network (objective {q.objective.ttft_ms:g})"
    )
