"""What a site's energy costs by month: the bill of a typical day, contract by contract.

As in the books: in each hour the contracts that run are drawn in their order, each up to what it
can give; what is drawn beyond all is billed at the price of the last. By calendar month each
obliges to pay for the energy that take-or-pay names, drawn or not, and for the highest hourly draw.
All days of a month are alike but for which contracts run.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from fractions import Fraction

from neocloud.books.tiers.exact import stated
from neocloud.books.tiers.power import price_per_kwh
from neocloud.finance.inputs.ground import Ground, availability
from neocloud.finance.inputs.spans import HOURS, pieces
from neocloud.planner.demand import utc_offset_hours
from neocloud.spec import Asset, PowerContract, Site
from neocloud.spec.power import CARBON_G_PER_KWH

Day = tuple[float, ...]
"""Energy by UTC hour of the day, kWh at the site's meter."""


@dataclass(slots=True)
class Bill:
    """A site's energy in a month.

    Attributes:
        amounts: by what they are for, in the cloud's currency, exact: `power`, `undrawn` (paid for
            and not drawn), `demand_charge`, `fuel`, `carbon`.
        kwh: energy drawn.
    """

    amounts: dict[str, Fraction] = field(default_factory=dict)
    kwh: float = 0.0

    def add(self, kind: str, amount: Fraction) -> None:
        """Put an amount on the bill."""
        if amount:
            self.amounts[kind] = self.amounts.get(kind, Fraction(0)) + amount


@dataclass(slots=True)
class _Meter:
    """One contract's month. Energy in kWh, draw in kW."""

    drawn: float = 0.0
    obliged: float = 0.0
    peak: float = 0.0


def bill_of(ground: Ground, site: Site, days: Sequence[tuple[date, date, Day]]) -> Bill:
    """A month's bill.

    Args:
        ground: the cloud and its months.
        site: whose.
        days: parts of the month, each with the energy of one of its days.
    """
    plants = [plant_of(asset) for asset in _plants(ground, site)]
    contracts = [*plants, *site.power]
    meters = [_Meter() for _ in contracts]
    ahead = utc_offset_hours(ground.catalog.metro(site.metro))
    cuts = [day for c in contracts for day in (c.start, c.end) if day is not None]
    cuts += [ground.service[asset.key] for asset in _plants(ground, site)]
    for start, end, day in days:
        for first, after in pieces(start, end, cuts):
            there = [
                contract.runs_on(first)
                and (number >= len(plants) or _serves(ground, site, number, first))
                for number, contract in enumerate(contracts)
            ]
            _read(contracts, there, meters, day, (after - first).days, ahead)
    bill = Bill(kwh=math.fsum(meter.drawn for meter in meters))
    for number, (contract, meter) in enumerate(zip(contracts, meters, strict=True)):
        _charge(ground, bill, contract, meter, "fuel" if number < len(plants) else "power")
    return bill


def _read(
    contracts: Sequence[PowerContract], there: Sequence[bool], meters: Sequence[_Meter], day: Day,
    count: int, ahead: int,
) -> None:  # fmt: skip
    """Draw some days that are alike from the contracts that run, in their order."""
    for hour, wanted in enumerate(day):
        left, last = wanted, len(meters) - 1
        given = [0.0] * len(meters)
        for number, contract in enumerate(contracts):
            if not there[number]:
                continue
            last, can = number, math.inf
            if contract.capacity_mw is not None:
                can = contract.capacity_mw * 1e3 * contract.availability[(hour + ahead) % HOURS]
                meters[number].obliged += contract.take_or_pay * can * count
            given[number] = min(left, can)
            left -= given[number]
        given[last] += left
        for meter, kwh in zip(meters, given, strict=True):
            meter.drawn += kwh * count
            meter.peak = max(meter.peak, kwh)


def _charge(ground: Ground, bill: Bill, contract: PowerContract, meter: _Meter, kind: str) -> None:
    price = price_per_kwh(ground.cloud, contract)
    drawn = Fraction(meter.drawn)
    bill.add(kind, drawn * price)
    bill.add("undrawn", Fraction(max(0.0, meter.obliged - meter.drawn)) * price)
    demand = Fraction(contract.demand_charge_per_kw_month)
    demand *= Fraction(ground.cloud.rate(contract.currency))
    bill.add("demand_charge", Fraction(meter.peak) * demand)
    carbon = drawn * stated(contract.carbon_g_per_kwh or 0) / 10**6
    bill.add("carbon", carbon * Fraction(ground.cloud.planning.carbon_price_per_tonne))


def _plants(ground: Ground, site: Site) -> tuple[Asset, ...]:
    """Assets that generate at a site and burn fuel: drawn before all contracts."""
    return tuple(
        asset
        for asset in ground.cloud.finance.assets
        if asset.fuel_per_mwh is not None and asset.site == site.key
    )


def plant_of(asset: Asset) -> PowerContract:
    """A plant as a contract: its power times its availability, at the price of its fuel."""
    return PowerContract(
        kind="on_site",
        source="gas",
        capacity_mw=asset.megawatts,
        availability=(float(availability(asset)),) * HOURS,
        price_per_mwh=asset.fuel_per_mwh or Decimal(0),
        currency=asset.currency,
        carbon_g_per_kwh=CARBON_G_PER_KWH["gas"],
    )


def _serves(ground: Ground, site: Site, number: int, day: date) -> bool:
    return ground.service[_plants(ground, site)[number].key] <= day
