"""A document as CSV: a row each line, prepaid credit and tax; their amounts sum to the total."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from decimal import Decimal

from neocloud.books.invoices.records import Invoice, Line

_DOCUMENT = ("number", "kind", "tenant", "period", "currency")
_LINE = tuple(name for name in Line.__struct_fields__ if name != "adjustments")
COLUMNS = (*_DOCUMENT, *_LINE, "adjustments")
"""Those of the document, then those of a line. `group` is `prepaid_credit` or `tax` of what is no
line; adjustments are parted by semicolons."""


def invoice_csv(invoice: Invoice) -> str:
    """Rows under a head, lines ended by a line feed; what a row has not is empty."""
    file = io.StringIO()
    write = csv.DictWriter(file, COLUMNS, restval="", lineterminator="\n")
    write.writeheader()
    of = {name: getattr(invoice, name) or "" for name in _DOCUMENT}
    for row in _rows(invoice):
        write.writerow({**of, **{name: _shown(value) for name, value in row.items()}})
    return file.getvalue()


def _rows(invoice: Invoice) -> Iterator[dict[str, object]]:
    for line in invoice.lines:
        yield {name: getattr(line, name) for name in (*_LINE, "adjustments")}
    for credit in invoice.credits:
        if credit.used:
            yield {"group": "prepaid_credit", "text": credit.name, "amount": -credit.used}
    if invoice.tax:
        yield {"group": "tax", "text": f"tax {invoice.tax_rate:%}", "amount": invoice.tax}


def _shown(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, Decimal):
        return f"{value:f}"
    return "; ".join(value) if isinstance(value, tuple) else str(value)
