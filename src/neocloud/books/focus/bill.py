"""What becomes rows: documents with a number, and the use of tenants whose month is open."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

import msgspec

from neocloud.books.accounts import Document
from neocloud.books.contracts import Terms, month_at, terms_of
from neocloud.books.invoices import CreditUse, Invoice, Kind, Line, presented
from neocloud.books.invoices.lines import lines_of
from neocloud.books.invoices.money import Exchange, exact, exchange_of
from neocloud.books.prices import price_version
from neocloud.books.rating import RatedLine
from neocloud.spec import Cloud
from neocloud.units import format_utc


class Bill(msgspec.Struct, frozen=True, kw_only=True):
    """One tenant's charges of a month, invoiced or not.

    Attributes:
        month: billing period.
        covers: month that it was made for; of a credit note that of its invoice.
        tenant: id of the tenant.
        name: of the tenant.
        seller: who sends it.
        exchange: into the tenant's currency.
        version: id of the prices that held where a line names none.
        terms: of contracts, by name.
        minimum: least of a month's spend, in the tenant's currency; 0 for none.
        lines: charges.
        credits: prepaid credits.
        tax: on all of it.
        tax_rate: share.
        number: of the document; empty while the month is open.
        is_credit_note: True of a document that takes another back.
        reference: number of the invoice that it is about.
        issued: moment of issue, UTC; empty before.
        due: day by which to pay, UTC; empty for none.
        payment_days: days until then.
        total: what it asks for; None while the month is open.
    """

    month: str
    covers: str
    tenant: str
    name: str
    seller: str
    exchange: Exchange
    version: str
    terms: Mapping[str, Terms]
    minimum: Decimal = Decimal(0)
    lines: tuple[Line, ...]
    credits: tuple[CreditUse, ...] = ()
    tax: Decimal = Decimal(0)
    tax_rate: Decimal = Decimal(0)
    number: str = ""
    is_credit_note: bool = False
    reference: str = ""
    issued: str = ""
    due: str = ""
    payment_days: int = 0
    total: Decimal | None = None


def billing_month(document: Document) -> str:
    """Month that a document's charges belong to: an invoice closes it, a credit note falls in it.

    What a credit note takes back was invoiced for a month that is closed, and stays as it is.
    """
    is_note = document.draft.kind == Kind.CREDIT_NOTE
    return month_at(document.issued_ns if is_note else document.draft.start_ns)


def bill_of(document: Document) -> Bill:
    """A document with a number."""
    invoice: Invoice = presented(document)
    rates = {each.currency: each.rate for each in invoice.basis.exchange_rates}
    return Bill(
        month=billing_month(document),
        covers=month_at(document.draft.start_ns),
        tenant=invoice.tenant,
        name=invoice.buyer.name or invoice.tenant,
        seller=invoice.seller.name,
        exchange=Exchange(currency=invoice.currency, rates=rates),
        version=invoice.basis.price_version,
        terms={terms.name: terms for terms in invoice.basis.terms},
        minimum=exact(invoice.basis.minimum_spend_pico),
        lines=invoice.lines,
        credits=invoice.credits,
        tax=invoice.tax,
        tax_rate=invoice.tax_rate,
        number=invoice.number or "",
        is_credit_note=invoice.kind is Kind.CREDIT_NOTE,
        reference=invoice.refers_to or invoice.number or "",
        issued=format_utc(document.issued_ns),
        due=f"{invoice.due}T00:00:00Z" if invoice.due else "",
        payment_days=invoice.payment_days,
        total=invoice.total,
    )


def open_bill(cloud: Cloud, tenant: str, month: str, rated: tuple[RatedLine, ...]) -> Bill:
    """A tenant's use of a month that has no invoice yet; what closing adds is not in it."""
    stated = cloud.tenants[tenant]
    exchange = exchange_of(cloud, stated.currency)
    return Bill(
        month=month,
        covers=month,
        tenant=tenant,
        name=stated.name or tenant,
        seller=cloud.billing.seller or cloud.name,
        exchange=exchange,
        version=price_version(cloud).id,
        terms={t.name: t for t in terms_of(cloud) if t.prices.tenant == tenant},
        minimum=stated.minimum_spend_per_month,
        lines=lines_of(rated, (), exchange, month),
    )
