"""Whether the books agree with themselves, and one hash of what they hold."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from itertools import pairwise

import msgspec

from neocloud.books.accounts.records import Balance, Posting, PostingKind
from neocloud.books.accounts.sql import Sql
from neocloud.books.accounts.store import BooksContents
from neocloud.books.accounts.tables import (
    DOCUMENT,
    POSTING,
    account_of,
    asked_of,
    balance_of,
    closed_of,
    encoded,
    recorded_of,
)

_SIDES = ("debits", "credits", "pending_debits", "pending_credits")


def contents_of(connection: Sql) -> BooksContents:
    """Counts and hash, each kind in the order of its ids."""
    digest = hashlib.sha256()

    def count(name: str, rows: Iterator[bytes]) -> int:
        digest.update(name.encode())
        number = 0
        for number, row in enumerate(rows, 1):  # noqa: B007 - the last is used
            digest.update(hashlib.sha256(row).digest())
        return number

    def documents() -> Iterator[bytes]:
        query = f"SELECT {DOCUMENT} FROM documents ORDER BY id"  # noqa: S608 - names of ours
        for number, _, *rest, body in connection.execute(query):
            lines = connection.execute(
                "SELECT line FROM billed WHERE document = ? ORDER BY place", (rest[0],)
            )
            billed = [bytes(line).decode() for (line,) in lines]
            seals = connection.execute(
                "SELECT seal FROM seals WHERE document = ? ORDER BY month", (rest[0],)
            )
            sealed = [bytes(seal).decode() for (seal,) in seals]
            yield msgspec.json.encode([number, rest, bytes(body).decode(), billed, sealed])

    postings = connection.execute(f"SELECT {POSTING} FROM postings ORDER BY id")  # noqa: S608
    accounts = connection.execute("SELECT * FROM accounts ORDER BY id")
    closed = connection.execute("SELECT * FROM closed ORDER BY tenant, start_ns")
    versions = connection.execute("SELECT content FROM versions ORDER BY id")
    return BooksContents(
        accounts=count("accounts", (encoded(account_of(row)) for row in accounts)),
        postings=count(
            "postings",
            (encoded(asked_of(row)) + encoded(recorded_of(row).posting) for row in postings),
        ),
        documents=count("documents", documents()),
        closed=count("closed", (encoded(closed_of(row)) for row in closed)),
        versions=count("versions", (bytes(content) for (content,) in versions)),
        sha256=digest.hexdigest(),
    )


def check_books(connection: Sql) -> Iterator[str]:
    """What contradicts itself, in words."""
    yield from _balances(connection)
    yield from _numbers(connection)
    yield from _periods(connection)
    for id_, content in connection.execute("SELECT id, content FROM versions ORDER BY id"):
        if not isinstance(content, bytes) or hashlib.sha256(content).hexdigest()[:16] != id_:
            yield f"price version {id_}: its content has another hash"


def _balances(connection: Sql) -> Iterator[str]:
    """Each account's sums are those of its postings."""
    sums: dict[str, dict[str, int]] = {}
    states = dict(connection.execute("SELECT id, state FROM holds").fetchall())
    holds = {PostingKind.HOLD, PostingKind.SETTLE, PostingKind.RELEASE}
    ends: dict[str, str] = {}
    query = f"SELECT {POSTING} FROM postings ORDER BY sequence"  # noqa: S608 - names of ours
    for place, row in enumerate(connection.execute(query), 1):
        posting = recorded_of(row).posting
        if row[0] != place:
            yield f"posting {posting.id}: it is number {row[0]}, and {place} postings are there"
            return
        if posting.kind is PostingKind.HOLD:
            if states.get(posting.id) == "open":
                _count(sums, posting, "pending_")
        else:
            _count(sums, posting, "")
        if posting.kind in holds - {PostingKind.HOLD}:
            if posting.hold in ends:
                yield f"posting {posting.id}: hold {posting.hold} was ended twice"
            ends[posting.hold] = "settled" if posting.kind is PostingKind.SETTLE else "released"
    for hold, state in states.items():
        if ends.get(hold, "") != (state if state in ("settled", "released") else ""):
            yield f"hold {hold} is called {state}, and its postings say otherwise"
    kept = {row[0]: balance_of(row[1:]) for row in connection.execute("SELECT * FROM balances")}
    for account in sorted(kept.keys() | sums.keys()):
        found = sums.get(account, {})
        made = Balance(**{side: found.get(side, 0) for side in _SIDES})
        if kept.get(account) != made:
            yield f"account {account}: its balance is not the sum of its postings"


def _count(sums: dict[str, dict[str, int]], posting: Posting, prefix: str) -> None:
    for account, side in ((posting.debit, "debits"), (posting.credit, "credits")):
        of = sums.setdefault(account, {})
        of[prefix + side] = of.get(prefix + side, 0) + posting.pico


def _numbers(connection: Sql) -> Iterator[str]:
    found: dict[str, list[int]] = {}
    query = "SELECT series, number FROM documents WHERE number IS NOT NULL ORDER BY number"
    for series, number in connection.execute(query):
        found.setdefault(series, []).append(number)
    given = dict(connection.execute("SELECT name, last FROM series").fetchall())
    for series in sorted(found.keys() | given.keys()):
        numbers, last = found.get(series, []), given.get(series, 0)
        missing = sorted(set(range(1, last + 1)) - set(numbers))
        if missing:
            yield f"series {series}: number {missing[0]} is not there, of {last} that were given"
        if numbers and numbers[-1] > last:
            yield f"series {series}: number {numbers[-1]} was never given, {last} is the last"


def _periods(connection: Sql) -> Iterator[str]:
    query = "SELECT tenant, start_ns, end_ns, document FROM closed ORDER BY tenant, start_ns"
    rows = [closed_of(row) for row in connection.execute(query)]
    for before, after in pairwise(rows):
        if before.tenant == after.tenant and after.start_ns < before.end_ns:
            yield f"{after.tenant}: two closed periods overlap"
    known = {id_ for (id_,) in connection.execute("SELECT id FROM documents")}
    for row in rows:
        if row.document and row.document not in known:
            yield f"{row.tenant}: a closed period names document {row.document}, which is not there"
