"""One model's part of what was metered or simulated, and the columns that it gives."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec
import numpy as np

from neocloud.activity import Row, Totals, total
from neocloud.books.side_by_side.rates import Place, cost_by_place
from neocloud.books.side_by_side.records import Side
from neocloud.books.side_by_side.step_factor import Replayed
from neocloud.books.tiers.cells import REMOTE
from neocloud.ledger import Status, UsageEvent
from neocloud.planner import CostByTier, Lengths, Rates, request_gb
from neocloud.units import Period

Pool = tuple[str, str]
"""(site, pool)."""


class ModelActivity(msgspec.Struct, frozen=True, kw_only=True):
    """One model's part of metered or simulated activity, summed.

    Attributes:
        events: its usage events; none where it was simulated.
        sums: its activity on one's own or rented accelerators.
        held_hours: accelerator-hours held, by (site, pool).
        kwh: energy at the site's meter, by (site, pool).
        gigabytes: traffic, by (site, pool).
        cost: by tier, in the cloud's currency.
    """

    events: tuple[UsageEvent, ...]
    sums: Totals
    held_hours: Mapping[Pool, float]
    kwh: Mapping[Pool, float]
    gigabytes: Mapping[Pool, float]
    cost: CostByTier

    @property
    def hours(self) -> float:
        """Accelerator-hours held."""
        return sum(self.held_hours.values())


def of_model(
    rows: Iterable[Row],
    events: Iterable[UsageEvent],
    rates: Mapping[Place, Rates],
    model: str,
) -> ModelActivity:
    """Gather one model's events, activity and cost; what others served for it is left out.

    Raises:
        UnknownPlaceError: it ran where the plan has nothing.
    """
    mine = [r for r in rows if r.model == model and r.site != REMOTE]
    held: dict[Pool, float] = {}
    kwh: dict[Pool, float] = {}
    gigabytes: dict[Pool, float] = {}
    for row in mine:
        pool = (row.site, row.pool)
        held[pool] = held.get(pool, 0.0) + row.allocated_accelerator_s / 3600.0
        kwh[pool] = kwh.get(pool, 0.0) + row.energy_kwh
        moved = request_gb(row.input_tokens, row.output_tokens)
        gigabytes[pool] = gigabytes.get(pool, 0.0) + moved
    cost = CostByTier()
    for part in cost_by_place(mine, rates).values():
        cost = cost + part
    return ModelActivity(
        events=tuple(e for e in events if e.model == model and e.site != REMOTE),
        sums=total(mine),
        held_hours={pool: hours for pool, hours in held.items() if hours > 0.0},
        kwh=kwh,
        gigabytes=gigabytes,
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


def lengths_like(planned: Lengths, mine: ModelActivity) -> Lengths | None:
    """The planned lengths with the means of some activity; None if that holds no answer."""
    sums = mine.sums
    if not sums.requests or not sums.input_tokens or not sums.output_tokens:
        return None
    inputs = sums.input_tokens / sums.requests / planned.mean_input()
    outputs = sums.output_tokens / sums.requests / planned.mean_output()
    return Lengths(planned.input_tokens * inputs, planned.output_tokens * outputs, planned.weight)


def metered_side(
    mine: ModelActivity, period: Period, percentile: float, utilisation: float | None
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
    if not count:
        return Side()
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


def simulated_side(mine: ModelActivity, seconds: float, utilisation: float | None) -> Side:
    """The simulated column: what activity holds, latencies not."""
    held_s = mine.hours * 3600.0
    count, tokens = mine.sums.requests, mine.sums.tokens
    return Side(
        requests_per_s=count / seconds,
        input_tokens_per_request=mine.sums.input_tokens / count if count else None,
        output_tokens_per_request=mine.sums.output_tokens / count if count else None,
        cost_per_mtok=mine.cost.scaled(1e6 / tokens) if tokens else None,
        utilisation=utilisation,
        busy=mine.sums.busy_accelerator_s / held_s if held_s else None,
        watts_per_accelerator=mine.sums.energy_kwh * 3.6e6 / held_s if held_s else None,
    )


def expected_side(mine: ModelActivity, replays: Sequence[Replayed], percentile: float) -> Side:
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
