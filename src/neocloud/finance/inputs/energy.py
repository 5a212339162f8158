"""Who draws a site's energy in a month, and what each pays of the bill."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from fractions import Fraction

from neocloud.books.tiers.exact import stated
from neocloud.finance.inputs.ground import Ground, availability
from neocloud.finance.inputs.growth import Growth
from neocloud.finance.inputs.power import Day, bill_of
from neocloud.finance.inputs.service import asset_mw, needed, node_mw, pool_mw
from neocloud.finance.inputs.spans import HOURS, pieces
from neocloud.finance.records import Contract, Cost, CostKind, Merchant
from neocloud.spec import Site

ALL = ""
"""Who draws without a name of its own: models and pools."""
CONTRACT = "contract/"
"""What stands before the name of a contract that draws; assets go by their names."""
MARKET = "market/hours"
"""Accelerators that are sold by the hour."""


@dataclass(slots=True)
class _Line:
    """A cost by month, while it is summed."""

    fixed: list[Fraction]
    variable: list[Fraction]


@dataclass(slots=True)
class _Lines:
    """Costs of a site's energy by who draws and what for."""

    count: int
    found: dict[tuple[str, str], _Line] = field(default_factory=dict)

    def of(self, who: str, kind: str) -> _Line:
        zeros = [Fraction(0)] * self.count
        return self.found.setdefault((who, kind), _Line(list(zeros), list(zeros)))


@dataclass(frozen=True, slots=True)
class Draws:
    """Who draws.

    Attributes:
        growth: a day of use; None where there is neither a plan nor metered use.
        contracts: signed ones, as they are delivered.
        merchant: accelerators that are sold by the hour.
    """

    growth: Growth | None
    contracts: Sequence[Contract]
    merchant: Sequence[Merchant]


def energy_costs(ground: Ground, draws: Draws) -> Iterator[Cost]:
    """Cost lines of energy, site by site.

    Without a plan and metered use all accelerators that stand draw `finance.power_load` of what
    their nodes may. With a plan they draw what it says for its models, and that load for what
    contracts hold and merchants sell, which no plan knows. Metered rows say it all, but for
    accelerators that stand in no pool and for pools that are still to come: these draw that load.
    """
    for site in ground.cloud.sites.values():
        yield from _site(ground, draws, site)


def _site(ground: Ground, draws: Draws, site: Site) -> Iterator[Cost]:
    months = ground.months
    lines = _Lines(months.count)
    starts = [pool.start for pool in site.pools if pool.start is not None]
    starts += [ground.service[asset.key] for asset in ground.cloud.finance.assets]
    for month in range(months.count):
        held = _held(ground, draws, site, month)
        by_day: list[tuple[date, date, Day]] = []
        drawn: dict[str, float] = {}
        for start, end in pieces(months.start(month), months.start(month + 1), starts):
            day = _day(ground, draws, site, start, month) | held
            whole = tuple(sum(hours) for hours in zip(*day.values(), strict=True))
            by_day.append((start, end, whole if day else (0.0,) * HOURS))
            for who, hours_ in day.items():
                drawn[who] = drawn.get(who, 0.0) + sum(hours_) * (end - start).days
        bill = bill_of(ground, site, by_day)
        total = sum(Fraction(kwh) for kwh in drawn.values())
        for kind, amount in bill.amounts.items():
            if kind == "undrawn":
                lines.of(ALL, "power").fixed[month] += amount
                continue
            for who, kwh in drawn.items():
                if kwh and total:
                    part = amount * Fraction(kwh) / total
                    lines.of(who, kind).variable[month] += part
    yield from _costs(ground, site, lines)


def _day(ground: Ground, draws: Draws, site: Site, day: date, month: int) -> dict[str, Day]:
    """Energy of a day of models, pools and accelerators in no pool."""
    load, pue = stated(ground.cloud.finance.power_load), stated(site.pue)
    found: dict[str, Day] = {}
    if draws.growth is None:
        owner = {name: asset.key for asset in ground.cloud.finance.assets for name in asset.pools}
        for name, pool in ground.pools.items():
            if name.partition("/")[0] == site.key and (pool.start or date.min) <= day:
                own_kw = float(pool_mw(ground.catalog, pool) * 1000 * load * pue)
                before = found.get(owner.get(name, ALL), (0.0,) * HOURS)
                found[owner.get(name, ALL)] = tuple(kwh + own_kw for kwh in before)
    else:
        used = list(_used(ground, draws.growth, site, day, month))
        if not draws.growth.use.planned:
            used += _to_come(ground, draws.growth, site, day)
        if used:
            found[ALL] = tuple(sum(hours) for hours in zip(*used, strict=True))
    for asset in ground.brought():
        if asset.site == site.key and ground.service[asset.key] <= day:
            kw = asset_mw(ground.cloud, ground.catalog, asset) * 1000 * load * pue
            found[asset.key] = (float(kw),) * HOURS
    return found


def _used(ground: Ground, growth: Growth, site: Site, day: date, month: int) -> Iterator[Day]:
    for (where, pool, model), hours in growth.use.kwh.items():
        standing = ground.pools.get(f"{where}/{pool}")
        there = standing is None or (standing.start or date.min) <= day
        if where == site.key and there:
            factor = growth.while_standing(where, pool, model, month)
            yield tuple(kwh * factor for kwh in hours)


def _to_come(ground: Ground, growth: Growth, site: Site, day: date) -> Iterator[Day]:
    """Pools that begin within the months and were not metered yet: their load, from their day."""
    metered = {(where, pool) for where, pool, _ in growth.use.kwh}
    load = stated(ground.cloud.finance.power_load) * stated(site.pue)
    for name, pool in ground.pools.items():
        where = name.partition("/")[0]
        later = pool.start is not None and ground.months.first < pool.start <= day
        if where == site.key and later and (where, pool.key) not in metered:
            yield (float(pool_mw(ground.catalog, pool) * 1000 * load),) * HOURS


def _held(ground: Ground, draws: Draws, site: Site, month: int) -> dict[str, Day]:
    """Energy of a day of what contracts hold and merchants sell in pools: of a plan alone."""
    if draws.growth is None or not draws.growth.use.planned:
        return {}
    found: dict[str, Day] = {}
    for contract in draws.contracts:
        if contract.weight == 1 and contract.kind in ("reserved", "last_resort") and contract.hours:
            agreed = next(c for c in ground.cloud.contracts if c.key == contract.key)
            kw = _kw(ground, site, contract.accelerator, contract.hours[month], agreed.sites, month)
            if kw:
                found[f"{CONTRACT}{contract.key}"] = (kw,) * HOURS
    sold = sum(
        _kw(ground, site, item.accelerator, item.hours[month], None, month)
        for item in draws.merchant
        if item.source == "hours"
    )
    if sold:
        found[MARKET] = (sold,) * HOURS
    return found


def _kw(
    ground: Ground, site: Site, accelerator: str | None, hours: Fraction,
    sites: Sequence[str] | None, month: int,
) -> float:  # fmt: skip
    """Mean draw at a site of accelerator-hours that are spread over all that stand, cooling in."""
    allowed = [key for key in ground.cloud.sites if sites is None or key in sites]
    if site.key not in allowed or not hours:
        return 0.0
    kinds = [accelerator] if accelerator is not None else list(ground.kinds())
    whole = sum(ground.standing_hours(key, kind, month) for key in allowed for kind in kinds) + sum(
        _nowhere(ground, kind, month) for kind in kinds
    )
    if not whole:
        return 0.0
    here = Fraction(0)
    for name, pool in ground.pools.items():
        if name.partition("/")[0] == site.key and pool.accelerator in kinds:
            count = pool.nodes * ground.per_node(pool.accelerator)
            there = count * ground.pool_days(pool, month) * HOURS
            here += there * node_mw(ground.catalog, pool.accelerator) * 1000
    load = stated(ground.cloud.finance.power_load) * stated(site.pue)
    day_hours = ground.months.days(month) * HOURS
    return float(hours * here / whole * load / day_hours)


def _nowhere(ground: Ground, kind: str, month: int) -> int:
    """Accelerator-hours of assets that stand at no site."""
    return sum(
        asset.accelerators * ground.asset_days(asset, month) * HOURS
        for asset in ground.brought()
        if asset.accelerator == kind and asset.site is None
    )


def behind(ground: Ground, key: str) -> tuple[str, ...]:
    """Signed contracts that an asset works for alone: its running costs are theirs.

    Those that require it, if they hold all that can serve of its accelerators, and of those of all
    assets that need it; none where others use them too.
    """
    cloud = ground.cloud
    found = [
        agreed
        for agreed in cloud.contracts
        if agreed.probability == 1.0 and key in needed(cloud, agreed.requires)
    ]
    for asset in cloud.finance.assets:
        if key not in needed(cloud, (asset.key,)):
            continue
        pools = [ground.pools[name] for name in asset.pools]
        there = asset.accelerators * availability(asset) + sum(
            (p.nodes - p.spare_nodes) * ground.per_node(p.accelerator) * stated(p.availability)
            for p in pools
        )
        held = sum(a.accelerators for a in found if asset.key in needed(cloud, a.requires))
        if held < there:
            return ()
    return tuple(agreed.key for agreed in found)


def _costs(ground: Ground, site: Site, lines: _Lines) -> Iterator[Cost]:
    assets = {asset.key for asset in ground.cloud.finance.assets}
    kinds: dict[str, CostKind] = {
        "power": "power", "demand_charge": "demand_charge", "fuel": "fuel", "carbon": "other",
    }  # fmt: skip
    for (who, kind), line in lines.found.items():
        _, _, contract = who.partition(CONTRACT)
        contracts = (contract,) if contract else behind(ground, who) if who in assets else ()
        first = ground.months.index(ground.service[who]) if who in assets else 0
        yield Cost(
            key="/".join(part for part in (kind, site.key, who) if part),
            kind=kinds[kind],
            fixed=tuple(ground.pico(amount) for amount in line.fixed),
            variable=tuple(ground.pico(amount) for amount in line.variable),
            site=site.key,
            contracts=contracts,
            requires=needed(ground.cloud, (who,)) if who in assets else (),
            first=max(first, 0),
        )
