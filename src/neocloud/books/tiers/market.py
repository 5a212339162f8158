"""What each tier would have earned if it had been sold as it is, and what contracts pay.

Energy: all that was paid for, drawn or not, at the catalog's price of the metro's grid with its
shape over the day. Accelerator-hours: those used, at the catalog's median price on demand of their
kind. Idle hours would have found no taker, or they would not have been idle.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from fractions import Fraction

import msgspec

from neocloud.activity import Purpose
from neocloud.books.tiers.accelerators import Place, PoolHours, as_floats
from neocloud.books.tiers.cells import WORKING, Cell, Usage
from neocloud.books.tiers.exact import stated, to_pico
from neocloud.books.tiers.power import PowerBill, undrawn_cells
from neocloud.books.tiers.spans import (
    Grain,
    clipped,
    day_of,
    midnight_ns,
    months_after,
    months_of,
    times_of,
)
from neocloud.catalog import Catalog
from neocloud.catalog.power import SEASONS
from neocloud.spec import Cloud, Contract
from neocloud.units import HOUR_NS, Period


class Earning(msgspec.Struct, frozen=True, kw_only=True):
    """Money that came or would have come in, and the cells that it is for, by their part."""

    exact: Fraction
    weights: Mapping[Cell, float]

    @property
    def pico(self) -> int:
        """The amount in 1e-12 of the currency."""
        return to_pico(self.exact)


def season_of(hour_ns: int) -> str:
    """Season of the catalog's shapes that an hour falls in."""
    return SEASONS[day_of(hour_ns).month % 12 // 3]


def energy_if_sold(
    cloud: Cloud, catalog: Catalog, usage: Usage, bills: Mapping[str, Iterable[PowerBill]]
) -> tuple[list[Earning], list[str]]:
    """Energy at the price of the grid, by site; and the sites of which no price is known."""
    found, unknown = [], []
    for site, own in bills.items():
        power = catalog.power(cloud.sites[site].metro)
        value = power.price_per_mwh.value
        known = power.currency == cloud.currency or power.currency in cloud.exchange_rates
        if value is None or not known:
            unknown.append(site)
            continue
        price = stated(value) * Fraction(cloud.rate(power.currency)) / 1000
        shape = power.price_shape.by_season
        weights: dict[Cell, float] = {}
        # Summed exactly, hour by hour: a sum of the weights would depend on how they are grouped.
        exact = sum((Fraction(bill.undrawn_kwh) for bill in own), Fraction(0))
        for hour, cells in usage.kwh.get(site, {}).items():
            level = shape[season_of(hour)][hour // HOUR_NS % 24]
            for cell, kwh in cells.items():
                weights[cell] = weights.get(cell, 0.0) + kwh * level
                exact += Fraction(kwh * level)
        for bill in own:
            borne = undrawn_cells(bill, usage.grain) if bill.undrawn_kwh > 0.0 else {}
            for cell, obliged in borne.items():
                undrawn = bill.undrawn_kwh * obliged / bill.obliged_kwh
                weights[cell] = weights.get(cell, 0.0) + undrawn
        if exact:
            found.append(Earning(exact=exact * price, weights=weights))
    return found, unknown


def hours_if_rented(
    cloud: Cloud, catalog: Catalog, hours: Mapping[Place, PoolHours]
) -> tuple[list[Earning], list[str]]:
    """Used accelerator-hours at the price on demand; and the kinds that nobody rents out."""
    found, unknown = [], []
    for pool in hours.values():
        asked = catalog.rental_range(pool.accelerator)
        used = {cell: h for cell, h in pool.by_cell.items() if cell.use in WORKING and h > 0.0}
        if asked is None:
            unknown.append(pool.accelerator)
            continue
        exact = sum((pool.held.get(use, Fraction(0)) for use in WORKING), Fraction(0))
        exact *= Fraction(asked.median) * Fraction(cloud.rate("USD"))
        if exact:
            found.append(Earning(exact=exact, weights=used))
    return found, sorted(set(unknown))


def contracted_hours(contract: Contract, period: Period) -> Fraction:
    """Accelerator-hours that a contract names in a period."""
    end = months_after(contract.start, contract.term_months)
    inside = clipped(period, contract.start, end)
    if inside is None:
        return Fraction(0)
    return contract.accelerators * Fraction(inside.end_ns - inside.start_ns, HOUR_NS)


def hourly_contracts(cloud: Cloud) -> Iterator[Contract]:
    """Signed contracts that are paid by the accelerator-hour whatever is sold to others."""
    for contract in cloud.contracts:
        if contract.kind in ("reserved", "dedicated") and contract.probability == 1.0:
            yield contract


def contract_earnings(cloud: Cloud, usage: Usage, period: Period) -> Iterator[Earning]:
    """What contracts by the accelerator-hour pay: hours used, no less than take-or-pay.

    By calendar month; what a tenant has used counts for its contracts in the order of the file.
    What is paid and was not used is of no site.
    """
    held: dict[tuple[str, str, str, str], dict[Cell, Fraction]] = {}
    for cell, hours in usage.held_hours.items():
        key = (cell.shared.time, cell.tenant, cell.use, cell.model)
        held.setdefault(key, {})[cell] = hours
    for part in months_of(period):
        left: dict[tuple[str, str, str, str], Fraction] = {}
        for contract in hourly_contracts(cloud):
            named = contracted_hours(contract, part.period)
            if not named:
                continue
            use = Purpose.INFERENCE.value if contract.kind == "dedicated" else contract.purpose
            key = (part.name, contract.tenant, use, contract.model or "")
            cells = held.get(key, {})
            there = left.get(key, sum(cells.values(), Fraction(0)))
            taken = min(named, there)
            left[key] = there - taken
            whole = _at_prices(contract, part.period) * Fraction(cloud.rate(contract.currency))
            unused = max(taken / named, Fraction(contract.take_or_pay)) - taken / named
            if whole and taken:
                yield Earning(exact=taken / named * whole, weights=as_floats(cells))
            if whole and unused:
                nowhere = _unused(contract, use, part.period, usage.grain)
                yield Earning(exact=unused * whole, weights=nowhere)


def _unused(contract: Contract, use: str, period: Period, grain: Grain) -> dict[Cell, float]:
    """Cells of no site, by the hours that a contract names there."""
    return {
        Cell("", "", contract.model or "", contract.tenant, use, time): float(named)
        for time, inside in times_of(period, grain)
        if (named := contracted_hours(contract, inside))
    }


def _at_prices(contract: Contract, period: Period) -> Fraction:
    """All hours that it names at the prices of their days, in the contract's currency."""
    end = months_after(contract.start, contract.term_months)
    starts: list[tuple[date, Fraction]] = [(contract.start, Fraction(contract.price))]
    starts += [(step.start, Fraction(step.price)) for step in contract.price_steps]
    whole = Fraction(0)
    for number, (start, price) in enumerate(starts):
        last = starts[number + 1][0] if number + 1 < len(starts) else end
        if midnight_ns(start) >= midnight_ns(last):
            continue
        inside = clipped(period, start, last)
        if inside is not None:
            whole += Fraction(inside.end_ns - inside.start_ns, HOUR_NS) * price
    return contract.accelerators * whole
