"""Where use was served, by which interface and tier, told of a line only where it is a fact.

Lines of invoices are sums over sites and interfaces. Each place is rated by itself here: where the
parts of a line add up to it, they are the line, place by place. They do not where tiers or rates
that are held for a tenant look at all places together: such a line stays whole, and names a site
only if there was no other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Decimal

import msgspec

from neocloud.books.focus.figures import hours, less
from neocloud.books.invoices import Line, Source
from neocloud.books.prices import ContractTerms, PriceBook
from neocloud.books.rating import RatedLine, Tally
from neocloud.ledger import AllocationEvent, UsageEvent
from neocloud.units import Period

_PIECE = 4096
"""Events of a place that are kept before its tally takes them."""
_Key = tuple[object, ...]


class Place(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """Site, interface of the gateway and service tier; empty where it is not known or none."""

    site: str = ""
    api: str = ""
    service_tier: str = ""


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a line: tokens or accelerator-hours, as the line has it."""

    place: Place
    quantity: Decimal


class PlacedUse(msgspec.Struct, frozen=True, kw_only=True):
    """Use of real engines in a period, as a whole and by place.

    Attributes:
        lines: rated, of all tenants.
        emulated: requests and spans of emulated engines, left out.
        places: of each line's key, what was used where: tokens or accelerator-nanoseconds.
    """

    lines: tuple[RatedLine, ...]
    emulated: int
    places: Mapping[_Key, Mapping[Place, int]]

    def parts_of(self, tenant: str, line: Line) -> tuple[Part, ...]:
        """A line by place; whole where the places do not add up to it."""
        assert line.quantity is not None
        found = self.places.get(_key_of_line(tenant, line), {})
        counted: Callable[[int], Decimal] = Decimal if line.unit == "token" else hours
        if found and counted(sum(found.values())) == line.quantity:
            return tuple(_laid_out(line.quantity, found, counted))
        sites = {place.site for place in found}
        apis = {place.api for place in found}
        tiers = {place.service_tier for place in found}
        place = Place(
            site=sites.pop() if len(sites) == 1 else "",
            api=apis.pop() if len(apis) == 1 else "",
            service_tier=tiers.pop() if len(tiers) == 1 else "",
        )
        return (Part(place=place, quantity=line.quantity),)


class Rating(msgspec.Struct, frozen=True, kw_only=True):
    """What tenants are rated with: prices, and the terms of all their contracts."""

    book: PriceBook
    contracts: tuple[ContractTerms, ...]


def placed_use(source: Source, period: Period, ratings: Mapping[str, Rating]) -> PlacedUse:
    """Read and rate a period, once, event by event.

    Args:
        source: the ledger.
        period: by admission; spans are cut to it.
        ratings: by tenant; use of others is left out. Tenants may share one.

    Raises:
        UnpricedModelError, UnpricedHoursError: something has no price.
        LedgerError: the ledger cannot be read.
    """
    readings: dict[int, _Reading] = {}
    by_tenant: dict[str, _Reading] = {}
    for tenant, rating in ratings.items():
        if id(rating) not in readings:
            readings[id(rating)] = _Reading(rating, period)
        by_tenant[tenant] = readings[id(rating)]
    for event in source.usage(period):
        if event.tenant in by_tenant:
            by_tenant[event.tenant].take_event(event)
    for span in source.allocation(period):
        if span.tenant in by_tenant:
            by_tenant[span.tenant].take_span(span)
    lines: list[RatedLine] = []
    places: dict[_Key, dict[Place, int]] = {}
    for reading in readings.values():
        lines += reading.rated(places)
    return PlacedUse(
        lines=tuple(sorted(lines)),
        emulated=sum(reading.emulated for reading in readings.values()),
        places=places,
    )


class _Reading:
    """Tallies by place of the tenants of one rating, and what waits for them."""

    def __init__(self, rating: Rating, period: Period) -> None:
        self.emulated = 0
        self._rating = rating
        self._period = period
        self._events: dict[Place, list[UsageEvent]] = {}
        self._spans: dict[Place, list[AllocationEvent]] = {}
        self._tallies: dict[Place, Tally] = {}

    def take_event(self, event: UsageEvent) -> None:
        if event.emulated:
            self.emulated += 1
            return
        tier = "" if event.service_tier == "default" else event.service_tier
        place = Place(site=event.site, api=event.api, service_tier=tier)
        kept = self._events.setdefault(place, [])
        kept.append(event)
        if len(kept) >= _PIECE:
            self._tally(place).add(self._events.pop(place))

    def take_span(self, span: AllocationEvent) -> None:
        if span.emulated:
            self.emulated += 1
        else:
            self._spans.setdefault(Place(site=span.site), []).append(span)

    def rated(self, places: dict[_Key, dict[Place, int]]) -> Iterator[RatedLine]:
        """All that was taken, rated; what was used where is added to `places`."""
        for place, events in self._events.items():
            self._tally(place).add(events)
        for place, spans in self._spans.items():
            self._tally(place).hold(spans, self._period)
        whole = self._new()
        for place, tally in sorted(self._tallies.items()):
            for line in _billed(tally.rated().lines):
                parts = places.setdefault(_key_of_rated(line), {})
                parts[place] = parts.get(place, 0) + line.quantity
            whole.merge(tally)
        return _billed(whole.rated().lines)

    def _tally(self, place: Place) -> Tally:
        if place not in self._tallies:
            self._tallies[place] = self._new()
        return self._tallies[place]

    def _new(self) -> Tally:
        return Tally(self._rating.book, self._rating.contracts)


def _billed(lines: Iterable[RatedLine]) -> Iterator[RatedLine]:
    return (line for line in lines if line.billed)


def _laid_out(
    whole: Decimal, found: Mapping[Place, int], counted: Callable[[int], Decimal]
) -> Iterator[Part]:
    """Parts that sum up to the line's quantity: the last takes what rounding hours left."""
    left = whole
    places = sorted(found)
    for place in places[:-1]:
        quantity = counted(found[place])
        left = less(left, quantity)
        yield Part(place=place, quantity=quantity)
    yield Part(place=places[-1], quantity=left)


def _key_of_line(tenant: str, line: Line) -> _Key:
    """What a line of an invoice and a rated line have in common, but for the quantity."""
    assert line.unit_price is not None
    pico = line.unit_price.scaleb(6 if line.unit == "token" else 12)
    return (
        tenant, line.month, line.meter, line.model, line.accelerator, line.contract,
        line.adjustments, line.tier, line.price_version, line.price_currency, int(pico),
    )  # fmt: skip


def _key_of_rated(line: RatedLine) -> _Key:
    return (
        line.tenant, line.month, line.meter.value, line.model, line.accelerator, line.contract,
        line.adjustments, line.tier, line.version, line.currency, line.unit_pico,
    )  # fmt: skip
