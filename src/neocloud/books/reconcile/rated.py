"""The ledger's closed months, sealed and rated again in one pass over the events of each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice

import msgspec

from neocloud.books.accounts import Seal, SealMaker
from neocloud.books.invoices import Source
from neocloud.books.invoices.records import Basis
from neocloud.books.prices import ContractTerms, PriceBook, PriceVersion
from neocloud.books.rating import RatedLine, Tally
from neocloud.ledger import UsageEvent
from neocloud.units import parse_period

_PIECE = 4096
"""Events that are read before each tally takes them."""


class RatedMonth(msgspec.Struct, frozen=True, kw_only=True):
    """A closed month of a tenant as the ledger has it today: real use only."""

    tenant: str
    month: str
    seal: Seal
    lines: tuple[RatedLine, ...]


def rated_again(
    source: Source, month: str, bases: Mapping[str, Basis], kept: Mapping[str, PriceVersion]
) -> Iterator[RatedMonth]:
    """Rate a month of many tenants, each with what its invoice kept.

    Args:
        source: the ledger.
        month: UTC month.
        bases: of the invoices that closed it, by tenant.
        kept: price versions.

    Raises:
        UnpricedModelError, UnpricedHoursError: something has no price among those kept.
        LedgerError: the ledger cannot be read.
    """
    span = parse_period(month)
    makers = {tenant: SealMaker(span) for tenant in bases}
    places = _places(bases)
    tallies = [
        Tally(PriceBook(current=kept[version], kept=kept), terms) for version, terms, _ in places
    ]
    of = {tenant: n for n, (_, _, tenants) in enumerate(places) for tenant in tenants}
    usage = (e for e in source.usage(span) if e.tenant in of and not e.emulated)
    while events := list(islice(usage, _PIECE)):
        for event in events:
            makers[event.tenant].note(event)
        for tally, mine in _parted(tallies, of, events):
            tally.add(mine)
    held = (s for s in source.allocation(span) if s.tenant in of and not s.emulated)
    while spans := list(islice(held, _PIECE)):
        for each in spans:
            makers[each.tenant].hold(each)
        for number, tally in enumerate(tallies):
            tally.hold((s for s in spans if of[s.tenant] == number), span)
    lines: dict[str, list[RatedLine]] = {}
    for tally in tallies:
        for line in tally.rated().lines:
            lines.setdefault(line.tenant, []).append(line)
    for tenant, maker in makers.items():
        yield RatedMonth(
            tenant=tenant,
            month=month,
            seal=maker.seal(month),
            lines=tuple(lines.get(tenant, ())),
        )


_Place = tuple[str, tuple[ContractTerms, ...], tuple[str, ...]]
"""Price version, terms, and the tenants that are rated with them."""


def _places(bases: Mapping[str, Basis]) -> Sequence[_Place]:
    """Tenants that one tally rates: of one price version, and no two contracts of one name."""
    found: list[tuple[str, dict[str, ContractTerms], list[str]]] = []
    for tenant, basis in bases.items():
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
    if len(tallies) == 1:
        return [(tallies[0], events)]
    return [
        (tally, [e for e in events if of[e.tenant] == number])
        for number, tally in enumerate(tallies)
    ]


def requests_in(seal: Seal) -> int:
    """Requests that a seal counts."""
    return sum(s.requests for s in seal.tokens)


def tokens_in(seal: Seal) -> int:
    """Tokens that a seal counts."""
    return sum(s.input + s.cached_input + s.output for s in seal.tokens)
