"""Postings beside what documents say is posted, and the journal beside both."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from neocloud.books.accounts import Account, Posting, PostingKind
from neocloud.books.invoices.money import exact
from neocloud.books.journal import Journal, Stated, account_name
from neocloud.books.journal.names import COMMODITY_NAMES
from neocloud.books.reconcile.records import Difference, Finding, Level
from neocloud.books.reconcile.scope import Scope

_FIELDS = ("kind", "debit", "credit", "day", "document", "note")


def posting_differences(
    stated: Iterable[Stated],
    postings: Iterable[Posting],
    accounts: Mapping[str, Account],
    scope: Scope,
    documents: Mapping[str, str],
) -> Iterator[Difference]:
    """Postings that are missing, changed, or that no document tells of.

    Args:
        stated: by all documents.
        postings: all of the books.
        accounts: that are open, by id.
        scope: what is looked at.
        documents: tenant by id of the document.
    """
    should = {p.id: p for each in stated for p in (*each.grants, *each.postings)}
    seen = set()
    for posting in postings:
        if posting.kind in (PostingKind.HOLD, PostingKind.RELEASE):
            continue  # nothing moved
        seen.add(posting.id)
        if not _within(posting, scope, documents):
            continue
        other = should.get(posting.id)
        if other is None:
            yield _told(
                posting,
                Finding.EXTRA,
                posting.pico,
                f"of {_amount(posting)} from "
                f"{posting.credit} to {posting.debit} belongs to no document",
                documents,
            )
        elif posting != other:
            yield _told(
                posting,
                Finding.DIFFERENT,
                posting.pico - other.pico,
                _changed(posting, other),
                documents,
            )
    for id_, posting in should.items():
        if _within(posting, scope, documents):
            if id_ not in seen:
                yield _told(
                    posting,
                    Finding.MISSING,
                    -posting.pico,
                    f"of {_amount(posting)} from {posting.credit} to {posting.debit} is missing",
                    documents,
                )
            for place in (posting.debit, posting.credit):
                if place not in accounts:
                    yield Difference(
                        level=Level.ACCOUNTS,
                        finding=Finding.MISSING,
                        subject=place,
                        text=f"account {place}, which posting {id_} needs, is not open",
                    )


def journal_differences(journal: Journal, accounts: Iterable[Account]) -> Iterator[Difference]:
    """Accounts of which the journal holds something else than the documents say."""
    ids = {account_name(each): each.id for each in accounts}
    held: dict[tuple[str, str], int] = {}
    for transaction in journal.transactions:
        for leg in transaction.legs:
            key = leg.account, leg.commodity
            held[key] = held.get(key, 0) + leg.count
    last = {}
    for each in journal.assertions:
        last[each.account, each.commodity] = each
    for key, each in last.items():
        apart = held.get(key, 0) - each.count
        if apart and each.commodity not in COMMODITY_NAMES:
            name = ids.get(each.account, each.account)
            yield Difference(
                level=Level.JOURNAL,
                finding=Finding.DIFFERENT,
                subject=name,
                text=f"account {name}: the journal has {exact(held.get(key, 0)):,f} "
                f"{each.commodity}, documents say {exact(each.count):,f}, {exact(apart):+,f} apart",
                currency=each.commodity,
                amount=exact(apart),
            )


def _within(posting: Posting, scope: Scope, documents: Mapping[str, str]) -> bool:
    return scope.has_day(posting.day) and scope.has_tenant(_tenant(posting, documents))


def _tenant(posting: Posting, documents: Mapping[str, str]) -> str:
    """By the document; of a grant, and where the document is gone, by the id's second part."""
    found = documents.get(posting.document)
    if found is not None:
        return found
    for part in ((posting.document or posting.id).split("/"), posting.debit.split(":")):
        if len(part) > 1:
            return part[1]
    return ""


def _changed(posting: Posting, other: Posting) -> str:
    told = [
        f"{field} {getattr(posting, field)!s} for {getattr(other, field)!s}"
        for field in _FIELDS
        if getattr(posting, field) != getattr(other, field)
    ]
    if posting.pico != other.pico:
        told.insert(0, f"{_amount(posting)} for {_amount(other)}")
    return f"differs from its document: {', '.join(told)}"


def _amount(posting: Posting) -> str:
    return f"{exact(posting.pico):,f} {_currency(posting)}"


def _currency(posting: Posting) -> str:
    return posting.debit.rsplit(":", 1)[-1]


def _told(
    posting: Posting, finding: Finding, pico: int, text: str, documents: Mapping[str, str]
) -> Difference:
    return Difference(
        level=Level.POSTINGS,
        finding=finding,
        subject=posting.id,
        tenant=_tenant(posting, documents),
        text=f"posting {posting.id} {text}",
        currency=_currency(posting) if pico else "",
        amount=exact(pico) if pico else None,
    )
