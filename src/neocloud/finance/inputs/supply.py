"""What stands there by month: accelerators by kind, megawatts by rung."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from fractions import Fraction
from typing import Final

from neocloud.books.tiers.exact import stated
from neocloud.finance.inputs.ground import Ground
from neocloud.finance.records import Installed, Power, Rung
from neocloud.spec import Site

RUNGS: Final[tuple[Rung, ...]] = ("reserved", "contracted", "connected", "active")


def installed_of(ground: Ground) -> tuple[Installed, ...]:
    """Accelerators of each kind: in service and spare at the end of each month, hours to sell."""
    months = ground.months
    found = []
    for kind in ground.kinds():
        installed, spare, sellable = [], [], []
        for month in range(months.count):
            there, kept = _standing(ground, kind, months.end(month))
            installed.append(there)
            spare.append(kept)
            sellable.append(ground.sellable_hours(kind, month))
        found.append(
            Installed(
                accelerator=kind,
                installed=tuple(installed),
                spare=tuple(spare),
                sellable=tuple(sellable),
            )
        )
    return tuple(found)


def _standing(ground: Ground, kind: str, day: date) -> tuple[int, int]:
    there = kept = 0
    for pool in ground.pools.values():
        if pool.accelerator == kind and (pool.start is None or pool.start <= day):
            there += pool.nodes * ground.per_node(kind)
            kept += pool.spare_nodes * ground.per_node(kind)
    for asset in ground.brought():
        if asset.accelerator == kind and ground.service[asset.key] <= day:
            there += asset.accelerators
    return there, kept


def power_of(ground: Ground) -> tuple[Power, ...]:
    """The power ladder of each site at the end of each month.

    A site without a ladder has what its contracts give, all of it active; none is told where one
    of them has no limit.
    """
    found = []
    for site in ground.cloud.sites.values():
        rows = list(_by_month(ground, site))
        if rows:
            for number, rung in enumerate(RUNGS):
                megawatts = tuple(row[number] for row in rows)
                found.append(Power(site=site.key, rung=rung, megawatts=megawatts))
    return tuple(found)


def _by_month(ground: Ground, site: Site) -> Iterator[tuple[Fraction, ...]]:
    bounded = all(contract.capacity_mw is not None for contract in site.power)
    if not site.power_ladder and not bounded:
        return
    for month in range(ground.months.count):
        day = ground.months.end(month)
        reached = [step for step in site.power_ladder if step.start <= day]
        if reached:
            step = reached[-1]
            row = (step.reserved_mw, step.contracted_mw, step.connected_mw, step.active_mw)
            yield tuple(stated(max(megawatts, 0.0)) for megawatts in row)
        elif site.power_ladder:
            yield (Fraction(0),) * len(RUNGS)
        else:
            running = [c.capacity_mw or 0.0 for c in site.power if c.runs_on(day)]
            yield (sum(map(stated, running), Fraction(0)),) * len(RUNGS)
