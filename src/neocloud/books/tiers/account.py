"""The books of a period: every cost entered once, by cell and account."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction

import msgspec

from neocloud.activity import Row
from neocloud.books.tiers.accelerators import Place, PoolHours, pool_hours, pool_items
from neocloud.books.tiers.carbon import carbon_kg
from neocloud.books.tiers.cells import Cell, Served, Usage, coarser, usage_of
from neocloud.books.tiers.exact import shared_out
from neocloud.books.tiers.items import NON_CASH, Account, Item, Tier, tier_of
from neocloud.books.tiers.market import (
    Earning,
    contract_earnings,
    energy_if_sold,
    hours_if_rented,
)
from neocloud.books.tiers.power import PowerBill, power_items, site_bills
from neocloud.books.tiers.spans import Grain
from neocloud.books.tiers.tokens import sold_pico, token_items
from neocloud.catalog import Catalog
from neocloud.spec import Cloud
from neocloud.units import PICO, Period


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A cell's part of a cost, in 1e-12 of the currency."""

    cell: Cell
    account: Account
    pico: int

    @property
    def tier(self) -> Tier:
        """Where it stands."""
        return tier_of(self.account)

    @property
    def cash_pico(self) -> int:
        """The part that is paid in the period: all or nothing."""
        return 0 if self.account in NON_CASH else self.pico


class Books(msgspec.Struct, frozen=True, kw_only=True):
    """All of a period, before it is laid out.

    Attributes:
        usage: activity by cell.
        hours: accelerator-hours of each pool.
        bills: power bills of each own site.
        items: costs, one a bill's line.
        entries: the same, shared out to cells.
        sold: requests and tokens that tenants pay for, by cell.
        earned: what tokens and contracts sold for, by cell, in 1e-12 of the currency.
        by_contract: of it, what contracts by the hour pay, by tenant.
        worth: what the power and accelerator-hour tiers would have earned, by cell; a tier is
            missing where some price is not known.
        carbon_kg: (location-based, market-based), by cell.
        unpriced: sites and kinds of accelerators of which the market's price is not known.
    """

    usage: Usage
    hours: Mapping[Place, PoolHours]
    bills: Mapping[str, tuple[PowerBill, ...]]
    items: tuple[Item, ...]
    entries: tuple[Entry, ...]
    sold: Mapping[Cell, Served]
    earned: Mapping[Cell, int]
    by_contract: Mapping[str, int]
    worth: Mapping[Tier, Mapping[Cell, int]]
    carbon_kg: Mapping[Cell, tuple[float, float]]
    unpriced: tuple[str, ...]

    def pico(self, tier: Tier) -> int:
        """Cost of a tier, from its entries."""
        return sum(entry.pico for entry in self.entries if entry.tier is tier)

    def residue(self) -> Fraction:
        """What rounding added to the exact costs, in the currency."""
        whole = Fraction(sum(item.pico for item in self.items), PICO)
        return whole - sum((item.exact for item in self.items), Fraction(0))


def entered(items: Iterable[Item]) -> Iterator[Entry]:
    """Share items out to their cells, without rest."""
    for item in items:
        cells = sorted(item.weights)
        parts = shared_out(item.pico, [item.weights[cell] for cell in cells])
        for cell, pico in zip(cells, parts, strict=True):
            if pico:
                yield Entry(cell=cell, account=item.account, pico=pico)


def books_of(
    cloud: Cloud,
    catalog: Catalog,
    rows: Iterable[Row],
    sold: Mapping[Cell, Served],
    period: Period,
    grain: Grain = Grain.MONTH,
) -> Books:
    """Enter a period. How finely time is told apart changes no sum.

    Args:
        cloud: a checked cloud.
        catalog: the catalog.
        rows: activity of the period, of one source.
        sold: requests and tokens that tenants pay for.
        period: what is billed.
        grain: how finely time is told apart; `sold` may do so finer.

    Raises:
        UnknownPoolError: something was held where the cloud has no pool and rents none.
    """
    catalog = cloud.seen(catalog)
    usage = usage_of(rows, grain)
    sold = coarser(sold, grain)
    hours = pool_hours(cloud, catalog, usage, period)
    bills = site_bills(cloud, catalog, usage, period)
    items = (
        *(item for own in bills.values() for item in power_items(cloud, usage, own)),
        *pool_items(cloud, catalog, hours, period),
        *token_items(cloud, usage),
    )
    energy, dark = energy_if_sold(cloud, catalog, usage, bills)
    rented, unlet = hours_if_rented(cloud, catalog, hours)
    worth = {} if dark else {Tier.POWER: _by_cell(energy)}
    if not unlet:
        worth[Tier.ACCELERATOR_HOUR] = _by_cell(rented)
    contracts = _by_cell(contract_earnings(cloud, usage, period))
    earned = sold_pico(cloud, sold)
    for cell, pico in contracts.items():
        earned[cell] = earned.get(cell, 0) + pico
    return Books(
        usage=usage,
        hours=hours,
        bills=bills,
        items=items,
        entries=tuple(entered(items)),
        sold=sold,
        earned=earned,
        by_contract=_by_tenant(contracts),
        worth=worth,
        carbon_kg=carbon_kg(cloud, catalog, usage, bills),
        unpriced=(*dark, *unlet),
    )


def _by_cell(earnings: Iterable[Earning]) -> dict[Cell, int]:
    """Share earnings out to their cells, without rest."""
    found: dict[Cell, int] = {}
    for earning in earnings:
        cells = sorted(earning.weights)
        parts = shared_out(earning.pico, [earning.weights[cell] for cell in cells])
        for cell, pico in zip(cells, parts, strict=True):
            found[cell] = found.get(cell, 0) + pico
    return found


def _by_tenant(amounts: Mapping[Cell, int]) -> dict[str, int]:
    found: dict[str, int] = {}
    for cell, pico in amounts.items():
        found[cell.tenant] = found.get(cell.tenant, 0) + pico
    return found
