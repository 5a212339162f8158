"""Credit notes: an invoice is taken back as a whole, by a document of its own."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from neocloud.books.accounts import Books, Document, Draft
from neocloud.books.contracts import Charge
from neocloud.books.invoices.close import presented
from neocloud.books.invoices.postings import accounts_of, entries_of, postings_of
from neocloud.books.invoices.records import CreditUse, Invoice, Kind, Line
from neocloud.books.rating import RatedLine
from neocloud.units import format_utc

_TAKEN = "It takes back invoice {} as a whole. "
_AGAIN = "What it charged will be charged again on the next invoice."
_NEVER = "What it charged will not be charged again."


class NoInvoiceError(ValueError):
    """There is no invoice of that number."""


class CreditedError(ValueError):
    """The invoice was taken back already, for another reason or with another consequence."""


def series_of(invoice_series: str) -> str:
    """Series in which credit notes to invoices of a series are numbered."""
    return f"{invoice_series}-CN"


def note_id(invoice_id: str) -> str:
    """Id of the credit note that takes an invoice back."""
    return f"credit/{invoice_id}"


def credit_note_of(books: Books, invoice_id: str) -> Invoice | None:
    """The credit note that took an invoice back; None where it stands.

    Args:
        books: where it was issued.
        invoice_id: of the invoice, as `invoice_id` gives it.

    Raises:
        BooksError: the books cannot be read.
    """
    document = books.document(note_id(invoice_id))
    return None if document is None else presented(document)


def credit_invoice(
    books: Books, number: str, reason: str, now_ns: int, *, bill_again: bool
) -> Invoice:
    """Take an invoice back; again, it is the same credit note.

    All that the invoice posted is posted the other way round, so prepaid credits that it used are
    there again.

    Args:
        books: where it was issued.
        number: as `INV-000042`.
        reason: stands on the note.
        now_ns: when.
        bill_again: True if what it charged counts as not charged from now on: the tenant's next
            invoice charges it again, by the prices that hold then for what was corrected. False if
            the tenant is never charged for it again.

    Raises:
        NoInvoiceError: no such invoice.
        CreditedError: it was taken back before, and not in the same way.
        BooksError: the books cannot be read or written.
    """
    with books.change(now_ns) as change:
        found = _invoice(books, number)
        name = note_id(found.draft.id)
        known = books.document(name)
        if known is not None:
            return _same(presented(known), number, reason, bill_again=bill_again)
        invoice = presented(found)
        entries = entries_of(invoice)
        for each in accounts_of(entries):
            change.open_account(each)
        day = format_utc(now_ns)[:10]
        change.post(*postings_of(name, entries, day, back=True))
        issued = change.issue(
            Draft(
                id=name,
                kind=Kind.CREDIT_NOTE.value,
                series=series_of(found.draft.series),
                tenant=found.draft.tenant,
                start_ns=found.draft.start_ns,
                end_ns=found.draft.end_ns,
                body=msgspec.Raw(
                    msgspec.json.encode(_note(invoice, reason, bill_again=bill_again))
                ),
                lines=tuple(map(_back, found.draft.lines)) if bill_again else (),
            )
        )
    return presented(issued)


def _same(note: Invoice, number: str, reason: str, *, bill_again: bool) -> Invoice:
    """The note that there is, if it is the one that was asked for."""
    if note.reason == reason and note.notes == (_says(number, bill_again=bill_again),):
        return note
    raise CreditedError(
        f"{number} was taken back already by {note.number} of {note.issued} ({note.reason}). "
        f"{note.notes[0].removeprefix(_TAKEN.format(number))} A note that is issued does not change"
    )


def _says(number: str, *, bill_again: bool) -> str:
    """What the note says of its consequence."""
    return _TAKEN.format(number) + (_AGAIN if bill_again else _NEVER)


def _invoice(books: Books, number: str) -> Document:
    known = []
    for document in books.documents():
        if document.number is not None and document.draft.kind == Kind.INVOICE:
            if document.name == number:
                return document
            known.append(document.name)
    last = f"the last is {known[-1]}" if known else "none was issued"
    raise NoInvoiceError(f"no invoice {number}: {last}")


def _back(line: RatedLine) -> RatedLine:
    return msgspec.structs.replace(line, quantity=-line.quantity, pico=-line.pico)


def _charge_back(charge: Charge) -> Charge:
    return msgspec.structs.replace(charge, quantity=-charge.quantity, pico=-charge.pico)


def _line_back(line: Line) -> Line:
    return msgspec.structs.replace(
        line,
        quantity=None if line.quantity is None else _negative(line.quantity),
        exact=_negative(line.exact),
        amount=_negative(line.amount),
        residue=_negative(line.residue),
    )


def _credit_back(credit: CreditUse) -> CreditUse:
    """A credit that the invoice used, given back."""
    return msgspec.structs.replace(
        credit,
        before=credit.before - credit.used,
        used=_negative(credit.used),
        left=credit.before,
        expired=Decimal(0),
    )


def _negative(value: Decimal) -> Decimal:
    """The negative of a decimal; of 0 it is 0, never -0."""
    return value.copy_abs() if not value else value.copy_negate()


def _note(invoice: Invoice, reason: str, *, bill_again: bool) -> Invoice:
    used = tuple(_credit_back(credit) for credit in invoice.credits if credit.used)
    back = tuple(map(_charge_back, invoice.basis.charges)) if bill_again else ()
    return msgspec.structs.replace(
        invoice,
        kind=Kind.CREDIT_NOTE,
        number=None,
        issued="",
        due="",
        refers_to=invoice.number or "",
        reason=reason,
        lines=tuple(map(_line_back, invoice.lines)),
        subtotal=_negative(invoice.subtotal),
        credits=used,
        credits_used=_negative(invoice.credits_used),
        net=_negative(invoice.net),
        tax=_negative(invoice.tax),
        total=_negative(invoice.total),
        residue=_negative(invoice.residue),
        contracts=(),
        carbon=None,
        notes=(_says(invoice.number or "", bill_again=bill_again),),
        basis=msgspec.structs.replace(invoice.basis, charges=back),
    )
