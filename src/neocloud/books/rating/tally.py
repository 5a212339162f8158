"""Streaming sums of usage: as many entries as there are prices, however many events there are.

Prices are looked up once for a group of events that are alike in all that could matter, not once an
event: that is what makes a million events a matter of seconds. Sums of tokens are whole numbers and
tiers come after the summing, so the order of events and the way in which they are split up change
nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeVar

from neocloud.books.prices import (
    Adjustment,
    ContractTerms,
    Meter,
    ModelRates,
    PriceBook,
    PriceVersion,
    TokenBill,
)
from neocloud.books.rating.held import add_spans, held_sums
from neocloud.books.rating.pricing import held_lines, token_lines
from neocloud.books.rating.records import Rated, RequestCount, UnpricedModelError
from neocloud.books.rating.slots import Slots
from neocloud.books.rating.steps import Holder, Step, add_step
from neocloud.books.rating.sums import (
    CountKey,
    HourKey,
    Share,
    TokenKey,
    month_of,
)
from neocloud.ledger import AllocationEvent, Status, UsageEvent
from neocloud.units import HOUR_NS, Period, format_utc

_MOST_GROUPS = 20_000
"""Groups of alike events that are kept before they are folded into sums: some ten megabytes."""

_DEFAULT = "default"
"""Service tier of all that asked for none that a price names."""

K = TypeVar("K")
_Group = tuple[str, str, Status, str, bool, bool, str, str, str, str, str, str, int]


class Tally:
    """Sums of usage by price. Sums of parts add up to those of the whole (`merge`).

    Args:
        book: price versions.
        contracts: terms of the signed contracts, in the order of the file.
    """

    def __init__(self, book: PriceBook, contracts: Sequence[ContractTerms] = ()) -> None:
        self.book = book
        self.contracts = tuple(contracts)
        self._groups: dict[_Group, list[int]] = {}
        self._tokens: dict[TokenKey, int] = {}
        self._first_hour: dict[tuple[str, str, str, bool, str, int], int] = {}
        self._shared: dict[HourKey, dict[Share, int]] = {}
        self._held: dict[Holder, list[Step]] = {}
        self._counts: dict[CountKey, list[int]] = {}
        self._versions: dict[str, _Version] = {}
        self._rate_contracts: dict[tuple[str, str], list[int]] = {}
        self._by_hour: set[tuple[str, str]] = set()
        for place, terms in enumerate(self.contracts):
            of = (terms.tenant, terms.model)
            if terms.bill is not TokenBill.NONE:
                self._rate_contracts.setdefault(of, []).append(place)
            if terms.bill is TokenBill.RATE:
                self._by_hour.add(of)
        self._slots = Slots(book, self.contracts)
        versions = (book.current, *book.kept.values())
        self._keys: frozenset[str] = frozenset().union(*(v.named_keys for v in versions))
        self._tiers: frozenset[str] = frozenset().union(*(v.named_tiers for v in versions))

    def add(self, events: Iterable[UsageEvent]) -> None:
        """Add events, each of which is in no other call.

        Raises:
            UnpricedModelError: a model has no price. What was added so far is then not to be used.
        """
        groups, slots, by_hour, keys = self._groups, self._slots, self._by_hour, self._keys
        tiers = self._tiers
        get = groups.get
        for e in events:
            read, cached, written, reasoning = (
                e.input_tokens, e.cached_tokens, e.output_tokens, e.reasoning_tokens,
            )  # fmt: skip
            # Of a ledger that others wrote: no meter must run backwards. `min` takes longer.
            if cached > read:  # noqa: PLR1730
                cached = read
            if reasoning > written:  # noqa: PLR1730
                reasoning = written
            hour = e.admitted_ns // HOUR_NS
            slot = slots[hour]
            if by_hour and (e.tenant, e.model) in by_hour:
                slot = ~hour  # each hour by itself; below zero, so that it is no other slot
            key = (
                e.tenant, e.model, e.status, e.price_version, e.emulated, e.estimated, e.api,
                e.site, e.pool, e.accelerator, e.key_id if e.key_id in keys else "",
                e.service_tier if e.service_tier in tiers else _DEFAULT, slot,
            )  # fmt: skip
            sums = get(key)
            if sums is None:
                if len(groups) >= _MOST_GROUPS:
                    self._fold()
                groups[key] = [1, read, cached, written, reasoning, hour]
            else:
                sums[0] += 1
                sums[1] += read
                sums[2] += cached
                sums[3] += written
                sums[4] += reasoning
                if hour < sums[5]:  # noqa: PLR1730 - as above
                    sums[5] = hour

    def hold(self, spans: Iterable[AllocationEvent], period: Period | None = None) -> None:
        """Add accelerator-time that tenants held, of the part of the spans within the period.

        Spans of one holder that overlap count once, in whichever calls they come.
        """
        add_spans(spans, period, self._held)

    @property
    def steps_held(self) -> int:
        """Steps of held accelerators that are kept: what memory grows with."""
        return sum(map(len, self._held.values()))

    def merge(self, other: Tally) -> None:
        """Add the sums of another part of the same usage, made with the same book and contracts."""
        assert (self.book, self.contracts) == (other.book, other.contracts)
        self._fold()
        other._fold()
        _add(self._tokens, other._tokens)
        for holder, steps in other._held.items():
            mine_held = self._held.setdefault(holder, [])
            for step in steps:
                add_step(mine_held, step)
        for segment, hour in other._first_hour.items():
            self._first_hour[segment] = min(hour, self._first_hour.get(segment, hour))
        for key, shares in other._shared.items():
            _add(self._shared.setdefault(key, {}), shares)
        for count_key, counts in other._counts.items():
            mine = self._counts.setdefault(count_key, [0, 0, 0, 0])
            mine[:] = [a + b for a, b in zip(mine, counts, strict=True)]

    def rated(self) -> Rated:
        """Price all that was added.

        Raises:
            UnpricedHoursError: neither a contract nor a price covers accelerators of a tenant.
        """
        self._fold()
        lines = token_lines(
            self.book, self.contracts, self._tokens, self._shared, self._first_hour
        ) + held_lines(
            held_sums(self._held, self.book.current, self.contracts), self.book.current.id
        )
        return Rated(
            lines=tuple(sorted(lines)),
            requests=tuple(
                RequestCount(
                    **key._asdict(),
                    requests=counts[0],
                    estimated=counts[1],
                    repriced=counts[2],
                    unbilled=counts[3],
                )
                for key, counts in sorted(self._counts.items())
            ),
        )

    def _fold(self) -> None:
        """Sort the groups into the sums, and forget them."""
        for group, sums in self._groups.items():
            self._fold_group(group, sums)
        self._groups.clear()

    def _fold_group(self, group: _Group, sums: Sequence[int]) -> None:
        tenant, model, status, stamped, emulated, estimated, api, site, pool, *rest, _ = group
        accelerator, key_id, tier = rest
        requests, read, cached, written, reasoning, hour = sums  # the first of its like
        if stamped not in self._versions:
            self._versions[stamped] = _Version(self.book, stamped)
        version = self._versions[stamped]
        counts = self._counts.setdefault(CountKey(tenant, model, status, emulated), [0, 0, 0, 0])
        counts[0] += requests
        counts[1] += requests if estimated else 0
        counts[2] += 0 if version.known else requests
        start_ns = hour * HOUR_NS
        rates = version.rates_at(model, start_ns)
        if rates is None:
            raise UnpricedModelError(
                f"{tenant} used model {model} on {format_utc(start_ns)}, which has no price; "
                "give it one under models.<name>.price_per_mtok"
            )
        billed = status in version.prices.billed
        counts[3] += 0 if billed else requests
        covering = self._covering(tenant, model, site, start_ns) if billed else []
        whole = next(
            (
                self.contracts[place].name
                for place in covering
                if self.contracts[place].bill is TokenBill.COVERED
            ),
            "",
        )
        adjustments = (
            _applied(
                version.prices,
                (tenant, model, api, site, pool, accelerator, key_id, tier),
                start_ns,
            )
            if billed and not whole
            else ()
        )
        amounts = {Meter.INPUT: read - cached, Meter.CACHED_INPUT: cached, Meter.OUTPUT: written}
        if rates.reasoning_apart:
            amounts[Meter.OUTPUT] -= reasoning
            amounts[Meter.REASONING] = reasoning
        month = month_of(start_ns)
        segment = (tenant, model, month, emulated, version.id, rates.start_ns)
        if billed:
            self._first_hour[segment] = min(hour, self._first_hour.get(segment, hour))
        into: dict[Share, int] | None = None
        if covering and not whole:
            hour_key = HourKey(tenant, model, hour, emulated)
            into = self._shared.setdefault(hour_key, {})
        for meter, tokens in amounts.items():
            if not tokens:
                continue
            key = TokenKey(
                tenant, model, meter, month, status, emulated, billed, version.id, rates.start_ns,
                adjustments, whole,
            )  # fmt: skip
            if into is None:
                self._tokens[key] = self._tokens.get(key, 0) + tokens
            else:
                share = Share(tuple(covering), key)
                into[share] = into.get(share, 0) + tokens

    def _covering(self, tenant: str, model: str, site: str, time_ns: int) -> list[int]:
        """Contracts that cover tokens of a tenant at a moment, by their place in the file."""
        return [
            place
            for place in self._rate_contracts.get((tenant, model), ())
            if self.contracts[place].start_ns <= time_ns < self.contracts[place].end_ns
            and (not self.contracts[place].sites or site in self.contracts[place].sites)
        ]


class _Version:
    """A version as events name it, with what is asked of it again and again."""

    def __init__(self, book: PriceBook, stamped: str) -> None:
        self.prices = book.version(stamped)
        self.known = book.knows(stamped)
        self.id = self.prices.id
        self._models: dict[str, list[ModelRates]] = {}
        for rates in self.prices.models:
            self._models.setdefault(rates.model, []).append(rates)

    def rates_at(self, model: str, time_ns: int) -> ModelRates | None:
        found = None
        for rates in self._models.get(model, ()):
            if rates.start_ns <= time_ns:
                found = rates
        return found


def rate(
    book: PriceBook,
    events: Iterable[UsageEvent],
    spans: Iterable[AllocationEvent] = (),
    period: Period | None = None,
    contracts: Sequence[ContractTerms] = (),
) -> Rated:
    """Rate usage: events of requests, and what accelerator-time tenants held.

    Tiers count each calendar month (UTC) from the first of the events given: for the bill of a
    month give all events of the month.

    Args:
        book: price versions.
        events: each once; all of them are rated.
        spans: of held accelerators; those of no tenant are left out.
        period: to which spans are cut; None for whole spans.
        contracts: terms of the signed contracts.

    Raises:
        UnpricedModelError: a model has no price.
        UnpricedHoursError: neither a contract nor a price covers accelerators of a tenant.
    """
    tally = Tally(book, contracts)
    tally.add(events)
    tally.hold(spans, period)
    return tally.rated()


def _applied(
    version: PriceVersion, of: tuple[str, str, str, str, str, str, str, str], time_ns: int
) -> tuple[str, ...]:
    """Names of the adjustments whose conditions are all fulfilled."""
    tenant, model, api, site, pool, accelerator, key_id, tier = of
    hour = time_ns // HOUR_NS % 24
    priority = version.priorities.get(tenant, "normal")

    def fulfilled(a: Adjustment) -> bool:
        return (
            a.start_ns <= time_ns
            and (a.end_ns is None or time_ns < a.end_ns)
            and (not a.hours or hour in a.hours)
            and (not a.apis or api in a.apis)
            and (not a.priorities or priority in a.priorities)
            and (not a.tenants or tenant in a.tenants)
            and (not a.models or model in a.models)
            and (not a.sites or site in a.sites)
            and (not a.pools or f"{site}/{pool}" in a.pools)
            and (not a.accelerators or accelerator in a.accelerators)
            and (not a.keys or key_id in a.keys)
            and (not a.service_tiers or tier in a.service_tiers)
        )

    return tuple(a.name for a in version.adjustments if fulfilled(a))


def _add(into: dict[K, int], more: dict[K, int]) -> None:
    for key, amount in more.items():
        into[key] = into.get(key, 0) + amount
