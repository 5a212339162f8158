"""What of the books is looked at."""

from __future__ import annotations

import msgspec

from neocloud.books.accounts import Document
from neocloud.books.journal import day_of
from neocloud.units import Period, format_utc, parse_period


class Scope(msgspec.Struct, frozen=True, kw_only=True):
    """A period and a tenant; None for all.

    A document is within if its accounting date is; a month if it begins there; a posting by its
    accounting date.
    """

    period: Period | None = None
    tenant: str | None = None

    def has_day(self, day: str) -> bool:
        """True of a day within."""
        if self.period is None:
            return True
        return format_utc(self.period.start_ns)[:10] <= day <= format_utc(self.period.end_ns - 1)

    def has_month(self, month: str) -> bool:
        """True of a month within."""
        return self.period is None or parse_period(month).start_ns in self.period

    def has_tenant(self, tenant: str) -> bool:
        """True of a tenant that is looked at."""
        return self.tenant is None or tenant == self.tenant

    def has_document(self, document: Document) -> bool:
        """True of a document within."""
        return self.has_tenant(document.draft.tenant) and self.has_day(day_of(document))
