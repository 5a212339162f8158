"""What payments pay, worked out of all payments and invoices: not by the order of their booking.

An invoice below zero, as corrections make it, pays others like a payment does.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal

import msgspec

from neocloud.books.accounts import Books
from neocloud.books.invoices import Invoice, Kind, presented
from neocloud.books.payments.record import payment_of
from neocloud.books.payments.records import (
    KIND,
    Ages,
    Allotment,
    OpenInvoice,
    Payment,
    Receivables,
)
from neocloud.units import Amount, minor_digits


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """An invoice and how much of it was credited.

    Attributes:
        invoice: as issued.
        credited_pico: taken back, 1e-12 of its currency; below zero of an invoice below zero.
    """

    invoice: Invoice
    credited_pico: int = 0

    @property
    def number(self) -> str:
        """Of the invoice."""
        return self.invoice.number or ""

    @property
    def due_pico(self) -> int:
        """Total less what was credited."""
        return Amount.of(self.invoice.total, self.invoice.currency).pico - self.credited_pico


class Paid(msgspec.Struct, frozen=True, kw_only=True):
    """So much of a source for an invoice, 1e-12; a source that is no payment is an invoice."""

    source: str
    is_payment: bool
    invoice: str
    pico: int


class _Source(msgspec.Struct, frozen=True, kw_only=True, order=True):
    day: str
    id: str
    is_payment: bool
    named: str
    pico: int


def allot(claims: Sequence[Claim], payments: Iterable[Payment]) -> tuple[Paid, ...]:
    """Allot payments of one tenant and currency.

    First what names an invoice pays it, as far as it is open. Then all that is left pays the oldest
    open invoice, and the next, in the order of days and ids. What remains stays on account.

    Args:
        claims: in the order of issuing.
        payments: each once, in any order.
    """
    left = {claim.number: claim.due_pico for claim in claims if claim.due_pico > 0}
    sources = [
        _Source(
            day=p.day,
            id=p.id,
            is_payment=True,
            named=p.invoice,
            pico=Amount.of(p.amount, p.currency).pico,
        )
        for p in payments
    ]
    sources += [
        _Source(day=c.invoice.issued, id=c.number, is_payment=False, named="", pico=-c.due_pico)
        for c in claims
        if c.due_pico < 0
    ]
    sources.sort()
    unused = [source.pico for source in sources]
    found: dict[tuple[str, bool, str], int] = {}
    for by_name in (True, False):
        for place, source in enumerate(sources):
            for number in [source.named] if by_name else list(left):
                pico = min(unused[place], left.get(number, 0))
                if pico:
                    unused[place] -= pico
                    left[number] -= pico
                    pair = source.id, source.is_payment, number
                    found[pair] = found.get(pair, 0) + pico
    return tuple(
        Paid(source=s, is_payment=p, invoice=n, pico=pico) for (s, p, n), pico in found.items()
    )


def receivables(
    books: Books | None, cloud: str, as_of: str, tenant: str | None = None
) -> Receivables:
    """Payments, what they pay, what is open and how old it is.

    Args:
        books: None before the first invoice.
        cloud: its name.
        as_of: day; what was issued or paid later does not count.
        tenant: only this one's.

    Raises:
        BooksError: they cannot be read.
    """
    claims, payments = _read(books, as_of, tenant)
    invoices: list[OpenInvoice] = []
    allotments: list[Allotment] = []
    ages: list[Ages] = []
    for of in sorted(claims.keys() | payments.keys()):
        mine, paid = claims.get(of, []), payments.get(of, [])
        found = allot(mine, paid)
        allotments += [
            Allotment(
                source=f.source,
                is_payment=f.is_payment,
                invoice=f.invoice,
                amount=_shown(f.pico, of[1]),
            )
            for f in found
        ]
        stands = [_standing(claim, found, as_of) for claim in mine]
        invoices += stands
        came = sum(Amount.of(p.amount, p.currency).pico for p in paid)
        balance = sum(claim.due_pico for claim in mine) - came
        ages.append(_ages(of, stands, balance))
    return Receivables(
        cloud=cloud,
        as_of=as_of,
        payments=tuple(sorted((p for ps in payments.values() for p in ps), key=_by_day)),
        allotments=tuple(allotments),
        invoices=tuple(invoices),
        ages=tuple(ages),
    )


_Of = tuple[str, str]
"""Tenant and currency."""


def _by_day(payment: Payment) -> tuple[str, str]:
    return payment.day, payment.id


def _read(
    books: Books | None, as_of: str, tenant: str | None
) -> tuple[dict[_Of, list[Claim]], dict[_Of, list[Payment]]]:
    claims: dict[str, Claim] = {}
    payments: dict[_Of, list[Payment]] = {}
    for document in () if books is None else books.documents(tenant):
        if document.draft.kind == KIND:
            payment = payment_of(document)
            if payment.day <= as_of:
                payments.setdefault((payment.tenant, payment.currency), []).append(payment)
        elif document.number is not None:
            made = presented(document)
            if made.issued > as_of:
                continue
            if made.kind is Kind.CREDIT_NOTE:
                back = claims[made.refers_to]
                pico = -Amount.of(made.total, made.currency).pico
                claims[made.refers_to] = msgspec.structs.replace(
                    back, credited_pico=back.credited_pico + pico
                )
            else:
                claims[made.number or ""] = Claim(invoice=made)
    by: dict[_Of, list[Claim]] = {}
    for claim in claims.values():
        by.setdefault((claim.invoice.tenant, claim.invoice.currency), []).append(claim)
    return by, payments


def _standing(claim: Claim, found: Iterable[Paid], as_of: str) -> OpenInvoice:
    made = claim.invoice
    paid = sum(f.pico for f in found if f.invoice == claim.number)
    used = sum(f.pico for f in found if not f.is_payment and f.source == claim.number)
    open_pico = claim.due_pico - paid + used
    late = (date.fromisoformat(as_of) - date.fromisoformat(made.due)).days if made.due else 0
    return OpenInvoice(
        number=claim.number,
        tenant=made.tenant,
        currency=made.currency,
        issued=made.issued,
        due=made.due,
        total=made.total,
        credited=_shown(claim.credited_pico, made.currency),
        paid=_shown(paid - used, made.currency),
        open=_shown(open_pico, made.currency),
        days_late=max(0, late) if open_pico > 0 else 0,
    )


def _ages(of: _Of, stands: Iterable[OpenInvoice], balance: int) -> Ages:
    sums = [0] * 5
    for each in stands:
        pico = Amount.of(each.open, each.currency).pico
        if pico > 0:
            sums[min(4, (each.days_late + 29) // 30)] += pico
    shown = [_shown(pico, of[1]) for pico in sums]
    return Ages(
        tenant=of[0],
        currency=of[1],
        not_due=shown[0],
        late_30=shown[1],
        late_60=shown[2],
        late_90=shown[3],
        late_more=shown[4],
        on_account=_shown(sum(sums) - balance, of[1]),
        balance=_shown(balance, of[1]),
    )


def _shown(pico: int, currency: str) -> Decimal:
    """An amount of whole minor units, with the decimals of its currency."""
    digits = minor_digits(currency)
    sign, found, _ = Decimal(pico // 10 ** (12 - digits)).as_tuple()
    return Decimal((sign, found, -digits))
