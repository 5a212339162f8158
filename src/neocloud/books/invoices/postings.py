"""A document as double entry: what the tenant owes, what earned it, what pays for it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date

import msgspec

from neocloud.books.accounts import Account, AccountKind, Limit, Posting, account
from neocloud.books.contracts import ChargeKind
from neocloud.books.invoices.money import pico_of
from neocloud.books.invoices.records import CreditUse, Invoice, Line


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One posting with the accounts that it needs; a negative amount goes the other way."""

    name: str
    debit: Account
    credit: Account
    pico: int
    note: str


def entries_of(invoice: Invoice) -> tuple[Entry, ...]:
    """All entries of a document: they sum up to its total in the tenant's receivables.

    A line's exact amount goes to what earned it and its residue to rounding, so that both together
    are the amount that is owed.
    """
    return (*_lines(invoice), *_credits(invoice), *_tax(invoice))


def postings_of(
    document_id: str, entries: Sequence[Entry], day: str, *, back: bool = False
) -> tuple[Posting, ...]:
    """Postings of entries.

    Args:
        document_id: of the document that they belong to, part of their ids.
        entries: what to post.
        day: accounting date.
        back: True to take them back.
    """
    found = []
    for entry in entries:
        pico = -entry.pico if back else entry.pico
        debit, credit = (entry.debit, entry.credit) if pico > 0 else (entry.credit, entry.debit)
        if pico:
            found.append(
                Posting(
                    id=f"{document_id}/{entry.name}", debit=debit.id, credit=credit.id,
                    pico=abs(pico), day=day, document=document_id, note=entry.note,
                )
            )  # fmt: skip
    return tuple(found)


def accounts_of(entries: Sequence[Entry]) -> tuple[Account, ...]:
    """The accounts that entries need, each once."""
    return tuple(sorted({a for entry in entries for a in (entry.debit, entry.credit)}))


def grant_of(tenant: str, credit: CreditUse, currency: str) -> tuple[tuple[Account, ...], Posting]:
    """How a prepaid credit comes into the books: once, on its first day."""
    held = _prepaid(tenant, credit.name, currency)
    paid = credit.kind == "paid"
    source = account(AccountKind.CASH if paid else AccountKind.GOODWILL, tenant, currency)
    posting = Posting(
        id=f"grant/{tenant}/{credit.name}",
        debit=source.id,
        credit=held.id,
        pico=pico_of(credit.granted),
        day=credit.start,
        note=f"credit {credit.name}, {credit.kind}",
    )
    return (held, source), posting


def expiry_of(tenant: str, credit: CreditUse, currency: str) -> Entry | None:
    """What is left of a credit that has expired: earned where it was paid, else given no more."""
    if not credit.expired:
        return None
    kind = AccountKind.REVENUE if credit.kind == "paid" else AccountKind.GOODWILL
    owner = "expired" if credit.kind == "paid" else tenant
    return Entry(
        name=f"expired/{credit.name}",
        debit=_prepaid(tenant, credit.name, currency),
        credit=account(kind, owner, currency),
        pico=pico_of(credit.expired),
        note=f"credit {credit.name} expired on {date.fromisoformat(credit.expires)}",
    )


def _lines(invoice: Invoice) -> Iterator[Entry]:
    owed = account(AccountKind.RECEIVABLE, invoice.tenant, invoice.currency)
    rounding = account(AccountKind.ROUNDING, "", invoice.currency)
    for number, line in enumerate(invoice.lines, 1):
        residue = pico_of(line.residue)
        earned = pico_of(line.amount) - residue
        for name, other, pico in (
            (f"line/{number}", _earner(invoice, line), earned),
            (f"line/{number}/rounding", rounding, residue),
        ):
            yield Entry(name=name, debit=owed, credit=other, pico=pico, note=line.text)


def _earner(invoice: Invoice, line: Line) -> Account:
    if line.charge in (ChargeKind.PREPAYMENT, ChargeKind.RELEASE):
        # By exchange rates that change it may come to a little more than was paid.
        owner = f"{invoice.tenant}/contract/{line.contract}"
        return account(AccountKind.PREPAID, owner, invoice.currency, Limit.NONE)
    if line.charge is ChargeKind.SERVICE_CREDIT:
        return account(AccountKind.GOODWILL, invoice.tenant, invoice.currency)
    owner = line.contract or line.model or line.accelerator or "minimum-spend"
    return account(AccountKind.REVENUE, owner, invoice.currency)


def _credits(invoice: Invoice) -> Iterator[Entry]:
    owed = account(AccountKind.RECEIVABLE, invoice.tenant, invoice.currency)
    for credit in invoice.credits:
        yield Entry(
            name=f"credit/{credit.name}",
            debit=_prepaid(invoice.tenant, credit.name, invoice.currency),
            credit=owed,
            pico=pico_of(credit.used),
            note=f"credit {credit.name}",
        )


def _tax(invoice: Invoice) -> Iterator[Entry]:
    yield Entry(
        name="tax",
        debit=account(AccountKind.RECEIVABLE, invoice.tenant, invoice.currency),
        credit=account(AccountKind.TAX, "", invoice.currency),
        pico=pico_of(invoice.tax),
        note=f"tax, {invoice.tax_rate:%}",
    )


def _prepaid(tenant: str, name: str, currency: str) -> Account:
    return account(AccountKind.PREPAID, f"{tenant}/{name}", currency)
