"""Emissions of the energy drawn, by place and by contract.

Location-based: energy of the grid, bought by tariff or by power purchase agreement, emits what the
grid of the metro does in that hour; what is made at the site emits what it emits. Market-based:
energy emits what its contract says, so a contract for energy without carbon counts as such. These
are the two methods of the GHG Protocol's guidance on scope 2 (2015), for grams as the file and the
catalog have them; those of generation stand for its whole life cycle.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from neocloud.books.tiers.cells import Cell, Usage
from neocloud.books.tiers.market import season_of
from neocloud.books.tiers.power import PowerBill
from neocloud.catalog import Catalog
from neocloud.spec import Cloud
from neocloud.units import HOUR_NS

_AT_THE_SITE = ("stranded_gas", "on_site")


def carbon_kg(
    cloud: Cloud, catalog: Catalog, usage: Usage, bills: Mapping[str, Iterable[PowerBill]]
) -> dict[Cell, tuple[float, float]]:
    """(location-based, market-based) kilograms, by cell."""
    found: dict[Cell, tuple[float, float]] = {}
    for key, own in bills.items():
        site = cloud.sites[key]
        power = catalog.power(site.metro)
        grid = power.carbon_g_per_kwh.value or 0.0
        shape = power.carbon_shape.by_season
        for bill in own:
            contract = site.power[bill.number - 1]
            stated = contract.carbon_g_per_kwh or 0.0
            for hour, kwh in bill.drawn_kwh.items():
                here = grid * shape[season_of(hour)][hour // HOUR_NS % 24]
                located = stated if contract.kind in _AT_THE_SITE else here
                cells = usage.kwh[key][hour]
                whole = math.fsum(cells.values())
                for cell, drawn in cells.items():
                    share = kwh * drawn / whole / 1e3
                    before = found.get(cell, (0.0, 0.0))
                    found[cell] = (before[0] + located * share, before[1] + stated * share)
    return found
