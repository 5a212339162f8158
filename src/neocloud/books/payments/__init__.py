"""Payments: booked once, allotted to invoices, and what is still owed, by age."""

from neocloud.books.payments.allot import Claim, Paid, allot, receivables
from neocloud.books.payments.record import (
    payment_document_id,
    payment_of,
    posting_of_payment,
    record_payment,
)
from neocloud.books.payments.records import (
    KIND,
    SCHEMA,
    Ages,
    Allotment,
    OpenInvoice,
    Payment,
    Receivables,
    UnknownInvoiceError,
)

__all__ = [
    "KIND",
    "SCHEMA",
    "Ages",
    "Allotment",
    "Claim",
    "OpenInvoice",
    "Paid",
    "Payment",
    "Receivables",
    "UnknownInvoiceError",
    "allot",
    "payment_document_id",
    "payment_of",
    "posting_of_payment",
    "receivables",
    "record_payment",
]
