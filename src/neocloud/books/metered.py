"""What the ledger gives for a period, and one model's part of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np

from neocloud.activity import Row, Totals, total
from neocloud.books.comparison import Side
from neocloud.books.cost import cost_by_place, rates_by_place
from neocloud.books.step_factor import Replayed
from neocloud.ledger import Status, UsageEvent
from neocloud.planner import CostByTier, Lengths, Plan
from neocloud.units import Period

Pool = tuple[str, str]
"""(site, pool)."""


class Metered(msgspec.Struct, frozen=True, kw_only=True):
    """Hourly activity of a period and the events behind it."""

    period: Period
    rows: tuple[Row, ...]
    events: tuple[UsageEvent, ...]
    energy_modelled: bool


class MeteredModel(msgspec.Struct, frozen=True, kw_only=True):
    """One model's part, summed.

    Attributes:
        events: its usage events.
        sums: its activity.
        held_hours: accelerator-hours held, by (site, pool).
        cost: by tier, in the plan's currency.
    """

    events: tuple[UsageEvent, ...]
    sums: Totals
    held_hours: Mapping[Pool, float]
    cost: CostByTier

    @property
    def hours(self) -> float:
        """Accelerator-hours held."""
        return sum(self.held_hours.values())


def of_model(metered: Metered, plan: Plan, model: str) -> MeteredModel:
    """Gather one model's events, activity and cost.

    Raises:
        UnknownPlaceError: it ran where the plan has nothing.
    """
    rows = [r for r in metered.rows if r.model == model]
    held: dict[Pool, float] = {}
    for row in rows:
        if row.allocated_accelerator_s:
            pool = (row.site, row.pool)
            held[pool] = held.get(pool, 0.0) + row.allocated_accelerator_s / 3600.0
    cost = CostByTier()
    for part in cost_by_place(rows, rates_by_place(plan)).values():
        cost = cost + part
    return MeteredModel(
        events=tuple(e for e in metered.events if e.model == model),
        sums=total(rows),
        held_hours=held,
        cost=cost,
    )


def lengths_metered(events: Sequence[UsageEvent]) -> Lengths | None:
    """Lengths of the requests that were answered whole; None if none was."""
    answered = [
        e
        for e in events
        if e.status is Status.COMPLETED and e.input_tokens > 0 and e.output_tokens > 0
    ]
    if not answered:
        return None
    return Lengths(
        np.array([float(e.input_tokens) for e in answered]),
        np.array([float(e.output_tokens) for e in answered]),
        np.full(len(answered), 1.0 / len(answered)),
    )


def metered_side(
    mine: MeteredModel, period: Period, percentile: float, utilisation: float | None
) -> Side:
    """The metered column."""
    seconds = mine.hours * 3600.0
    streamed = [e for e in mine.events if e.streamed and e.first_token_ns]
    ttft = [(e.first_token_ns - e.admitted_ns) / 1e6 for e in streamed]
    tpot = [
        (e.finished_ns - e.first_token_ns) / 1e6 / (e.output_tokens - 1)
        for e in streamed
        if e.output_tokens > 1
    ]
    count, tokens = len(mine.events), mine.sums.tokens
    return Side(
        requests_per_s=count / period.seconds,
        input_tokens_per_request=mine.sums.input_tokens / count,
        output_tokens_per_request=mine.sums.output_tokens / count,
        cost_per_mtok=mine.cost.scaled(1e6 / tokens) if tokens else None,
        utilisation=utilisation,
        busy=mine.sums.busy_accelerator_s / seconds if seconds else None,
        watts_per_accelerator=mine.sums.energy_kwh * 3.6e6 / seconds if seconds else None,
        ttft_ms=mean(ttft),
        ttft_ms_at_percentile=at_percentile(ttft, percentile),
        tpot_ms=mean(tpot),
        tpot_ms_at_percentile=at_percentile(tpot, percentile),
    )


def expected_side(mine: MeteredModel, replays: Sequence[Replayed], percentile: float) -> Side:
    """The expected column: the metered requests at the plan's step times."""
    ttft = [s * 1e3 for r in replays for s in r.ttft_s]
    tpot = [s * 1e3 for r in replays for s in r.tpot_s]
    whole = sum(r.requests for r in replays) == len(mine.events)
    seconds = mine.hours * 3600.0
    busy = sum(r.busy_accelerator_s for r in replays)
    return Side(
        busy=busy / seconds if seconds and whole else None,
        ttft_ms=mean(ttft),
        ttft_ms_at_percentile=at_percentile(ttft, percentile),
        tpot_ms=mean(tpot),
        tpot_ms_at_percentile=at_percentile(tpot, percentile),
    )


def mean(values: Sequence[float]) -> float | None:
    """Arithmetic mean; None of nothing."""
    return float(np.mean(values)) if values else None


def at_percentile(values: Sequence[float], percentile: float) -> float | None:
    """The percentile, interpolated; None of nothing."""
    return float(np.percentile(values, percentile)) if values else None
