"""Reconciling: events, rated lines, documents, postings and journal, each with the next."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from neocloud.books.accounts import AccountKind, Books, Document, Posting, account_id
from neocloud.books.contracts import month_at
from neocloud.books.invoices import Invoice, Kind
from neocloud.books.invoices.money import exact, pico_of
from neocloud.books.journal import Stated, body_of, day_of, gather, make_journal, stated
from neocloud.books.payments import Payment
from neocloud.books.reconcile.numbers import closed_differences, number_differences
from neocloud.books.reconcile.papers import document_differences, note_differences
from neocloud.books.reconcile.posted import journal_differences, posting_differences
from neocloud.books.reconcile.rated import (
    BilledMonth,
    CorrectedSource,
    RatedMonth,
    rated_again,
    requests_in,
)
from neocloud.books.reconcile.records import (
    Difference,
    DocumentChain,
    Finding,
    Level,
    MonthChain,
    Reconciliation,
)
from neocloud.books.reconcile.scope import Scope
from neocloud.books.reconcile.use import chain_of, use_differences

_LEVELS = tuple(Level)


class _Papers(msgspec.Struct, frozen=True, kw_only=True):
    """Documents in the order of issuing, with what they hold; how many cannot be read."""

    documents: tuple[Document, ...]
    bodies: Mapping[str, Invoice | Payment]
    stated: tuple[Stated, ...]
    unread: int


def reconcile(
    books: Books, source: CorrectedSource, cloud: str, scope: Scope, what: str = ""
) -> Reconciliation:
    """Compare every step with the next and name what differs.

    Events are read once, a month at a time; no more than sums and seals of them is kept.

    Args:
        books: the books.
        source: the ledger.
        cloud: its name.
        scope: which months, documents and postings are looked at. Numbers are always looked at.
        what: the period, as it was asked for.

    Raises:
        UnpricedModelError, UnpricedHoursError: use of a closed month has no price.
        LedgerError, BooksError: they cannot be read.
    """
    found: list[Difference] = []
    papers = _read(books, found)
    shown = [d for d in papers.documents if scope.has_document(d)]
    found += _of_documents(books, papers, shown, scope)
    chains: list[MonthChain] = []
    events = 0
    for rated in _rated(books, source, papers, scope):
        mine = [d for d in papers.documents if d.draft.tenant == rated.tenant]
        events += requests_in(rated.seal)
        if not rated.gone:
            chains.append(chain_of(rated, mine))
        found += use_differences(rated, mine)
    accounts = {each.id: each for each in books.accounts()}
    postings = [recorded.posting for recorded in books.postings()]
    tenants = {d.draft.id: d.draft.tenant for d in papers.documents}
    found += posting_differences(papers.stated, postings, accounts, scope, tenants)
    if not papers.unread:
        material = gather(books, None, scope.tenant)
        journal = make_journal(material, cloud, None, "")
        found += journal_differences(journal, material.accounts.values())
    found += (
        Difference(level=Level.ACCOUNTS, finding=Finding.DIFFERENT, subject="books", text=told)
        for told in books.check()
    )
    return Reconciliation(
        cloud=cloud,
        period=what,
        tenant=scope.tenant or "",
        agrees=not any(each.is_fault for each in found),
        events=events,
        documents=len(shown),
        postings=len(postings),
        months=tuple(sorted(chains, key=lambda c: (c.tenant, c.month))),
        chains=tuple(_chains(papers, shown, postings)),
        differences=tuple(sorted(found, key=_order)),
    )


def _order(each: Difference) -> tuple[object, ...]:
    return not each.is_fault, _LEVELS.index(each.level), each.tenant, each.month, each.subject


def _read(books: Books, found: list[Difference]) -> _Papers:
    documents, bodies, said = [], {}, []
    unread = 0
    for document in books.documents():
        try:
            body, state = body_of(document), stated(document)
        except msgspec.DecodeError as error:
            found.append(
                Difference(
                    level=Level.DOCUMENTS,
                    finding=Finding.DIFFERENT,
                    subject=document.draft.id,
                    tenant=document.draft.tenant,
                    text=f"document {document.name or document.draft.id} cannot be read: {error}",
                )
            )
            unread += 1
            continue
        if body is not None and state is not None:
            documents.append(document)
            bodies[document.draft.id] = body
            said.append(state)
    return _Papers(documents=tuple(documents), bodies=bodies, stated=tuple(said), unread=unread)


def _of_documents(
    books: Books, papers: _Papers, shown: Sequence[Document], scope: Scope
) -> Iterator[Difference]:
    by_name = {document.name: document for document in papers.documents if document.name}
    yield from number_differences(papers.documents)
    by_id = {document.draft.id: document for document in papers.documents}
    yield from closed_differences(list(books.closed()), by_id, scope)
    for document in shown:
        body = papers.bodies[document.draft.id]
        if isinstance(body, Invoice):
            yield from document_differences(document, body)
            if body.kind is Kind.CREDIT_NOTE:
                yield from note_differences(document, body, by_name.get(body.refers_to))
        elif body.invoice and body.invoice not in by_name:
            yield Difference(
                level=Level.DOCUMENTS,
                finding=Finding.MISSING,
                subject=body.invoice,
                tenant=body.tenant,
                text=f"invoice {body.invoice}, which payment {body.id} names, is not there",
            )


def _rated(
    books: Books, source: CorrectedSource, papers: _Papers, scope: Scope
) -> Iterator[RatedMonth]:
    """The closed months within the scope, by what the invoice that closed each kept."""
    issued = {
        (document.draft.tenant, seal.month): document.issued_ns
        for document in papers.documents
        for seal in document.draft.seals
    }
    named: dict[tuple[str, str], set[str]] = {}
    for document in papers.documents:
        for line in filter(lambda line: line.version, document.draft.lines):
            named.setdefault((line.tenant, line.month), set()).add(line.version)
    bases: dict[str, dict[str, BilledMonth]] = {}
    for period in books.closed(scope.tenant):
        month = month_at(period.start_ns)
        body = papers.bodies.get(period.document)
        if isinstance(body, Invoice) and scope.has_month(month):
            bases.setdefault(month, {})[period.tenant] = BilledMonth(
                basis=body.basis,
                issued_ns=issued.get((period.tenant, month), 0),
                versions=frozenset({body.basis.price_version})
                | named.get((period.tenant, month), set()),
            )
    kept = books.versions()
    for month in sorted(bases):
        yield from rated_again(source, month, bases[month], kept)


def _chains(
    papers: _Papers, shown: Sequence[Document], postings: Sequence[Posting]
) -> Iterator[DocumentChain]:
    moved: dict[tuple[str, str], int] = {}
    for posting in postings:
        for place, pico in ((posting.debit, posting.pico), (posting.credit, -posting.pico)):
            key = posting.document, place
            moved[key] = moved.get(key, 0) + pico
    for document in shown:
        body = papers.bodies[document.draft.id]
        owed = account_id(AccountKind.RECEIVABLE, document.draft.tenant, body.currency)
        total = -body.amount if isinstance(body, Payment) else body.total
        yield DocumentChain(
            document=document.name or document.draft.id,
            tenant=document.draft.tenant,
            day=day_of(document),
            currency=body.currency,
            total=exact(pico_of(total)),
            posted=exact(moved.get((document.draft.id, owed), 0)),
        )
