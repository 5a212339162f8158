"""Accelerator-hours by month: who holds them, and what is left to sell by the hour.

Of what can be sold, signed contracts take theirs first, then models, then those who buy by the
hour; a tranche of last resort takes what then is left.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

import msgspec

from neocloud.books.tiers.exact import stated
from neocloud.finance.inputs.ground import Ground
from neocloud.finance.inputs.growth import Growth
from neocloud.finance.inputs.spans import grown, years_since
from neocloud.finance.records import Contract, Merchant
from neocloud.spec import Merchant as Business

Hours = dict[str, list[Fraction]]
"""Accelerator-hours by kind and month."""


@dataclass(frozen=True, slots=True)
class Sold:
    """What is sold by the hour without obligation, and what is left after it."""

    merchant: tuple[Merchant, ...]
    left: Hours


def free_hours(ground: Ground, contracts: Iterable[Contract], growth: Growth | None) -> Hours:
    """What signed contracts and models leave of the sellable hours, none below zero.

    Contracts for any kind are taken from all, in the proportion of what is left. Tranches of last
    resort take nothing here.
    """
    months = ground.months
    left = {
        kind: [ground.sellable_hours(kind, month) for month in range(months.count)]
        for kind in ground.kinds()
    }
    signed = [c for c in contracts if c.weight == 1 and c.kind != "last_resort"]
    for contract in sorted(signed, key=lambda c: c.accelerator is None):
        for month, hours in enumerate(contract.hours):
            take(left, contract.accelerator, month, hours)
    if growth is not None:
        _take_served(ground, left, growth, signed)
    return left


def take(left: Hours, kind: str | None, month: int, hours: Fraction) -> Fraction:
    """Take hours of a kind, or of all (None) in proportion; returns what could be taken."""
    kinds = [kind] if kind is not None else list(left)
    there = {k: left[k][month] for k in kinds if k in left}
    whole = sum(there.values(), Fraction(0))
    taken = min(hours, whole)
    for k, own in there.items():
        if taken:
            left[k][month] -= taken * own / whole
    return taken


def _take_served(ground: Ground, left: Hours, growth: Growth, signed: Iterable[Contract]) -> None:
    """Take the hours that serve models; those of a dedicated contract are taken already."""
    held: dict[str, list[Fraction]] = {}
    for contract in signed:
        if contract.kind == "dedicated" and contract.model is not None:
            own = held.setdefault(contract.model, [Fraction(0)] * ground.months.count)
            held[contract.model] = [a + b for a, b in zip(own, contract.hours, strict=True)]
    for (site, pool, model), hours in sorted(growth.use.held.items()):
        standing = ground.pools.get(f"{site}/{pool}")
        if standing is None:
            continue
        for month in range(ground.months.count):
            factor = growth.place(site, pool, model, month)
            wanted = Fraction(hours) * factor * ground.months.days(month)
            if model in held:
                within = min(wanted, held[model][month])
                held[model][month] -= within
                wanted -= within
            take(left, standing.accelerator, month, wanted)


def sold_by_the_hour(ground: Ground, left: Hours) -> Sold:
    """What merchant businesses sell of what is left free."""
    named = {b.accelerator for b in ground.cloud.finance.merchant if b.accelerator}
    found = []
    rest = {kind: list(hours) for kind, hours in left.items()}
    for business in ground.cloud.finance.merchant:
        kinds = [business.accelerator] if business.accelerator else [
            kind for kind in left if kind not in named
        ]  # fmt: skip
        for kind in kinds:
            if kind not in rest:
                continue
            key = business.key if business.accelerator else f"{business.key}/{kind}"
            found.append(_business(ground, business, key, kind, rest[kind]))
    return Sold(tuple(found), rest)


def _business(
    ground: Ground, business: Business, key: str, kind: str, left: list[Fraction]
) -> Merchant:
    months = ground.months
    start = business.start or months.first
    first = max(0, months.index(start))
    hours, earned = [], []
    for month in range(months.count):
        share = stated(business.utilisation) * _ramp(months.index(start), business, month)
        if month == months.index(start):
            share *= Fraction((months.start(month + 1) - start).days, months.days(month))
        taken = left[month] * share
        left[month] -= taken
        hours.append(taken)
        price = market_price(ground, business, month)
        earned.append(ground.pico(taken * price, business.currency))
    return Merchant(
        key=key,
        source="hours",
        earned=tuple(earned),
        credit=business.credit,
        accelerator=kind,
        purpose=business.purpose,
        hours=tuple(hours),
        first=first,
    )


def _ramp(start: int, business: Business, month: int) -> Fraction:
    """Part of the utilisation that is reached: evenly month by month, whole in the last."""
    passed = month - start + 1
    if passed <= 0:
        return Fraction(0)
    return min(Fraction(1), Fraction(passed, max(1, business.ramp_months)))


def market_price(ground: Ground, business: Business, month: int) -> Fraction:
    """Price of an accelerator-hour in a month, in the business's currency."""
    start = business.start or ground.months.first
    years = years_since(ground.months, month, start)
    return Fraction(business.price) * grown(business.price_change_per_year, years)


def market_prices(ground: Ground, kind: str) -> tuple[int, ...]:
    """What the market pays for a kind by month: the file's merchant price, else the catalog's.

    The catalog's is the median on demand, unmoved; 0 where it knows none.
    """
    own = {b.accelerator: b for b in ground.cloud.finance.merchant}
    business = own.get(kind, own.get(None))
    if business is not None:
        return tuple(
            ground.pico(market_price(ground, business, month), business.currency)
            for month in range(ground.months.count)
        )
    asked = ground.catalog.rental_range(kind)
    price = 0 if asked is None else ground.pico(Fraction(asked.median), "USD")
    return (price,) * ground.months.count


def with_market(ground: Ground, contracts: Iterable[Contract]) -> tuple[Contract, ...]:
    """Contracts with the price at which what they leave behind is let again.

    It is the market's of their kind of accelerator; where they name none, that of the kinds which
    the assets that they require bring, or else of all that stand there, weighed by the hours of
    each that can be sold. It is never above their own price (assumption, the careful side: prices
    on demand are of few accelerators, and whoever left had bargained for many).
    """
    prices: dict[tuple[str, ...], tuple[int, ...]] = {}
    found = []
    for contract in contracts:
        kinds = _kinds_held(ground, contract)
        if kinds not in prices:
            prices[kinds] = _mean_price(ground, kinds)
        price = tuple(map(min, prices[kinds], contract.price))
        found.append(msgspec.structs.replace(contract, market_price=price))
    return tuple(found)


def _kinds_held(ground: Ground, contract: Contract) -> tuple[str, ...]:
    if contract.accelerator is not None:
        return (contract.accelerator,)
    needed = [a for a in ground.cloud.finance.assets if a.key in contract.requires]
    own = [asset.accelerator for asset in needed if asset.accelerator is not None]
    own += [ground.pools[pool].accelerator for asset in needed for pool in asset.pools]
    return tuple(dict.fromkeys(own)) or ground.kinds()


def _mean_price(ground: Ground, kinds: Iterable[str]) -> tuple[int, ...]:
    """Market price of the kinds that have one, by month; empty where none has."""
    known = {kind: line for kind in kinds if any(line := market_prices(ground, kind))}
    if not known:
        return ()
    found = []
    for month in range(ground.months.count):
        hours = {kind: ground.sellable_hours(kind, month) for kind in known}
        whole = sum(hours.values(), Fraction(0))
        weights = hours if whole else dict.fromkeys(known, Fraction(1))
        worth = sum((line[month] * weights[kind] for kind, line in known.items()), Fraction(0))
        found.append(round(worth / (whole or len(known))))
    return tuple(found)


def last_resort(ground: Ground, contracts: Sequence[Contract], left: Hours) -> tuple[Contract, ...]:
    """The contracts, tranches of last resort cut to what nobody else takes.

    Where the file says of no accelerator of the kind that it stands there, all of the tranche
    counts as unsold.
    """
    found = []
    for contract in contracts:
        known = contract.accelerator in left if contract.accelerator else bool(left)
        if contract.kind != "last_resort" or not known or contract.first >= ground.months.count:
            found.append(contract)
            continue
        parts = []
        for month, hours in enumerate(contract.hours):
            named = contract.weight == 1 and hours
            taken = take(left, contract.accelerator, month, hours) if named else hours
            parts.append(taken / hours if hours else Fraction(0))
        found.append(_cut(contract, parts))
    return tuple(found)


def _cut(contract: Contract, parts: Sequence[Fraction]) -> Contract:
    """A contract of which a part is taken each month; prepayments are credited within it."""
    earned = tuple(round(v * part) for v, part in zip(contract.earned, parts, strict=True))
    committed = tuple(round(v * part) for v, part in zip(contract.committed, parts, strict=True))
    released = tuple(min(v, most) for v, most in zip(contract.released, earned, strict=False))
    return msgspec.structs.replace(
        contract,
        hours=tuple(v * part for v, part in zip(contract.hours, parts, strict=True)),
        accelerators=tuple(
            round(v * part) for v, part in zip(contract.accelerators, parts, strict=True)
        ),
        earned=earned,
        committed=committed,
        released=released,
    )
