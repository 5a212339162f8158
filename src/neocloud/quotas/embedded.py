"""The store of one machine's workers: an SQLite file beside the ledger, which needs no server.

Every exchange is one transaction that takes the file's write lock first, so that reading and
writing back is one step among all processes, and is synced to disk before it is answered: what a
worker may spend is charged before it can.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

import msgspec

from neocloud.quotas.bank import Answer, Ask, Grant, Worker
from neocloud.quotas.decide import Books, Purses, Scene, decide, reconcile, reopen
from neocloud.quotas.errors import BankError, SupersededError
from neocloud.quotas.months import before

T = TypeVar("T")

_SCHEMA = "neocloud.quotas/1"
_BUSY_S = 2.0
"""How long a transaction waits for the lock of another process."""
_TABLES = """
CREATE TABLE IF NOT EXISTS meta (schema TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS workers (
    name TEXT PRIMARY KEY, run TEXT NOT NULL, sequence INTEGER NOT NULL, seen_s REAL NOT NULL);
CREATE TABLE IF NOT EXISTS books (tenant TEXT PRIMARY KEY, short_s REAL NOT NULL, record BLOB);
CREATE INDEX IF NOT EXISTS short ON books (short_s);
CREATE TABLE IF NOT EXISTS purses (
    month TEXT, tenant TEXT, record BLOB, PRIMARY KEY (month, tenant)) WITHOUT ROWID;
"""
_BOOKS = msgspec.json.Decoder(Books)
_PURSES = msgspec.json.Decoder(Purses)
_encode = msgspec.json.encode  # keeps whole numbers of any length


def quotas_path(ledger: Path) -> Path:
    """The file of the quotas beside a ledger."""
    return ledger.with_name(ledger.name + ".quotas")


class EmbeddedBank:
    """A `Bank` in the SQLite file `path`, made when it is not there.

    Calls run in a thread. `clock_ns` is the time of day, which all workers of a machine share.
    """

    def __init__(self, path: Path, clock_ns: Callable[[], int] = time.time_ns) -> None:
        self.path = path
        self._clock_ns = clock_ns
        self._connection: sqlite3.Connection | None = None
        self._lock = threading.Lock()

    async def open(
        self, worker: Worker, month: str, tenants: Sequence[str], spent: Mapping[str, int] | None
    ) -> None:
        """See `Bank.open`."""
        await self._in_thread(lambda: self._open(worker, month, tenants, spent))

    async def exchange(self, worker: Worker, sequence: int, asks: Sequence[Ask]) -> Answer:
        """See `Bank.exchange`."""
        return await self._in_thread(lambda: self._exchange(worker, sequence, asks))

    async def reconcile(self, tenant: str, month: str, spent: int, dead_s: float) -> None:
        """See `Bank.reconcile`."""
        await self._in_thread(lambda: self._reconcile(tenant, month, spent, dead_s))

    async def leave(self, worker: Worker) -> None:
        """See `Bank.leave`."""
        await self._in_thread(lambda: self._leave(worker))

    async def close(self) -> None:
        """See `Bank.close`."""
        await self._in_thread(self._close)

    async def _in_thread(self, action: Callable[[], T]) -> T:
        return await asyncio.to_thread(self._guarded, action)

    def _guarded(self, action: Callable[[], T]) -> T:
        # A disk that hangs must not gather one thread more with each try.
        if not self._lock.acquire(timeout=_BUSY_S):
            raise BankError(f"{self.path}: an earlier call has not come back")
        try:
            return action()
        except (sqlite3.Error, msgspec.DecodeError, OSError) as error:
            raise BankError(f"{self.path}: {error}") from error
        finally:
            self._lock.release()

    @contextmanager
    def _writing(self) -> Iterator[tuple[sqlite3.Connection, float]]:
        """A transaction that holds the write lock, and the time within it."""
        connection = self._connected()
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield connection, self._clock_ns() / 1e9
            connection.execute("COMMIT")
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")

    def _connected(self) -> sqlite3.Connection:
        if self._connection is not None:
            return self._connection
        # Made only where it is missing: closing a file gives up all locks that this process holds
        # on it (POSIX), those of another connection of SQLite's too.
        with suppress(FileExistsError):
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        connection = sqlite3.connect(
            self.path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False
        )
        try:
            _to_wal(connection)
            connection.execute("PRAGMA synchronous=FULL")
            self._prepare(connection)
        except BaseException:
            connection.close()
            raise
        self._connection = connection
        return connection

    def _prepare(self, connection: sqlite3.Connection) -> None:
        connection.execute("BEGIN IMMEDIATE")
        for statement in _TABLES.strip().split(";\n"):
            connection.execute(statement)
        known = connection.execute("SELECT schema FROM meta").fetchone()
        if known is None:
            connection.execute("INSERT INTO meta VALUES (?)", (_SCHEMA,))
        elif known[0] != _SCHEMA:
            raise BankError(
                f"{self.path} is of {known[0]}, this version writes {_SCHEMA}; move it away: "
                "budgets are then reconciled with the ledger"
            )
        connection.execute("COMMIT")

    def _open(
        self, worker: Worker, month: str, tenants: Sequence[str], spent: Mapping[str, int] | None
    ) -> None:
        with self._writing() as (connection, now_s):
            connection.execute(
                "INSERT OR REPLACE INTO workers VALUES (?, ?, 0, ?)",
                (worker.name, worker.run, now_s),
            )
            last = before(month)
            connection.execute("DELETE FROM purses WHERE month < ?", (last,))
            for tenant in tenants:
                told = None if spent is None else spent.get(tenant, 0)
                for of, told_of in ((month, told), (last, None)):
                    purses = self._purses(connection, of, tenant)
                    if reopen(purses, worker.name, told_of):
                        self._keep_purses(connection, of, tenant, purses)
            for tenant, record in connection.execute("SELECT tenant, record FROM books").fetchall():
                books = _BOOKS.decode(record)
                if books.shares.pop(worker.name, None) is not None:
                    self._keep_books(connection, tenant, books)

    def _exchange(self, worker: Worker, sequence: int, asks: Sequence[Ask]) -> Answer:
        with self._writing() as (connection, now_s):
            known = connection.execute(
                "SELECT run, sequence FROM workers WHERE name = ?", (worker.name,)
            ).fetchone()
            if known is not None and known[0] != worker.run:
                raise SupersededError(f"{self.path}: worker {worker.name} was started again")
            if known is not None and known[1] >= sequence:
                raise BankError(f"{self.path}: exchange {sequence} came after {known[1]}")
            connection.execute(
                "INSERT OR REPLACE INTO workers VALUES (?, ?, ?, ?)",
                (worker.name, worker.run, sequence, now_s),
            )
            alive = self._alive(connection, now_s, worker.lease_s)
            count = max(worker.expected, len(alive))
            scene = Scene(worker.name, now_s, alive, count, worker.short_s)
            grants = tuple(self._decided(connection, ask, scene) for ask in asks)
            short = connection.execute(
                "SELECT tenant FROM books WHERE short_s > ? AND short_s <= ?",
                (now_s - worker.short_s, now_s),
            ).fetchall()
        return Answer(grants, count, frozenset(row[0] for row in short), known is None)

    def _decided(self, connection: sqlite3.Connection, ask: Ask, scene: Scene) -> Grant:
        row = connection.execute(
            "SELECT record FROM books WHERE tenant = ?", (ask.tenant,)
        ).fetchone()
        books = Books() if row is None else _BOOKS.decode(row[0])
        purses = self._purses(connection, ask.month, ask.tenant)
        grant = decide(books, purses, ask, scene)
        self._keep_books(connection, ask.tenant, books)
        if ask.limit.budget is not None:
            self._keep_purses(connection, ask.month, ask.tenant, purses)
        return grant

    def _reconcile(self, tenant: str, month: str, spent: int, dead_s: float) -> None:
        with self._writing() as (connection, now_s):
            purses = self._purses(connection, month, tenant)
            reconcile(purses, spent, self._alive(connection, now_s, dead_s))
            self._keep_purses(connection, month, tenant, purses)

    def _leave(self, worker: Worker) -> None:
        with self._writing() as (connection, _):
            connection.execute(
                "DELETE FROM workers WHERE name = ? AND run = ?", (worker.name, worker.run)
            )

    def _close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    @staticmethod
    def _alive(connection: sqlite3.Connection, now_s: float, lease_s: float) -> frozenset[str]:
        rows = connection.execute(
            "SELECT name FROM workers WHERE abs(? - seen_s) < ?", (now_s, lease_s)
        ).fetchall()
        return frozenset(row[0] for row in rows)

    @staticmethod
    def _purses(connection: sqlite3.Connection, month: str, tenant: str) -> Purses:
        row = connection.execute(
            "SELECT record FROM purses WHERE month = ? AND tenant = ?", (month, tenant)
        ).fetchone()
        return Purses() if row is None else _PURSES.decode(row[0])

    @staticmethod
    def _keep_purses(
        connection: sqlite3.Connection, month: str, tenant: str, purses: Purses
    ) -> None:
        connection.execute(
            "INSERT OR REPLACE INTO purses VALUES (?, ?, ?)", (month, tenant, _encode(purses))
        )

    @staticmethod
    def _keep_books(connection: sqlite3.Connection, tenant: str, books: Books) -> None:
        connection.execute(
            "INSERT OR REPLACE INTO books VALUES (?, ?, ?)",
            (tenant, max(books.short_s), _encode(books)),
        )


def _to_wal(connection: sqlite3.Connection) -> None:
    """Switch to WAL; SQLite does not wait by itself where two processes do this at once."""
    tries = int(_BUSY_S / 0.02)
    for left in reversed(range(tries)):
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError:
            if not left:
                raise
            time.sleep(0.02)
        else:
            return
