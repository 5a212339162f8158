"""What activity cost, by tier: the same arithmetic for what was planned and what was metered."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from neocloud.activity import Row
from neocloud.planner import CostByTier, Plan, Rates, request_gb

Place = tuple[str, str, str]
"""(site, pool, model)."""


class UnknownPlaceError(ValueError):
    """Activity somewhere that the plan has no rates for."""


def rates_by_place(plan: Plan) -> dict[Place, Rates]:
    """Cost rates of each (site, pool, model) of the plan, pools that only prefill included."""
    found = {(p.site, p.pool, p.model): p.rates for p in plan.placements}
    for p in plan.placements:
        if p.prefill is not None:
            rates = msgspec.structs.replace(
                p.rates,
                capital_per_accelerator_hour=p.prefill.capital_per_accelerator_hour,
                operations_per_accelerator_hour=p.prefill.operations_per_accelerator_hour,
            )
            found.setdefault((p.site, p.prefill.pool, p.model), rates)
    return found


def cost_of_row(row: Row, rates: Rates) -> CostByTier:
    """Cost of one row: accelerators held, energy drawn, traffic of its tokens."""
    hours = row.allocated_accelerator_s / 3600.0
    return CostByTier(
        power=row.energy_kwh * rates.power_per_kwh,
        capital=hours * rates.capital_per_accelerator_hour,
        operations=hours * rates.operations_per_accelerator_hour,
        network=request_gb(row.input_tokens, row.output_tokens) * rates.network_per_gb,
    )


def cost_by_place(rows: Iterable[Row], rates: Mapping[Place, Rates]) -> dict[Place, CostByTier]:
    """Sum the cost of rows by place, in order of first appearance.

    Rows of requests that no replica took (no site) cost nothing.

    Raises:
        UnknownPlaceError: a row stands where the plan has no rates.
    """
    total: dict[Place, CostByTier] = {}
    for row in rows:
        if not row.site:
            continue
        place = (row.site, row.pool, row.model)
        if place not in rates:
            raise UnknownPlaceError(
                f"{row.model} was active at {row.site}/{row.pool}, which the plan does not use; "
                "give the plan that was running"
            )
        total[place] = total.get(place, CostByTier()) + cost_of_row(row, rates[place])
    return total
