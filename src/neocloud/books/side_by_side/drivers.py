"""What the cost of a million tokens is made of, and what each cause changes of it.

    1e6 x sum(share x (price of an hour + kW x price of a kWh)) x step factor
        / (utilisation x sum(share x tokens an accelerator-hour could give))
    + sum(gigabytes x price of a gigabyte)

over the placements of the plan. Both sides of a comparison are brought into this form; a cause puts
some of its terms from the one side in place of the other's.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from fractions import Fraction

import msgspec
import numpy as np

from neocloud.books.side_by_side.metered import ModelActivity, Pool
from neocloud.books.side_by_side.rates import Place
from neocloud.books.side_by_side.records import Bridge, BridgeStep
from neocloud.books.side_by_side.shapley import split
from neocloud.catalog import Catalog
from neocloud.perf import Predictor
from neocloud.planner import Lengths, ModelSummary, Placement, Rates, capacity, request_gb
from neocloud.planner.summary import watts_by_hour
from neocloud.spec import Cloud
from neocloud.units import PICO

TERMS: Mapping[str, tuple[str, ...]] = {
    "price": ("hour_price", "kwh_price", "gb_price"),
    "mix": ("share", "could", "gb_per_mtok"),
    "utilisation": ("utilisation",),
    "efficiency": ("step_factor",),
    "power": ("kw",),
}
"""Which terms a cause changes. Each belongs to one cause."""


class Drivers(msgspec.Struct, frozen=True, kw_only=True):
    """One side. Tuples are by placement.

    Attributes:
        hour_price: of an accelerator-hour, energy apart.
        kwh_price: what a kWh comes to, demand charge, take-or-pay and carbon included.
        gb_price: of a gigabyte to or from users.
        share: of the accelerator-hours.
        could: tokens an hour that an accelerator could give within the objective at modelled step
            times and this side's lengths of requests.
        gb_per_mtok: gigabytes that a million tokens move there.
        utilisation: tokens over those that could have been given.
        step_factor: time of a step over modelled.
        kw: what an accelerator draws at the site's meter.
    """

    hour_price: tuple[float, ...]
    kwh_price: tuple[float, ...]
    gb_price: tuple[float, ...]
    share: tuple[float, ...]
    could: tuple[float, ...]
    gb_per_mtok: tuple[float, ...]
    utilisation: float
    step_factor: float
    kw: tuple[float, ...]

    def cost_per_mtok(self) -> float:
        """Cost of a million tokens, input and output alike."""
        hours = zip(self.share, self.hour_price, self.kw, self.kwh_price, strict=True)
        hour = sum(share * (price + kw * kwh) for share, price, kw, kwh in hours)
        could = sum(s * k for s, k in zip(self.share, self.could, strict=True))
        moved = zip(self.gb_per_mtok, self.gb_price, strict=True)
        traffic = sum(gigabytes * price for gigabytes, price in moved)
        return 1e6 * hour * self.step_factor / (self.utilisation * could) + traffic

    def changed(self, after: Drivers, causes: Collection[str]) -> Drivers:
        """With the terms of some causes from another side."""
        terms = [term for cause in causes for term in TERMS[cause]]
        return msgspec.structs.replace(self, **{term: getattr(after, term) for term in terms})


def planned_drivers(
    summary: ModelSummary, placements: Sequence[Placement], rates: Mapping[Place, Rates]
) -> Drivers:
    """The plan's day."""
    per_request = summary.input_tokens_per_request + summary.output_tokens_per_request
    moved = request_gb(summary.input_tokens_per_request, summary.output_tokens_per_request)
    held = [_mean_held(p) for p in placements]
    sent = [sum(p.requests_per_s_by_hour) for p in placements]
    return Drivers(
        **_prices(placements, rates),
        share=_shares(held),
        could=tuple(
            p.max_requests_per_s / p.accelerators_per_replica * per_request * 3600.0
            for p in placements
        ),
        gb_per_mtok=tuple(1e6 * moved / per_request * share for share in _shares(sent)),
        utilisation=summary.utilisation,
        step_factor=1.0,
        kw=tuple(planned_kw(p) / hours for p, hours in zip(placements, held, strict=True)),
    )


def activity_drivers(
    cloud: Cloud,
    catalog: Catalog,
    summary: ModelSummary,
    placements: Sequence[Placement],
    rates: Mapping[Place, Rates],
    mine: ModelActivity,
    lengths: Lengths | None,
    step_factor: float | None,
    predictor: Predictor,
) -> Drivers | None:
    """What was metered or simulated; None where nothing was held, or no answer was whole."""
    held = _by_placement(placements, mine.held_hours)
    tokens = mine.sums.tokens
    if lengths is None or sum(held) <= 0.0 or not tokens:
        return None
    load = lengths.load(summary.percentile)
    per_request = lengths.mean_input() + lengths.mean_output()
    could = tuple(
        capacity(cloud, catalog, p, load, predictor)
        / p.accelerators_per_replica
        * per_request
        * 3600.0
        for p in placements
    )
    share = _shares(held)
    factor = 1.0 if step_factor is None else step_factor
    could_all = sum(s * k for s, k in zip(share, could, strict=True)) * sum(held)
    if could_all <= 0.0:
        return None
    drawn = _by_placement(placements, mine.kwh)
    moved = _by_answering(placements, mine.gigabytes)
    return Drivers(
        **_prices(placements, rates),
        share=share,
        could=could,
        gb_per_mtok=tuple(gigabytes / tokens * 1e6 for gigabytes in moved),
        utilisation=tokens * factor / could_all,
        step_factor=factor,
        # Where nothing was held the planned figure stands, which then weighs nothing.
        kw=tuple(
            kwh / hours if hours > 0.0 else planned_kw(p) / _mean_held(p)
            for p, kwh, hours in zip(placements, drawn, held, strict=True)
        ),
    )


def bridge_between(start: str, end: str, before: Drivers, after: Drivers) -> Bridge:
    """Split the difference in the cost of a million tokens by cause."""
    found = split(TERMS, lambda causes: Fraction(before.changed(after, causes).cost_per_mtok()))
    return Bridge(
        start=start,
        end=end,
        start_pico=found.before,
        end_pico=found.after,
        steps=tuple(
            BridgeStep(cause=cause, adds=found.parts[cause] / PICO, adds_pico=found.parts[cause])
            for cause in TERMS
        ),
    )


def planned_kw(p: Placement) -> float:
    """What a placement draws at the site's meter, mean of the day."""
    counts = np.array(p.replicas_by_hour)
    served = np.array(p.requests_per_s_by_hour)
    return float(watts_by_hour(p.curve, counts, served).mean()) / 1e3 * p.pue


def _mean_held(p: Placement) -> float:
    """Accelerators that a placement holds, mean of the day."""
    return sum(p.replicas_by_hour) / len(p.replicas_by_hour) * p.accelerators_per_replica


def _shares(values: Sequence[float]) -> tuple[float, ...]:
    whole = sum(values)
    return tuple(value / whole for value in values)


def _prices(
    placements: Sequence[Placement], rates: Mapping[Place, Rates]
) -> dict[str, tuple[float, ...]]:
    """Prices of each placement, those of its pools by what it holds of them."""
    hours, kwhs, gigabytes = [], [], []
    for p in placements:
        by_pool = [(n, rates[p.site, pool, p.model]) for pool, n in p.held().items()]
        hours.append(
            sum(
                n * (r.capital_per_accelerator_hour + r.operations_per_accelerator_hour)
                for n, r in by_pool
            )
            / p.accelerators_per_replica
        )
        own = rates[p.site, p.pool, p.model]
        kwhs.append(own.power_per_kwh)
        gigabytes.append(own.network_per_gb)
    return {
        "hour_price": tuple(hours), "kwh_price": tuple(kwhs), "gb_price": tuple(gigabytes),
    }  # fmt: skip


def _by_placement(placements: Sequence[Placement], by_pool: Mapping[Pool, float]) -> list[float]:
    """What pools have, shared out to placements as the plan holds accelerators of them."""
    held = [
        {(p.site, pool): float(n * sum(p.replicas_by_hour)) for pool, n in p.held().items()}
        for p in placements
    ]
    return _parted(held, by_pool)


def _by_answering(placements: Sequence[Placement], by_pool: Mapping[Pool, float]) -> list[float]:
    """What the pools that answer have, by what the plan sends to each placement there."""
    sent = [{(p.site, p.pool): sum(p.requests_per_s_by_hour)} for p in placements]
    return _parted(sent, by_pool)


def _parted(weights: Sequence[Mapping[Pool, float]], by_pool: Mapping[Pool, float]) -> list[float]:
    """What each pool has, by weight; alike where nothing has any."""
    whole: dict[Pool, float] = {}
    count: dict[Pool, int] = {}
    for own in weights:
        for pool, weight in own.items():
            whole[pool] = whole.get(pool, 0.0) + weight
            count[pool] = count.get(pool, 0) + 1
    return [
        sum(
            by_pool.get(pool, 0.0)
            * (weight / whole[pool] if whole[pool] > 0.0 else 1.0 / count[pool])
            for pool, weight in own.items()
        )
        for own in weights
    ]
