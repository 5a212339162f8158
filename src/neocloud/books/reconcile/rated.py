"""The ledger's closed months, sealed and rated again in one pass over the events of each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Protocol

import msgspec

from neocloud.books.accounts import Seal, SealMaker
from neocloud.books.invoices import Source
from neocloud.books.invoices.records import Basis
from neocloud.books.prices import ContractTerms, PriceBook, PriceVersion
from neocloud.books.rating import RatedLine, Tally
from neocloud.ledger import CorrectionEvent, UsageEvent, corrected
from neocloud.units import Period, parse_period

_PIECE = 4096
"""Events that are read before each tally takes them."""


class RatedMonth(msgspec.Struct, frozen=True, kw_only=True):
    """A closed month of a tenant as the ledger has it today: real use only.

    Attributes:
        tenant: whose.
        month: UTC month.
        seal: of the use as it holds.
        lines: of it, rated; none where price versions are gone.
        corrections: by request, those that hold.
        earlier: seal of the use with the corrections alone that had been made when the month was
            billed last; None where nothing is corrected.
        gone: price versions that documents over the month name and the books have not got.
    """

    tenant: str
    month: str
    seal: Seal
    lines: tuple[RatedLine, ...]
    corrections: Mapping[str, str] = {}
    earlier: Seal | None = None
    gone: tuple[str, ...] = ()


class CorrectedSource(Source, Protocol):
    """A ledger as it holds, and what makes it so: `Reader`."""

    def recorded(self, period: Period) -> Iterator[UsageEvent]:
        """Requests of the period as they were first recorded."""
        ...

    def corrections(self, period: Period) -> Iterator[CorrectionEvent]:
        """Of requests of the period, by request; of each the last one holds."""
        ...


def rated_again(
    source: CorrectedSource,
    month: str,
    bases: Mapping[str, BilledMonth],
    kept: Mapping[str, PriceVersion],
) -> Iterator[RatedMonth]:
    """Rate a month of many tenants, each with what its invoice kept.

    Where a price version is gone nothing is rated, for it would be rated with other prices.

    Args:
        source: the ledger.
        month: UTC month.
        bases: how it was billed, by tenant.
        kept: price versions.

    Raises:
        UnpricedModelError, UnpricedHoursError: something has no price among those kept.
        LedgerError: the ledger cannot be read.
    """
    span = parse_period(month)
    makers = {tenant: SealMaker(span) for tenant in bases}
    gone = {tenant: tuple(sorted(b.versions - kept.keys())) for tenant, b in bases.items()}
    places = _places({tenant: b for tenant, b in bases.items() if not gone[tenant]})
    tallies = [
        Tally(PriceBook(current=kept[version], kept=kept), terms) for version, terms, _ in places
    ]
    of = {tenant: n for n, (_, _, tenants) in enumerate(places) for tenant in tenants}
    changed: dict[str, dict[str, str]] = {}
    usage = (e for e in source.usage(span) if e.tenant in makers and not e.emulated)
    while events := list(islice(usage, _PIECE)):
        for event in events:
            makers[event.tenant].note(event)
            if event.correction:
                changed.setdefault(event.tenant, {})[event.request_id] = event.correction
        for tally, mine in _parted(tallies, of, events):
            tally.add(mine)
    held = (s for s in source.allocation(span) if s.tenant in makers and not s.emulated)
    while spans := list(islice(held, _PIECE)):
        for each in spans:
            makers[each.tenant].hold(each)
        for number, tally in enumerate(tallies):
            tally.hold((s for s in spans if of.get(s.tenant) == number), span)
    lines: dict[str, list[RatedLine]] = {}
    for tally in tallies:
        for line in tally.rated().lines:
            lines.setdefault(line.tenant, []).append(line)
    issued = {tenant: bases[tenant].issued_ns for tenant in changed}
    earlier = _earlier(source, month, issued)
    for tenant, maker in makers.items():
        seal, before = maker.seal(month), earlier.get(tenant)
        yield RatedMonth(
            tenant=tenant,
            month=month,
            seal=seal,
            lines=tuple(lines.get(tenant, ())),
            corrections=changed.get(tenant, {}),
            # A correction is one of tokens: held time is as it is now.
            earlier=before and msgspec.structs.replace(before, held=seal.held),
            gone=gone[tenant],
        )


def _earlier(source: CorrectedSource, month: str, issued: Mapping[str, int]) -> dict[str, Seal]:
    """Seals of tenants' events with the corrections that had been made at a time of each."""
    if not issued:
        return {}
    span = parse_period(month)
    makers = {tenant: SealMaker(span) for tenant in issued}
    made = list(source.corrections(span))
    # Whose a correction is tells the event alone, so each tenant's time has a pass of its own.
    for at_ns in sorted(set(issued.values())):
        tenants = {tenant for tenant, issued_ns in issued.items() if issued_ns == at_ns}
        known = (each for each in made if each.made_ns <= at_ns)
        for event in corrected(source.recorded(span), known):
            if event.tenant in tenants and not event.emulated:
                makers[event.tenant].note(event)
    return {tenant: maker.seal(month) for tenant, maker in makers.items()}


class BilledMonth(msgspec.Struct, frozen=True, kw_only=True):
    """How a month of a tenant was billed.

    Attributes:
        basis: prices and terms that the invoice kept.
        issued_ns: of the last document over the month.
        versions: ids of all price versions that documents name for it.
    """

    basis: Basis
    issued_ns: int
    versions: frozenset[str]


_Place = tuple[str, tuple[ContractTerms, ...], tuple[str, ...]]
"""Price version, terms, and the tenants that are rated with them."""


def _places(bases: Mapping[str, BilledMonth]) -> Sequence[_Place]:
    """Tenants that one tally rates: of one price version, and no two contracts of one name."""
    found: list[tuple[str, dict[str, ContractTerms], list[str]]] = []
    for tenant, billed in bases.items():
        basis = billed.basis
        mine = {terms.name: terms.prices for terms in basis.terms}
        for version, terms, tenants in found:
            if version == basis.price_version and not terms.keys() & mine.keys():
                terms.update(mine)
                tenants.append(tenant)
                break
        else:
            found.append((basis.price_version, mine, [tenant]))
    return [(version, tuple(terms.values()), tuple(t)) for version, terms, t in found]


def _parted(
    tallies: Sequence[Tally], of: Mapping[str, int], events: Sequence[UsageEvent]
) -> Iterable[tuple[Tally, Iterable[UsageEvent]]]:
    return [
        (tally, [e for e in events if of.get(e.tenant) == number])
        for number, tally in enumerate(tallies)
    ]


def requests_in(seal: Seal) -> int:
    """Requests that a seal counts."""
    return sum(s.requests for s in seal.tokens)


def tokens_in(seal: Seal) -> int:
    """Tokens that a seal counts."""
    return sum(s.input + s.cached_input + s.output for s in seal.tokens)
