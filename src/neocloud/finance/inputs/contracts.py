"""Contracts by month: what is delivered, earned, committed, paid ahead and released.

A contract whose assets are not in service when its term begins moves as a whole by whole months,
and begins on the day of service if that is later in its month.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from fractions import Fraction
from itertools import accumulate
from typing import cast

import msgspec

from neocloud.books.tiers.exact import stated
from neocloud.finance.inputs.ground import Ground
from neocloud.finance.inputs.service import needed
from neocloud.finance.inputs.spans import (
    HOURS,
    NEVER,
    Span,
    day_before,
    days_within,
    pieces,
)
from neocloud.finance.records import Contract, ContractKind, Leaving
from neocloud.spec import Contract as Agreed
from neocloud.spec import month_between, months_after

SECONDS = 3600 * HOURS
_MILLION = 10**6


@dataclass(frozen=True, slots=True)
class Term:
    """A contract's term as it will be.

    Attributes:
        start: first day of delivery; `NEVER` where it is never delivered.
        end: the day after the last.
        moved: months by which it comes later than agreed.
    """

    start: date
    end: date
    moved: int


def term_of(ground: Ground, agreed: Agreed) -> Term:
    """A contract's term, moved to when its assets are in service."""
    keys = needed(ground.cloud, agreed.requires)
    ready = max((ground.service[key] for key in keys), default=date.min)
    if ready is NEVER:
        return Term(NEVER, NEVER, 0)
    if ready <= agreed.start:
        return Term(agreed.start, months_after(agreed.start, agreed.term_months), 0)
    moved = month_between(agreed.start, ready)
    start = max(ready, months_after(agreed.start, moved))
    return Term(start, months_after(agreed.start, moved + agreed.term_months), moved)


def a_day(agreed: Agreed) -> Fraction:
    """Units of a day's delivery: accelerator-hours, or millions of tokens."""
    if agreed.kind == "provisioned":
        rate = stated(agreed.tokens_per_s or 0)
        return rate * SECONDS / _MILLION * stated(agreed.expected_delivery)
    return agreed.accelerators * HOURS * stated(agreed.expected_delivery)


def priced(agreed: Agreed, term: Term) -> Iterator[tuple[Span, Fraction]]:
    """The parts of the term, each with the price that holds in it, in the contract's currency."""
    steps = [(months_after(step.start, term.moved), step.price) for step in agreed.price_steps]
    for span in pieces(term.start, term.end, [day for day, _ in steps]):
        reached = [price for day, price in steps if day <= span[0]]
        yield span, Fraction(reached[-1] if reached else agreed.price)


def value_of(agreed: Agreed, term: Term) -> Fraction:
    """What the whole term is worth if all is delivered and used, in the contract's currency."""
    return sum(
        (
            (end - start).days * a_day(agreed) * price
            for (start, end), price in priced(agreed, term)
        ),
        Fraction(0),
    )


def contract_of(ground: Ground, agreed: Agreed) -> Contract:
    """A contract by month. See `finance.records.Contract`."""
    months = ground.months
    term = term_of(ground, agreed)
    parts = list(priced(agreed, term)) if term.start is not NEVER else []
    full, prices, hours, counts = [], [], [], []
    for month in range(months.count):
        inside = [(days_within(months, month, *span), price) for span, price in parts]
        worth = sum((days * price for days, price in inside), Fraction(0)) * a_day(agreed)
        days = sum(days for days, _ in inside)
        last = next((price for days_, price in reversed(inside) if days_), Fraction(0))
        full.append(worth)
        prices.append(ground.pico(last, agreed.currency))
        provisioned = agreed.kind == "provisioned"
        hours.append(Fraction(0) if provisioned else days * a_day(agreed))
        counts.append(agreed.accelerators if days and not provisioned else 0)
    share = Fraction(agreed.take_or_pay)
    used = share if agreed.expected_use is None else max(share, stated(agreed.expected_use))
    earned = tuple(ground.pico(worth * used, agreed.currency) for worth in full)
    committed = tuple(ground.pico(worth * share, agreed.currency) for worth in full)
    tenant = ground.cloud.tenants[agreed.tenant]
    made = Contract(
        key=agreed.key,
        customer=agreed.tenant,
        credit=tenant.credit,
        kind=cast("ContractKind", agreed.kind),
        purpose="inference" if agreed.model else agreed.purpose,
        model=agreed.model,
        lab=lab_of(ground, agreed.tenant, agreed.model),
        accelerator=agreed.accelerator,
        probability=stated(agreed.probability),
        weight=Fraction(int(agreed.probability == 1.0)),
        signed=months.index(signed_on(agreed)),
        first=months.index(term.start),
        last=months.index(day_before(term.end)),
        accelerators=tuple(counts),
        hours=tuple(hours),
        price=tuple(prices),
        earned=earned,
        committed=committed,
        requires=needed(ground.cloud, agreed.requires),
        leaving=_leaving(ground, agreed, term),
    )
    return _prepaid(ground, agreed, term, made)


def signed_on(agreed: Agreed) -> date:
    """Day on which it was signed, or is expected to be."""
    return agreed.signed or min([agreed.start, *(paid.day for paid in agreed.prepayments)])


def lab_of(ground: Ground, tenant: str, model: str | None) -> str:
    """Who made the models that are trained or served; empty if unknown."""
    if model is not None:
        found = ground.cloud.models[model]
        owner, slash, _ = found.config.partition("/")
        named = owner if slash and not found.config.endswith(".json") else ""
        return found.lab or named
    customer = ground.cloud.tenants[tenant]
    return customer.lab or (customer.key if customer.kind == "lab" else "")


def _leaving(ground: Ground, agreed: Agreed, term: Term) -> Leaving | None:
    terms = agreed.termination
    if terms is None or term.start is NEVER:
        return None
    earliest = months_after(term.start, terms.after_months)
    return Leaving(
        earliest=ground.months.index(earliest),
        notice_months=terms.notice_months,
        fee_share=Fraction(terms.fee_share),
    )


def _prepaid(ground: Ground, agreed: Agreed, term: Term, made: Contract) -> Contract:
    """With prepayments: received on their days, released evenly over the term that follows.

    Each is credited day by day from its own day or the start, whichever is later, and never more
    than what is earned: the rest is credited as soon as it can be.
    """
    months = ground.months
    received = [0] * months.count
    due = [Fraction(0)] * (months.count + 1)
    before = Fraction(0)  # of what came before the first month, what was credited by then
    early = 0
    whole = value_of(agreed, term) if term.start is not NEVER else Fraction(0)
    for paid in agreed.prepayments:
        share = Fraction(paid.share or 0) * whole
        pico = ground.pico(share if paid.amount is None else paid.amount, agreed.currency)
        day = months_after(paid.day, term.moved)
        month = months.index(day)
        if month < 0:
            early += pico
        elif month < months.count:
            received[month] += pico
        else:
            continue
        if term.start is NEVER:
            continue
        start = max(day, term.start)
        length = (term.end - start).days
        before += Fraction(pico * max(0, (min(months.first, term.end) - start).days), length)
        for at in range(months.count):
            due[at] += Fraction(pico * days_within(months, at, start, term.end), length)
    credited = round(before)
    released = _released(due[: months.count], before, credited, made.earned)
    if not early and not any(received):
        return made
    return msgspec.structs.replace(
        made,
        received=tuple(received),
        released=tuple(released),
        opening_prepaid=early - credited,
    )


def _released(
    due: Sequence[Fraction], before: Fraction, credited: int, earned: Sequence[int]
) -> list[int]:
    """Whole amounts by month whose sums are the rounded sums of what is due, at most `earned`."""
    released = []
    for so_far, most in zip(list(accumulate(due, initial=before))[1:], earned, strict=True):
        now = max(0, min(round(so_far) - credited, most))
        credited += now
        released.append(now)
    return released


def extensions_of(ground: Ground, agreed: Agreed) -> Iterator[Contract]:
    """Options to go on, one after the other: pipeline, each as likely as all before it and itself.

    Named `CONTRACT/extension-1` and so on.
    """
    term = term_of(ground, agreed)
    if term.start is NEVER:
        return
    start, chance, price = term.end, agreed.probability, agreed.price
    if agreed.price_steps:
        price = agreed.price_steps[-1].price
    for number, option in enumerate(agreed.extensions, 1):
        chance *= option.probability
        price = option.price if option.price is not None else price
        if chance <= 0:
            return
        longer = replace(
            agreed,
            key=f"{agreed.key}/extension-{number}",
            start=start,
            term_months=option.months,
            price=price,
            price_steps=(),
            prepayments=(),
            termination=None,
            extensions=(),
            requires=(),
            probability=chance,
            signed=day_before(start),
        )
        yield msgspec.structs.replace(contract_of(ground, longer), weight=Fraction(0))
        start = months_after(start, option.months)
