"""From the planned to the metered cost of a token, one cause at a time.

A million tokens cost 1e6 R / (U K) and their traffic: R the cost of an accelerator-hour, K the
tokens that an accelerator could serve in an hour within the objective, U the share of them that it
did serve. Replacing planned by metered values in a fixed order splits the difference without rest:

1. place: the shares of sites and pools in R and K;
2. energy: the power that an accelerator drew, in R;
3. lengths: the lengths of the requests, in K;
4. efficiency: the time of a step, in K;
5. load: U;
6. network: traffic.

What stands after step 4 is what a token would have cost at the planned load.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from neocloud.books.comparison import CAUSES, BridgeStep
from neocloud.books.metered import MeteredModel, lengths_metered
from neocloud.catalog import Catalog
from neocloud.perf import Predictor
from neocloud.planner import ModelSummary, Placement, capacity
from neocloud.spec import Cloud


class Bridge(msgspec.Struct, frozen=True, kw_only=True):
    """The steps, and what they pass on the way."""

    steps: tuple[BridgeStep, ...]
    at_planned_load: float
    utilisation: float
    """Metered, of the capacity that the metered step times leave."""


def _weighted(weights: Sequence[float], values: Sequence[float]) -> float:
    return sum(w * v for w, v in zip(weights, values, strict=True)) / sum(weights)


def held_by_placement(placements: Sequence[Placement], mine: MeteredModel) -> list[float]:
    """Accelerator-hours of each placement; a pool's are shared out as the plan shares it."""
    held = []
    for p in placements:
        place = (p.site, p.pool)
        there = sum(o.accelerators for o in placements if (o.site, o.pool) == place)
        held.append(mine.held_hours.get(place, 0.0) * p.accelerators / there)
    return held


def make_bridge(
    cloud: Cloud,
    catalog: Catalog,
    summary: ModelSummary,
    placements: Sequence[Placement],
    mine: MeteredModel,
    factor: float | None,
    predictor: Predictor,
) -> Bridge | None:
    """Split the difference in cost; None where nothing was held or no answer was whole."""
    lengths = lengths_metered(mine.events)
    held = held_by_placement(placements, mine)
    if lengths is None or sum(held) <= 0 or not mine.sums.tokens:
        return None
    planned_held = [float(p.accelerators) for p in placements]
    hour = [_hour_cost(p) for p in placements]
    per_request = summary.input_tokens_per_request + summary.output_tokens_per_request
    could = [
        p.max_requests_per_s / p.configuration.accelerators * per_request * 3600 for p in placements
    ]
    load = lengths.load(summary.percentile)
    metered_per_request = lengths.mean_input() + lengths.mean_output()
    could_now = [
        capacity(cloud, catalog, p, load, predictor)
        / p.configuration.accelerators
        * metered_per_request
        * 3600
        for p in placements
    ]
    used = summary.utilisation
    cost_planned = _weighted(planned_held, hour)
    cost_place = _weighted(held, hour)
    k_planned = _weighted(planned_held, could)
    k_place = _weighted(held, could)
    k_lengths = _weighted(held, could_now)
    if k_lengths <= 0:
        return None
    slow = factor if factor is not None else 1.0
    metered_hour = (mine.cost.total - mine.cost.network) / mine.hours
    used_now = mine.sums.tokens / (mine.hours * k_lengths / slow)
    network = mine.cost.network / mine.sums.tokens * 1e6
    levels = [
        1e6 * cost_place / (used * k_place),
        1e6 * metered_hour / (used * k_place),
        1e6 * metered_hour / (used * k_lengths),
        1e6 * metered_hour * slow / (used * k_lengths),
        1e6 * metered_hour * slow / (used_now * k_lengths),
    ]
    start = 1e6 * cost_planned / (used * k_planned)
    traffic = summary.cost_per_mtok.network
    reached = [level + traffic for level in levels]
    reached.append(levels[-1] + network)
    before = [start + traffic, *reached[:-1]]
    return Bridge(
        steps=tuple(
            BridgeStep(cause=cause, adds=after - earlier, reaches=after)
            for cause, earlier, after in zip(CAUSES, before, reached, strict=True)
        ),
        at_planned_load=reached[3],
        utilisation=used_now,
    )


def _hour_cost(p: Placement) -> float:
    """Planned cost of one accelerator-hour of a placement, traffic apart."""
    cost = p.cost_per_hour
    return (cost.capital + cost.operations + cost.power) / p.accelerators
