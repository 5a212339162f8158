"""The books in an SQLite file beside the ledger."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec

from neocloud.books.accounts.change import (
    SqliteChange,
    overdue,
    read_balance,
    read_document,
    read_lines,
    read_seals,
)
from neocloud.books.accounts.checking import check_books, contents_of
from neocloud.books.accounts.records import (
    SCHEMA,
    Account,
    Balance,
    ClosedPeriod,
    Document,
    Recorded,
)
from neocloud.books.accounts.store import BooksContents, BooksError
from neocloud.books.accounts.tables import (
    DOCUMENT,
    POSTING,
    STATEMENTS,
    TO_SECOND,
    account_of,
    closed_of,
    document_of,
    recorded_of,
)
from neocloud.books.prices import PriceVersion
from neocloud.books.rating import RatedLine
from neocloud.ledger import LedgerPlace
from neocloud.units import Period

_BUSY_S = 10.0
"""How long a change waits for another process's."""
_FIRST = "neocloud.books/1"
_VERSION = msgspec.json.Decoder(PriceVersion)


def books_path(place: LedgerPlace) -> Path:
    """The file of the books of a ledger: beside it, or beside its segments if it is a server."""
    beside = place.segments if place.path is None else place.path
    return beside.with_name(beside.name + ".books")


def keep_version(place: LedgerPlace, version: PriceVersion, now_ns: int) -> None:
    """Keep a price version beside a ledger, before anything is admitted under it.

    Raises:
        BooksError: the books cannot be written.
    """
    books = SqliteBooks(books_path(place))
    try:
        with books.change(now_ns) as change:
            change.keep_version(version)
    finally:
        books.close()


class SqliteBooks:
    """Implements `Books` in the file `path`.

    The file is made by the first change; reading before it raises `BooksError`. WAL mode: readers
    hold up no change. A change is on the disk when it ends (`synchronous = FULL`).
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._connection: sqlite3.Connection | None = None

    @contextmanager
    def change(self, now_ns: int) -> Iterator[SqliteChange]:
        """See `Books`."""
        with self._failures():
            connection = self._connected()
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield SqliteChange(connection, now_ns)
                connection.execute("COMMIT")
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")

    def account(self, account_id: str) -> Account | None:
        """See `Books`."""
        rows = self._rows("SELECT * FROM accounts WHERE id = ?", (account_id,))
        return next((account_of(row) for row in rows), None)

    def accounts(self) -> Iterator[Account]:
        """See `Books`."""
        yield from map(account_of, self._rows("SELECT * FROM accounts ORDER BY id"))

    def balance(self, account_id: str, now_ns: int) -> Balance:
        """See `Books`."""
        with self._moment() as connection:
            kept = read_balance(connection, account_id)
            over = overdue(connection, now_ns)
        debits = sum(posting.pico for posting in over if posting.debit == account_id)
        credits_ = sum(posting.pico for posting in over if posting.credit == account_id)
        return msgspec.structs.replace(
            kept,
            pending_debits=kept.pending_debits - debits,
            pending_credits=kept.pending_credits - credits_,
        )

    def postings(
        self, *, account: str | None = None, document: str | None = None
    ) -> Iterator[Recorded]:
        """See `Books`."""
        conditions, values = ["1"], []
        if account is not None:
            conditions.append("(debit = ? OR credit = ?)")
            values += [account, account]
        if document is not None:
            conditions.append("document = ?")
            values.append(document)
        where = " AND ".join(conditions)
        query = f"SELECT {POSTING} FROM postings WHERE {where} ORDER BY sequence"  # noqa: S608
        yield from map(recorded_of, self._rows(query, values))

    def documents(self, tenant: str | None = None) -> Iterator[Document]:
        """See `Books`."""
        where, values = ("", ()) if tenant is None else ("WHERE tenant = ?", (tenant,))
        query = f"SELECT {DOCUMENT} FROM documents {where} ORDER BY place"  # noqa: S608
        for row in self._rows(query, values):
            with self._failures():
                lines = read_lines(self._opened(), row[2])
                seals = read_seals(self._opened(), row[2])
            yield document_of(row, lines, seals)

    def document(self, document_id: str) -> Document | None:
        """See `Books`."""
        with self._moment() as connection:
            return read_document(connection, document_id)

    def closed(self, tenant: str | None = None) -> Iterator[ClosedPeriod]:
        """See `Books`."""
        where, values = ("", ()) if tenant is None else ("WHERE tenant = ?", (tenant,))
        query = f"SELECT * FROM closed {where} ORDER BY tenant, start_ns"  # noqa: S608
        yield from map(closed_of, self._rows(query, values))

    def billed(self, period: Period, tenant: str | None = None) -> Iterator[RatedLine]:
        """See `Books`."""
        query = (
            "SELECT id FROM documents WHERE number IS NOT NULL AND start_ns >= ? AND end_ns <= ? "
            "AND (? IS NULL OR tenant = ?) ORDER BY place"
        )
        values = (period.start_ns, period.end_ns, tenant, tenant)
        for (document_id,) in self._rows(query, values):
            with self._failures():  # what was issued stays: no moment is needed
                lines = read_lines(self._opened(), document_id)
            yield from lines

    def versions(self) -> Mapping[str, PriceVersion]:
        """See `Books`."""
        rows = self._rows("SELECT id, content FROM versions ORDER BY id")
        return {id_: _VERSION.decode(content) for id_, content in rows}

    def contents(self) -> BooksContents:
        """See `Books`."""
        with self._moment() as connection:
            return contents_of(connection)

    def check(self) -> tuple[str, ...]:
        """See `Books`."""
        with self._moment() as connection:
            return tuple(check_books(connection))

    def close(self) -> None:
        """See `Books`."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _rows(self, query: str, values: Iterable[object] = ()) -> list[tuple[Any, ...]]:
        """All rows at once: a change may go on while they are looked at."""
        with self._failures():
            return self._opened().execute(query, tuple(values)).fetchall()

    @contextmanager
    def _moment(self) -> Iterator[sqlite3.Connection]:
        """The books as of now, or within a change as it has made them."""
        with self._failures():
            connection = self._opened()
            if connection.in_transaction:
                yield connection
                return
            connection.execute("BEGIN")
            try:
                yield connection
            finally:
                connection.execute("ROLLBACK")

    def _opened(self) -> sqlite3.Connection:
        """The connection to a file that is there."""
        if self._connection is None:
            if not self.path.exists():
                raise BooksError(f"no books at {self.path}; the first invoice makes them")
            connection = self._connect()
            found = _schema_of(connection)
            if found == _FIRST:
                found = _to_second(connection)
            if found != SCHEMA:
                connection.close()
                said = f"has schema {found}" if found else "is no books of neocloud"
                raise BooksError(f"{self.path} {said}; this version reads and writes {SCHEMA}")
            self._connection = connection
        return self._connection

    def _connected(self) -> sqlite3.Connection:
        """The connection to the file, which is made if it is not there."""
        if self._connection is None:
            # Made only where it is missing: closing a file gives up all locks that this process
            # holds on it (POSIX), those of another connection of SQLite's too.
            with suppress(FileExistsError):
                os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
            connection = self._connect()
            try:
                if not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                    _make(connection)
            finally:
                connection.close()
        return self._opened()

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self.path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False
        )
        connection.execute("PRAGMA synchronous = FULL")
        return connection

    @contextmanager
    def _failures(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError, msgspec.DecodeError) as error:
            raise BooksError(f"{self.path}: {error}") from error


def _schema_of(connection: sqlite3.Connection) -> str:
    try:
        row = connection.execute("SELECT schema FROM meta").fetchone()
    except sqlite3.OperationalError as error:
        if "no such table" not in str(error):
            raise
        row = None
    return "" if row is None else str(row[0])


def _to_second(connection: sqlite3.Connection) -> str:
    """Bring books of the first schema to the second, unless another process has done it."""
    connection.execute("BEGIN IMMEDIATE")
    if _schema_of(connection) == _FIRST:
        for statement in TO_SECOND:
            connection.execute(statement)
        connection.execute("UPDATE meta SET schema = ?", (SCHEMA,))
    connection.execute("COMMIT")
    return _schema_of(connection)


def _make(connection: sqlite3.Connection) -> None:
    """Make the tables; of several processes that do it at once all but one find them there."""
    _to_wal(connection)
    connection.execute("BEGIN IMMEDIATE")
    if not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
        for statement in STATEMENTS:
            connection.execute(statement)
        connection.execute("INSERT INTO meta VALUES (?)", (SCHEMA,))
    connection.execute("COMMIT")


def _to_wal(connection: sqlite3.Connection) -> None:
    """Switch to WAL; SQLite does not wait by itself where two processes do this at once."""
    for left in reversed(range(int(_BUSY_S / 0.02))):
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError:
            if not left:
                raise
            time.sleep(0.02)
        else:
            return
