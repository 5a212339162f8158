"""What the ledger holds today of the months that were closed, sealed as the documents' use was."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from neocloud.books.accounts import ClosedPeriod, Seal, SealMaker
from neocloud.books.contracts import month_at
from neocloud.books.invoices import Source
from neocloud.units import parse_period


def sealed_now(
    source: Source, closed: Iterable[ClosedPeriod]
) -> Iterator[tuple[str, Mapping[str, Seal]]]:
    """Month by month, seals of the real use of the tenants that closed it.

    Events are taken one by one, each month's once; one month's seals are held at a time.

    Raises:
        LedgerError: the ledger cannot be read.
    """
    tenants: dict[str, list[str]] = {}
    for period in closed:
        tenants.setdefault(month_at(period.start_ns), []).append(period.tenant)
    for month in sorted(tenants):
        span = parse_period(month)
        makers = {tenant: SealMaker(span) for tenant in tenants[month]}
        for event in source.usage(span):
            maker = makers.get(event.tenant)
            if maker is not None and not event.emulated:
                maker.note(event)
        for held in source.allocation(span):
            maker = makers.get(held.tenant)
            if maker is not None and not held.emulated:
                maker.hold(held)
        yield month, {tenant: maker.seal(month) for tenant, maker in makers.items()}
