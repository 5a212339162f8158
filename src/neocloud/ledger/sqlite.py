"""The store that is a SQLite file: the default."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from neocloud.ledger.errors import LedgerError, StoreError
from neocloud.ledger.read_only import ReadOnlyFile
from neocloud.ledger.records import (
    SCHEMA,
    AllocationEvent,
    AttemptEvent,
    CorrectionEvent,
    EnergyEvent,
    UsageEvent,
)
from neocloud.ledger.schema import (
    ALLOCATION,
    ATTEMPTS,
    CORRECTIONS,
    ENERGY,
    TABLES,
    USAGE,
    RecordTable,
    ids_within,
    other_schema,
)
from neocloud.ledger.store import Batch
from neocloud.units import Period

R = TypeVar("R", bound=msgspec.Struct)

_BUSY_S = 5.0
_KINDS: dict[type, str] = {int: "INTEGER", bool: "INTEGER", float: "REAL"}
_META = "CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL)"
_POSITIONS = (
    "CREATE TABLE IF NOT EXISTS positions (stream TEXT PRIMARY KEY, position INTEGER NOT NULL) "
    "WITHOUT ROWID"
)
_MOVE = (
    "INSERT INTO positions VALUES (?, ?) "
    "ON CONFLICT (stream) DO UPDATE SET position = max(position, excluded.position)"
)


def create_table(table: RecordTable[Any]) -> str:
    """The statement that makes a table. Rows lie in the order of their key, as they come in."""
    columns = [
        f"{column.name} {_KINDS.get(column.kind, 'TEXT')}{'' if column.optional else ' NOT NULL'}"
        for column in table.columns
    ]
    columns.append(f"PRIMARY KEY ({table.key})")
    return f"CREATE TABLE IF NOT EXISTS {table.name} ({', '.join(columns)}) WITHOUT ROWID"


def insert_into(table: RecordTable[Any]) -> str:
    """The statement that adds a row unless its key is there."""
    marks = ", ".join("?" * len(table.columns))
    return f"INSERT OR IGNORE INTO {table.name} ({table.names}) VALUES ({marks})"  # noqa: S608


_INSERT = {table.name: insert_into(table) for table in TABLES}


class SqliteView:
    """Implements `View` within one read transaction."""

    def __init__(self, connection: sqlite3.Connection, name: object) -> None:
        self._connection = connection
        self._name = name

    def position(self, stream: str) -> int:
        """See `View`."""
        for (position,) in self._rows("SELECT position FROM positions WHERE stream = ?", (stream,)):
            return int(position)
        return 0

    def usage(self, period: Period | None = None) -> Iterator[UsageEvent]:
        """See `View`."""
        if period is None:
            yield from self._read(USAGE, "ORDER BY request_id", ())
            return
        where = "WHERE request_id >= ? AND request_id < ? ORDER BY request_id"
        for event in self._read(USAGE, where, ids_within(period.start_ns, period.end_ns)):
            if event.admitted_ns in period:
                yield event

    def allocation(self, period: Period | None = None) -> Iterator[AllocationEvent]:
        """See `View`."""
        return self._spans(ALLOCATION, period)

    def energy(self, period: Period | None = None) -> Iterator[EnergyEvent]:
        """See `View`."""
        return self._spans(ENERGY, period)

    def attempts(self, period: Period | None = None) -> Iterator[AttemptEvent]:
        """See `View`."""
        if period is None:
            return self._read(ATTEMPTS, "ORDER BY request_id, number", ())
        where = "WHERE started_ns >= ? AND started_ns < ? ORDER BY request_id, number"
        return self._read(ATTEMPTS, where, (period.start_ns, period.end_ns))

    def corrections(self, period: Period | None = None) -> Iterator[CorrectionEvent]:
        """See `View`."""
        order = "ORDER BY request_id, made_ns, correction_id"
        if period is None:
            return self._read(CORRECTIONS, order, ())
        where = f"WHERE request_id >= ? AND request_id < ? {order}"
        return self._read(CORRECTIONS, where, ids_within(period.start_ns, period.end_ns))

    def span(self) -> Period | None:
        """See `View`."""
        found = [
            (int(low), int(high))
            for query in (
                "SELECT min(admitted_ns), max(finished_ns) FROM usage",
                "SELECT min(start_ns), max(end_ns) FROM allocation",
            )
            for low, high in self._rows(query, ())
            if low is not None
        ]
        if not found:
            return None
        return Period(min(low for low, _ in found), max(high for _, high in found) + 1)

    def _spans(self, table: RecordTable[R], period: Period | None) -> Iterator[R]:
        if period is None:
            return self._read(table, "ORDER BY start_ns, event_id", ())
        where = "WHERE end_ns > ? AND start_ns < ? ORDER BY start_ns, event_id"
        return self._read(table, where, (period.start_ns, period.end_ns))

    def _read(self, table: RecordTable[R], rest: str, values: tuple[str | int, ...]) -> Iterator[R]:
        query = f"SELECT {table.names} FROM {table.name} {rest}"  # noqa: S608
        yield from table.records(self._rows(query, values))

    def _rows(self, query: str, values: tuple[str | int, ...]) -> Iterator[tuple[Any, ...]]:
        try:
            yield from self._connection.execute(query, values)
        except sqlite3.Error as error:
            raise StoreError(f"{self._name}: {error}") from None


class Sorted:
    """Records in the shape of a store, sorted in a file that is gone when it is closed.

    SQLite keeps a few megabytes of it in memory and the rest in its temporary folder.
    """

    def __init__(self) -> None:
        self._connection = sqlite3.connect("", isolation_level=None)
        for table in TABLES:
            self._connection.execute(create_table(table))

    def add(self, batch: Batch) -> None:
        """Add records; what is there already stays as it is."""
        try:
            self._connection.execute("BEGIN")
            _insert(self._connection, batch)
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            raise StoreError(f"sorting what is not shipped: {error}") from None

    def view(self) -> SqliteView:
        """All that was added. Has no positions."""
        return SqliteView(self._connection, "what is not shipped")

    def close(self) -> None:
        """Throw it away."""
        self._connection.close()


class SqliteStore:
    """Implements `Store` in one file, in WAL mode: readers hold up no writer, nor it them."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._connection: sqlite3.Connection | None = None
        self._busy = False  # why the last failure failed: another held the file

    def create(self) -> None:
        """See `Store`. What is there is looked at before anything is written.

        Several processes may make a ledger at once: SQLite refuses all but one the change to WAL
        without waiting, so that waiting is done here.
        """
        until_s = time.monotonic() + _BUSY_S
        while True:
            try:
                with self._failures():
                    self._create(self._open())
            except StoreError:
                if time.monotonic() >= until_s or not self._busy:
                    raise
                time.sleep(0.02)
            else:
                return

    def _create(self, connection: sqlite3.Connection) -> None:
        if self._is_empty(connection):
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("BEGIN IMMEDIATE")
            connection.execute(_META)
            connection.execute("INSERT OR IGNORE INTO meta VALUES ('schema', ?)", (SCHEMA,))
            connection.execute(_POSITIONS)
            for table in TABLES:
                connection.execute(create_table(table))
            connection.execute("COMMIT")
        self._check(connection)
        if _lacking(connection):  # made before these were kept
            connection.execute("BEGIN IMMEDIATE")
            for statement in _lacking(connection):
                connection.execute(statement)
            connection.execute("COMMIT")

    def position(self, stream: str) -> int:
        """See `Store`."""
        with self._failures():
            return SqliteView(self._open(), self.path).position(stream)

    def apply(self, stream: str, position: int, batch: Batch) -> None:
        """See `Store`. Durable: a commit returns when the log is on the disk (fsync)."""
        with self._failures():
            connection = self._open()
            connection.execute("BEGIN IMMEDIATE")
            _insert(connection, batch)
            connection.execute(_MOVE, (stream, position))
            connection.execute("COMMIT")

    @contextmanager
    def view(self) -> Iterator[SqliteView]:
        """See `Store`. Has a connection of its own, so that it may outlast a failed `apply`."""
        with self._failures():
            file = ReadOnlyFile(self.path, _BUSY_S)
        with closing(file):
            with self._failures():
                file.connection.execute("BEGIN")
                self._check(file.connection)  # the first read: from now on nothing new is seen
                _stand_in(file.connection)
            yield SqliteView(file.connection, self.path)
            file.check()

    def close(self) -> None:
        """See `Store`."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            connection = sqlite3.connect(
                self.path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False
            )
            self._connection = connection
            connection.execute("PRAGMA synchronous = FULL")
        return self._connection

    @contextmanager
    def _failures(self) -> Iterator[None]:
        """A failure within leaves nothing of the transaction, and its reason as `StoreError`."""
        try:
            yield
        except BaseException as error:
            connection = self._connection
            if connection is not None and connection.in_transaction:
                with suppress(sqlite3.Error):
                    connection.execute("ROLLBACK")
            if isinstance(error, sqlite3.Error):
                self.close()
                code = getattr(error, "sqlite_errorcode", 0) & 0xFF
                self._busy = code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
                if code == sqlite3.SQLITE_NOTADB:
                    raise LedgerError(f"{self.path} is not a ledger: {error}") from None
                raise StoreError(f"{self.path}: {error}") from None
            raise

    @staticmethod
    def _is_empty(connection: sqlite3.Connection) -> bool:
        """True of a database without a single table, as a new file is."""
        (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        return bool(tables == 0)

    def _check(self, connection: sqlite3.Connection) -> None:
        """Refuse what is no ledger, or one of another version."""
        try:
            row = connection.execute("SELECT value FROM meta WHERE name = 'schema'").fetchone()
        except sqlite3.OperationalError as error:
            if "no such table" not in str(error):
                raise
            row = None
        found = None if row is None else str(row[0])
        if found != SCHEMA:
            raise LedgerError(other_schema(self.path, found))


def _lacking(connection: sqlite3.Connection) -> list[str]:
    """Statements that add what a ledger of this schema may lack: tables, and fields at the end."""
    statements = []
    for table in TABLES:
        rows = connection.execute(f"PRAGMA table_info({table.name})").fetchall()
        having = {row[1] for row in rows}
        if not having:
            statements.append(create_table(table))
            continue
        statements += [
            f"ALTER TABLE {table.name} ADD COLUMN {name} {_KINDS.get(kind, 'TEXT')} "
            f"NOT NULL DEFAULT {default}"
            for name, kind, default in table.added
            if name not in having
        ]
    return statements


def _stand_in(connection: sqlite3.Connection) -> None:
    """For this connection alone, add what a ledger may lack: reading changes no file."""
    for table in TABLES:
        rows = connection.execute(f"PRAGMA table_info({table.name})").fetchall()
        having = {row[1] for row in rows}
        lacking = [(name, default) for name, _, default in table.added if name not in having]
        if not having:
            connection.execute(create_table(table).replace("CREATE TABLE", "CREATE TEMP TABLE"))
        elif lacking:
            more = ", ".join(f"{default} AS {name}" for name, default in lacking)
            connection.execute(
                f"CREATE TEMP VIEW {table.name} AS SELECT *, {more} FROM main.{table.name}"  # noqa: S608
            )


def _insert(connection: sqlite3.Connection, batch: Batch) -> None:
    for table, records in (
        (USAGE, batch.usage),
        (ATTEMPTS, batch.attempts),
        (ALLOCATION, batch.allocation),
        (ENERGY, batch.energy),
        (CORRECTIONS, batch.corrections),
    ):
        if records:
            rows = map(msgspec.structs.astuple, records)
            connection.executemany(_INSERT[table.name], rows)
