"""Booking a payment, once."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from neocloud.books.accounts import (
    AccountKind,
    Books,
    ConflictError,
    Document,
    Draft,
    Posting,
    RefusedError,
    account,
    account_id,
)
from neocloud.books.invoices import Kind
from neocloud.books.payments.records import KIND, Payment, UnknownInvoiceError
from neocloud.units import Amount, minor_digits, parse_period

_LONGEST_ID = 100


def payment_document_id(payment_id: str) -> str:
    """Id of the document that a payment is in the books."""
    return f"payment/{payment_id}"


def payment_of(document: Document) -> Payment:
    """The payment that a document of its kind holds."""
    return msgspec.json.decode(document.draft.body, type=Payment)


def checked(payment: Payment, today: str) -> Payment:
    """A payment with the decimals of its currency.

    Raises:
        RefusedError: amount, day or id cannot be those of a payment.
        MoneyError: the currency is none.
    """
    digits = minor_digits(payment.currency)
    if not payment.amount.is_finite() or payment.amount <= 0:
        raise RefusedError(f"an amount of {payment.amount} is no payment; it must be above 0")
    amount = Amount.of(payment.amount, payment.currency)
    if amount.rounded() != amount:
        raise RefusedError(f"{payment.amount} {payment.currency} has more than {digits} decimals")
    if payment.day > today:
        raise RefusedError(f"{payment.day} is yet to come; book a payment once it is there")
    if not payment.id.strip() or not payment.id.isprintable() or len(payment.id) > _LONGEST_ID:
        raise RefusedError(f"an id has 1 to {_LONGEST_ID} printable characters")
    # Not by `quantize`: it refuses amounts of more than 28 digits.
    cents = amount.pico // (10 ** (12 - digits))
    sign, found, _ = Decimal(cents).as_tuple()
    return msgspec.structs.replace(payment, amount=Decimal((sign, found, -digits)))


def posting_of_payment(payment: Payment) -> Posting:
    """Cash comes, and less is owed: more than is owed stays as the tenant's credit."""
    return Posting(
        id=payment_document_id(payment.id),
        debit=account_id(AccountKind.CASH, payment.tenant, payment.currency),
        credit=account_id(AccountKind.RECEIVABLE, payment.tenant, payment.currency),
        pico=Amount.of(payment.amount, payment.currency).pico,
        day=payment.day,
        document=payment_document_id(payment.id),
        note=f"payment {payment.id}",
    )


def record_payment(books: Books, payment: Payment, today: str, now_ns: int) -> bool:
    """Book a payment, all of it or nothing; again, nothing changes.

    Returns:
        True if it is new, False if it was booked already.

    Raises:
        UnknownInvoiceError: the tenant has not got the invoice that it names, or none in its
            currency.
        ConflictError: another payment was booked under its id.
        RefusedError, MoneyError: it is none.
        BooksError: the books cannot be read or written.
    """
    asked = checked(payment, today)
    with books.change(now_ns) as change:
        known = books.document(payment_document_id(asked.id))
        if known is not None:
            booked = payment_of(known)
            if booked != asked:
                raise ConflictError(
                    f"payment {asked.id} was booked as {booked.amount} {booked.currency} of "
                    f"{booked.tenant} on {booked.day}{_for(booked)}; it does not change, and "
                    "another payment needs another id"
                )
            return False
        _check_invoice(books, asked)
        for kind in (AccountKind.CASH, AccountKind.RECEIVABLE):
            change.open_account(account(kind, asked.tenant, asked.currency))
        change.post(posting_of_payment(asked))
        day = parse_period(asked.day)
        change.issue(
            Draft(
                id=payment_document_id(asked.id),
                kind=KIND,
                series="",
                tenant=asked.tenant,
                start_ns=day.start_ns,
                end_ns=day.end_ns,
                body=msgspec.Raw(msgspec.json.encode(asked)),
            )
        )
    return True


def _for(payment: Payment) -> str:
    return f" for {payment.invoice}" if payment.invoice else ""


class _Currency(msgspec.Struct, frozen=True):
    """Of a document no more than its currency."""

    currency: str


def _check_invoice(books: Books, payment: Payment) -> None:
    """Refuse money for what was never invoiced: a preview or a specimen has no number."""
    found = {
        document.name: msgspec.json.decode(document.draft.body, type=_Currency).currency
        for document in books.documents(payment.tenant)
        if document.number is not None and document.draft.kind == Kind.INVOICE
    }
    if not found:
        raise UnknownInvoiceError(
            f"{payment.tenant} has no invoice; what is paid ahead is a credit of the file "
            "(tenants.<name>.prepaid_credits), and specimens are not paid"
        )
    if payment.invoice and payment.invoice not in found:
        last = list(found)[-1]
        raise UnknownInvoiceError(
            f"{payment.tenant} has no invoice {payment.invoice}; its last is {last}"
        )
    currencies = {found[payment.invoice]} if payment.invoice else set(found.values())
    if payment.currency not in currencies:
        which = payment.invoice or f"invoices of {payment.tenant}"
        raise UnknownInvoiceError(
            f"{which} in {', '.join(sorted(currencies))}, the payment in {payment.currency}: book "
            "what the bank credited in that currency"
        )
