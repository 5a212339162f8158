"""A month of a tenant as the ledger has it: rated use, counts, what it must take."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Protocol

import msgspec

from neocloud.books.accounts import Seal, SealMaker
from neocloud.books.contracts import (
    MonthOfUse,
    PoolSize,
    ServiceCount,
    ServiceWatch,
    Step,
    Terms,
    left_by_others,
)
from neocloud.books.prices import PriceBook
from neocloud.books.rating import Rated, Tally
from neocloud.ledger import AllocationEvent, EnergyEvent, UsageEvent
from neocloud.units import Period

Place = tuple[str, str, str]
"""(site, pool, model)."""


class Source(Protocol):
    """Where events come from: `Reader`, each once, whatever happened to them on the way."""

    def usage(self, period: Period) -> Iterator[UsageEvent]:
        """Of requests that were admitted in the period."""
        ...

    def allocation(self, period: Period) -> Iterator[AllocationEvent]:
        """Spans that overlap the period."""
        ...

    def energy(self, period: Period) -> Iterator[EnergyEvent]:
        """Spans that overlap the period."""
        ...

    def span(self) -> Period | None:
        """From the first to the last thing on record."""
        ...


class TenantUse(msgspec.Struct, frozen=True, kw_only=True):
    """What a tenant used in a period, of real and of emulated engines, each by itself.

    Attributes:
        period: the period.
        rated: of both; lines and counts say which.
        counts: by contract, of real (False) and of emulated use (True).
        bought: what it must take of its tranches of last resort, by contract, likewise.
        tokens: billed or not, by place and whether emulated: the tenant's, and everybody's.
        seal: of the tenant's real use, for a month unnamed.
    """

    period: Period
    rated: Rated
    counts: Mapping[bool, Mapping[str, ServiceCount]]
    bought: Mapping[bool, Mapping[str, tuple[Step, ...]]]
    tokens: Mapping[tuple[Place, bool], tuple[int, int]]
    seal: Seal = Seal(month="")

    def kinds(self) -> frozenset[bool]:
        """Whether emulated (True) and real (False) engines or accelerators were used."""
        return frozenset(
            [line.emulated for line in self.rated.lines]
            + [count.emulated for count in self.rated.requests]
        )

    def only(self, emulated: bool) -> Rated:
        """One kind of the use."""
        return Rated(
            lines=tuple(line for line in self.rated.lines if line.emulated is emulated),
            requests=tuple(c for c in self.rated.requests if c.emulated is emulated),
        )


class RatedBy(msgspec.Struct, frozen=True, kw_only=True):
    """What a month is rated with.

    Attributes:
        book: prices, the kept versions among them.
        terms: of the tenant's contracts.
        everyone: terms of all contracts, where the tenant has a tranche of last resort.
        pools: of the cloud, likewise.
    """

    book: PriceBook
    terms: tuple[Terms, ...]
    everyone: tuple[Terms, ...] = ()
    pools: tuple[PoolSize, ...] = ()


def tenant_use(source: Source, tenant: str, period: Period, by: RatedBy) -> TenantUse:
    """Read and rate a tenant's period; events are taken one by one.

    Args:
        source: the ledger.
        tenant: whose.
        period: by admission; spans are cut to it.
        by: prices and terms.

    Raises:
        UnpricedModelError, UnpricedHoursError: something has no price.
        LedgerError: the ledger cannot be read.
    """
    tally = Tally(by.book, tuple(t.prices for t in by.terms))
    watches = {emulated: ServiceWatch(by.terms) for emulated in (False, True)}
    tokens: dict[tuple[Place, bool], list[int]] = {}
    maker = SealMaker(period)
    tally.add(_mine(source.usage(period), tenant, watches, tokens, maker))
    tally.hold(_held(source.allocation(period), tenant, maker), period)
    return TenantUse(
        period=period,
        rated=tally.rated(),
        counts={emulated: watch.counts for emulated, watch in watches.items()},
        bought={emulated: _bought(source, period, by, emulated) for emulated in (False, True)},
        tokens={place: (mine, all_) for place, (mine, all_) in tokens.items()},
        seal=maker.seal(""),
    )


def _bought(
    source: Source, period: Period, by: RatedBy, emulated: bool
) -> dict[str, tuple[Step, ...]]:
    """What others leave of the tenant's tranches; nothing where the pools are not told."""
    span = (period.start_ns, period.end_ns)
    return {
        terms.name: left_by_others(
            terms,
            (a for a in source.allocation(period) if a.emulated is emulated),
            span,
            by.everyone,
            by.pools,
        )
        for terms in by.terms
        if terms.prices.kind == "last_resort" and by.pools
    }


def _mine(
    events: Iterable[UsageEvent],
    tenant: str,
    watches: Mapping[bool, ServiceWatch],
    tokens: dict[tuple[Place, bool], list[int]],
    maker: SealMaker,
) -> Iterator[UsageEvent]:
    """Events of the tenant, real ones sealed; those of all leave their tokens by place."""
    for event in events:
        place = ((event.site, event.pool, event.model), event.emulated)
        sums = tokens.get(place)
        if sums is None:
            sums = tokens[place] = [0, 0]
        count = event.input_tokens + event.output_tokens
        sums[1] += count
        if event.tenant == tenant:
            sums[0] += count
            watches[event.emulated].note(event)
            if not event.emulated:
                maker.note(event)
            yield event


def _held(
    spans: Iterable[AllocationEvent], tenant: str, maker: SealMaker
) -> Iterator[AllocationEvent]:
    """Spans of the tenant, real ones sealed."""
    for span in spans:
        if span.tenant == tenant:
            if not span.emulated:
                maker.hold(span)
            yield span


def month_of_use(use: TenantUse, month: str, terms: Sequence[Terms], emulated: bool) -> MonthOfUse:
    """A month as its contracts are settled by it, of one of the two kinds of use."""
    return MonthOfUse(
        month=month,
        terms=tuple(terms),
        lines=use.only(emulated).lines,
        counts=use.counts[emulated],
        bought=use.bought[emulated],
    )
