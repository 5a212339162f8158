"""The front of cost, interactivity and energy: what no other configuration beats in all three."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from neocloud.perf import Configuration, Load
from neocloud.planner.records import OperatingPoint
from neocloud.planner.search.candidates import Candidate, Station
from neocloud.planner.search.curves import Curves
from neocloud.planner.search.dominance import undominated
from neocloud.planner.search.find import Found
from neocloud.planner.search.grid import limited
from neocloud.planner.search.question import Question
from neocloud.planner.search.states import States
from neocloud.spec import Objective

SCHEMA = "neocloud.front/1"
"""Name and version of the published schema."""
_COST, _TPOT, _ENERGY, _MISSES = range(4)
"""Columns that points are compared by."""


class FrontStation(msgspec.Struct, frozen=True, kw_only=True):
    """Workers of one configuration."""

    accelerator: str
    configuration: Configuration
    workers: int

    @property
    def accelerators(self) -> int:
        """Accelerators of all its workers."""
        return self.workers * self.configuration.accelerators


class FrontPoint(msgspec.Struct, frozen=True, kw_only=True):
    """One way to run a replica at one load. Tokens in and out count alike; power is at the meter.

    `decode` answers and, where there is no `prefill`, works on prompts too. Latencies are means,
    and at the objective's percentile where the name says so; the network is not in them.
    """

    place: str
    """`site/pool`; the site is `here` where there is no cloud file."""
    decode: FrontStation
    prefill: FrontStation | None = None
    accelerators: int
    decode_batch: float
    """Sequences that generate at once in the replica, mean."""
    requests_per_s: float
    tokens_per_s_per_accelerator: float
    tokens_per_s_per_user: float
    """Output tokens after the first, at the mean time per token."""
    ttft_ms: float
    ttft_ms_at_percentile: float
    tpot_ms: float
    tpot_ms_at_percentile: float
    cost_per_mtok: float
    """Of a million tokens at this load, day and night: accelerators and energy."""
    power_cost_per_mtok: float
    """Of that, energy."""
    joules_per_token: float
    meets_objective: bool
    """With the network between users and site."""

    @property
    def kinds(self) -> tuple[str, ...]:
        """Kinds of accelerators that it runs on, those that answer first."""
        if self.prefill is None or self.prefill.accelerator == self.decode.accelerator:
            return (self.decode.accelerator,)
        return (self.decode.accelerator, self.prefill.accelerator)


class Priced(msgspec.Struct, frozen=True, kw_only=True):
    """What one kind of accelerator costs in one place."""

    place: str
    accelerator: str
    per_accelerator_hour: float
    """Capital and operations."""
    per_kwh: float
    pue: float
    rtt_ms: float
    """Round trip to the nearest users; the objective includes it."""
    leased: bool = False
    """True where a lease stands in place of price and maintenance."""


class Curve(msgspec.Struct, frozen=True, kw_only=True):
    """The front of one place alone: what it reaches where others do better.

    Three measures of its points, in one order, by falling interactivity.
    """

    place: str
    accelerator: str
    tokens_per_s_per_user: tuple[float, ...]
    cost_per_mtok: tuple[float, ...]
    joules_per_token: tuple[float, ...]


class Front(msgspec.Struct, frozen=True, kw_only=True):
    """The front of one model over several kinds of accelerators."""

    schema: str = SCHEMA
    model: str
    currency: str
    load: Load
    ttft_ms: float
    tpot_ms: float
    percentile: float
    confidence: float
    prices: tuple[Priced, ...]
    points: tuple[FrontPoint, ...]
    """By falling interactivity."""
    cheapest: tuple[FrontPoint, ...]
    """Of each place the cheapest of all examined points that meet the objective; cheapest first."""
    curves: tuple[Curve, ...]
    examined: int
    """Configurations at batches: those of the next two and the points."""
    no_room: int
    dominated: int
    hopeless: dict[str, str]
    """Places whose accelerators serve the model in no way, and why."""
    skipped: dict[str, str]
    """Places or accelerators that were not looked at, and why."""


@dataclass(frozen=True, slots=True)
class Searching:
    """One accelerator's search, and what it costs there.

    Attributes:
        question: what was asked.
        found: what was found; its grid and its candidates are what the front is made of.
        price: of the accelerators.
        most: accelerators of a replica, all its workers; a candidate with more is left out.
    """

    question: Question
    found: Found
    price: Priced
    most: int

    @property
    def coarse(self) -> States | None:
        """The grid's states, where engines that work on prompts and answers count."""
        return self.found.coarse if self.question.grid.aggregated else None

    @property
    def curves(self) -> tuple[tuple[Candidate, OperatingPoint], ...]:
        """Candidates at all loads but none: about the objective they lie closer than the grid."""
        return tuple(
            (c, at)
            for c in self.found.candidates
            if c.accelerators <= self.most
            for at in c.curve
            if at.requests_per_s > 0.0
        )

    @property
    def room(self) -> int:
        """Points that there is room for."""
        return len(self.curves) + (0 if self.coarse is None else int(self.coarse.fits.sum()))


@dataclass(frozen=True, slots=True)
class Pareto:
    """The points that none beats, what each place reaches, and how many were looked at."""

    points: tuple[FrontPoint, ...]
    cheapest: tuple[FrontPoint, ...]
    curves: tuple[Curve, ...]
    examined: int
    no_room: int
    dominated: int


@dataclass(frozen=True, slots=True)
class _Looked:
    """Points of one search: those of the grid by row and column, then those of curves.

    `measures` has the columns of `_measures`, a row for each of both in this order.
    """

    searching: Searching
    row: NDArray[np.int64]
    column: NDArray[np.int64]
    curves: tuple[tuple[Candidate, OperatingPoint], ...]
    measures: NDArray[np.float64]

    def cheapest(self) -> FrontPoint | None:
        """The cheapest that meets the objective."""
        met = np.flatnonzero(self.measures[:, _MISSES] == 0.0)
        if not len(met):
            return None
        return self.point(int(met[np.argmin(self.measures[met, _COST])]))

    def curve(self) -> Curve:
        """The front of this search alone, whether or not the objective is met."""
        plain = self.measures[:, :_MISSES]
        plain = plain[undominated(plain)]
        plain = plain[np.lexsort((plain[:, _COST], plain[:, _TPOT]))]
        return Curve(
            place=self.searching.price.place,
            accelerator=self.searching.price.accelerator,
            tokens_per_s_per_user=tuple((1e3 / plain[:, _TPOT]).tolist()),
            cost_per_mtok=tuple(plain[:, _COST].tolist()),
            joules_per_token=tuple(plain[:, _ENERGY].tolist()),
        )

    def point(self, place: int) -> FrontPoint:
        """The point of a row of `measures`."""
        if place >= len(self.row):
            candidate, at = self.curves[place - len(self.row)]
            prefill = None if candidate.prefill is None else _station(candidate.prefill)
            return _point(self.searching, _station(candidate.decode), prefill, at)
        s = self.searching
        row, column = int(self.row[place]), int(self.column[place])
        coarse, run = s.coarse, s.found.runs[row]
        assert coarse is not None
        limit = int(coarse.limit[row, column])
        configuration = limited(run.configuration, s.question.grid.batch[limit])
        station = FrontStation(
            accelerator=configuration.accelerator, configuration=configuration, workers=1
        )
        return _point(s, station, None, Curves(coarse).point(row, column))


def tokens_of(load: Load) -> float:
    """Tokens of a mean request, in and out."""
    return load.input_tokens + load.output_tokens


def front_points(searched: Sequence[Searching]) -> Pareto:
    """Points that none beats or equals in cost, interactivity and energy.

    What meets the objective is beaten only by what meets it too: else the cheapest within it could
    be missing, beaten by a point whose first token comes too late.
    """
    looked = [_looked(s) for s in searched]
    kept = undominated(
        np.concatenate([np.zeros((0, _MISSES + 1)), *(one.measures for one in looked)])
    )
    points: list[FrontPoint] = []
    start = 0
    for one in looked:
        own = np.flatnonzero(kept[start : start + len(one.measures)])
        points += [one.point(int(place)) for place in own]
        start += len(one.measures)
    points.sort(key=lambda p: (-p.tokens_per_s_per_user, p.cost_per_mtok))
    met = [p for p in (one.cheapest() for one in looked) if p is not None]
    no_room = sum(s.found.counts.no_room for s in searched)
    room = sum(s.room for s in searched)
    return Pareto(
        points=tuple(points),
        cheapest=tuple(sorted(met, key=lambda p: p.cost_per_mtok)),
        curves=tuple(one.curve() for one in looked if len(one.measures)),
        examined=no_room + room,
        no_room=no_room,
        dominated=room - len(points),
    )


def _looked(s: Searching) -> _Looked:
    """All points of a search that none of the same search beats."""
    curves = s.curves
    coarse = s.coarse
    row, column = (np.zeros(0, np.int64),) * 2 if coarse is None else np.nonzero(coarse.fits)
    parts = [np.zeros((0, _MISSES + 1))]
    if coarse is not None:
        sizes = np.array([float(r.configuration.accelerators) for r in s.found.runs])
        steady = coarse.steady
        parts.append(
            _measures(
                s,
                sizes[row],
                *(
                    np.broadcast_to(np.asarray(values), coarse.rate.shape)[row, column]
                    for values in (
                        steady.requests_per_s, steady.watts, steady.tpot_s * 1e3,
                        steady.tpot_s_at_percentile * 1e3, steady.ttft_s_at_percentile * 1e3,
                    )
                ),
            )
        )  # fmt: skip
    if curves:
        parts.append(_of_curves(s, curves))
    measures = np.concatenate(parts)
    kept = np.flatnonzero(undominated(measures))
    of_grid = kept[kept < len(row)]
    of_curves = tuple(curves[int(i) - len(row)] for i in kept[kept >= len(row)])
    return _Looked(s, row[of_grid], column[of_grid], of_curves, measures[kept])


def _of_curves(
    s: Searching, curves: Sequence[tuple[Candidate, OperatingPoint]]
) -> NDArray[np.float64]:
    columns = np.array(
        [
            (
                float(candidate.accelerators), at.requests_per_s, at.watts, at.tpot_ms,
                at.tpot_ms_at_percentile, at.ttft_ms_at_percentile,
            )
            for candidate, at in curves
        ]
    ).T  # fmt: skip
    return _measures(s, *columns)


def _measures(
    s: Searching,
    accelerators: NDArray[np.float64],
    requests_per_s: NDArray[np.float64],
    watts: NDArray[np.float64],
    tpot_ms: NDArray[np.float64],
    late_tpot_ms: NDArray[np.float64],
    late_ttft_ms: NDArray[np.float64],
) -> NDArray[np.float64]:
    """What points are compared by, smaller is better; shape (points, 4).

    Cost of a million tokens, milliseconds for an output token, joules for a token, and 1 for
    those that miss the objective.
    """
    per_s = requests_per_s * tokens_of(s.question.load)
    at_meter = watts * s.price.pue
    hourly = accelerators * s.price.per_accelerator_hour + at_meter / 1e3 * s.price.per_kwh
    met = _meets(s.question.objective, late_ttft_ms, late_tpot_ms, s.price.rtt_ms)
    return np.stack(
        [hourly / 3600.0 / per_s * 1e6, tpot_ms, at_meter / per_s, np.where(met, 0.0, 1.0)], axis=1
    )


def _point(
    s: Searching, decode: FrontStation, prefill: FrontStation | None, at: OperatingPoint
) -> FrontPoint:
    accelerators = decode.accelerators + (prefill.accelerators if prefill else 0)
    per_s = at.requests_per_s * tokens_of(s.question.load)
    at_meter = at.watts * s.price.pue
    power = at_meter / 1e3 * s.price.per_kwh
    return FrontPoint(
        place=s.price.place,
        decode=decode,
        prefill=prefill,
        accelerators=accelerators,
        decode_batch=at.decode_batch,
        requests_per_s=at.requests_per_s,
        tokens_per_s_per_accelerator=per_s / accelerators,
        tokens_per_s_per_user=1e3 / at.tpot_ms,
        ttft_ms=at.ttft_ms,
        ttft_ms_at_percentile=at.ttft_ms_at_percentile,
        tpot_ms=at.tpot_ms,
        tpot_ms_at_percentile=at.tpot_ms_at_percentile,
        cost_per_mtok=(accelerators * s.price.per_accelerator_hour + power) / 3600.0 / per_s * 1e6,
        power_cost_per_mtok=power / 3600.0 / per_s * 1e6,
        joules_per_token=at_meter / per_s,
        meets_objective=bool(
            _meets(
                s.question.objective,
                at.ttft_ms_at_percentile,
                at.tpot_ms_at_percentile,
                s.price.rtt_ms,
            )
        ),
    )


def _station(s: Station) -> FrontStation:
    return FrontStation(
        accelerator=s.configuration.accelerator, configuration=s.configuration, workers=s.workers
    )


def _meets(objective: Objective, ttft_ms: Any, tpot_ms: Any, rtt_ms: float) -> Any:
    """Where latencies at the percentile are within an objective for users `rtt_ms` away."""
    return (tpot_ms <= objective.tpot_ms) & (ttft_ms + rtt_ms <= objective.ttft_ms)
