"""What documents say should be in the accounts: each document's postings, made out again.

Journal and reconciliation hold the accounts against this.
"""

from __future__ import annotations

import msgspec

from neocloud.books.accounts import (
    Account,
    AccountKind,
    Document,
    Posting,
    account,
    account_id,
)
from neocloud.books.invoices import Invoice, Kind
from neocloud.books.invoices.postings import (
    accounts_of,
    entries_of,
    expiry_of,
    grant_of,
    postings_of,
)
from neocloud.books.payments import KIND as PAYMENT
from neocloud.books.payments import Payment, payment_of, posting_of_payment
from neocloud.units import Amount, format_utc

_STATED = frozenset({AccountKind.RECEIVABLE, AccountKind.TAX, AccountKind.ROUNDING})
"""Of these an invoice states the sum itself: that is taken, not the sum of its lines."""


class Stated(msgspec.Struct, frozen=True, kw_only=True):
    """What a document says of the accounts.

    Attributes:
        day: accounting date.
        postings: that belong to it.
        grants: postings that granted its credits; other documents may state the same.
        accounts: that they need.
        sums: debits less credits by account, 1e-12: of receivables, tax and rounding as the
            document states them.
    """

    day: str
    postings: tuple[Posting, ...]
    grants: tuple[Posting, ...] = ()
    accounts: tuple[Account, ...]
    sums: tuple[tuple[str, int], ...]


def body_of(document: Document) -> Invoice | Payment | None:
    """The invoice, credit note or payment that a document holds; None of another kind.

    Raises:
        msgspec.DecodeError, msgspec.ValidationError: it is none.
    """
    if document.draft.kind == PAYMENT:
        return payment_of(document)
    if document.draft.kind in (Kind.INVOICE, Kind.CREDIT_NOTE):
        return msgspec.json.decode(document.draft.body, type=Invoice)
    return None


def day_of(document: Document) -> str:
    """Accounting date: an invoice's is the last day of its period, a note's that of its issue."""
    if document.draft.kind == Kind.CREDIT_NOTE:
        return format_utc(document.issued_ns)[:10]
    if document.draft.kind == PAYMENT:
        return format_utc(document.draft.start_ns)[:10]
    return format_utc(document.draft.end_ns - 1)[:10]


def stated(document: Document) -> Stated | None:
    """What a document says of the accounts; None of one that says nothing."""
    body = body_of(document)
    if isinstance(body, Payment):
        return _payment(body)
    return None if body is None else _invoice(document, body)


def _payment(payment: Payment) -> Stated:
    posting = posting_of_payment(payment)
    kinds = (AccountKind.CASH, AccountKind.RECEIVABLE)
    return Stated(
        day=payment.day,
        postings=(posting,),
        accounts=tuple(account(kind, payment.tenant, payment.currency) for kind in kinds),
        sums=((posting.debit, posting.pico), (posting.credit, -posting.pico)),
    )


def _invoice(document: Document, body: Invoice) -> Stated:
    day, tenant, currency = day_of(document), document.draft.tenant, body.currency
    entries = list(entries_of(body))
    granted: list[Posting] = []
    accounts: set[Account] = set()
    if body.kind is Kind.INVOICE:
        expired = (expiry_of(tenant, credit, currency) for credit in body.credits)
        entries += [entry for entry in expired if entry is not None]
        for credit in body.credits:
            needed, posting = grant_of(tenant, credit, currency)
            accounts |= set(needed)
            granted.append(posting)
    own = postings_of(document.draft.id, entries, day)
    accounts |= set(accounts_of(entries))
    sums = {
        account_id(AccountKind.RECEIVABLE, tenant, currency): _pico(body, "total"),
        account_id(AccountKind.TAX, "", currency): -_pico(body, "tax"),
        account_id(AccountKind.ROUNDING, "", currency): -_pico(body, "residue"),
    }
    kinds = {each.id: each.kind for each in accounts}
    for posting in own:
        for place, pico in ((posting.debit, posting.pico), (posting.credit, -posting.pico)):
            if kinds[place] not in _STATED:
                sums[place] = sums.get(place, 0) + pico
    return Stated(
        day=day,
        postings=own,
        grants=tuple(granted),
        accounts=tuple(sorted(accounts)),
        sums=tuple((place, pico) for place, pico in sums.items() if pico),
    )


def _pico(body: Invoice, field: str) -> int:
    return Amount.of(getattr(body, field), body.currency).pico
