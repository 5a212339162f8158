"""Numbers of documents without gaps, months invoiced once and closed by their invoices."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from neocloud.books.accounts import ClosedPeriod, Document
from neocloud.books.contracts import month_at
from neocloud.books.invoices import Kind
from neocloud.books.reconcile.papers import told
from neocloud.books.reconcile.records import Difference, Finding, Level
from neocloud.books.reconcile.scope import Scope


def number_differences(documents: Sequence[Document]) -> Iterator[Difference]:
    """Gaps in the numbers of a series, numbers given twice, and months invoiced twice."""
    numbers: dict[str, dict[int, Document]] = {}
    months: dict[tuple[str, int], str] = {}
    for document in documents:
        if document.number is None:
            continue
        name = document.name
        of = numbers.setdefault(document.draft.series, {})
        if document.number in of:
            other = of[document.number].draft.id
            text = f"{name} was given twice: to {other} and to {document.draft.id}"
            yield told(document, name, text, finding=Finding.EXTRA)
        of[document.number] = document
        if document.draft.kind == Kind.INVOICE:
            key = document.draft.tenant, document.draft.start_ns
            if key in months:
                text = f"{name} bills {month_at(key[1])} of {key[0]} again, as {months[key]} does"
                yield told(document, name, text, finding=Finding.EXTRA)
            months.setdefault(key, name)
    for series, given in sorted(numbers.items()):
        for number in sorted(set(range(1, max(given))) - given.keys()):
            yield Difference(
                level=Level.DOCUMENTS,
                finding=Finding.MISSING,
                subject=f"{series}-{number:06d}",
                text=f"document {series}-{number:06d} is missing: a gap in its series",
            )


def closed_differences(
    closed: Sequence[ClosedPeriod], documents: Mapping[str, Document], scope: Scope
) -> Iterator[Difference]:
    """Closed months and the invoices that closed them, each with the other.

    Args:
        closed: all of the books.
        documents: by id.
        scope: what is looked at.
    """
    for period in closed:
        month = month_at(period.start_ns)
        if not scope.has_tenant(period.tenant) or not scope.has_month(month):
            continue
        document = documents.get(period.document)
        if document is None:
            whose = f"{month} of {period.tenant}"
            yield Difference(
                level=Level.DOCUMENTS,
                finding=Finding.MISSING,
                subject=period.document,
                tenant=period.tenant,
                month=month,
                text=f"document {period.document}, which closed {whose}, is missing",
            )
        elif (document.draft.start_ns, document.draft.end_ns) != (period.start_ns, period.end_ns):
            text = f"{document.name} is of another period than {month}, which it closed"
            yield told(document, document.name, text)
    named = {period.document for period in closed}
    for document in documents.values():
        open_ = document.draft.kind == Kind.INVOICE and document.draft.id not in named
        if open_ and scope.has_document(document):
            text = f"{document.name}: its month is not closed"
            yield told(document, document.name, text, finding=Finding.MISSING)
