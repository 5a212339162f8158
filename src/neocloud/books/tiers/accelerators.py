"""The accelerator-hour tier: what pools cost, whether they are used or not.

Depreciation is in a straight line from price to residual value over the life; cost of capital is
the rest of the annuity that recovers the price less the residual's present value at
`finance.cost_of_capital`, so that both together are the capital cost that plans reckon with. A
year's costs are spread over all hours of the calendar year, a month's rent over those of the month.

All accelerators that stand there bear them alike: those that work, are down, stand spare or idle.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from decimal import Decimal, localcontext
from fractions import Fraction

import msgspec

from neocloud.activity import Purpose
from neocloud.books.tiers.cells import SPARE, WORKING, Cell, Usage
from neocloud.books.tiers.exact import stated
from neocloud.books.tiers.items import Account, Item
from neocloud.books.tiers.spans import (
    Grain,
    clipped,
    is_representative,
    months_of,
    share_of_months,
    share_of_years,
    times_of,
)
from neocloud.catalog import Catalog
from neocloud.planner.rates import life_years, maintenance_share, residual_share
from neocloud.planner.rented import RentedPool, rented_pools
from neocloud.spec import Cloud, Pool, Site
from neocloud.units import HOUR_NS, Period

Place = tuple[str, str]
"""(site, pool)."""


class UnknownPoolError(ValueError):
    """Activity somewhere that the cloud neither owns nor rents."""


class PoolHours(msgspec.Struct, frozen=True, kw_only=True):
    """A pool's accelerator-hours in a period. All uses and idle sum to what stands there.

    Attributes:
        site: site key.
        pool: pool key.
        accelerator: accelerator key.
        provider: who rents it out; empty for one's own.
        standing: of all nodes; of rented ones, those held.
        sellable: without spare nodes, times `availability`.
        by_cell: what cells hold, `spare` and `idle` included.
        held: by use, exact, `spare` and `idle` left out: what money is reckoned by.
    """

    site: str
    pool: str
    accelerator: str
    provider: str
    standing: float
    sellable: float
    by_cell: Mapping[Cell, float]
    held: Mapping[str, Fraction]

    def by_month(self) -> dict[str, dict[Cell, float]]:
        """The cells of each calendar month."""
        found: dict[str, dict[Cell, float]] = {}
        for cell, hours in self.by_cell.items():
            found.setdefault(cell.time[: Grain.MONTH.letters], {})[cell] = hours
        return found

    def of(self, *uses: str) -> float:
        """Hours of some uses."""
        return sum(hours for cell, hours in self.by_cell.items() if cell.use in uses)

    @property
    def used(self) -> float:
        """Hours that work was done in or held for."""
        return self.of(*WORKING)


def pool_hours(
    cloud: Cloud, catalog: Catalog, usage: Usage, period: Period
) -> dict[Place, PoolHours]:
    """The hours of all pools: those of the file, then those rented.

    Raises:
        UnknownPoolError: something was held where the cloud has no pool and rents none.
    """
    held: dict[Place, dict[Cell, Fraction]] = {}
    for cell, hours in usage.held_hours.items():
        held.setdefault((cell.site, cell.pool), {})[cell] = hours
    found = {
        (site.key, pool.key): _own(
            cloud, catalog, site, pool, held.get((site.key, pool.key), {}), period, usage.grain
        )
        for site in cloud.sites.values()
        for pool in site.pools
    }
    rented = {(r.site, r.accelerator): r for r in rented_pools(cloud, catalog)}
    for place, cells in held.items():
        if place in rented:
            found[place] = _rented(rented[place], cells)
        elif place not in found:
            raise UnknownPoolError(
                f"accelerators were held at {'/'.join(place)}, which the file does not know"
            )
    for site_key in usage.kwh:
        if site_key not in cloud.sites and not any(site == site_key for site, _ in rented):
            raise UnknownPoolError(f"energy was drawn at {site_key}, which the file does not know")
    return found


def _own(
    cloud: Cloud,
    catalog: Catalog,
    site: Site,
    pool: Pool,
    held: Mapping[Cell, Fraction],
    period: Period,
    grain: Grain,
) -> PoolHours:
    """Spare nodes are idle ones until they are needed: what is left is spare first, then idle."""
    a_node = catalog.accelerator(pool.accelerator).node_accelerators
    inside = _standing(cloud, pool, period)
    hours = 0.0 if inside is None else (inside.end_ns - inside.start_ns) / HOUR_NS
    held_at: dict[str, Fraction] = {}
    for cell, own in held.items():
        held_at[cell.time] = held_at.get(cell.time, Fraction(0)) + own
    nobody: dict[Cell, float] = {}
    for time, part in () if inside is None else times_of(inside, grain):
        there = (part.end_ns - part.start_ns) / HOUR_NS * a_node
        left = max(0.0, pool.nodes * there - float(held_at.get(time, 0)))
        spare = min(left, pool.spare_nodes * there)
        for use, h in ((SPARE, spare), (Purpose.IDLE.value, left - spare)):
            if h > 0.0:
                nobody[Cell(site.key, pool.key, "", "", use, time)] = h
    return PoolHours(
        site=site.key,
        pool=pool.key,
        accelerator=pool.accelerator,
        provider="",
        standing=pool.nodes * a_node * hours,
        sellable=(pool.nodes - pool.spare_nodes) * a_node * hours * pool.availability,
        by_cell={**as_floats(held), **nobody},
        held=_by_use(held),
    )


def _standing(cloud: Cloud, pool: Pool, period: Period) -> Period | None:
    """The part of the period in which a pool's nodes stand there."""
    if is_representative(period):
        day = cloud.planning.day
        there = day is None or pool.start is None or pool.start <= day
        return period if there else None
    return clipped(period, pool.start, None)


def as_floats(held: Mapping[Cell, Fraction]) -> dict[Cell, float]:
    """Exact hours as weights, by which sums are shared out."""
    return {cell: float(hours) for cell, hours in held.items()}


def _by_use(held: Mapping[Cell, Fraction]) -> dict[str, Fraction]:
    found: dict[str, Fraction] = {}
    for cell, hours in held.items():
        found[cell.use] = found.get(cell.use, Fraction(0)) + hours
    return found


def _rented(rented: RentedPool, held: Mapping[Cell, Fraction]) -> PoolHours:
    hours = float(sum(held.values()))
    return PoolHours(
        site=rented.site,
        pool=rented.accelerator,
        accelerator=rented.accelerator,
        provider=rented.provider,
        standing=hours,
        sellable=hours,
        by_cell=as_floats(held),
        held=_by_use(held),
    )


def pool_items(
    cloud: Cloud, catalog: Catalog, hours: Mapping[Place, PoolHours], period: Period
) -> Iterator[Item]:
    """What the pools cost, traffic and energy apart.

    Within a calendar month all hours of a pool cost the same, so it is by month that they bear it.
    """
    rented = {(r.site, r.accelerator): r for r in rented_pools(cloud, catalog)}
    for (site_key, pool_key), found in hours.items():
        if found.provider:
            price = Fraction(rented[site_key, pool_key].price)
            rent = sum(found.held.values(), Fraction(0)) * price
            if rent:
                yield Item(site=site_key, account=Account.RENT, exact=rent, weights=found.by_cell)
            continue
        site = cloud.sites[site_key]
        pool = next(p for p in site.pools if p.key == pool_key)
        costs: dict[Account, Fraction] = {}
        weights: dict[Account, dict[Cell, float]] = {}
        by_month = found.by_month()
        for part in months_of(period):
            cells = by_month.get(part.name, {})
            whole = math.fsum(cells.values())
            for account, exact in own_costs(cloud, catalog, site, pool, part.period).items():
                if exact:
                    costs[account] = costs.get(account, Fraction(0)) + exact
                    an_hour = float(exact) / whole
                    borne = weights.setdefault(account, {})
                    borne.update({cell: an_hour * hours for cell, hours in cells.items()})
        for account, exact in costs.items():
            yield Item(site=site_key, account=account, exact=exact, weights=weights[account])


def own_costs(
    cloud: Cloud, catalog: Catalog, site: Site, pool: Pool, period: Period
) -> dict[Account, Fraction]:
    """What a pool of the file costs over a period, by account, in the cloud's currency."""
    inside = _standing(cloud, pool, period)
    if inside is None:
        return {}
    finance, usd = cloud.finance, Fraction(cloud.rate("USD"))
    accelerator = catalog.accelerator(pool.accelerator)
    count = pool.nodes * accelerator.node_accelerators
    years, months = share_of_years(inside), share_of_months(inside)
    hours = count * Fraction(inside.end_ns - inside.start_ns, HOUR_NS)
    costs: dict[Account, Fraction] = {}
    if pool.lease_usd_per_hour is not None:
        costs[Account.LEASE] = hours * Fraction(pool.lease_usd_per_hour) * usd
    else:
        price = count * _price(pool, catalog) * usd
        depreciation, capital = _recovered(
            price,
            residual_share(cloud, pool),
            life_years(cloud, pool),
            finance.cost_of_capital,
        )
        costs[Account.DEPRECIATION] = depreciation * years
        costs[Account.CAPITAL] = capital * years
        costs[Account.MAINTENANCE] = price * stated(maintenance_share(cloud, pool)) * years
        costs[Account.INSURANCE] = price * stated(finance.insurance_share_per_year) * years
    node_w = accelerator.node_power_w.known(f"the node power of {pool.accelerator}")
    kw = count * stated(node_w) / accelerator.node_accelerators / 1000
    costs[Account.COLOCATION] = kw * Fraction(site.facility_usd_per_kw_month) * usd * months
    costs[Account.STAFF] = hours * Fraction(finance.staff_per_accelerator_hour)
    costs[Account.LINKS] = hours * Fraction(finance.network_per_accelerator_hour)
    operating = (
        Account.COLOCATION, Account.MAINTENANCE, Account.INSURANCE, Account.STAFF, Account.LINKS,
    )  # fmt: skip
    whole = sum((costs.get(account, Fraction(0)) for account in operating), Fraction(0))
    costs[Account.OVERHEAD] = whole * stated(finance.overhead_share)
    return costs


def _price(pool: Pool, catalog: Catalog) -> Fraction:
    """Installed price of one accelerator, USD."""
    if pool.capex_usd is not None:
        return Fraction(pool.capex_usd)
    accelerator = catalog.accelerator(pool.accelerator)
    return stated(accelerator.capex_usd.known(f"the installed price of {pool.accelerator}"))


def _recovered(
    price: Fraction, residual: float, years: float, rate: float
) -> tuple[Fraction, Fraction]:
    """A year's straight-line depreciation, and what the annuity is beyond it.

    The power of the interest need not be rational: it is taken to 50 digits.
    """
    left, life, interest = stated(residual), stated(years), stated(rate)
    depreciation = price * (1 - left) / life
    if not interest:
        return depreciation, Fraction(0)
    with localcontext() as context:
        context.prec = 50
        growth = Fraction((1 + Decimal(str(rate))) ** Decimal(str(years)))
    annuity = (price - price * left / growth) * interest / (1 - 1 / growth)
    return depreciation, annuity - depreciation
