"""Do they come back: customers by the month of their first training, and what they buy after."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction

import msgspec

from neocloud.finance.indicators.change import Quotient
from neocloud.finance.indicators.metered import Metered
from neocloud.finance.indicators.records import (
    Named,
    Origin,
    Reading,
    Series,
    month_after,
    months_from,
    series_of,
)
from neocloud.finance.indicators.sales import Sale
from neocloud.finance.outcome import Outcome
from neocloud.finance.records import Inputs

AGES = (3, 6, 12)
"""Months after the first training at which it is asked who still buys inference."""

YEAR = 12


class Activity(msgspec.Struct, frozen=True, kw_only=True):
    """What a customer did in a month.

    Attributes:
        month: `2026-10`.
        customer: tenant key.
        trains: it reserved accelerators for training.
        buys: it bought inference.
        tokens: that it used; None where nobody knows.
    """

    month: str
    customer: str
    trains: bool
    buys: bool
    tokens: int | None


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """Who did what, and when.

    Attributes:
        origin: `metered` by the ledger, or `planned` by contracts.
        months: that are known to their end, in order.
        activities: at most one a customer and month.
        notes: what the reader should know.
    """

    origin: Origin
    months: tuple[str, ...]
    activities: tuple[Activity, ...]
    notes: tuple[str, ...] = ()


class Age(msgspec.Struct, frozen=True, kw_only=True):
    """A cohort in a month.

    Attributes:
        after: months after the first training; 0 is that month.
        month: `2026-10`.
        buying: customers who bought inference in this month, by name.
        share: their number over the cohort's.
        tokens: of the cohort's customers; None where nobody knows.
        revenue: of theirs, of all that they bought, pico-units; None where nobody knows.
        retention: revenue over that of the first whole month, `after` 1; None where there is none.
    """

    after: int
    month: str
    buying: tuple[str, ...]
    share: Fraction
    tokens: int | None
    revenue: int | None
    retention: Fraction | None


class Cohort(msgspec.Struct, frozen=True, kw_only=True):
    """Customers whose first training fell into the same month.

    Attributes:
        month: that month.
        customers: by name.
        ages: from that month to the last that is known.
    """

    month: str
    customers: tuple[str, ...]
    ages: tuple[Age, ...]

    def still(self, after: int) -> Fraction | None:
        """Share that bought inference so many months after; None while that is not known."""
        return self.ages[after].share if after < len(self.ages) else None

    def still_in_words(self, after: int) -> str:
        """The share in per cent, or why there is none."""
        share = self.still(after)
        if share is None:
            return f"not known before the end of {month_after(self.month, after)}"
        return f"{float(100 * share):.0f} %"


class Cohorts(msgspec.Struct, frozen=True, kw_only=True):
    """The indicator.

    Attributes:
        origin: where it comes from.
        cohorts: in the order of months.
        still: for each of `AGES`, the share of all customers who began so many months ago or
            earlier that bought inference in a month.
        retention: net revenue retention: what customers of the month a year before pay, over what
            they paid then; of all customers who are named.
        notes: what the reader should know.
    """

    origin: Origin
    cohorts: tuple[Cohort, ...]
    still: tuple[Series, ...]
    retention: Series
    notes: tuple[str, ...]


def metered_record(metered: Metered) -> Record:
    """What the ledger says of tenants. Its last month counts once the ledger goes on after it."""
    first = metered.tenants[0].month if metered.tenants else ""
    last = metered.tenants[-1].month if metered.tenants else ""
    notes = []
    early = sorted(t.tenant for t in metered.tenants if t.month == first and t.training)
    if early:
        notes.append(f"The ledger begins in {first}: {', '.join(early)} may have trained before.")
    if metered.emulated:
        notes.append("What is metered is of emulated engines.")
    open_months = [m for m in months_from(first, last) if not metered.is_over(m)] if first else []
    if open_months:
        notes.append(f"Not over yet, so not counted: {', '.join(open_months)}.")
    end = _last_over(metered)
    return Record(
        origin="metered",
        months=months_from(first, end) if first else (),
        activities=tuple(
            Activity(
                month=t.month, customer=t.tenant, trains=t.training > 0, buys=t.buys_inference,
                tokens=t.tokens,
            )
            for t in metered.tenants
            if t.month <= end
        ),
        notes=tuple(notes),
    )  # fmt: skip


def planned_record(inputs: Inputs, outcome: Outcome) -> Record:
    """What contracts and merchant lines of named customers say, at what the model counts."""
    found: dict[tuple[str, str], list[bool]] = {}
    labels = inputs.months.labels
    for contract, lines in zip(inputs.contracts, outcome.contracts, strict=True):
        for label, revenue in zip(labels, lines.revenue, strict=True):
            if revenue > 0 and contract.customer:
                did = found.setdefault((label, contract.customer), [False, False])
                did[0] |= contract.purpose == "training"
                did[1] |= contract.purpose == "inference"
    for merchant, sold in zip(inputs.merchant, outcome.merchant, strict=True):
        for label, revenue in zip(labels, sold.revenue, strict=True):
            if revenue > 0 and merchant.customer:
                did = found.setdefault((label, merchant.customer), [False, False])
                did[0] |= merchant.purpose == "training"
                did[1] |= merchant.purpose == "inference"
    return Record(
        origin="planned",
        months=labels,
        activities=tuple(
            Activity(month=month, customer=customer, trains=trains, buys=buys, tokens=None)
            for (month, customer), (trains, buys) in sorted(found.items())
        ),
        notes=(
            "No ledger was given: these are contracts as they are planned.",
            "Tokens: not known, contracts do not say them.",
        ),
    )


def cohorts_of(record: Record, sales: Sequence[Sale]) -> Cohorts:
    """The indicator.

    Args:
        record: who did what.
        sales: what was paid; between their first and last month nothing else was. Empty where
            nobody knows.
    """
    paid = _paid(sales)
    months = [sale.month for sale in sales]
    sold = frozenset(months_from(min(months), max(months)) if months else ())
    did = {(a.customer, a.month): a for a in record.activities}
    started: dict[str, str] = {}
    for activity in sorted(record.activities, key=lambda a: a.month):
        if activity.trains:
            started.setdefault(activity.customer, activity.month)
    groups: dict[str, list[str]] = {}
    for customer, month in sorted(started.items()):
        groups.setdefault(month, []).append(customer)
    notes = [*record.notes]
    if not started:
        notes.append("No customer has reserved accelerators for training.")
    if not sales:
        notes.append("Revenue: not known, no documents or rated use were given.")
    return Cohorts(
        origin=record.origin,
        cohorts=tuple(
            _cohort(month, tuple(names), record, did, (paid, sold))
            for month, names in sorted(groups.items())
        ),
        still=tuple(_still(record, did, started, after) for after in AGES),
        retention=_retention(sales, paid),
        notes=tuple(notes),
    )


def _last_over(metered: Metered) -> str:
    """The last month that is over for the ledger."""
    month = metered.tenants[0].month if metered.tenants else ""
    if not month or not metered.is_over(month):
        return ""
    while metered.is_over(month_after(month, 1)):
        month = month_after(month, 1)
    return month


def _paid(sales: Iterable[Sale]) -> dict[tuple[str, str], int]:
    """Pico-units by customer and month; customers who are not named are left out."""
    paid: dict[tuple[str, str], int] = {}
    for sale in sales:
        if sale.customer:
            key = (sale.customer, sale.month)
            paid[key] = paid.get(key, 0) + sale.pico
    return paid


def _cohort(
    month: str,
    customers: tuple[str, ...],
    record: Record,
    did: Mapping[tuple[str, str], Activity],
    money: tuple[Mapping[tuple[str, str], int], frozenset[str]],
) -> Cohort:
    paid, sold = money
    ages: list[Age] = []
    for after, at in enumerate(months_from(month, record.months[-1])):
        own = [did[c, at] for c in customers if (c, at) in did]
        buying = tuple(a.customer for a in own if a.buys)
        known = [a.tokens for a in own if a.tokens is not None]
        revenue = sum(paid.get((c, at), 0) for c in customers) if at in sold else None
        base = revenue if after == 1 else ages[1].revenue if after > 1 else None
        ages.append(
            Age(
                after=after,
                month=at,
                buying=buying,
                share=Fraction(len(buying), len(customers)),
                tokens=sum(known) if record.origin == "metered" else None,
                revenue=revenue,
                retention=Fraction(revenue, base) if base and revenue is not None else None,
            )
        )
    return Cohort(month=month, customers=customers, ages=tuple(ages))


def _still(
    record: Record,
    did: Mapping[tuple[str, str], Activity],
    started: Mapping[str, str],
    after: int,
) -> Series:
    one = Fraction(1)
    readings = []
    for month in record.months:
        old = [c for c, start in sorted(started.items()) if month_after(start, after) <= month]
        buying = [c for c in old if (c, month) in did and did[c, month].buys]
        readings.append(
            Reading(
                month=month,
                origin=record.origin,
                measure=Quotient(over=dict.fromkeys(buying, one), under=dict.fromkeys(old, one)),
                unknown=f"nobody began to train {after} months before or earlier",
            )
        )
    return series_of(
        Named(
            key=f"cohorts.still.{after}",
            name=f"still buying inference {after} months or more after the first training",
            unit="share",
        ),
        readings,
    )


def _retention(sales: Sequence[Sale], paid: Mapping[tuple[str, str], int]) -> Series:
    months = sorted({sale.month for sale in sales})
    origins: dict[str, Origin] = {sale.month: sale.origin for sale in reversed(sales)}
    readings = []
    for month in months_from(months[0], months[-1]) if months else ():
        base = month_after(month, -YEAR)
        then = {c: Fraction(p) for (c, at), p in sorted(paid.items()) if at == base and p > 0}
        now = {c: Fraction(paid.get((c, month), 0)) for c in then}
        readings.append(
            Reading(
                month=month,
                origin=origins.get(month, "planned"),
                measure=Quotient(over=now, under=then),
                unknown=f"no named customer paid anything in {base}"
                if base >= months[0]
                else f"nothing is known of {base}",
            )
        )
    return series_of(
        Named(key="cohorts.retention", name="net revenue retention of a year", unit="of 1"),
        readings,
    )
