"""Closing a month: the invoice gets its number, once, and the books are posted with it."""

from __future__ import annotations

import msgspec

from neocloud.books.accounts import (
    Books,
    Change,
    ClosedPeriod,
    ConflictError,
    Document,
    Draft,
    RefusedError,
)
from neocloud.books.contracts import following, month_at
from neocloud.books.invoices.assess import Assessment, Office, assess, is_specimen
from neocloud.books.invoices.make import check_tenant, made_of
from neocloud.books.invoices.postings import (
    Entry,
    accounts_of,
    entries_of,
    expiry_of,
    grant_of,
    postings_of,
)
from neocloud.books.invoices.records import Invoice, Kind
from neocloud.books.prices import price_version
from neocloud.units import HOUR_NS, format_utc, parse_period

_DAY_NS = 24 * HOUR_NS


class NotClosableError(ValueError):
    """The month cannot be closed now; the message says from when, or what comes before."""


def invoice_id(tenant: str, month: str) -> str:
    """Id of the document that closes a month of a tenant."""
    return f"invoice/{tenant}/{month}"


def presented(document: Document) -> Invoice:
    """An issued document as it is shown: with its number, its day and the day by which to pay."""
    invoice = msgspec.json.decode(document.draft.body, type=Invoice)
    day_ns = document.issued_ns - document.issued_ns % _DAY_NS
    due = invoice.kind is Kind.INVOICE and invoice.total > 0
    return msgspec.structs.replace(
        invoice,
        number=document.name,
        issued=format_utc(day_ns)[:10],
        due=format_utc(day_ns + invoice.payment_days * _DAY_NS)[:10] if due else "",
    )


def closed_month(books: Books | None, tenant: str, month: str) -> Invoice | None:
    """The invoice of a month that is closed; None if it is not.

    Raises:
        BooksError: the books cannot be read.
    """
    document = None if books is None else books.document(invoice_id(tenant, month))
    return None if document is None else presented(document)


def close_month(office: Office, tenant: str, month: str, now_ns: int) -> Invoice:
    """Close a month of a tenant and issue its invoice; again, it is the same invoice.

    All of it is one change of the books: killed at any moment, either nothing was done or all, and
    closing again finishes. Over use of emulated engines alone nothing is closed or issued, and a
    specimen comes back.

    Raises:
        UnknownTenantError: the file has no such tenant.
        NotClosableError: too early, or an earlier month is still open.
        UnpricedModelError, UnpricedHoursError: something has no price.
        RefusedError: the books refuse it; nothing was written.
        LedgerError, BooksError: they cannot be read or written.
    """
    check_tenant(office, tenant)
    books = office.books
    assert books is not None, "closing needs books"
    while True:
        with books.change(now_ns):
            known = closed_month(books, tenant, month)
            if known is not None:
                return known
            before = _state(books, tenant)
        _check_time(office, month, now_ns)
        _check_order(office, books, tenant, month)
        assessed = assess(office, tenant, month)
        invoice = made_of(office, tenant, assessed, now_ns)
        if invoice.kind is Kind.SPECIMEN:
            return invoice
        with books.change(now_ns) as change:
            # Rating takes its time; another process may have issued something meanwhile.
            if _state(books, tenant) == before:
                document = _issue(office, change, tenant, invoice, assessed)
                break
    return presented(document)


def _state(books: Books, tenant: str) -> tuple[str, ...]:
    return tuple(document.draft.id for document in books.documents(tenant))


def _check_time(office: Office, month: str, now_ns: int) -> None:
    grace = office.cloud.billing.grace_hours
    from_ns = parse_period(month).end_ns + grace * HOUR_NS
    if now_ns < from_ns:
        raise NotClosableError(
            f"{month} can be closed from {format_utc(from_ns)} on: late events count in it for "
            f"{grace} hours (billing.grace_hours)"
        )


def _check_order(office: Office, books: Books, tenant: str, month: str) -> None:
    """Months are closed one after the other; those of emulated use alone are passed over."""
    closed = [period.start_ns for period in books.closed(tenant)]
    if not closed:
        return
    last = month_at(max(closed))
    expected = following(last)
    while expected < month and is_specimen(office, tenant, expected):
        expected = following(expected)
    if month != expected:
        raise NotClosableError(
            f"the last closed month of {tenant} is {last}: close {expected} next, so "
            "that credits and contracts go on from month to month"
        )


def _issue(
    office: Office, change: Change, tenant: str, invoice: Invoice, assessed: Assessment
) -> Document:
    month = assessed.month
    period = parse_period(month)
    day = format_utc(period.end_ns - 1)[:10]
    name = invoice_id(tenant, month)
    change.keep_version(price_version(office.cloud))
    _grant(change, tenant, invoice)
    entries = entries_of(invoice)
    expired = [expiry_of(tenant, credit, invoice.currency) for credit in invoice.credits]
    all_: list[Entry] = [*entries, *(entry for entry in expired if entry is not None)]
    for each in accounts_of(all_):
        change.open_account(each)
    change.post(*postings_of(name, all_, day))
    document = change.issue(
        Draft(
            id=name,
            kind=Kind.INVOICE.value,
            series=office.cloud.billing.invoice_prefix,
            tenant=tenant,
            start_ns=period.start_ns,
            end_ns=period.end_ns,
            body=msgspec.Raw(
                msgspec.json.encode(msgspec.structs.replace(invoice, kind=Kind.INVOICE, why_not=""))
            ),
            lines=assessed.lines,
            seals=assessed.seals,
        )
    )
    change.close_period(
        ClosedPeriod(tenant=tenant, start_ns=period.start_ns, end_ns=period.end_ns, document=name)
    )
    return document


def _grant(change: Change, tenant: str, invoice: Invoice) -> None:
    """Bring the credits of the file into the books, those that are not there yet."""
    for credit in invoice.credits:
        accounts, posting = grant_of(tenant, credit, invoice.currency)
        for each in accounts:
            change.open_account(each)
        try:
            change.post(posting)
        except ConflictError:
            raise RefusedError(
                f"credit {credit.name} of {tenant} was granted with another amount, day or kind; "
                "what was granted does not change: give a new credit another name"
            ) from None
