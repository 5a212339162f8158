"""The power tier: what a site pays for its energy, contract by contract.

In each hour a site draws from its contracts in the order of the file, each up to what it can give.
What is drawn beyond all of them is billed at the price of the last. By calendar month each contract
then obliges to pay for the energy that take-or-pay names, drawn or not, and for the highest hourly
mean that was drawn under it; of a part of a month it is the part's energy, and the part's share of
the demand charge. Carbon is priced as in plans.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from fractions import Fraction

import msgspec

from neocloud.activity import Purpose
from neocloud.books.tiers.cells import Cell, Usage
from neocloud.books.tiers.exact import stated
from neocloud.books.tiers.items import Account, Item
from neocloud.books.tiers.spans import Grain, hours_of, months_of, supply_day
from neocloud.catalog import Catalog
from neocloud.planner.demand import HOURS, utc_offset_hours
from neocloud.spec import Cloud, PowerContract, Site
from neocloud.units import HOUR_NS, Period

NOTHING_KWH = 1e-9
"""Energy below which an hour counts as within the contracts: floats, not physics."""


class PowerBill(msgspec.Struct, frozen=True, kw_only=True):
    """What one contract gave in one calendar month, or in the period's part of it.

    Attributes:
        site: site key.
        number: the contract's place in the file's list, from 1.
        month: as 2026-10.
        month_share: the part of the month that the period holds.
        drawn_kwh: by hour.
        beyond_kwh: of it, what no contract could give.
        obliged_by_hour: energy that is paid for at least, kWh.
        peak_kw: highest hourly mean.
        peak_hour: the hour of it; 0 where nothing was drawn.
    """

    site: str
    number: int
    month: str
    month_share: Fraction
    drawn_kwh: Mapping[int, float]
    beyond_kwh: float
    obliged_by_hour: Mapping[int, float]
    peak_kw: float
    peak_hour: int

    @property
    def total_kwh(self) -> float:
        """All energy drawn."""
        return math.fsum(self.drawn_kwh.values())

    @property
    def obliged_kwh(self) -> float:
        """Energy that is paid for at least."""
        return math.fsum(self.obliged_by_hour.values())

    @property
    def undrawn_kwh(self) -> float:
        """Energy that is paid for and was not drawn."""
        return max(0.0, self.obliged_kwh - self.total_kwh)


class _Meter:
    """One contract's month while it is read hour by hour."""

    def __init__(self) -> None:
        self.drawn: dict[int, float] = {}
        self.obliged: dict[int, float] = {}
        self.beyond = self.peak = 0.0
        self.peak_hour = 0

    def draw(self, hour: int, kwh: float, hours: float) -> None:
        if kwh <= 0.0:
            return
        self.drawn[hour] = self.drawn.get(hour, 0.0) + kwh
        kw = self.drawn[hour] / hours
        if kw > self.peak:
            self.peak, self.peak_hour = kw, hour


def power_bills(
    cloud: Cloud, catalog: Catalog, site: Site, kwh: Mapping[int, float], period: Period
) -> tuple[PowerBill, ...]:
    """Bill a site's energy.

    Args:
        cloud: a checked cloud.
        catalog: as the cloud sees it.
        site: one of the cloud's own.
        kwh: energy at the site's meter, by hour; hours outside the period are left out.
        period: what is billed.
    """
    ahead = utc_offset_hours(catalog.metro(site.metro))
    found = []
    for part in months_of(period):
        meters = [_Meter() for _ in site.power]
        for hour, hours in hours_of(part.period):
            day = supply_day(period, hour, cloud.planning.day)
            local = (hour // HOUR_NS + ahead) % HOURS
            _read(site.power, meters, kwh.get(hour, 0.0), hour, hours, local, day)
        found += [
            PowerBill(
                site=site.key,
                number=number,
                month=part.name,
                month_share=part.share,
                drawn_kwh=meter.drawn,
                beyond_kwh=meter.beyond,
                obliged_by_hour=meter.obliged,
                peak_kw=meter.peak,
                peak_hour=meter.peak_hour,
            )
            for number, meter in enumerate(meters, 1)
        ]
    return tuple(found)


def _read(
    contracts: tuple[PowerContract, ...], meters: list[_Meter], kwh: float, hour: int,
    hours: float, local: int, day: date | None,
) -> None:  # fmt: skip
    """Draw an hour's energy from the contracts that run, in their order."""
    last = meters[-1]
    for contract, meter in zip(contracts, meters, strict=True):
        if not contract.runs_on(day):
            continue
        last = meter
        can = math.inf
        if contract.capacity_mw is not None:
            can = contract.capacity_mw * 1e3 * contract.availability[local] * hours
            if contract.take_or_pay:
                meter.obliged[hour] = contract.take_or_pay * can
        taken = min(kwh, can)
        meter.draw(hour, taken, hours)
        kwh -= taken
    if kwh > NOTHING_KWH:
        last.beyond += kwh
    last.draw(hour, kwh, hours)


def site_bills(
    cloud: Cloud, catalog: Catalog, usage: Usage, period: Period
) -> dict[str, tuple[PowerBill, ...]]:
    """The bills of all of the cloud's own sites."""
    return {
        key: power_bills(
            cloud,
            catalog,
            site,
            {hour: math.fsum(c.values()) for hour, c in usage.kwh.get(key, {}).items()},
            period,
        )
        for key, site in cloud.sites.items()
    }


def price_per_kwh(cloud: Cloud, contract: PowerContract) -> Fraction:
    """Contract price in the cloud's currency, exact."""
    return Fraction(contract.price_per_mwh) * Fraction(cloud.rate(contract.currency)) / 1000


def power_items(cloud: Cloud, usage: Usage, bills: Iterable[PowerBill]) -> Iterator[Item]:
    """What the bills come to.

    Energy is borne by who drew it, hour by hour; the demand charge by who drew in the hour of the
    peak; what take-or-pay obliges to and nobody drew stands with idle time, of no pool. The part of
    the energy that cooling and losses take (PUE) stands apart.
    """
    for bill in bills:
        site = cloud.sites[bill.site]
        contract = site.power[bill.number - 1]
        price = price_per_kwh(cloud, contract)
        drawn = Fraction(bill.total_kwh)
        if drawn:
            weights = _by_cell(bill, usage)
            computing = drawn * price / stated(site.pue)
            carbon = drawn * stated(contract.carbon_g_per_kwh or 0) / 10**6
            carbon *= Fraction(cloud.planning.carbon_price_per_tonne)
            peak = Fraction(bill.peak_kw) * Fraction(contract.demand_charge_per_kw_month)
            peak *= Fraction(cloud.rate(contract.currency)) * bill.month_share
            for account, exact, borne in (
                (Account.ENERGY, computing, weights),
                (Account.FACILITY_ENERGY, drawn * price - computing, weights),
                (Account.DEMAND_CHARGE, peak, usage.kwh[bill.site].get(bill.peak_hour, {})),
                (Account.CARBON, carbon, weights),
            ):
                if exact:
                    yield Item(
                        site=bill.site,
                        account=account,
                        exact=exact,
                        weights=borne,
                        contract=bill.number,
                    )
        undrawn = Fraction(bill.undrawn_kwh) * price
        if undrawn:
            yield Item(
                site=bill.site,
                account=Account.UNDRAWN,
                exact=undrawn,
                weights=undrawn_cells(bill, usage.grain),
                contract=bill.number,
            )


def undrawn_cells(bill: PowerBill, grain: Grain) -> dict[Cell, float]:
    """Who bears what was not drawn: idle time, of no pool, by when the contract obliged to it."""
    found: dict[Cell, float] = {}
    for hour, kwh in bill.obliged_by_hour.items():
        cell = Cell(bill.site, "", "", "", Purpose.IDLE.value, grain.named(hour))
        found[cell] = found.get(cell, 0.0) + kwh
    return found


def _by_cell(bill: PowerBill, usage: Usage) -> dict[Cell, float]:
    """Energy of the contract by cell: in each hour all who draw have the same part of it."""
    found: dict[Cell, float] = {}
    for hour, kwh in bill.drawn_kwh.items():
        cells = usage.kwh[bill.site][hour]
        whole = math.fsum(cells.values())
        for cell, drawn in cells.items():
            found[cell] = found.get(cell, 0.0) + kwh * drawn / whole
    return found
