"""Tokens and money of corrections, by tenant and month, against what was billed."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from heapq import merge
from typing import Protocol

import msgspec

from neocloud.books.accounts import Books
from neocloud.books.backfill.effects import (
    MoneyKey,
    billed_for,
    closed_months,
    counted_in,
    money_of,
)
from neocloud.books.contracts import month_at
from neocloud.books.prices import ContractTerms, PriceBook
from neocloud.books.rating import Tally
from neocloud.ledger import AllocationEvent, CorrectionEvent, UsageEvent, corrected, in_order
from neocloud.units import Amount, Period, parse_period

SCHEMA = "neocloud.correction/1"


class Corrected(Protocol):
    """A ledger, as it holds and as it was recorded."""

    def usage(self, period: Period | None = None) -> Iterator[UsageEvent]:
        """Requests of the period as they hold now."""
        ...

    def recorded(self, period: Period | None = None) -> Iterator[UsageEvent]:
        """The same as first recorded."""
        ...

    def corrections(self, period: Period | None = None) -> Iterator[CorrectionEvent]:
        """Of requests of the period, by request; of each the last one holds."""
        ...

    def allocation(self, period: Period | None = None) -> Iterator[AllocationEvent]:
        """Spans that overlap the period."""
        ...


class CorrectionEffect(msgspec.Struct, frozen=True, kw_only=True):
    """What a file of corrections changes about a tenant's month.

    Tokens are how many more there are with it than without, below zero for fewer. Amounts are
    exact, by the rating of the use alone. A month with prices in several currencies has one of
    each: what is corrected counts in one of them.

    Attributes:
        tenant: tenant id.
        month: UTC month.
        emulated: True of use of emulated engines, which is never invoiced.
        requests: that are corrected.
        input_tokens: more or fewer; cached ones included.
        cached_tokens: of them.
        output_tokens: more or fewer.
        reasoning_tokens: of them.
        currency: of the amounts.
        before: what the use costs as it holds now.
        after: what it costs with the corrections.
        difference: `after` less `before`.
        billed: what documents with a number charge for the month.
        closed: True if the month is closed: the difference is an adjustment on the next invoice.
    """

    tenant: str
    month: str
    emulated: bool
    requests: int
    input_tokens: int
    cached_tokens: int
    output_tokens: int
    reasoning_tokens: int
    currency: str
    before: Decimal
    after: Decimal
    difference: Decimal
    billed: Decimal
    closed: bool


class CorrectionOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """What `neocloud ledger correct` shows.

    Attributes:
        schema: name and version of this form.
        file: that was read.
        ledger: that it was set beside, without secrets.
        rows: of the file.
        repeated: of them, standing in it again.
        known: of them, on record already.
        new: of them, that the ledger had not.
        superseded: of them, those that a later correction of the same request overrules.
        written: corrections that were written; 0 of a dry run.
        effects: by tenant and month.
    """

    schema: str = SCHEMA
    file: str
    ledger: str
    rows: int
    repeated: int
    known: int
    new: int
    superseded: int
    written: int
    effects: tuple[CorrectionEffect, ...]


class _Sums(msgspec.Struct):
    """Of the corrected requests of a tenant and month."""

    requests: int = 0
    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0

    def add(self, event: UsageEvent, sign: int) -> None:
        """Add an event, or take it away."""
        self.requests += sign > 0
        self.input_tokens += sign * event.input_tokens
        self.cached_tokens += sign * event.cached_tokens
        self.output_tokens += sign * event.output_tokens
        self.reasoning_tokens += sign * event.reasoning_tokens


def correction_effects(
    source: Corrected,
    new: Sequence[CorrectionEvent],
    events: Iterable[UsageEvent],
    prices: tuple[PriceBook, Sequence[ContractTerms]],
    books: Books | None,
) -> tuple[CorrectionEffect, ...]:
    """Rate the months of what is corrected, without the corrections and with them.

    Args:
        source: the ledger, which has none of `new`.
        new: corrections, by request; of each the last one holds.
        events: that they are of, as recorded.
        prices: versions, and terms of the signed contracts.
        books: None where nothing was ever billed.

    Raises:
        UnpricedModelError, UnpricedHoursError: something has no price.
        LedgerError, BooksError: they cannot be read.
    """
    months: dict[str, dict[str, set[str]]] = {}
    for event in events:
        tenants = months.setdefault(month_at(event.admitted_ns), {})
        tenants.setdefault(event.tenant, set()).add(event.request_id)
    money: dict[MoneyKey, list[int]] = {}
    counts: dict[tuple[str, str, bool], _Sums] = {}
    for month in sorted(months):
        rated = _month(source, new, month, months[month], prices, counts)
        for place, of in enumerate(rated):
            for key, pico in of.items():
                money.setdefault(key, [0, 0])[place] += pico
    for of_month in counts:  # of requests without a token there is no line
        if not any(key[:3] == of_month for key in money):
            money[*of_month, prices[0].current.currency] = [0, 0]
    counting = counted_in(money)
    billed, closed = billed_for(books, months), closed_months(books)
    return tuple(
        _effect(
            key,
            money[key],
            counts[key[:3]] if key in counting else _Sums(),
            billed.get(key, 0),
            closed=key[:2] in closed,
        )
        for key in sorted(money)
        if key[:3] in counts
    )


def _month(
    source: Corrected,
    new: Sequence[CorrectionEvent],
    month: str,
    tenants: Mapping[str, Container[str]],
    prices: tuple[PriceBook, Sequence[ContractTerms]],
    counts: dict[tuple[str, str, bool], _Sums],
) -> list[dict[MoneyKey, int]]:
    """Money of a month without and with corrections; counts of what they change go into sums."""
    period = parse_period(month)
    with_new = merge(source.corrections(period), new, key=in_order)
    found = []
    for sign, events in (
        (-1, source.usage(period)),
        (1, corrected(source.recorded(period), with_new)),
    ):
        tally = Tally(*prices)
        tally.add(_noted(events, month, tenants, counts, sign))
        tally.hold((s for s in source.allocation(period) if s.tenant in tenants), period)
        found.append(money_of(tally.rated().lines))
    return found


def _noted(
    events: Iterable[UsageEvent],
    month: str,
    tenants: Mapping[str, Container[str]],
    counts: dict[tuple[str, str, bool], _Sums],
    sign: int,
) -> Iterator[UsageEvent]:
    """Events of some tenants; those that are corrected are added to sums, or taken away."""
    for event in events:
        if event.tenant in tenants:
            if event.request_id in tenants[event.tenant]:
                key = event.tenant, month, event.emulated
                counts.setdefault(key, _Sums()).add(event, sign)
            yield event


def _effect(
    key: MoneyKey, pico: Sequence[int], sums: _Sums, billed: int, *, closed: bool
) -> CorrectionEffect:
    tenant, month, emulated, currency = key
    before, after = pico
    return CorrectionEffect(
        tenant=tenant,
        month=month,
        emulated=emulated,
        requests=sums.requests,
        input_tokens=sums.input_tokens,
        cached_tokens=sums.cached_tokens,
        output_tokens=sums.output_tokens,
        reasoning_tokens=sums.reasoning_tokens,
        currency=currency,
        before=Amount(currency, before).exact,
        after=Amount(currency, after).exact,
        difference=Amount(currency, after - before).exact,
        billed=Amount(currency, billed).exact,
        closed=closed,
    )
