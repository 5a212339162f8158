"""All that a journal is made of, read from books and ledger."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from neocloud.books.accounts import (
    Account,
    AccountKind,
    Books,
    Document,
    Posting,
    PostingKind,
    Seal,
    account,
)
from neocloud.books.invoices import Invoice, Source
from neocloud.books.journal.expected import Stated, body_of, stated
from neocloud.books.journal.metered import sealed_now
from neocloud.books.journal.names import account_name, use_name
from neocloud.books.journal.quantities import (
    USE,
    billed_legs,
    metered_transaction,
    unbilled,
)
from neocloud.books.journal.records import Leg, Transaction
from neocloud.books.payments import Payment
from neocloud.units import format_utc

_TAGS = {"invoice": "invoice", "credit_note": "credit-note", "payment": "payment"}
_OWNED = frozenset(
    {
        AccountKind.CASH, AccountKind.RECEIVABLE, AccountKind.PREPAID, AccountKind.CARRIED,
        AccountKind.GOODWILL,
    }
)  # fmt: skip
"""Accounts whose owner is a tenant, or begins with one."""


class Material(msgspec.Struct, frozen=True, kw_only=True):
    """All that a journal is made of: the whole books of the tenants, whatever the period.

    Attributes:
        accounts: of the books, those that documents need included, by id.
        transactions: all, in their order.
        stated: what the documents say, in the order of issuing.
        waiting: what must wait to be billed at the end, by name of the account and commodity.
        expired: prepaid accounts whose credit has expired, with the first day without it.
    """

    accounts: Mapping[str, Account]
    transactions: tuple[Transaction, ...]
    stated: tuple[Stated, ...]
    waiting: Mapping[tuple[str, str], int]
    expired: Mapping[str, str]


def gather(books: Books, source: Source | None, tenant: str | None = None) -> Material:
    """Read books and ledger.

    Args:
        books: the books.
        source: the ledger; None to leave quantities out.
        tenant: only this one's documents, postings and use.

    Raises:
        LedgerError, BooksError: they cannot be read.
    """
    accounts = {each.id: each for each in books.accounts()}
    documents = list(books.documents(tenant))
    transactions: list[Transaction] = []
    waiting: dict[tuple[str, str], int] = {}
    if source is not None:
        now: dict[str, dict[str, Seal]] = {}
        for month, seals in sealed_now(source, books.closed(tenant)):
            for name, seal in seals.items():
                transactions.append(metered_transaction(name, month, seal))
                now.setdefault(name, {})[month] = msgspec.structs.replace(seal, cells=())
        for name, seals_of in now.items():
            found = unbilled([d for d in documents if d.draft.tenant == name], seals_of)
            for (owner, commodity), count in (found or {}).items():
                waiting[use_name(USE, name, owner), commodity] = count
    transactions += _of_books(books, accounts, documents, tenant, quantities=source is not None)
    said = tuple(found for found in map(stated, documents) if found is not None)
    for each in said:
        accounts |= {needed.id: needed for needed in each.accounts}
    return Material(
        accounts=accounts,
        transactions=tuple(sorted(transactions, key=lambda t: (t.day, t.rank, t.id))),
        stated=said,
        waiting=waiting,
        expired=_expired(documents),
    )


def _of_books(
    books: Books,
    accounts: Mapping[str, Account],
    documents: Sequence[Document],
    tenant: str | None,
    *,
    quantities: bool,
) -> Iterator[Transaction]:
    """A transaction for each document, and for each posting that belongs to none."""
    by_document: dict[str, list[Posting]] = {}
    known = {document.draft.id for document in documents}
    for recorded in books.postings():
        posting = recorded.posting
        if posting.kind in (PostingKind.HOLD, PostingKind.RELEASE):
            continue  # nothing moved
        owners = {_tenant_of(accounts.get(place)) for place in (posting.debit, posting.credit)}
        if tenant is not None and posting.document not in known and tenant not in owners:
            continue
        key = posting.document if posting.document in known else f"posting/{posting.id}"
        by_document.setdefault(f"{posting.day} {key}", []).append(posting)
    for document in documents:
        found = stated(document)
        if found is not None:
            by_document.setdefault(f"{found.day} {document.draft.id}", [])
    by_id = {document.draft.id: document for document in documents}
    for place, postings in by_document.items():
        day, key = place.split(" ", 1)
        one = by_id.get(key)
        legs = [leg for posting in postings for leg in _legs(posting, accounts)]
        if one is None:
            yield Transaction(
                day=day, rank=1, id=key, tag="posting", tenant=_named(postings[0], accounts),
                text=postings[0].note or postings[0].id, document=postings[0].document,
                legs=tuple(legs),
            )  # fmt: skip
        else:
            more = billed_legs(one) if quantities else ()
            yield _document(one, day, (*legs, *more))


def _document(document: Document, day: str, legs: tuple[Leg, ...]) -> Transaction:
    body = body_of(document)
    links = [document.name] if document.name else []
    if isinstance(body, Payment):
        text = f"Payment {body.id}"
        links += [body.invoice] if body.invoice else []
    else:
        assert isinstance(body, Invoice)
        links += [body.refers_to] if body.refers_to else []
        period = format_utc(document.draft.start_ns)[:7]
        text = f"{'Credit note' if body.refers_to else 'Invoice'} {document.name}, {period}"
    return Transaction(
        day=day, rank=2, id=document.draft.id, tag=_TAGS[document.draft.kind],
        tenant=document.draft.tenant, text=text, links=tuple(links), document=document.draft.id,
        legs=legs,
    )  # fmt: skip


def _legs(posting: Posting, accounts: Mapping[str, Account]) -> Iterator[Leg]:
    for place, sign in ((posting.debit, 1), (posting.credit, -1)):
        of = accounts.get(place) or _unopened(place)
        yield Leg(
            account=account_name(of), commodity=of.currency, count=sign * posting.pico,
            posting=posting.id, note=posting.note if sign == 1 else "",
        )  # fmt: skip


def _unopened(place: str) -> Account:
    """An account whose row is gone: its id says all of it but its limit."""
    kind, rest = place.split(":", 1)
    owner, currency = rest.rsplit(":", 1)
    return account(AccountKind(kind), owner, currency)


def _tenant_of(of: Account | None) -> str:
    return of.owner.split("/")[0] if of is not None and of.kind in _OWNED else ""


def _named(posting: Posting, accounts: Mapping[str, Account]) -> str:
    names = (_tenant_of(accounts.get(place)) for place in (posting.debit, posting.credit))
    return next(filter(None, names), "")


def _expired(documents: Iterable[Document]) -> dict[str, str]:
    found = {}
    for document in documents:
        body = body_of(document)
        if isinstance(body, Invoice):
            for credit in body.credits:
                if credit.expires:
                    owner = f"{document.draft.tenant}/{credit.name}"
                    place = account(AccountKind.PREPAID, owner, body.currency).id
                    found[place] = credit.expires
    return found
