"""Tokens and money of events that come afterwards, by tenant and month, against what was billed."""

from __future__ import annotations

from collections.abc import Collection, Container, Iterable, Iterator, Mapping, Sequence, Set
from decimal import Decimal
from typing import Protocol

import msgspec

from neocloud.books.accounts import Books
from neocloud.books.contracts import month_at, months_between
from neocloud.books.prices import ContractTerms, PriceBook
from neocloud.books.rating import RatedLine, Tally
from neocloud.ledger import AllocationEvent, AttemptEvent, EnergyEvent, UsageEvent
from neocloud.spec import Cloud
from neocloud.units import HOUR_NS, Amount, Period, parse_period

SCHEMA = "neocloud.backfill/1"
Event = UsageEvent | AllocationEvent | EnergyEvent | AttemptEvent


class Source(Protocol):
    """Events of a ledger, or of a file."""

    def usage(self, period: Period | None = None) -> Iterator[UsageEvent]:
        """Of requests that were admitted in the period."""
        ...

    def allocation(self, period: Period | None = None) -> Iterator[AllocationEvent]:
        """Spans that overlap the period."""
        ...


class Effect(msgspec.Struct, frozen=True, kw_only=True):
    """What a file brings to a tenant's month. Amounts are exact, by the rating of the use alone.

    A month with prices in several currencies has one of each: what comes in counts in one of them.

    Attributes:
        tenant: tenant id.
        month: UTC month.
        emulated: True of use of emulated engines, which is never invoiced.
        requests: that come in.
        input_tokens: of them.
        output_tokens: of them.
        accelerator_hours: that come in, to twelve decimals.
        currency: of the amounts.
        before: what the use on record costs.
        after: what it costs with what comes in.
        difference: `after` less `before`.
        billed: what documents with a number charge for the month.
        closed: True if the month is closed: the difference is a correction on the next invoice.
    """

    tenant: str
    month: str
    emulated: bool
    requests: int
    input_tokens: int
    output_tokens: int
    accelerator_hours: Decimal
    currency: str
    before: Decimal
    after: Decimal
    difference: Decimal
    billed: Decimal
    closed: bool


class BackfillOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """What `neocloud ledger backfill` shows.

    Attributes:
        schema: name and version of this form.
        file: that was read.
        ledger: that it was set beside, without secrets.
        records: kind of its rows: `usage`, `allocation`, `energy` or `attempts`.
        rows: of the file.
        repeated: of them, standing in it again.
        known: of them, in the ledger already.
        new: of them, that the ledger had not.
        written: events that were written; 0 of a dry run.
        effects: by tenant and month; none of energy and attempts, which nobody pays for.
    """

    schema: str = SCHEMA
    file: str
    ledger: str
    records: str
    rows: int
    repeated: int
    known: int
    new: int
    written: int
    effects: tuple[Effect, ...]


def unfit(cloud: Cloud, event: Event) -> str:
    """Why an event cannot be of this cloud, in words; empty if it can."""
    tenant = getattr(event, "tenant", "")
    if isinstance(event, UsageEvent) and event.model not in cloud.models:
        return f"model {event.model!r} is none of {cloud.file}"
    if tenant not in cloud.tenants and (tenant or isinstance(event, UsageEvent)):
        return f"tenant {tenant!r} is none of {cloud.file}"
    return ""


MoneyKey = tuple[str, str, bool, str]
"""Tenant, month, emulated, currency."""


def effects_of(
    having: Source,
    coming: Source,
    book: PriceBook,
    contracts: Sequence[ContractTerms],
    books: Books | None,
) -> tuple[Effect, ...]:
    """Rate the months of what comes in, without it and with it.

    Args:
        having: what is on record.
        coming: what comes in, none of which is on record.
        book: price versions.
        contracts: terms of the signed contracts.
        books: None where nothing was ever billed.

    Raises:
        UnpricedModelError, UnpricedHoursError: something has no price.
        LedgerError, BooksError: they cannot be read.
    """
    amounts = _Amounts(coming)
    found: dict[MoneyKey, list[int]] = {}
    for month in sorted(amounts.months):
        period, tenants = parse_period(month), amounts.months[month]
        tally, more = Tally(book, contracts), Tally(book, contracts)
        for each, source in ((tally, having), (more, coming)):
            each.add(e for e in source.usage(period) if e.tenant in tenants)
            each.hold((s for s in source.allocation(period) if s.tenant in tenants), period)
        before = tally.rated().lines
        tally.merge(more)
        for place, lines in enumerate((before, tally.rated().lines)):
            for key, pico in money_of(lines).items():
                found.setdefault(key, [0, 0])[place] += pico
    lined = {key[:3] for key in found}
    for of in amounts.counts:  # of requests without a token there is no line
        if of not in lined:
            found[*of, book.current.currency] = [0, 0]
    counting = counted_in(found)
    billed, closed = billed_for(books, amounts.months), closed_months(books)
    return tuple(
        _effect(
            key,
            found[key],
            amounts.counts[key[:3]] if key in counting else (0, 0, 0, 0),
            billed.get(key, 0),
            closed,
        )
        for key in sorted(found)
        if key[:3] in amounts.counts
    )


class _Amounts:
    """Counts of what comes in, by tenant, month and whether it is emulated."""

    def __init__(self, coming: Source) -> None:
        self.counts: dict[tuple[str, str, bool], list[int]] = {}
        self.months: dict[str, set[str]] = {}
        for e in coming.usage():
            self._add(e.tenant, month_at(e.admitted_ns), e.emulated, 1, e.input_tokens,
                      e.output_tokens, 0)  # fmt: skip
        for s in coming.allocation():
            for month in months_between(month_at(s.start_ns), month_at(s.end_ns - 1)):
                of = parse_period(month)
                length = min(s.end_ns, of.end_ns) - max(s.start_ns, of.start_ns)
                if s.tenant:
                    self._add(s.tenant, month, s.emulated, 0, 0, 0, length * s.accelerators)

    def _add(self, tenant: str, month: str, emulated: bool, *amounts: int) -> None:
        sums = self.counts.setdefault((tenant, month, emulated), [0, 0, 0, 0])
        sums[:] = [a + b for a, b in zip(sums, amounts, strict=True)]
        self.months.setdefault(month, set()).add(tenant)


def money_of(lines: Iterable[RatedLine]) -> dict[MoneyKey, int]:
    """Money of rated lines, 1e-12 of the currency."""
    found: dict[MoneyKey, int] = {}
    for line in lines:
        key = line.tenant, line.month, line.emulated, line.currency
        found[key] = found.get(key, 0) + line.pico
    return found


def counted_in(money: Mapping[MoneyKey, Sequence[int]]) -> Collection[MoneyKey]:
    """Of each tenant, month and kind of use the one currency in which requests are counted.

    It is the first whose amount changes; the first, where none does.

    Args:
        money: amounts without and with what comes in.
    """
    found: dict[tuple[str, str, bool], MoneyKey] = {}
    for key in sorted(money, key=lambda key: (money[key][0] == money[key][1], key)):
        found.setdefault(key[:3], key)
    return frozenset(found.values())


def closed_months(books: Books | None) -> frozenset[tuple[str, str]]:
    """Tenants and months that are closed."""
    closed = () if books is None else books.closed()
    return frozenset((each.tenant, month_at(each.start_ns)) for each in closed)


def billed_for(books: Books | None, months: Container[str]) -> dict[MoneyKey, int]:
    """What documents with a number charge for the use of the months, whenever they were issued."""
    found: dict[MoneyKey, int] = {}
    if books is not None:
        for document in books.documents():
            if document.number is not None:
                for key, pico in money_of(document.draft.lines).items():
                    if key[1] in months:
                        found[key] = found.get(key, 0) + pico
    return found


def _effect(
    key: MoneyKey,
    pico: Sequence[int],
    counts: Sequence[int],
    billed: int,
    closed: Set[tuple[str, str]],
) -> Effect:
    tenant, month, emulated, currency = key
    requests, read, written, held = counts
    before, after = pico
    return Effect(
        tenant=tenant,
        month=month,
        emulated=emulated,
        requests=requests,
        input_tokens=read,
        output_tokens=written,
        accelerator_hours=Decimal(round(held * 10**12 / HOUR_NS)).scaleb(-12)
        if held
        else Decimal(0),
        currency=currency,
        before=_exact(before, currency),
        after=_exact(after, currency),
        difference=_exact(after - before, currency),
        billed=_exact(billed, currency),
        closed=(tenant, month) in closed,
    )


def _exact(pico: int, currency: str) -> Decimal:
    return Amount(currency, pico).exact
