"""Payments, what they pay, and what tenants still owe, by age."""

from __future__ import annotations

from decimal import Decimal

import msgspec

SCHEMA = "neocloud.receivables/1"
KIND = "payment"
"""Kind of the document that a payment is in the books."""


class UnknownInvoiceError(ValueError):
    """The tenant has no such invoice, or none at all; a specimen is none."""


class Payment(msgspec.Struct, frozen=True, kw_only=True):
    """Money that a tenant paid. It is booked once under its id, and does not change.

    Attributes:
        id: as the bank has it: unique forever.
        tenant: who paid.
        amount: above 0, with no more decimals than the currency has.
        currency: ISO 4217.
        day: when it came, `2026-11-20`.
        invoice: number of the invoice that it names; empty for none.
    """

    id: str
    tenant: str
    amount: Decimal
    currency: str
    day: str
    invoice: str = ""


class Allotment(msgspec.Struct, frozen=True, kw_only=True):
    """What of a payment, or of an invoice below zero, pays an invoice.

    Attributes:
        source: id of the payment, or number of the invoice below zero.
        is_payment: which of the two.
        invoice: number of the invoice that it pays.
        amount: of it.
    """

    source: str
    is_payment: bool
    invoice: str
    amount: Decimal


class OpenInvoice(msgspec.Struct, frozen=True, kw_only=True):
    """How an invoice stands.

    Attributes:
        number: its number.
        tenant: who owes it.
        currency: of the amounts.
        issued, due: days.
        total: as invoiced.
        credited: taken back by a credit note.
        paid: by what was allotted to it.
        open: total less both.
        days_late: days since it was due; 0 where it is not due yet or nothing is open.
    """

    number: str
    tenant: str
    currency: str
    issued: str
    due: str
    total: Decimal
    credited: Decimal
    paid: Decimal
    open: Decimal
    days_late: int


class Ages(msgspec.Struct, frozen=True, kw_only=True):
    """What a tenant owes in a currency, by days since it was due.

    Attributes:
        tenant: tenant id.
        currency: of the amounts.
        not_due: open and not due yet.
        late_30, late_60, late_90: due since 1 to 30, 31 to 60, 61 to 90 days.
        late_more: due for longer.
        on_account: paid, or credited by an invoice below zero, and not used up yet.
        balance: the sum of what is open less what is on account: the tenant's receivable.
    """

    tenant: str
    currency: str
    not_due: Decimal
    late_30: Decimal
    late_60: Decimal
    late_90: Decimal
    late_more: Decimal
    on_account: Decimal
    balance: Decimal


class Receivables(msgspec.Struct, frozen=True, kw_only=True):
    """What `neocloud payment list` shows.

    Attributes:
        schema: name and version of this form.
        cloud: name of the cloud.
        as_of: day; what was issued or paid later is left out.
        payments: by day and id.
        allotments: what they pay.
        invoices: in the order of issuing.
        ages: by tenant and currency.
    """

    schema: str = SCHEMA
    cloud: str
    as_of: str
    payments: tuple[Payment, ...]
    allotments: tuple[Allotment, ...]
    invoices: tuple[OpenInvoice, ...]
    ages: tuple[Ages, ...]
