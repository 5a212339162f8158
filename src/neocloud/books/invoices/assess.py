"""What a tenant owes for a month: all that should have been charged, less what has been.

Every month that was closed is rated again, with the prices and terms that its invoice kept, and the
month that is asked for with it. What should have been charged for all of them, less what documents
with a number charge, is what the next document charges: the month itself, and corrections of the
earlier ones. So nothing is charged twice, whenever events come.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from decimal import Decimal
from fractions import Fraction
from typing import TypeVar

import msgspec

from neocloud.books.accounts import Books, BooksError, Document, Seal
from neocloud.books.contracts import (
    Charge,
    ChargeKind,
    ContractMonth,
    month_at,
    months_between,
    pool_sizes,
    settle,
    terms_of,
)
from neocloud.books.invoices.lines import lines_of
from neocloud.books.invoices.money import Exchange, exchange_of, pico_of
from neocloud.books.invoices.records import Basis, ExchangeRate, Invoice, Kind
from neocloud.books.invoices.use import RatedBy, Source, TenantUse, month_of_use, tenant_use
from neocloud.books.prices import PriceBook, price_version
from neocloud.books.rating import RatedLine, RequestCount
from neocloud.catalog import Catalog
from neocloud.spec import Cloud
from neocloud.units import parse_period

T = TypeVar("T", RatedLine, Charge)
_NOT_SPEND = frozenset({ChargeKind.PREPAYMENT, ChargeKind.RELEASE, ChargeKind.SERVICE_CREDIT})
"""Charges that leave a minimum spend alone: money that only changes its time, and what is given
back, which a minimum must not take again."""


class Office(msgspec.Struct, frozen=True, kw_only=True):
    """Who makes out documents: the cloud's file, its ledger and its books.

    Attributes:
        cloud: as the file says.
        catalog: what the file leaves to it.
        source: the ledger.
        books: None where none were begun, so that nothing was ever issued.
    """

    cloud: Cloud
    catalog: Catalog
    source: Source
    books: Books | None


class Assessment(msgspec.Struct, frozen=True, kw_only=True):
    """What a document of a month has to say.

    Attributes:
        month: UTC month.
        emulated: True if it is over use of emulated engines.
        use: of the month.
        requests: of it, of the kind that is charged.
        lines: rated use to charge, corrections among them.
        charges: beside use, likewise.
        contracts: how they stand in the month.
        basis: for later corrections.
        seals: of the use that it is made over, those that no document has yet.
    """

    month: str
    emulated: bool
    use: TenantUse
    requests: tuple[RequestCount, ...]
    lines: tuple[RatedLine, ...]
    charges: tuple[Charge, ...]
    contracts: tuple[ContractMonth, ...]
    basis: Basis
    seals: tuple[Seal, ...] = ()


class _Month(msgspec.Struct, frozen=True, kw_only=True):
    """What a month is rated with."""

    month: str
    by: RatedBy
    exchange: Exchange
    minimum: int


def issued_to(books: Books | None, tenant: str) -> tuple[tuple[Document, Invoice], ...]:
    """Documents of a tenant that have a number, in the order of issuing."""
    if books is None:
        return ()
    return tuple(
        (document, msgspec.json.decode(document.draft.body, type=Invoice))
        for document in books.documents(tenant)
        if document.number is not None
    )


def assess(office: Office, tenant: str, month: str) -> Assessment:
    """Assess a month of a tenant of the file.

    Raises:
        UnpricedModelError, UnpricedHoursError: something has no price.
        LedgerError, BooksError: they cannot be read.
    """
    now = _as_of_file(office, tenant, month)
    use = tenant_use(office.source, tenant, parse_period(month), now.by)
    emulated = is_emulated(office.cloud, use)
    issued = () if emulated else issued_to(office.books, tenant)
    closed = {
        month_at(document.draft.start_ns): _as_it_was(office, invoice)
        for document, invoice in issued
        if invoice.kind is Kind.INVOICE
    }
    closed.pop(month, None)
    uses = {month: use}
    stated = {month: now}
    for each in _history(office, now, closed):
        stated[each] = closed.get(each) or msgspec.structs.replace(now, month=each)
        uses[each] = tenant_use(office.source, tenant, parse_period(each), stated[each].by)
    months = [month_of_use(uses[m], m, stated[m].by.terms, emulated) for m in sorted(uses)]
    settled = {each.month: each for each in settle(months)}
    charged = [*closed, *_passed_over(office, uses, closed, month), month]
    lines = difference(
        (line for m in months if m.month in charged for line in m.lines),
        (line for document, _ in issued for line in document.draft.lines),
    )
    beside = [charge for m in charged for charge in settled[m].charges]
    had = [charge for _, invoice in issued for charge in invoice.basis.charges]
    spent = [
        *(_Spent.of(lines, difference(beside, _without_minimum(had)), now.exchange)),
        *(
            each
            for document, invoice in issued
            for each in _Spent.of(document.draft.lines, invoice.basis.charges, _rates_of(invoice))
        ),
    ]
    minima = [least for m in (*closed, month) for least in _minimum(stated[m], spent)]
    return Assessment(
        month=month,
        emulated=emulated,
        use=use,
        requests=use.only(emulated).requests,
        lines=lines,
        charges=difference([*beside, *minima], had),
        contracts=settled[month].contracts,
        basis=_basis(now),
        seals=_seals(uses, charged, issued),
    )


def _seals(
    uses: Mapping[str, TenantUse],
    charged: Iterable[str],
    issued: Iterable[tuple[Document, Invoice]],
) -> tuple[Seal, ...]:
    """Of the months that are charged, where the last document over them saw other use."""
    last = {seal.month: seal for document, _ in issued for seal in document.draft.seals}
    seals = [msgspec.structs.replace(uses[m].seal, month=m) for m in sorted(charged)]
    return tuple(seal for seal in seals if seal != last.get(seal.month))


def is_emulated(cloud: Cloud, use: TenantUse) -> bool:
    """True if all that was used is emulated; of no use, if the whole cloud is."""
    kinds = use.kinds()
    if kinds:
        return False not in kinds
    return all(pool.engine == "emulated" for site in cloud.sites.values() for pool in site.pools)


def is_specimen(office: Office, tenant: str, month: str) -> bool:
    """True if a month of a tenant holds emulated use alone, so that nothing of it is closed.

    Raises:
        LedgerError, BooksError: they cannot be read.
    """
    by = _as_of_file(office, tenant, month).by
    return is_emulated(office.cloud, tenant_use(office.source, tenant, parse_period(month), by))


def difference(should: Iterable[T], has: Iterable[T]) -> tuple[T, ...]:
    """What should be charged less what has been, by key; what is equal is left out."""
    sums: dict[tuple[object, ...], tuple[T, int, int]] = {}
    for sign, lines in ((1, should), (-1, has)):
        for line in lines:
            _, quantity, pico = sums.get(line.key, (line, 0, 0))
            sums[line.key] = (line, quantity + sign * line.quantity, pico + sign * line.pico)
    return tuple(
        sorted(
            msgspec.structs.replace(line, quantity=quantity, pico=pico)
            for line, quantity, pico in sums.values()
            if quantity or pico
        )
    )


def _history(office: Office, now: _Month, closed: Mapping[str, _Month]) -> tuple[str, ...]:
    """Months before that matter: closed ones, and those of contracts that bring something along."""
    first = [month for month in closed if month < now.month]
    recorded = office.source.span()
    for terms in now.by.terms:
        if terms.true_up_months > 1 or terms.carry_over_months or terms.prepayments:
            begun = [month_at(terms.prices.start_ns)]
            begun += [] if recorded is None else [month_at(recorded.start_ns)]
            first.append(max(begun))
    if not first:
        return ()
    return tuple(m for m in months_between(min(first), now.month) if m != now.month)


def _passed_over(
    office: Office, uses: Mapping[str, TenantUse], closed: Collection[str], month: str
) -> tuple[str, ...]:
    """Months of emulated use alone after the first closed one: nothing closes them.

    Real use that comes late to one of them is charged with the month that is closed next.
    """
    if not closed:
        return ()
    return tuple(
        m
        for m in uses
        if m not in closed
        and min(closed) < m < month
        and (m < max(closed) or is_emulated(office.cloud, uses[m]))
    )


def _as_of_file(office: Office, tenant: str, month: str) -> _Month:
    cloud = office.cloud
    kept = {} if office.books is None else office.books.versions()
    everyone = terms_of(cloud)
    terms = tuple(t for t in everyone if t.prices.tenant == tenant)
    tranche = any(t.prices.kind == "last_resort" for t in terms)
    return _Month(
        month=month,
        by=RatedBy(
            book=PriceBook(current=price_version(cloud), kept=kept),
            terms=terms,
            everyone=everyone if tranche else (),
            pools=pool_sizes(cloud, office.catalog) if tranche else (),
        ),
        exchange=exchange_of(cloud, cloud.tenants[tenant].currency),
        minimum=pico_of(cloud.tenants[tenant].minimum_spend_per_month),
    )


def _as_it_was(office: Office, invoice: Invoice) -> _Month:
    """With what a closed month's invoice kept."""
    assert office.books is not None
    kept, basis = office.books.versions(), invoice.basis
    if basis.price_version not in kept:
        raise BooksError(
            f"price version {basis.price_version} of month {invoice.period[:7]} is gone from the "
            "books; put the books of a backup back"
        )
    return _Month(
        month=invoice.period[:7],
        by=RatedBy(
            book=PriceBook(current=kept[basis.price_version], kept=kept),
            terms=basis.terms,
            everyone=basis.everyone,
            pools=basis.pools,
        ),
        exchange=_rates_of(invoice),
        minimum=basis.minimum_spend_pico,
    )


def _rates_of(invoice: Invoice) -> Exchange:
    """The rates that an invoice was made with."""
    rates = {each.currency: each.rate for each in invoice.basis.exchange_rates}
    return Exchange(currency=invoice.currency, rates=rates)


class _Spent(msgspec.Struct, frozen=True, kw_only=True):
    """What a line of a document counts towards the minimum spend of its month."""

    month: str
    currency: str
    pico: int

    @classmethod
    def of(
        cls, rated: Iterable[RatedLine], charges: Iterable[Charge], exchange: Exchange
    ) -> Iterator[_Spent]:
        """Of a document that was or will be made of these."""
        for line in lines_of(rated, charges, exchange, ""):
            if line.charge not in _NOT_SPEND and line.charge is not ChargeKind.MINIMUM:
                yield cls(month=line.month, currency=exchange.currency, pico=pico_of(line.amount))


def _without_minimum(charges: Iterable[Charge]) -> Iterator[Charge]:
    return (charge for charge in charges if charge.kind is not ChargeKind.MINIMUM)


def _minimum(stated: _Month, spent: Iterable[_Spent]) -> Iterator[Charge]:
    """What is missing from the minimum spend of a month.

    Counted are the amounts that documents say, rounded as they stand there: so a month that falls
    short comes to its minimum to the last cent, and not to that of exact amounts nobody sees.
    """
    paid = (stated.exchange.pico(s.pico, s.currency) for s in spent if s.month == stated.month)
    missing = max(0, int(stated.minimum - sum(paid, Fraction(0))))
    if missing:
        yield Charge(
            kind=ChargeKind.MINIMUM,
            month=stated.month,
            currency=stated.exchange.currency,
            pico=missing,
        )


def _basis(now: _Month) -> Basis:
    """What is kept of it; the charges are added when the document is made."""
    return Basis(
        price_version=now.by.book.current.id,
        exchange_rates=stated_rates(now.exchange.rates),
        minimum_spend_pico=now.minimum,
        terms=now.by.terms,
        everyone=now.by.everyone,
        pools=now.by.pools,
        charges=(),
    )


def stated_rates(rates: Mapping[str, Decimal]) -> tuple[ExchangeRate, ...]:
    """Rates as a document keeps them."""
    return tuple(ExchangeRate(currency=code, rate=rates[code]) for code in sorted(rates))
