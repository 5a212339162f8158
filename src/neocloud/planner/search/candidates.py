"""Candidates: configurations at the operating point that the objective allows.

The operating point of a configuration for users at a distance is its largest mean batch up to
which the objective holds: more requests for the same accelerators. Of these points those are kept
that no other beats or equals in all of

    accelerators for each request, power for each request, accelerators of one replica, reach.

Whatever an accelerator-hour, a kilowatt-hour and a ton of carbon cost, and however few accelerators
or megawatts there are, a point dropped is no better than the one that beats it, since at equal load
equal accelerators draw equal idle power. So the candidates hold for every site and price.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neocloud.perf import Configuration, Memory, memory
from neocloud.planner.records import OperatingPoint
from neocloud.planner.search.curves import SHARES, Curves
from neocloud.planner.search.dominance import undominated
from neocloud.planner.search.grid import COARSE, FINE, limited
from neocloud.planner.search.question import Question
from neocloud.planner.search.states import Stack, States, leading, states


@dataclass(frozen=True, slots=True, kw_only=True)
class Station:
    """Workers of one configuration: those that answer, or those that work on prompts."""

    configuration: Configuration
    memory: Memory
    workers: int = 1

    @property
    def accelerators(self) -> int:
        """Accelerators of all its workers."""
        return self.workers * self.configuration.accelerators


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One way to run a replica, at its operating point for users within `max_rtt_ms`.

    `decode` answers and, where there is no `prefill`, works on prompts too.
    """

    decode: Station
    prefill: Station | None = None
    max_rtt_ms: float
    curve: tuple[OperatingPoint, ...]

    @property
    def configuration(self) -> Configuration:
        """Of the workers that answer."""
        return self.decode.configuration

    @property
    def accelerators(self) -> int:
        """Accelerators of one replica."""
        return self.decode.accelerators + (self.prefill.accelerators if self.prefill else 0)

    @property
    def requests_per_s(self) -> float:
        """What a replica takes within the objective."""
        return self.curve[-1].requests_per_s

    @property
    def idle_watts(self) -> float:
        """Power of a replica that nobody uses."""
        return self.curve[0].watts

    @property
    def full_watts(self) -> float:
        """Power of a replica at full load."""
        return self.curve[-1].watts

    def measures(self, reach_ms: float) -> tuple[float, ...]:
        """What candidates of the same pools are compared by for users up to `reach_ms`.

        Less is better; accelerators of two kinds count apart.
        """
        each = 1.0 / self.requests_per_s
        other = self.prefill
        apart = other is not None and other.configuration.accelerator != (
            self.configuration.accelerator
        )
        elsewhere = other.accelerators if apart and other is not None else 0
        size = self.accelerators
        return (
            (size - elsewhere) * each,
            elsewhere * each,
            self.full_watts * each,
            float(size),
            -reach_ms,
        )


def best_of(candidates: Sequence[Candidate]) -> tuple[Candidate, ...]:
    """Candidates of the same pools that no other beats or equals in every way."""
    if not candidates:
        return ()
    kept = undominated(np.array([c.measures(c.max_rtt_ms) for c in candidates]))
    return tuple(c for c, keep in zip(candidates, kept, strict=True) if keep)


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What happened to the points of a search.

    Attributes:
        examined: configurations times batches.
        no_room: where memory, batch limits or steps leave no room.
        too_slow: where the objective is missed for the nearest users.
        dominated: where another point is as good in every way: a larger batch of the same
            configuration that is still in time, or another configuration.
        kept: what is left.
    """

    examined: int = 0
    no_room: int = 0
    too_slow: int = 0
    dominated: int = 0
    kept: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            examined=self.examined + other.examined,
            no_room=self.no_room + other.no_room,
            too_slow=self.too_slow + other.too_slow,
            dominated=self.dominated + other.dominated,
            kept=self.kept + other.kept,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Points:
    """Operating points of runs, as vectors: row of the run, mean batch of a rank, and so on."""

    row: NDArray[np.int64]
    batch: NDArray[np.float64]
    limit: NDArray[np.int64]
    rtt_ms: NDArray[np.float64]
    rate: NDArray[np.float64]
    watts: NDArray[np.float64]
    accelerators: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.row)

    def take(self, which: NDArray[np.bool_] | NDArray[np.int64]) -> Points:
        """Some of the points."""
        return Points(
            row=self.row[which],
            batch=self.batch[which],
            limit=self.limit[which],
            rtt_ms=self.rtt_ms[which],
            rate=self.rate[which],
            watts=self.watts[which],
            accelerators=self.accelerators[which],
        )

    def measures(self) -> NDArray[np.float64]:
        """What points are compared by, smaller is better; shape (points, 4)."""
        each = 1.0 / self.rate
        return np.stack(
            [self.accelerators * each, self.watts * each, self.accelerators, -self.rtt_ms], axis=1
        )


def operating_points(q: Question, stacked: Stack, coarse: States) -> tuple[Points, int]:
    """The operating point of every run for every distance; and the points looked at for it."""
    found: list[Points] = []
    examined = 0
    rtts = sorted(set(q.rtts_ms))
    last = {rtt: leading(coarse.in_time(q.objective, rtt), coarse.rate) for rtt in rtts}
    brackets = sorted({(int(r), int(c)) for at in last.values() for r, c in _bracketed(at)})
    if not brackets:
        return _joined([]), 0
    rows = np.array([row for row, _ in brackets])
    columns = np.array([column for _, column in brackets])
    step = (COARSE[1] / COARSE[0]) ** (np.arange(FINE) / FINE)
    batches = COARSE[columns][:, None] * step
    some = stacked.take(rows)
    fine = states(q, some, batches)
    examined = len(brackets) * (FINE - 1)
    sizes = np.array([float(r.configuration.accelerators) for r in some.runs])
    for rtt in rtts:
        reached = last[rtt][rows] == columns
        place = leading(fine.in_time(q.objective, rtt), fine.rate)
        index = np.flatnonzero(reached & (place >= 0))
        at = place[index]
        found.append(
            Points(
                row=rows[index],
                batch=batches[index, at],
                limit=fine.limit[index, at],
                rtt_ms=np.full(len(index), rtt),
                rate=fine.rate[index, at],
                watts=np.asarray(fine.steady.watts)[index, at],
                accelerators=sizes[index],
            )
        )
    return _joined(found), examined


def _bracketed(last: NDArray[np.int64]) -> list[tuple[int, int]]:
    return [(int(row), int(last[row])) for row in np.flatnonzero(last >= 0)]


def _joined(points: list[Points]) -> Points:
    def joined(name: str) -> NDArray[np.float64]:
        return np.concatenate([np.zeros(0), *(getattr(p, name) for p in points)])

    return Points(
        row=joined("row").astype(np.int64),
        batch=joined("batch"),
        limit=joined("limit").astype(np.int64),
        rtt_ms=joined("rtt_ms"),
        rate=joined("rate"),
        watts=joined("watts"),
        accelerators=joined("accelerators"),
    )


@dataclass(frozen=True, slots=True)
class Aggregated:
    """What a search among engines that both prefill and decode gives."""

    candidates: tuple[Candidate, ...]
    counts: Counts
    nearest: str
    """Where nothing meets the objective: the least latency that any point reaches."""


def aggregated(q: Question, coarse: States, stacked: Stack) -> Aggregated:
    """Candidates among runs whose states at `COARSE` are known."""
    points, refined = operating_points(q, stacked, coarse)
    best = points.take(undominated(points.measures()))
    fits = int(coarse.fits.sum())
    in_time = int(coarse.in_time(q.objective, min(q.rtts_ms)).sum())
    counts = Counts(
        examined=coarse.fits.size + refined,
        no_room=coarse.fits.size - fits,
        too_slow=fits - in_time,
        dominated=in_time + refined - len(best),
        kept=len(best),
    )
    found = _candidates(q, stacked, best)
    return Aggregated(found, counts, "" if found else nearest(q, coarse))


def _candidates(q: Question, stacked: Stack, points: Points) -> tuple[Candidate, ...]:
    if not len(points):
        return ()
    shares = np.array([*SHARES, 1.0])
    some = stacked.take(points.row)
    curves = Curves(states(q, some, points.batch[:, None] * shares))
    found = []
    for i, run in enumerate(some.runs):
        configuration = limited(run.configuration, q.grid.batch[int(points.limit[i])])
        idle_watts = float(run.numbers.idle_w) * configuration.accelerators
        station = Station(
            configuration=configuration,
            memory=memory(q.architecture, q.accelerator, configuration),
        )
        found.append(
            Candidate(
                decode=station,
                max_rtt_ms=float(points.rtt_ms[i]),
                curve=curves.curve(i, idle_watts),
            )
        )
    return tuple(found)


def nearest(q: Question, coarse: States) -> str:
    """The least latencies that any point reaches, beside what was asked."""
    fits = coarse.fits
    if not fits.any():
        return "nothing: beside its weights no KV cache fits"
    steady = coarse.steady
    tpot = float(np.where(fits, steady.tpot_s_at_percentile, np.inf).min()) * 1e3
    ttft = float(np.where(fits, steady.ttft_s_at_percentile, np.inf).min()) * 1e3
    return (
        f"a tpot of {tpot:.1f} ms (objective {q.objective.tpot_ms:g}) and a ttft of {ttft:.0f} ms "
        f"plus {min(q.rtts_ms):.0f} ms of network (objective {q.objective.ttft_ms:g})"
    )
