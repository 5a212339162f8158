"""The same costs and earnings, told apart by site, pool, model, tenant, use, or time."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from decimal import Decimal
from typing import Any

from neocloud.books.tiers.account import Books
from neocloud.books.tiers.cells import Cell
from neocloud.books.tiers.exact import from_pico
from neocloud.books.tiers.items import Tier
from neocloud.books.tiers.records import GroupLine
from neocloud.books.tiers.spans import Grain
from neocloud.units import Period

PLACES = ("site", "pool", "model", "tenant", "use")
DIMENSIONS = (*PLACES, *Grain)
"""What can be told apart: fields of a cell, and its month, day or hour."""
BY_DEFAULT = ("site", "model", "tenant")


def grain_of(by: Iterable[str]) -> Grain:
    """How finely time must be told apart for groups `by`; by month at least."""
    finest = [grain for grain in Grain if grain.value in by]
    return finest[-1] if finest else Grain.MONTH


def trend_of(period: Period) -> tuple[str, ...]:
    """How a period's course is told: by month, or of a single one by day, or of a day by hour.

    Nothing where even hours would not tell more than one.
    """
    for grain in Grain:
        if grain.named(period.start_ns) != grain.named(period.end_ns - 1):
            return (grain.value,)
    return ()


def _part(cell: Cell, name: str) -> str:
    if name in PLACES:
        return str(getattr(cell, name))
    return cell.time[: Grain(name).letters]


class _Sums:
    """One line while it is summed up."""

    def __init__(self) -> None:
        self.tiers = dict.fromkeys(Tier, 0)
        self.worth = dict.fromkeys(Tier, 0)
        self.revenue = self.tokens = 0
        self.hours = self.kwh = self.located = self.marketed = 0.0


def group_lines(books: Books, by: Sequence[str]) -> tuple[GroupLine, ...]:
    """Sum everything by `by`, of `DIMENSIONS`; lines in the order of their names.

    Nothing in `by` is finer than the cells of the books.
    """
    sums: dict[tuple[str, ...], _Sums] = {}

    def of(cell: Cell) -> _Sums:
        key = tuple([_part(cell, name) for name in by])
        if key not in sums:
            sums[key] = _Sums()
        return sums[key]

    for entry in books.entries:
        of(entry.cell).tiers[entry.tier] += entry.pico
    for cell, pico in books.earned.items():
        of(cell).revenue += pico
    for tier, by_cell in books.worth.items():
        for cell, pico in by_cell.items():
            of(cell).worth[tier] += pico
    for cell, what in books.usage.served.items():
        of(cell).tokens += what.input_tokens + what.output_tokens
    for pool in books.hours.values():
        for cell, hours in pool.by_cell.items():
            of(cell).hours += hours
    for site in books.usage.kwh.values():
        for cells in site.values():
            for cell, kwh in cells.items():
                of(cell).kwh += kwh
    for cell, (located, marketed) in books.carbon_kg.items():
        line = of(cell)
        line.located += located
        line.marketed += marketed
    known = frozenset(books.worth)
    return tuple(_line(dict(zip(by, key, strict=True)), sums[key], known) for key in sorted(sums))


def _line(names: dict[str, Any], sums: _Sums, known: Collection[Tier]) -> GroupLine:
    def worth(tier: Tier) -> Decimal | None:
        return from_pico(sums.worth[tier]) if tier in known else None

    cost = sum(sums.tiers.values())
    return GroupLine(
        **names,
        power=from_pico(sums.tiers[Tier.POWER]),
        accelerator_hour=from_pico(sums.tiers[Tier.ACCELERATOR_HOUR]),
        token=from_pico(sums.tiers[Tier.TOKEN]),
        cost=from_pico(cost),
        revenue=from_pico(sums.revenue),
        margin=from_pico(sums.revenue - cost),
        energy_if_sold=worth(Tier.POWER),
        hours_if_rented=worth(Tier.ACCELERATOR_HOUR),
        tokens=sums.tokens,
        accelerator_hours=sums.hours,
        energy_kwh=sums.kwh,
        carbon_kg_location=sums.located,
        carbon_kg_market=sums.marketed,
    )
