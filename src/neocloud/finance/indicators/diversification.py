"""Whom the cloud depends on: shares of customers in revenue, backlog and each facility's cash."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from functools import partial

import msgspec

from neocloud.finance.indicators.change import Herfindahl, Quotient
from neocloud.finance.indicators.records import (
    Measure,
    Named,
    Origin,
    Reading,
    Series,
    series_of,
)

ANCHOR = Fraction(1, 10)
"""Share above which a customer is an anchor: 10 %, the share of revenue from which on a customer
must be disclosed (ASC 280-10-50-42, IFRS 8.34)."""

TOPS = (1, 3, 5)
"""How many of the largest customers are counted together."""


class Stake(msgspec.Struct, frozen=True, kw_only=True):
    """What one customer holds of a whole, for one thing. Stakes of a customer add up.

    Attributes:
        customer: tenant key; empty for many who are not named.
        pico: amount.
        credit: class of the customer's credit, in words.
        model: model key; empty of none.
        lab: who made the models.
    """

    customer: str
    pico: int
    credit: str = "unknown"
    model: str = ""
    lab: str = "unknown"


class Share(msgspec.Struct, frozen=True, kw_only=True):
    """An amount by name, and its share of the whole."""

    name: str
    pico: int
    share: Fraction


class Concentration(msgspec.Struct, frozen=True, kw_only=True):
    """Whom a whole depends on, in a month.

    Shares are of what customers hold who hold more than nothing: one to whom more was given back
    than charged holds none. Customers who are not named count in the whole; they are taken for
    very many, so that `hhi` is the least that it can be.

    Attributes:
        month: `2026-10`.
        origin: where it comes from.
        unknown: why there are no shares, in words; empty where there are.
        whole: pico-units.
        unnamed: of it, of customers who are not named.
        customers: named ones, the largest first.
        anchors: names of those above `ANCHOR`.
        by_credit: by class of credit, the largest first; so the next two.
        by_model: by model; `accelerators` for what serves none.
        by_lab: by who made the models.
        hhi: Herfindahl-Hirschman index, 0 to 1; times 10,000 as competition offices write it.
        hhi_most: the same if all who are not named were one.
        effective: 1 / `hhi`: as many customers of equal size would be as concentrated.
    """

    month: str
    origin: Origin
    unknown: str
    whole: int
    unnamed: int
    customers: tuple[Share, ...]
    anchors: tuple[str, ...]
    by_credit: tuple[Share, ...]
    by_model: tuple[Share, ...]
    by_lab: tuple[Share, ...]
    hhi: Fraction | None
    hhi_most: Fraction | None
    effective: Fraction | None


class Dependence(msgspec.Struct, frozen=True, kw_only=True):
    """The indicator of one whole.

    Attributes:
        key: `revenue`, `backlog` or `cfads.FACILITY`.
        name: of the whole, in words.
        months: one concentration a month.
        top: share of the largest customers together, for each number of `TOPS`.
        hhi: index by month.
        effective: effective number of customers by month.
        notes: what the reader should know.
    """

    key: str
    name: str
    months: tuple[Concentration, ...]
    top: tuple[Series, ...]
    hhi: Series
    effective: Series
    notes: tuple[str, ...] = ()


class MonthOfStakes(msgspec.Struct, frozen=True, kw_only=True):
    """What all customers hold of a whole in a month.

    Attributes:
        month: `2026-10`.
        origin: where it comes from.
        stakes: in any order.
        unknown: what to say where they hold nothing.
    """

    month: str
    origin: Origin
    stakes: tuple[Stake, ...]
    unknown: str = "nobody holds anything of it"


def dependence(
    key: str, name: str, months: Sequence[MonthOfStakes], notes: tuple[str, ...] = ()
) -> Dependence:
    """The indicator of a whole by month."""

    def monthly(named: Named, measure: Callable[[MonthOfStakes], Measure]) -> Series:
        return series_of(
            named,
            [
                Reading(
                    month=item.month, origin=item.origin, measure=measure(item),
                    unknown=_unknown(item),
                )
                for item in months
            ],
        )  # fmt: skip

    return Dependence(
        key=key,
        name=name,
        months=tuple(concentration(item) for item in months),
        top=tuple(
            monthly(
                Named(
                    key=f"diversification.{key}.top_{count}",
                    name=f"share of the largest {count} in {name}",
                    unit="share",
                ),
                partial(_top, count),
            )
            for count in TOPS
        ),
        hhi=monthly(
            Named(key=f"diversification.{key}.hhi", name=f"HHI of {name}", unit="of 1"),
            lambda item: herfindahl(item.stakes),
        ),
        effective=monthly(
            Named(
                key=f"diversification.{key}.effective",
                name=f"effective number of customers in {name}",
                unit="customers",
            ),
            lambda item: msgspec.structs.replace(herfindahl(item.stakes), inverted=True),
        ),
        notes=notes,
    )


def concentration(item: MonthOfStakes) -> Concentration:
    """Whom a whole depends on in one month."""
    held, unnamed = held_by(item.stakes)
    whole = sum(held.values()) + unnamed
    customers = _shares(held, whole)
    index = herfindahl(item.stakes)
    together = msgspec.structs.replace(
        index, amounts={**index.amounts, "": index.rest}, rest=Fraction(0)
    )
    return Concentration(
        month=item.month,
        origin=item.origin,
        unknown="" if whole else _unknown(item),
        whole=whole,
        unnamed=unnamed,
        customers=customers,
        anchors=tuple(share.name for share in customers if share.share > ANCHOR),
        by_credit=_grouped(item.stakes, held, lambda stake: stake.credit),
        by_model=_grouped(item.stakes, held, lambda stake: stake.model or "accelerators"),
        by_lab=_grouped(item.stakes, held, lambda stake: stake.lab),
        hhi=index.value,
        hhi_most=together.value,
        effective=msgspec.structs.replace(index, inverted=True).value,
    )


def held_by(stakes: Iterable[Stake]) -> tuple[dict[str, int], int]:
    """Amounts of named customers who hold more than nothing, by name, and of all others."""
    sums: dict[str, int] = {}
    for stake in stakes:
        sums[stake.customer] = sums.get(stake.customer, 0) + stake.pico
    unnamed = max(0, sums.pop("", 0))
    return {name: pico for name, pico in sorted(sums.items()) if pico > 0}, unnamed


def herfindahl(stakes: Iterable[Stake]) -> Herfindahl:
    """The index of the customers' amounts."""
    held, unnamed = held_by(stakes)
    return Herfindahl(
        amounts={name: Fraction(pico) for name, pico in held.items()}, rest=Fraction(unnamed)
    )


def top_share(stakes: Iterable[Stake], count: int) -> Quotient:
    """Share of the largest named customers together; of equals those count whose name is first."""
    held, unnamed = held_by(stakes)
    largest = sorted(held, key=lambda name: (-held[name], name))[:count]
    under = {name: Fraction(pico) for name, pico in held.items()}
    return Quotient(
        over={name: under[name] for name in largest},
        under={**under, "the rest": Fraction(unnamed)},
    )


def _top(count: int, item: MonthOfStakes) -> Measure:
    return top_share(item.stakes, count)


def _unknown(item: MonthOfStakes) -> str:
    held, unnamed = held_by(item.stakes)
    if unnamed and not held:
        return "none of the customers is named"
    return item.unknown


def _shares(amounts: dict[str, int], whole: int) -> tuple[Share, ...]:
    ordered = sorted(amounts.items(), key=lambda item: (-item[1], item[0]))
    return tuple(
        Share(name=name, pico=pico, share=Fraction(pico, whole)) for name, pico in ordered if pico
    )


def _grouped(
    stakes: Iterable[Stake], held: dict[str, int], key: Callable[[Stake], str]
) -> tuple[Share, ...]:
    """Amounts by group, of those who hold more than nothing; shares of their sum."""
    sums: dict[str, int] = {}
    for stake in stakes:
        if not stake.customer or stake.customer in held:
            name = key(stake)
            sums[name] = sums.get(name, 0) + stake.pico
    return _shares(sums, sum(sums.values()) or 1)
