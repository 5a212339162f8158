"""The books in an SQLite file beside the ledger."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from neocloud.books.accounts.change import SqlChange
from neocloud.books.accounts.reading import SqlBooks
from neocloud.books.accounts.records import SCHEMA
from neocloud.books.accounts.store import BooksError
from neocloud.books.accounts.tables import STATEMENTS, TO_SECOND
from neocloud.ledger import LedgerError, LedgerPlace
from neocloud.ledger.read_only import ReadOnlyFile

_BUSY_S = 10.0
"""How long a change waits for another process's."""
_FIRST = "neocloud.books/1"
_NO_SEALS = "CREATE TEMP TABLE seals (document TEXT, month TEXT, seal BLOB)"
"""What books of the first schema lack, for a connection that only reads."""


def books_path(place: LedgerPlace) -> Path:
    """The file of the books of a ledger: beside it, or beside its segments if it is a server."""
    beside = place.segments if place.path is None else place.path
    return beside.with_name(beside.name + ".books")


class SqliteBooks(SqlBooks):
    """Implements `Books` in the file `path`.

    The file is made by the first change; reading before it raises `BooksError`. Reading writes
    nothing, nor does it bring an earlier schema up to this one: a change does. WAL mode: readers
    hold up no change. A change is on the disk when it ends (`synchronous = FULL`).
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._connection: sqlite3.Connection | None = None  # since the first change
        self._reading: ReadOnlyFile | None = None

    @contextmanager
    def change(self, now_ns: int) -> Iterator[SqlChange]:
        """See `Books`."""
        with self._failures():
            connection = self._connected()
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield SqlChange(connection, now_ns)
                connection.execute("COMMIT")
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")

    def close(self) -> None:
        """See `Books`."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
        self._forget()

    def begun(self) -> bool:
        """See `Books`."""
        return self.path.exists()

    def check(self) -> tuple[str, ...]:
        """See `Books`."""
        with self._moment() as connection:
            rows = connection.execute("PRAGMA quick_check")
            damage = [f"the file is damaged: {told}" for (told,) in rows if told != "ok"]
        return (*damage, *super().check())

    @contextmanager
    def _moment(self) -> Iterator[sqlite3.Connection]:
        """The books as of now, or within a change as it has made them."""
        with self._failures():
            connection = self._opened() if self._connection is None else self._connection
            if connection.in_transaction:
                yield connection
                return
            connection.execute("BEGIN")
            try:
                yield connection
            finally:
                connection.execute("ROLLBACK")
            if self._reading is not None and self._reading.unchanging:
                self._reading.check()
                self._forget()  # what is written later is seen by a new one

    def _opened(self) -> sqlite3.Connection:
        """A connection that reads a file that is there."""
        if self._reading is None:
            if not self.path.exists():
                raise BooksError(f"no books at {self.path}; the first invoice makes them")
            file = ReadOnlyFile(self.path, _BUSY_S)
            try:
                found = _schema_of(file.connection)
                if found == _FIRST:
                    file.connection.execute(_NO_SEALS)
                else:
                    self._check(found)
            except BaseException:
                file.close()
                raise
            self._reading = file
        return self._reading.connection

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
                found = _schema_of(connection)
                self._check(_to_second(connection) if found == _FIRST else found)
            except BaseException:
                connection.close()
                raise
            self._connection = connection
            self._forget()
        return self._connection

    def _forget(self) -> None:
        """Let go of what was opened for reading."""
        file, self._reading = self._reading, None
        if file is not None:
            file.close()

    def _check(self, found: str) -> None:
        if found != SCHEMA:
            said = f"has schema {found}" if found else "is no books of neocloud"
            raise BooksError(f"{self.path} {said}; this version reads and writes {SCHEMA}")

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
        except LedgerError as error:
            raise BooksError(str(error)) from None
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
