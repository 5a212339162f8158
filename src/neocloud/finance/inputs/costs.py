"""Running costs by month, energy apart: pools and assets, traffic, rent, and what the file adds.

Pools cost what the books enter for them, account by account, by the very same function.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from fractions import Fraction
from typing import Final, cast

from neocloud.books.tiers.accelerators import own_costs
from neocloud.books.tiers.cells import Served
from neocloud.books.tiers.exact import stated
from neocloud.books.tiers.items import Account
from neocloud.books.tiers.tokens import pico_of
from neocloud.finance.inputs.energy import behind
from neocloud.finance.inputs.ground import Ground
from neocloud.finance.inputs.growth import Growth
from neocloud.finance.inputs.service import asset_mw, needed
from neocloud.finance.inputs.spans import (
    HOURS,
    days_within,
    end_of,
    grown,
    period_of,
    share_of_month,
    years_since,
)
from neocloud.finance.records import Cost, CostKind
from neocloud.planner.rates import ANSWER_BYTES_PER_TOKEN, GIGA, PROMPT_BYTES_PER_TOKEN
from neocloud.planner.rented import rented_pools
from neocloud.spec import Asset, OperatingCost
from neocloud.units import PICO

_KINDS: Final[Mapping[Account, CostKind]] = {
    Account.LEASE: "rent",
    Account.COLOCATION: "colocation",
    Account.MAINTENANCE: "maintenance",
    Account.INSURANCE: "insurance",
    Account.STAFF: "staff",
    Account.LINKS: "network",
    Account.OVERHEAD: "overhead",
}
"""What the accounts of pools are here; depreciation and the cost of capital are the model's."""
_OPERATING: Final = ("colocation", "maintenance", "insurance", "staff", "network")

Lines = dict[str, list[Fraction]]
"""Amounts by kind and month, in the cloud's currency, exact."""


def pool_costs(ground: Ground) -> Iterator[Cost]:
    """What pools cost, site by site; those that are an asset by themselves, so that they wait."""
    owner = {name: a for a in ground.cloud.finance.assets for name in a.pools}
    groups: dict[tuple[str, str], Lines] = {}
    for name, pool in ground.pools.items():
        site = ground.cloud.sites[name.partition("/")[0]]
        asset = owner[name].key if name in owner else ""
        lines = groups.setdefault((site.key, asset), {})
        for month in range(ground.months.count):
            period = period_of(ground.months, month)
            for account, exact in own_costs(
                ground.cloud, ground.catalog, site, pool, period
            ).items():
                if account in _KINDS:
                    _add(lines, _KINDS[account], month, exact, ground.months.count)
    for (site_key, asset), lines in groups.items():
        yield from _lines(ground, lines, f"{site_key}/{asset}/pools" if asset else site_key, asset)


def asset_costs(ground: Ground) -> Iterator[Cost]:
    """What assets cost to run: accelerators in no pool as pools do, others what the file says.

    Space is paid by the kilowatt of IT at the site, staff and links by the accelerator-hour,
    maintenance and insurance by the price, overhead on all of these.
    """
    finance = ground.cloud.finance
    for asset in ground.cloud.finance.assets:
        bare = asset.accelerator is not None
        share = asset.maintenance_share_per_year
        if share is None:
            share = finance.maintenance_share_per_year if bare else 0.0
        price = Fraction(asset.price) * Fraction(ground.cloud.rate(asset.currency))
        lines: Lines = {}
        for month in range(ground.months.count):
            days = ground.asset_days(asset, month)
            if not days:
                continue
            year = Fraction(days, _days_of_year(ground.months.start(month)))
            parts = {"maintenance": price * stated(share) * year}
            if bare:
                parts |= _as_a_pool(ground, asset, price * year, days, month)
            whole = sum((parts.get(kind, Fraction(0)) for kind in _OPERATING), Fraction(0))
            if bare:
                parts["overhead"] = whole * stated(finance.overhead_share)
            for kind, amount in parts.items():
                _add(lines, kind, month, amount, ground.months.count)
        yield from _lines(ground, lines, f"{asset.site or ''}/{asset.key}", asset.key)


def _as_a_pool(
    ground: Ground, asset: Asset, price_year: Fraction, days: int, month: int
) -> dict[str, Fraction]:
    finance, usd = ground.cloud.finance, Fraction(ground.cloud.rate("USD"))
    hours = asset.accelerators * days * HOURS
    found = {
        "insurance": price_year * stated(finance.insurance_share_per_year),
        "staff": hours * Fraction(finance.staff_per_accelerator_hour),
        "network": hours * Fraction(finance.network_per_accelerator_hour),
    }
    if asset.site is not None:
        kw = asset_mw(ground.cloud, ground.catalog, asset) * 1000
        rent = Fraction(ground.cloud.sites[asset.site].facility_usd_per_kw_month) * usd
        found["colocation"] = kw * rent * Fraction(days, ground.months.days(month))
    return found


def traffic_costs(ground: Ground, growth: Growth) -> Iterator[Cost]:
    """Traffic of tokens by the gigabyte, tokens bought of others, rented accelerators."""
    months, use = ground.months, growth.use
    for (site, model), tokens in sorted(use.moved.items()):
        moved = Fraction(PROMPT_BYTES_PER_TOKEN) * Fraction(tokens.input_tokens)
        moved += Fraction(ANSWER_BYTES_PER_TOKEN) * Fraction(tokens.output_tokens)
        price = _per_gb(ground, site) / Fraction(GIGA)
        if moved and price:
            line = [_of_month(growth, model, month, moved * price) for month in range(months.count)]
            yield _variable(ground, f"bandwidth/{site}/{model}", "bandwidth", line)
    for (remote, model), tokens in sorted(use.bought.items()):
        known = ground.cloud.gateway.remotes.get(remote)
        if known is None or known.price_per_mtok is None:
            continue
        million = Served(
            input_tokens=round(tokens.input_tokens * 10**6),
            cached_tokens=round(tokens.cached_tokens * 10**6),
            output_tokens=round(tokens.output_tokens * 10**6),
        )
        day = Fraction(pico_of(million, known.price_per_mtok), PICO * 10**6)
        line = [_of_month(growth, model, month, day) for month in range(months.count)]
        yield _variable(ground, f"bought/{remote}/{model}", "other", line)
    yield from _rent(ground, growth)


def _rent(ground: Ground, growth: Growth) -> Iterator[Cost]:
    rented = {(r.site, r.accelerator): r for r in rented_pools(ground.cloud, ground.catalog)}
    for (site, pool, model), hours in sorted(growth.use.held.items()):
        found = rented.get((site, pool))
        if found is not None:
            line = [
                Fraction(hours) * Fraction(found.price) * ground.months.days(month)
                * growth.place(site, pool, model, month)
                for month in range(ground.months.count)
            ]  # fmt: skip
            yield _variable(ground, f"rent/{site}/{pool}/{model}", "rent", line)


def stated_costs(ground: Ground, revenue: Sequence[int]) -> Iterator[Cost]:
    """The running costs that the file adds.

    Args:
        ground: the cloud and its months.
        revenue: what is expected to be earned by month, pico-units.
    """
    for cost in ground.cloud.finance.costs:
        start = cost.start or ground.months.first
        keys = needed(ground.cloud, cost.requires)
        ready = max((ground.service[key] for key in keys), default=date.min)
        fixed, variable = [], []
        for month in range(ground.months.count):
            begins = max(start, ready)
            share = share_of_month(ground.months, month, begins, cost.end or end_of(ground.months))
            growth = grown(cost.growth_per_year, years_since(ground.months, month, start))
            amount = _amount(ground, cost, month, revenue[month]) * share * growth
            falls = amount * stated(cost.variable_share or 0.0)
            fixed.append(ground.pico(amount - falls, cost.currency))
            variable.append(ground.pico(falls, cost.currency))
        first = ground.months.index(max(start, ready))
        yield Cost(
            key=f"stated/{cost.key}",
            kind=cast("CostKind", cost.kind),
            fixed=tuple(fixed),
            variable=tuple(variable) if any(variable) else (),
            site=cost.site,
            contracts=cost.contracts,
            requires=keys,
            first=max(first, 0),
        )


def _amount(ground: Ground, cost: OperatingCost, month: int, revenue: int) -> Fraction:
    """A whole month's sum in the cost's currency."""
    if cost.per_month is not None:
        return Fraction(cost.per_month)
    if cost.per_mw_month is not None:
        return Fraction(cost.per_mw_month) * active_mw(ground, cost.site, month)
    if cost.per_accelerator_hour is not None:
        hours = ground.standing_hours(cost.site, None, month)
        return Fraction(cost.per_accelerator_hour) * hours
    own = Fraction(revenue, PICO) / Fraction(ground.cloud.rate(cost.currency))
    return own * stated(cost.share_of_revenue or 0.0)


def active_mw(ground: Ground, site: str | None, month: int) -> Fraction:
    """Active megawatts of a site, or of all, mean of the month's days.

    Where a site has no power ladder it is what its accelerators may draw, cooling included.
    """
    months, whole = ground.months, Fraction(0)
    for key, found in ground.cloud.sites.items():
        if site not in (None, key):
            continue
        ladder = found.power_ladder
        for number, step in enumerate(ladder):
            after = ladder[number + 1].start if number + 1 < len(ladder) else end_of(months)
            days = days_within(months, month, step.start, after)
            whole += Fraction(days, months.days(month)) * stated(step.active_mw)
        if not ladder:
            whole += sum(
                ground.standing_hours(key, kind, month) * ground.mw(kind)
                for kind in ground.kinds()
            ) * stated(found.pue) / (months.days(month) * HOURS)  # fmt: skip
    return whole


def _lines(ground: Ground, lines: Lines, name: str, asset: str) -> Iterator[Cost]:
    requires = needed(ground.cloud, (asset,)) if asset else ()
    first = ground.months.index(ground.service[asset]) if asset else 0
    for kind, amounts in lines.items():
        if any(amounts):
            yield Cost(
                key=f"{kind}/{name}",
                kind=cast("CostKind", kind),
                fixed=tuple(ground.pico(amount) for amount in amounts),
                site=name.partition("/")[0] or None,
                contracts=behind(ground, asset) if asset else (),
                requires=requires,
                first=max(first, 0),
            )


def _add(lines: Lines, kind: str, month: int, amount: Fraction, count: int) -> None:
    lines.setdefault(kind, [Fraction(0)] * count)[month] += amount


def _of_month(growth: Growth, model: str, month: int, day: Fraction) -> Fraction:
    """What a day's worth of a model comes to in a month."""
    factor = Fraction(growth.model(model, month))
    return day * growth.ground.months.days(month) * factor


def _per_gb(ground: Ground, site: str) -> Fraction:
    """Price of traffic at a site, own or rented, in the cloud's currency."""
    found = ground.cloud.sites.get(site)
    if found is not None:
        price = found.network_usd_per_gb
    else:
        assert ground.cloud.rental is not None, "only what is rented stands elsewhere"
        price = ground.cloud.rental.network_usd_per_gb
    return Fraction(price) * Fraction(ground.cloud.rate("USD"))


def _variable(ground: Ground, key: str, kind: CostKind, line: Sequence[Fraction]) -> Cost:
    amounts = tuple(ground.pico(amount) for amount in line)
    return Cost(key=key, kind=kind, fixed=(0,) * len(amounts), variable=amounts)


def _days_of_year(day: date) -> int:
    return (date(day.year + 1, 1, 1) - date(day.year, 1, 1)).days
