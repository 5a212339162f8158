"""The books as tables: documents, their lines, what they bill as it was rated, postings."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any

import msgspec

from neocloud.books.accounts import Books, Document
from neocloud.books.invoices import Invoice, presented
from neocloud.books.invoices.money import exact
from neocloud.books.journal import body_of, day_of
from neocloud.books.payments import Payment
from neocloud.units import Period, format_utc

SCHEMA = "neocloud.books-rows/1"
_PRICED = {"token": "million tokens", "accelerator-hour": "accelerator-hour"}
"""What a price is for, by the unit of the quantity on a document: the same in all tables."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Cell(StrEnum):
    """What a column holds."""

    TEXT = "text"
    WHOLE = "whole"
    """A whole number of any size."""
    EXACT = "exact"
    """A decimal of twelve decimals: money, rates, hours."""
    TRUTH = "truth"
    DAY = "day"
    MOMENT = "moment"
    """UTC, to the microsecond."""


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """A table: its name, which is that of its file, its columns, and what reads its rows."""

    name: str
    columns: tuple[tuple[str, Cell], ...]
    rows: Callable[[Selection], Iterator[tuple[Any, ...]]]


class Selection(msgspec.Struct, frozen=True, kw_only=True):
    """What is read: documents and postings by accounting date and tenant; None for all."""

    books: Books
    period: Period | None = None
    tenant: str | None = None

    def documents(self) -> Iterator[Document]:
        """Documents within, in the order of issuing."""
        for document in self.books.documents(self.tenant):
            if self.has_day(day_of(document)):
                yield document

    def has_day(self, day: str) -> bool:
        """True of a day within."""
        if self.period is None:
            return True
        return format_utc(self.period.start_ns)[:10] <= day <= format_utc(self.period.end_ns - 1)


def _documents(selection: Selection) -> Iterator[tuple[Any, ...]]:
    for document in selection.documents():
        draft, body = document.draft, body_of(document)
        if body is None:
            continue
        head = (
            draft.id, document.name or None, draft.kind, draft.tenant, _moment(draft.start_ns),
            _moment(draft.end_ns), _day(day_of(document)), _moment(document.issued_ns),
            body.currency,
        )  # fmt: skip
        if isinstance(body, Payment):
            yield (*head, None, None, None, None, None, None, -body.amount, None,
                   body.invoice or None, None)  # fmt: skip
        else:
            yield (*head, _day(presented(document).due), body.subtotal, body.credits_used, body.net,
                   body.tax_rate, body.tax, body.total, body.residue, body.refers_to or None,
                   body.reason or None)  # fmt: skip


def _lines(selection: Selection) -> Iterator[tuple[Any, ...]]:
    for document in selection.documents():
        body = body_of(document)
        if isinstance(body, Invoice):
            for number, line in enumerate(body.lines, 1):
                yield (
                    document.draft.id, document.name, document.draft.tenant, number,
                    line.group.value, line.text, line.month, line.model, line.meter,
                    line.accelerator, line.contract, line.charge.value if line.charge else "",
                    ", ".join(line.adjustments), line.tier, line.price_version, line.quantity,
                    line.unit, line.unit_price, _PRICED.get(line.unit), line.price_currency,
                    line.exact, body.currency,
                    line.amount, line.residue,
                )  # fmt: skip


def _rated(selection: Selection) -> Iterator[tuple[Any, ...]]:
    for document in selection.documents():
        for number, line in enumerate(document.draft.lines, 1):
            yield (
                document.draft.id, document.name, number, line.tenant, line.meter.value, line.model,
                line.accelerator, line.month, line.status, line.billed, line.contract,
                ", ".join(line.adjustments), line.tier, line.version,
                _moment(line.since_ns) if line.since_ns else None, line.currency,
                exact(line.unit_pico * (10**6 if line.meter.is_tokens else 1)),
                _PRICED["token" if line.meter.is_tokens else "accelerator-hour"], line.quantity,
                "token" if line.meter.is_tokens else "accelerator-nanosecond", exact(line.pico),
            )  # fmt: skip


def _postings(selection: Selection) -> Iterator[tuple[Any, ...]]:
    known = {d.draft.id for d in selection.books.documents(selection.tenant)}
    for recorded in selection.books.postings():
        posting = recorded.posting
        owners = {place.split(":")[1].split("/")[0] for place in (posting.debit, posting.credit)}
        mine = selection.tenant is None or posting.document in known or selection.tenant in owners
        if mine and selection.has_day(posting.day):
            yield (
                recorded.sequence, _moment(recorded.at_ns), posting.id, posting.kind.value,
                posting.debit, posting.credit, posting.debit.rsplit(":", 1)[1],
                exact(posting.pico), posting.hold or None, _day(posting.day),
                posting.document or None, posting.note,
            )  # fmt: skip


def _moment(time_ns: int) -> datetime:
    return _EPOCH + timedelta(microseconds=time_ns // 1000)


def _day(text: str) -> date | None:
    return date.fromisoformat(text) if text else None


def _columns(text: str) -> tuple[tuple[str, Cell], ...]:
    """Columns of `name kind` pairs; a name alone is text."""
    pairs = (part.split(":") for part in text.split())
    return tuple((name, Cell(kind[0]) if kind else Cell.TEXT) for name, *kind in pairs)


TABLES = (
    Table(
        name="documents",
        columns=_columns(
            "document number kind tenant period_start:moment period_end:moment day:day "
            "issued:moment currency due:day subtotal:exact credits_used:exact net:exact "
            "tax_rate:exact tax:exact total:exact residue:exact refers_to reason"
        ),
        rows=_documents,
    ),
    Table(
        name="document-lines",
        columns=_columns(
            "document number tenant line:whole group text month model meter accelerator contract "
            "charge adjustments tier:whole price_version quantity:exact unit unit_price:exact "
            "price_unit price_currency exact:exact currency amount:exact residue:exact"
        ),
        rows=_lines,
    ),
    Table(
        name="rated-lines",
        columns=_columns(
            "document number line:whole tenant meter model accelerator month status billed:truth "
            "contract adjustments tier:whole price_version since:moment currency unit_price:exact "
            "price_unit quantity:whole unit amount:exact"
        ),
        rows=_rated,
    ),
    Table(
        name="postings",
        columns=_columns(
            "sequence:whole at:moment posting kind debit credit currency amount:exact hold "
            "day:day document note"
        ),
        rows=_postings,
    ),
)
"""All tables. Of a payment, `documents` has the amount below zero as total, and what it names."""


def plain(value: Any) -> str:
    """A value as CSV has it: decimals in full, moments with their zone, nothing for none."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    return str(value)
