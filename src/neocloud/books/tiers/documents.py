"""The invoices of a period, or what they would say, of all tenants."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from neocloud.books.accounts import Document
from neocloud.books.contracts import month_of
from neocloud.books.gather import Metered
from neocloud.books.invoices import (
    Invoice,
    Kind,
    Office,
    Source,
    closed_month,
    credit_note_of,
    invoice_id,
    note_id,
    preview,
)
from neocloud.books.rating import RatedLine, UnpricedHoursError, UnpricedModelError
from neocloud.books.tiers.spans import months_of
from neocloud.ledger import AllocationEvent, EnergyEvent, UsageEvent
from neocloud.units import Period


class Documents(msgspec.Struct, frozen=True, kw_only=True):
    """Documents of a period.

    Attributes:
        made: invoices with the credit notes that take them back, or what invoices would say.
        missing: why some are missing, in words.
        later: use of the period's months that later invoices charge, as corrections.
    """

    made: tuple[Invoice, ...]
    missing: tuple[str, ...] = ()
    later: tuple[RatedLine, ...] = ()


def documents_of(office: Office, metered: Metered, now_ns: int) -> Documents:
    """Of each tenant and calendar month its invoice if it is closed, else what it would say.

    A month that was left open before one that is closed has none: nothing will close it.

    Of a part of a month it is the use alone, without what contracts and minimum spend charge beside
    it: these are settled by the month. A credit note counts with the invoice that it takes back,
    whenever it was issued.

    Args:
        office: the file, the ledger and the books.
        metered: what was read of the ledger for the period.
        now_ns: now.

    Raises:
        LedgerError, BooksError: they cannot be read.
    """
    source = _Remembered(office.source, metered)
    office = msgspec.structs.replace(office, source=source)
    made: list[Invoice] = []
    missing: list[str] = []
    later: list[RatedLine] = []
    for part in months_of(metered.period):
        month = month_of(part.period)
        for tenant in office.cloud.tenants:
            issued = None if month is None else closed_month(office.books, tenant, month)
            if month is not None and (issued or _never_closed(office, tenant, part.period)):
                found = _issued(office, tenant, month, issued)
                made += found.made
                later += found.later
                continue
            try:
                document = preview(office, tenant, part.period, now_ns)
            except (UnpricedModelError, UnpricedHoursError) as error:
                missing.append(f"no invoice of {tenant} for {part.name}: {error}")
                continue
            if document.lines:
                made.append(document)
    return Documents(made=tuple(made), missing=tuple(missing), later=tuple(later))


def _never_closed(office: Office, tenant: str, period: Period) -> bool:
    """True of a month that is open while a later one is closed: it can have no invoice."""
    closed = () if office.books is None else office.books.closed(tenant)
    return any(each.start_ns > period.start_ns for each in closed)


def _issued(office: Office, tenant: str, month: str, invoice: Invoice | None) -> Documents:
    """What is issued for a month that is closed, or that can have no invoice."""
    assert office.books is not None, "something is closed"
    note = credit_note_of(office.books, invoice_id(tenant, month))
    return Documents(
        made=tuple(each for each in (invoice, note) if each is not None and each.lines),
        later=tuple(_later(tuple(office.books.documents(tenant)), tenant, month)),
    )


def _later(documents: Sequence[Document], tenant: str, month: str) -> Iterator[RatedLine]:
    """What other invoices than its own charge for the use of a month, all together.

    Where they were taken back to be charged again, they charge it no more. Where the month's own
    invoice was, the invoice after that charges it anew, which is no use that came late.

    Args:
        documents: of the tenant, in the order of issuing.
        tenant: whose.
        month: that is closed, or has a closed one after it.
    """
    own, back = invoice_id(tenant, month), note_id(invoice_id(tenant, month))
    issued = [document.draft for document in documents if document.number is not None]
    last = max(i for i, draft in enumerate(issued) if draft.kind == Kind.INVOICE)
    for i, draft in enumerate(issued):
        if draft.id != own and (draft.id != back or i < last):
            yield from (line for line in draft.lines if line.month == month)


class _Remembered:
    """Implements `Source`: what was read already is not read again for each tenant."""

    def __init__(self, source: Source, metered: Metered) -> None:
        self._source = source
        self._metered = metered
        self._allocation: dict[Period, list[AllocationEvent]] = {}
        self._energy: dict[Period, list[EnergyEvent]] = {}

    def usage(self, period: Period) -> Iterator[UsageEvent]:
        known = self._metered.period
        if period.start_ns < known.start_ns or period.end_ns > known.end_ns:
            return self._source.usage(period)
        return (event for event in self._metered.events if event.admitted_ns in period)

    def allocation(self, period: Period) -> Iterator[AllocationEvent]:
        if period not in self._allocation:
            self._allocation[period] = list(self._source.allocation(period))
        return iter(self._allocation[period])

    def energy(self, period: Period) -> Iterator[EnergyEvent]:
        if period not in self._energy:
            self._energy[period] = list(self._source.energy(period))
        return iter(self._energy[period])

    def span(self) -> Period | None:
        return self._source.span()
