"""What a tenant's first invoice would leave behind: no month can be closed after a later one."""

from __future__ import annotations

from neocloud.books.contracts import month_at, months_between, terms_of
from neocloud.books.invoices.assess import Office
from neocloud.units import Period, parse_period


def left_behind(office: Office, tenant: str, month: str) -> str:
    """First month before `month` with something to bill, if `month` is the first to be closed.

    That is real use of a status that is billed, accelerators that were held, or a signed contract,
    from the first month on that the ledger tells of.

    Returns:
        The month; empty if there is none, or a month of the tenant is closed already.

    Raises:
        LedgerError, BooksError: they cannot be read.
    """
    recorded, books = office.source.span(), office.books
    if recorded is None or (books is not None and books.begun() and any(books.closed(tenant))):
        return ""
    first, start_ns = month_at(recorded.start_ns), parse_period(month).start_ns
    held = [
        max(first, month_at(terms.prices.start_ns))
        for terms in terms_of(office.cloud)
        if terms.prices.tenant == tenant and terms.prices.end_ns > recorded.start_ns
    ]
    found = [*held, *_used(office, tenant, first, start_ns)]
    return min((each for each in found if each < month), default="")


def _used(office: Office, tenant: str, first: str, end_ns: int) -> list[str]:
    """The first month of real use, if any."""
    billed = frozenset(office.cloud.pricing.billed)
    for month in months_between(first, month_at(end_ns)):
        whole = parse_period(month)
        if whole.start_ns >= end_ns:
            break
        period = Period(whole.start_ns, min(whole.end_ns, end_ns))
        for event in office.source.usage(period):
            if event.tenant == tenant and event.status in billed and not event.emulated:
                return [month]
        for span in office.source.allocation(period):
            if span.tenant == tenant and not span.emulated:
                return [month]
    return []
