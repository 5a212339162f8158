"""What activity cost: the same arithmetic for what was planned, simulated and metered.

Planned rates are those of `plan.json`. Those of activity are today's: what an accelerator-hour
comes to by file and catalog as they are now, and what a kilowatt-hour came to by the site's
contracts for the energy that was drawn there, demand charge, take-or-pay and carbon included.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from neocloud.activity import Row
from neocloud.books.tiers.cells import REMOTE, usage_of
from neocloud.books.tiers.power import power_items, site_bills
from neocloud.catalog import Catalog
from neocloud.planner import CostByTier, Plan, Rates, request_gb
from neocloud.planner.rates import (
    capital_per_accelerator_hour,
    network_per_gb,
    operations_per_accelerator_hour,
)
from neocloud.planner.rented import rented_pools
from neocloud.spec import Cloud
from neocloud.units import PICO, Period

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


def rates_now(
    cloud: Cloud,
    catalog: Catalog,
    planned: Mapping[Place, Rates],
    rows: Iterable[Row],
    period: Period,
) -> dict[Place, Rates]:
    """The same rates as they were for some activity; as planned where a site drew no energy.

    Args:
        cloud: a checked cloud.
        catalog: the catalog.
        planned: rates of the plan.
        rows: all activity of the period, of one source.
        period: what it covers.
    """
    catalog = cloud.seen(catalog)
    usage = usage_of(rows)
    kwh_price: dict[str, float] = {}
    for key, bills in site_bills(cloud, catalog, usage, period).items():
        drawn = sum(bill.total_kwh for bill in bills)
        if drawn > 0.0:
            paid = sum(item.pico for item in power_items(cloud, usage, bills))
            kwh_price[key] = paid / PICO / drawn
    rents = {(r.site, r.accelerator): r for r in rented_pools(cloud, catalog)}
    found = {}
    for (site_key, pool_key, model), rates in planned.items():
        place = (site_key, pool_key, model)
        site = cloud.sites.get(site_key)
        if site is not None:
            pool = next(p for p in site.pools if p.key == pool_key)
            found[place] = msgspec.structs.replace(
                rates,
                capital_per_accelerator_hour=capital_per_accelerator_hour(cloud, pool, catalog),
                operations_per_accelerator_hour=operations_per_accelerator_hour(
                    cloud, site, pool, catalog
                ),
                power_per_kwh=kwh_price.get(site_key, rates.power_per_kwh),
                network_per_gb=network_per_gb(cloud, site),
            )
        elif (site_key, pool_key) in rents:
            rent = rents[site_key, pool_key].price_per_accelerator_hour
            found[place] = msgspec.structs.replace(rates, capital_per_accelerator_hour=rent)
        else:
            found[place] = rates
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

    Rows of requests that no replica took (no site) cost nothing; what others served is left out.

    Raises:
        UnknownPlaceError: a row stands where the plan has no rates.
    """
    total: dict[Place, CostByTier] = {}
    for row in rows:
        if not row.site or row.site == REMOTE:
            continue
        place = (row.site, row.pool, row.model)
        if place not in rates:
            raise UnknownPlaceError(
                f"{row.model} was active at {row.site}/{row.pool}, which the plan does not use; "
                "give the plan that was running"
            )
        total[place] = total.get(place, CostByTier()) + cost_of_row(row, rates[place])
    return total
