"""Reading the books, whichever database they are in."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any

import msgspec

from neocloud.books.accounts.change import (
    SqlChange,
    overdue,
    read_balance,
    read_document,
    read_lines,
    read_seals,
)
from neocloud.books.accounts.checking import check_books, contents_of
from neocloud.books.accounts.records import (
    Account,
    Balance,
    ClosedPeriod,
    Document,
    Recorded,
)
from neocloud.books.accounts.sql import Sql
from neocloud.books.accounts.store import BooksContents
from neocloud.books.accounts.tables import (
    DOCUMENT,
    POSTING,
    account_of,
    closed_of,
    document_of,
    recorded_of,
)
from neocloud.books.prices import PriceVersion
from neocloud.books.rating import RatedLine
from neocloud.units import Period

_VERSION = msgspec.json.Decoder(PriceVersion)


class SqlBooks(ABC):
    """Implements `Books` but for what a database has of its own: transactions, and where it is."""

    @abstractmethod
    def change(self, now_ns: int) -> AbstractContextManager[SqlChange]:
        """See `Books`."""

    @abstractmethod
    def begun(self) -> bool:
        """See `Books`."""

    @abstractmethod
    def close(self) -> None:
        """See `Books`."""

    @abstractmethod
    def _moment(self) -> AbstractContextManager[Sql]:
        """The books as of now, or within a change as it has made them.

        Raises:
            BooksError: there are none, or they cannot be read; also of what is raised within.
        """

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
        conditions, values = ["1 = 1"], []
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
            with self._moment() as connection:
                lines = read_lines(connection, row[2])
                seals = read_seals(connection, row[2])
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
        )
        values: list[object] = [period.start_ns, period.end_ns]
        if tenant is not None:
            query += "AND tenant = ? "
            values.append(tenant)
        for (document_id,) in self._rows(query + "ORDER BY place", values):
            with self._moment() as connection:
                lines = read_lines(connection, document_id)
            yield from lines

    def versions(self) -> Mapping[str, PriceVersion]:
        """See `Books`."""
        rows = self._rows("SELECT id, content FROM versions ORDER BY id")
        return {id_: _VERSION.decode(content) for id_, content in rows}

    def contents(self) -> BooksContents:
        """See `Books`."""
        with self._moment() as connection:
            return contents_of(connection)

    def copy_to(self, target: SqlBooks, now_ns: int) -> BooksContents:
        """Copy all of these books into others in one change, and compare both by hash.

        Args:
            target: without books, or with some of these and no others.
            now_ns: when it happens.

        Returns:
            What both hold then.

        Raises:
            BooksError: there are no books here, or the target holds others; it stays as it is.
        """
        with self._moment() as connection, target.change(now_ns) as change:
            return change.take_over(connection)

    def check(self) -> tuple[str, ...]:
        """See `Books`."""
        with self._moment() as connection:
            return tuple(check_books(connection))

    def _rows(self, query: str, values: Iterable[object] = ()) -> list[tuple[Any, ...]]:
        """All rows at once: a change may go on while they are looked at."""
        with self._moment() as connection:
            return connection.execute(query, tuple(values)).fetchall()
