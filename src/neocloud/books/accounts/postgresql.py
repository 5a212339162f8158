"""The books in PostgreSQL: a schema of their own in the database of the ledger.

Needs the extra `postgresql`, whose driver the ledger's link loads.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import msgspec

from neocloud.books.accounts.change import SqlChange
from neocloud.books.accounts.reading import SqlBooks
from neocloud.books.accounts.records import SCHEMA
from neocloud.books.accounts.sql import Rows, Sql
from neocloud.books.accounts.store import BooksError
from neocloud.books.accounts.tables import FIXED, TABLES
from neocloud.ledger import LedgerError
from neocloud.ledger.postgresql.link import Link

if TYPE_CHECKING:
    import psycopg

_CHANGING = 0x6E656F62
"""Of the advisory lock that lets changes follow each other."""
_TYPES = {
    " WITHOUT ROWID": "",
    " INTEGER": " bigint",
    " BLOB": " bytea",
    # Ids are ordered by their bytes, as in SQLite: the hash of the books depends on it.
    " TEXT": ' text COLLATE "C"',
}
_IMMUTABLE = """
CREATE FUNCTION immutable() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION '% are immutable', TG_TABLE_NAME; END $$
"""


class PostgresqlBooks(SqlBooks):
    """Implements `Books` in the schema `neocloud_books` of a database.

    The tables are made by the first change; reading before it raises `BooksError`. A change is on
    the server's disk when it ends. A server that is gone or silent raises `BooksError` too.

    Args:
        url: of the database, see `Link`.

    Raises:
        LedgerError: the URL cannot be read, or the driver is not installed.
    """

    def __init__(self, url: str) -> None:
        self._link = Link(url)
        self._changing: _Statements | None = None

    @contextmanager
    def change(self, now_ns: int) -> Iterator[SqlChange]:
        """See `Books`."""
        assert self._changing is None, "a change within a change"
        with self._transaction() as statements:
            statements.execute("SELECT pg_advisory_xact_lock(?)", (_CHANGING,))
            if not _made(statements):
                _make(statements)
            self._check(statements)
            self._changing = statements
            try:
                yield SqlChange(statements, now_ns)
            finally:
                self._changing = None

    def begun(self) -> bool:
        """See `Books`."""
        with self._transaction() as statements:
            return _made(statements)

    def close(self) -> None:
        """See `Books`."""
        self._link.close()

    @contextmanager
    def _moment(self) -> Iterator[Sql]:
        """See `SqlBooks`."""
        if self._changing is not None:
            yield self._changing
            return
        with self._transaction() as statements:
            statements.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            if not _made(statements):
                raise BooksError(f"no books in {self._link.name}; the first invoice makes them")
            self._check(statements)
            yield statements

    def _check(self, statements: Sql) -> None:
        (found,) = statements.execute("SELECT schema FROM meta").fetchone()
        if found != SCHEMA:
            raise BooksError(
                f"{self._link.name} has books of schema {found}; this version reads and writes "
                f"{SCHEMA}"
            )

    @contextmanager
    def _transaction(self) -> Iterator[_Statements]:
        try:
            with self._link.writing() as connection:
                statements = _Statements(self._link, connection)
                statements.execute("SET LOCAL search_path = neocloud_books, pg_temp")
                yield statements
        except (LedgerError, msgspec.DecodeError) as error:
            raise BooksError(f"{error}") from error


class _Statements:
    """Implements `Sql`: values as PostgreSQL's driver marks them, each answer in time."""

    def __init__(self, link: Link, connection: psycopg.Connection[Any]) -> None:
        self._link = link
        self._connection = connection

    def execute(self, sql: str, parameters: Any = (), /) -> Rows:
        """See `Sql`."""
        with self._link.in_time():
            marked = sql.replace("?", "%s").encode() if parameters else sql.encode()
            return self._connection.execute(marked, tuple(parameters) or None)

    def executemany(self, sql: str, parameters: Iterable[Any], /) -> None:
        """See `Sql`."""
        rows = [tuple(row) for row in parameters]
        if rows:
            with self._link.in_time(), self._connection.cursor() as cursor:
                cursor.executemany(sql.replace("?", "%s").encode(), rows)


def _made(statements: Sql) -> bool:
    (found,) = statements.execute("SELECT to_regclass('neocloud_books.meta')").fetchone()
    return found is not None


def _make(statements: Sql) -> None:
    statements.execute("CREATE SCHEMA IF NOT EXISTS neocloud_books")
    tables = ";\n".join(TABLES)
    for ours, theirs in _TYPES.items():
        tables = tables.replace(ours, theirs)
    for statement in tables.split(";\n"):
        statements.execute(statement)
    statements.execute(_IMMUTABLE)
    for table in FIXED:
        statements.execute(
            f"CREATE TRIGGER {table}_row BEFORE UPDATE OR DELETE ON {table} "
            "FOR EACH ROW EXECUTE FUNCTION immutable()"
        )
        statements.execute(
            f"CREATE TRIGGER {table}_all BEFORE TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION immutable()"
        )
    statements.execute("INSERT INTO meta VALUES (?)", (SCHEMA,))
