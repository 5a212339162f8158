"""Invoices and credit notes: what a tenant owes, closed once, shown in several forms."""

from neocloud.books.invoices.assess import Assessment, Office, assess, difference, issued_to
from neocloud.books.invoices.balance import (
    CreditBalances,
    CreditNow,
    OpenMonth,
    TenantCredits,
    tenant_credits,
)
from neocloud.books.invoices.close import (
    NotClosableError,
    close_month,
    closed_month,
    invoice_id,
    presented,
)
from neocloud.books.invoices.credit_note import (
    CreditedError,
    NoInvoiceError,
    credit_invoice,
    credit_note_of,
    note_id,
    series_of,
)
from neocloud.books.invoices.csv_rows import invoice_csv
from neocloud.books.invoices.earlier import left_behind
from neocloud.books.invoices.html import invoice_html
from neocloud.books.invoices.make import made_of, preview
from neocloud.books.invoices.pdf import MissingReportlabError, invoice_pdf
from neocloud.books.invoices.records import (
    SCHEMA,
    Carbon,
    CreditUse,
    Invoice,
    Kind,
    Line,
    LineGroup,
    Party,
    UnknownTenantError,
)
from neocloud.books.invoices.text import invoice_text
from neocloud.books.invoices.use import Source

__all__ = [
    "SCHEMA",
    "Assessment",
    "Carbon",
    "CreditBalances",
    "CreditNow",
    "CreditUse",
    "CreditedError",
    "Invoice",
    "Kind",
    "Line",
    "LineGroup",
    "MissingReportlabError",
    "NoInvoiceError",
    "NotClosableError",
    "Office",
    "OpenMonth",
    "Party",
    "Source",
    "TenantCredits",
    "UnknownTenantError",
    "assess",
    "close_month",
    "closed_month",
    "credit_invoice",
    "credit_note_of",
    "difference",
    "invoice_csv",
    "invoice_html",
    "invoice_id",
    "invoice_pdf",
    "invoice_text",
    "issued_to",
    "left_behind",
    "made_of",
    "note_id",
    "presented",
    "preview",
    "series_of",
    "tenant_credits",
]
