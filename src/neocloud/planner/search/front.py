"""The front of cost, interactivity and energy: what no other configuration beats in all three."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from neocloud.perf import Configuration, Load
from neocloud.planner.search.dominance import undominated
from neocloud.planner.search.find import Found
from neocloud.planner.search.grid import COARSE, limited
from neocloud.planner.search.question import Question
from neocloud.spec import Objective

SCHEMA = "neocloud.front/1"


class FrontStation(msgspec.Struct, frozen=True, kw_only=True):
    """Workers of one configuration."""

    accelerator: str
    configuration: Configuration
    workers: int


class FrontPoint(msgspec.Struct, frozen=True, kw_only=True):
    """One way to run a replica at one load. Tokens in and out count alike; power is at the meter.

    `decode` answers and, where there is no `prefill`, works on prompts too. Latencies are means,
    and at the objective's percentile where the name says so; the network is not in them.
    """

    decode: FrontStation
    prefill: FrontStation | None = None
    accelerators: int
    decode_batch: float
    requests_per_s: float
    tokens_per_s_per_accelerator: float
    tokens_per_s_per_user: float
    """Output tokens after the first."""
    ttft_ms: float
    ttft_ms_at_percentile: float
    tpot_ms: float
    tpot_ms_at_percentile: float
    cost_per_mtok: float
    power_cost_per_mtok: float
    """Of that, energy."""
    joules_per_token: float
    meets_objective: bool


class Priced(msgspec.Struct, frozen=True, kw_only=True):
    """What one kind of accelerator costs in a front."""

    accelerator: str
    per_accelerator_hour: float
    """Capital and operations."""
    per_kwh: float
    pue: float


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
    examined: int
    no_room: int
    dominated: int
    hopeless: dict[str, str]
    """Accelerators that serve the model in no way, and why."""
    skipped: dict[str, str]
    """Accelerators that were not looked at, and why."""


@dataclass(frozen=True, slots=True)
class Searching:
    """One accelerator's search, and what it costs there."""

    question: Question
    found: Found
    price: Priced


@dataclass(frozen=True, slots=True)
class _Columns:
    """Points of one accelerator as vectors: row of the run, column of the batch, three measures."""

    row: NDArray[np.int64]
    column: NDArray[np.int64]
    measures: NDArray[np.float64]
    """Cost for a million tokens, seconds for an output token, joules for a token."""


def tokens_of(load: Load) -> float:
    """Tokens of a mean request, in and out."""
    return load.input_tokens + load.output_tokens


def front_points(searched: Sequence[Searching]) -> tuple[tuple[FrontPoint, ...], int]:
    """Points that none beats or equals in cost, interactivity and energy; how many were beaten."""
    own = [(s, _front_of(s)) for s in searched if s.found.coarse is not None]
    if not own:
        return (), 0
    joined = np.concatenate([columns.measures for _, columns in own])
    kept = undominated(joined)
    looked = sum(int(s.found.coarse.fits.sum()) for s in searched if s.found.coarse is not None)
    points: list[FrontPoint] = []
    start = 0
    for s, columns in own:
        own_kept = np.flatnonzero(kept[start : start + len(columns.row)])
        points += [_point(s, int(columns.row[i]), int(columns.column[i])) for i in own_kept]
        start += len(columns.row)
    points.sort(key=lambda p: -p.tokens_per_s_per_user)
    return tuple(points), looked - len(points)


def _front_of(s: Searching) -> _Columns:
    coarse = s.found.coarse
    assert coarse is not None
    row, column = np.nonzero(coarse.fits)
    sizes = np.array([float(r.configuration.accelerators) for r in s.found.runs])
    rate = coarse.rate[row, column]
    watts = np.asarray(coarse.steady.watts)[row, column]
    tpot = np.asarray(coarse.steady.tpot_s)[row, column]
    per_s = rate * tokens_of(s.question.load)
    hourly = sizes[row] * s.price.per_accelerator_hour
    hourly = hourly + watts * s.price.pue / 1e3 * s.price.per_kwh
    measures = np.stack([hourly / 3600.0 / per_s * 1e6, tpot, watts * s.price.pue / per_s], axis=1)
    kept = undominated(measures)
    return _Columns(row[kept], column[kept], measures[kept])


def _point(s: Searching, row: int, column: int) -> FrontPoint:
    coarse, run = s.found.coarse, s.found.runs[row]
    assert coarse is not None

    def at(values: NDArray[np.float64]) -> float:
        return float(np.broadcast_to(values, coarse.rate.shape)[row, column])

    limit = s.question.grid.batch[int(coarse.limit[row, column])]
    configuration = limited(run.configuration, limit)
    accelerators = configuration.accelerators
    rate, watts = float(coarse.rate[row, column]), at(coarse.steady.watts)
    per_s = rate * tokens_of(s.question.load)
    power = watts * s.price.pue / 1e3 * s.price.per_kwh
    ttft, tpot = at(coarse.steady.ttft_s_at_percentile), at(coarse.steady.tpot_s_at_percentile)
    return FrontPoint(
        decode=FrontStation(
            accelerator=configuration.accelerator, configuration=configuration, workers=1
        ),
        accelerators=accelerators,
        decode_batch=float(COARSE[column]) * run.ranks,
        requests_per_s=rate,
        tokens_per_s_per_accelerator=per_s / accelerators,
        tokens_per_s_per_user=1.0 / at(coarse.steady.tpot_s),
        ttft_ms=at(coarse.steady.ttft_s) * 1e3,
        ttft_ms_at_percentile=ttft * 1e3,
        tpot_ms=at(coarse.steady.tpot_s) * 1e3,
        tpot_ms_at_percentile=tpot * 1e3,
        cost_per_mtok=(accelerators * s.price.per_accelerator_hour + power) / 3600.0 / per_s * 1e6,
        power_cost_per_mtok=power / 3600.0 / per_s * 1e6,
        joules_per_token=watts * s.price.pue / per_s,
        meets_objective=meets(s.question.objective, ttft, tpot, min(s.question.rtts_ms)),
    )


def meets(objective: Objective, ttft_s: float, tpot_s: float, rtt_ms: float) -> bool:
    """True if latencies at the percentile are within an objective for users `rtt_ms` away."""
    return tpot_s * 1e3 <= objective.tpot_ms and ttft_s * 1e3 + rtt_ms <= objective.ttft_ms
