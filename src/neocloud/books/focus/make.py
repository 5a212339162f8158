"""A month of the books as FOCUS rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from neocloud.books.accounts import Books, Document
from neocloud.books.contracts import Terms, terms_of
from neocloud.books.focus.bill import Bill, bill_of, billing_month, open_bill
from neocloud.books.focus.charges import Region, Surroundings, details_of, rows_of
from neocloud.books.focus.commitments import contract_row, minimum_row, touches
from neocloud.books.focus.contract_use import commitments_named
from neocloud.books.focus.listed import PriceLists
from neocloud.books.focus.places import PlacedUse, Rating, placed_use
from neocloud.books.focus.records import (
    BillingPeriod,
    ContractCommitment,
    CostAndUsage,
    FocusExport,
    InvoiceDetail,
    InvoiceTotal,
)
from neocloud.books.invoices import Office
from neocloud.books.prices import PriceBook, PriceVersion, price_version
from neocloud.books.rating import RatedLine
from neocloud.catalog import Catalog
from neocloud.spec import Cloud
from neocloud.units import Period, format_utc, parse_period


def make_export(office: Office, month: str, now_ns: int, tenant: str = "") -> FocusExport:
    """Documents of a month and, of tenants that have none yet, what they used so far.

    Args:
        office: the cloud's file, its ledger and its books.
        month: UTC month: `2026-10`.
        now_ns: when it is asked; an open period was last updated then.
        tenant: only this tenant's charges; all unless given.

    Raises:
        UnpricedModelError, UnpricedHoursError: something has no price.
        LedgerError, BooksError: they cannot be read.
    """
    cloud, period = office.cloud, parse_period(month)
    kept = {} if office.books is None else dict(office.books.versions())
    current = price_version(cloud)
    signed = terms_of(cloud)
    issued = [] if office.books is None else _of_month(office.books, month, tenant)
    invoiced = [*map(bill_of, issued)]
    closed = _closed(office.books, period)
    waiting = [key for key in cloud.tenants if key not in closed and tenant in ("", key)]
    ratings = _ratings(PriceBook(current=current, kept=kept), signed, waiting, invoiced)
    use = placed_use(office.source, period, ratings)
    not_yet = _open_bills(cloud, month, use, waiting)
    around = _surroundings(cloud, office.catalog, use, {**kept, current.id: current})
    rows: list[CostAndUsage] = []
    details: list[InvoiceDetail] = []
    bills = [*invoiced, *not_yet]
    for bill in bills:
        found = list(rows_of(bill, around))
        rows += found
        if bill.number:
            details += details_of(bill, found)
    as_of_ns = min(now_ns, period.end_ns - 1)
    return FocusExport(
        month=month,
        rows=tuple(rows),
        commitments=tuple(_commitments(office, bills, signed, period, as_of_ns, tenant)),
        periods=(_period(cloud, period, issued, bool(not_yet), now_ns),),
        details=tuple(details),
        totals=tuple(
            InvoiceTotal(invoice_id=bill.number, total=bill.total)
            for bill in bills
            if bill.total is not None
        ),
        open_tenants=tuple(bill.tenant for bill in not_yet),
        emulated=use.emulated,
    )


def _of_month(books: Books, month: str, tenant: str) -> list[Document]:
    return [
        document
        for document in books.documents(tenant or None)
        if document.number is not None and billing_month(document) == month
    ]


def _closed(books: Books | None, period: Period) -> frozenset[str]:
    if books is None:
        return frozenset()
    return frozenset(each.tenant for each in books.closed() if each.start_ns == period.start_ns)


def _ratings(
    book: PriceBook, signed: Iterable[Terms], waiting: Iterable[str], invoiced: Iterable[Bill]
) -> dict[str, Rating]:
    """What each tenant's month is rated with: the file, or what its invoice kept."""
    of_file = Rating(book=book, contracts=tuple(terms.prices for terms in signed))
    found = dict.fromkeys(waiting, of_file)
    by_version: dict[str, list[Bill]] = {}
    for bill in invoiced:
        if not bill.is_credit_note:
            by_version.setdefault(bill.version, []).append(bill)
    for version, bills in by_version.items():
        rating = Rating(
            book=PriceBook(current=book.version(version), kept=book.kept),
            contracts=tuple(terms.prices for bill in bills for terms in bill.terms.values()),
        )
        found |= dict.fromkeys((bill.tenant for bill in bills), rating)
    return found


def _open_bills(
    cloud: Cloud, month: str, use: PlacedUse, tenants: Iterable[str]
) -> tuple[Bill, ...]:
    """Use of tenants whose month has no invoice, of those that used something."""
    rated: dict[str, list[RatedLine]] = {}
    for line in use.lines:
        rated.setdefault(line.tenant, []).append(line)
    found = []
    for tenant in tenants:
        bill = open_bill(cloud, tenant, month, tuple(rated.get(tenant, ())))
        if bill.lines:
            found.append(bill)
    return tuple(found)


def _surroundings(
    cloud: Cloud, catalog: Catalog, use: PlacedUse, versions: Mapping[str, PriceVersion]
) -> Surroundings:
    return Surroundings(
        regions={
            key: Region(key=site.metro, name=catalog.metro(site.metro).name)
            for key, site in cloud.sites.items()
        },
        priorities={key: stated.priority for key, stated in cloud.tenants.items()},
        use=use,
        versions=PriceLists(versions),
    )


def _period(
    cloud: Cloud, period: Period, issued: Iterable[Document], is_open: bool, now_ns: int
) -> BillingPeriod:
    """Closed when the month is over and nothing in it waits for an invoice."""
    is_open = is_open or now_ns < period.end_ns
    last = max([period.start_ns, *(document.issued_ns for document in issued)])
    return BillingPeriod(
        billing_period_created=format_utc(period.start_ns),
        billing_period_end=format_utc(period.end_ns),
        billing_period_last_updated=format_utc(max(last, now_ns) if is_open else last),
        billing_period_start=format_utc(period.start_ns),
        billing_period_status="Open" if is_open else "Closed",
        invoice_issuer_name=cloud.billing.seller or cloud.name,
    )


def _commitments(
    office: Office,
    bills: Iterable[Bill],
    signed: Iterable[Terms],
    period: Period,
    as_of_ns: int,
    tenant: str,
) -> Iterator[ContractCommitment]:
    """Commitments of the file in the month, and all that a charge refers to.

    A contract is told as the latest bill of the month has it, then as the file does.
    """
    month = format_utc(period.start_ns)[:7]
    contracts: dict[str, tuple[Terms, Bill]] = {}
    minimums: dict[tuple[str, str], Bill] = {}
    for terms in signed:
        if touches(terms, period) and tenant in ("", terms.prices.tenant):
            bill = open_bill(office.cloud, terms.prices.tenant, month, ())
            contracts[terms.name] = (terms, bill)
    for bill in bills:
        for line in bill.lines:
            contract, spent = commitments_named(line, bill.tenant if bill.minimum else "")
            if contract in bill.terms:
                contracts[contract] = (bill.terms[contract], bill)
            if spent:
                minimums[bill.tenant, spent] = bill
    for _, (terms, bill) in sorted(contracts.items()):
        yield contract_row(terms, bill, as_of_ns)
    for (_, spent), bill in sorted(minimums.items()):
        yield minimum_row(bill, spent, as_of_ns)
