"""Tables of the books, and rows to records and back.

Amounts are text: 1e-12 of a currency in 64 bits would end at nine million.
"""

from __future__ import annotations

from typing import Any

import msgspec

from neocloud.books.accounts.records import (
    Account,
    AccountKind,
    Balance,
    ClosedPeriod,
    Document,
    Draft,
    Limit,
    Posting,
    PostingKind,
    Recorded,
)
from neocloud.books.accounts.seal import Seal
from neocloud.books.rating import RatedLine

FIXED = ("accounts", "postings", "documents", "billed", "seals", "closed", "versions")
"""Tables whose rows are written once: the database itself refuses to change or delete them."""

TABLES = """
CREATE TABLE meta (schema TEXT NOT NULL);
CREATE TABLE accounts (
    id TEXT PRIMARY KEY, kind TEXT NOT NULL, owner TEXT NOT NULL, currency TEXT NOT NULL,
    most TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE balances (
    account TEXT PRIMARY KEY, debits TEXT NOT NULL, credits TEXT NOT NULL,
    pending_debits TEXT NOT NULL, pending_credits TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE postings (
    sequence INTEGER PRIMARY KEY, at_ns INTEGER NOT NULL, id TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL, debit TEXT NOT NULL, credit TEXT NOT NULL, pico TEXT NOT NULL,
    hold TEXT NOT NULL, timeout_s INTEGER NOT NULL, day TEXT NOT NULL, document TEXT NOT NULL,
    note TEXT NOT NULL, asked TEXT NOT NULL);
CREATE INDEX postings_debit ON postings (debit);
CREATE INDEX postings_credit ON postings (credit);
CREATE INDEX postings_document ON postings (document);
CREATE TABLE holds (id TEXT PRIMARY KEY, expires_ns INTEGER, state TEXT NOT NULL) WITHOUT ROWID;
CREATE INDEX holds_open ON holds (expires_ns) WHERE state = 'open';
CREATE TABLE documents (
    place INTEGER PRIMARY KEY, issued_ns INTEGER NOT NULL, number INTEGER,
    id TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, series TEXT NOT NULL, tenant TEXT NOT NULL,
    start_ns INTEGER NOT NULL, end_ns INTEGER NOT NULL, body BLOB NOT NULL,
    UNIQUE (series, number));
CREATE TABLE series (name TEXT PRIMARY KEY, last INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE billed (
    document TEXT NOT NULL, place INTEGER NOT NULL, line BLOB NOT NULL,
    PRIMARY KEY (document, place)) WITHOUT ROWID;
CREATE TABLE seals (
    document TEXT NOT NULL, month TEXT NOT NULL, seal BLOB NOT NULL,
    PRIMARY KEY (document, month)) WITHOUT ROWID;
CREATE TABLE closed (
    tenant TEXT NOT NULL, start_ns INTEGER NOT NULL, end_ns INTEGER NOT NULL,
    document TEXT NOT NULL, PRIMARY KEY (tenant, start_ns)) WITHOUT ROWID;
CREATE TABLE versions (id TEXT PRIMARY KEY, content BLOB NOT NULL) WITHOUT ROWID
""".strip().split(";\n")
"""A statement each, in SQLite's words."""

STATEMENTS = (
    *TABLES,
    *(
        f"CREATE TRIGGER {table}_{act.lower()} BEFORE {act} ON {table} "
        f"BEGIN SELECT RAISE(ABORT, '{table} are immutable'); END"
        for table in FIXED
        for act in ("UPDATE", "DELETE")
    ),
)
"""Make an empty database into books."""

TO_SECOND = tuple(statement for statement in STATEMENTS if " seals" in statement)
"""Make books of the first schema, which had no seals, into those of the second."""

POSTING = (
    "sequence, at_ns, id, kind, debit, credit, pico, hold, timeout_s, day, document, note, asked"
)
DOCUMENT = "number, issued_ns, id, kind, series, tenant, start_ns, end_ns, body"

_LINE = msgspec.json.Decoder(RatedLine)
_SEAL = msgspec.json.Decoder(Seal)


def recorded_of(row: tuple[Any, ...]) -> Recorded:
    """A row of the columns `POSTING`."""
    sequence, at_ns, id_, kind, debit, credit, pico, hold, timeout_s, day, document, note, _ = row
    return Recorded(
        sequence=sequence,
        at_ns=at_ns,
        posting=Posting(
            id=id_, kind=PostingKind(kind), debit=debit, credit=credit, pico=int(pico), hold=hold,
            timeout_s=timeout_s, day=day, document=document, note=note,
        ),
    )  # fmt: skip


def asked_of(row: tuple[Any, ...]) -> Posting:
    """The posting of such a row as its caller gave it."""
    posting = recorded_of(row).posting
    if posting.kind in (PostingKind.SETTLE, PostingKind.RELEASE):
        return msgspec.structs.replace(posting, debit="", credit="", pico=int(row[-1]))
    return posting


def account_of(row: tuple[Any, ...]) -> Account:
    """A row of `accounts`."""
    id_, kind, owner, currency, most = row
    return Account(
        id=id_, kind=AccountKind(kind), owner=owner, currency=currency, limit=Limit(most)
    )


def balance_of(row: tuple[Any, ...] | None) -> Balance:
    """The sums of a row of `balances`, all zero of none."""
    return Balance() if row is None else Balance(
        debits=int(row[0]), credits=int(row[1]),
        pending_debits=int(row[2]), pending_credits=int(row[3]),
    )  # fmt: skip


def document_of(
    row: tuple[Any, ...], lines: tuple[RatedLine, ...], seals: tuple[Seal, ...]
) -> Document:
    """A row of the columns `DOCUMENT`, with its lines and seals."""
    number, issued_ns, id_, kind, series, tenant, start_ns, end_ns, body = row
    return Document(
        number=number,
        issued_ns=issued_ns,
        draft=Draft(
            id=id_, kind=kind, series=series, tenant=tenant, start_ns=start_ns, end_ns=end_ns,
            body=msgspec.Raw(body), lines=lines, seals=seals,
        ),
    )  # fmt: skip


def closed_of(row: tuple[Any, ...]) -> ClosedPeriod:
    """A row of `closed`."""
    tenant, start_ns, end_ns, document = row
    return ClosedPeriod(tenant=tenant, start_ns=start_ns, end_ns=end_ns, document=document)


def line_of(blob: bytes) -> RatedLine:
    """A line as it lies in `billed`."""
    return _LINE.decode(blob)


def seal_of(blob: bytes) -> Seal:
    """A seal as it lies in `seals`."""
    return _SEAL.decode(blob)


def encoded(record: msgspec.Struct) -> bytes:
    """A record as it lies in a column, and in the hash: the same bytes everywhere."""
    return msgspec.json.encode(record, order="deterministic")
