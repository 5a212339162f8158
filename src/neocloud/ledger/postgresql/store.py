"""A store in PostgreSQL, in the schema `neocloud` of one database.

Any number of gateways ship into it. Each has streams of its own, so they meet only where one
repeats another's rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from neocloud.ledger.errors import LedgerError
from neocloud.ledger.postgresql.link import ANSWER_S, Link
from neocloud.ledger.postgresql.tables import POSTGRESQL_TABLES, PostgresqlTable, hide
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
    USAGE,
    RecordTable,
    ids_within,
    other_schema,
)
from neocloud.ledger.store import Batch
from neocloud.units import Period

if TYPE_CHECKING:
    import psycopg

R = TypeVar("R", bound=msgspec.Struct)

READ_S = 120.0
"""Within this a statement that reads is answered: it may have to sort what it gives."""
_FETCHED = 5_000
"""Rows a round trip."""
_MAKING = 0x6E656F63  # "neoc"
"""Of the advisory lock under which tables are made: two gateways may start at once."""


class PostgresqlStore:
    """See `Store`.

    Args:
        url: of the database, see `Link`.
        answer_s: the longest that one step of writing may take.
    """

    def __init__(self, url: str, answer_s: float = ANSWER_S) -> None:
        self._url = url
        self._link = Link(url, answer_s)

    @property
    def name(self) -> str:
        """The URL without its secrets."""
        return self._link.name

    def create(self) -> None:
        """Make the tables, or check that those that are there are ours."""
        with self._link.writing() as connection, self._link.in_time():
            connection.execute("SELECT pg_advisory_xact_lock(%s)", (_MAKING,))
            if _has(connection, "meta"):
                _check(connection, self.name)
                _add_lacking(connection)
                return
            if any(_has(connection, name) for name in POSTGRESQL_TABLES):
                raise LedgerError(
                    f"{self.name} has a schema neocloud that is no ledger's; name another database"
                )
            _make(connection)

    def position(self, stream: str) -> int:
        """How far a stream has been shipped."""
        with self._link.writing() as connection, self._link.in_time():
            return _position(connection, stream)

    def apply(self, stream: str, position: int, batch: Batch) -> None:
        """Write a batch and move the position, both or neither."""
        with self._link.writing() as connection:
            with self._link.in_time():
                # First: a second writer of the same stream waits here.
                connection.execute(
                    "INSERT INTO positions AS p (stream, position) VALUES (%s, %s) ON CONFLICT "
                    "(stream) DO UPDATE SET position = greatest(p.position, excluded.position)",
                    (hide(stream), position),
                )
            for table, records in (
                (USAGE, batch.usage),
                (ATTEMPTS, batch.attempts),
                (ALLOCATION, batch.allocation),
                (ENERGY, batch.energy),
                (CORRECTIONS, batch.corrections),
            ):
                if records:
                    with self._link.in_time():
                        POSTGRESQL_TABLES[table.name].insert(connection, records)

    @contextmanager
    def view(self) -> Iterator[PostgresqlView]:
        """The store as of now, over a connection of its own."""
        link = Link(self._url, READ_S)
        with link.viewing() as connection:
            with link.in_time():
                _check(connection, self.name)
            yield PostgresqlView(link, connection)

    def close(self) -> None:
        """Let go of the connection. Idempotent."""
        self._link.close()


class PostgresqlView:
    """See `View`: one transaction, whose snapshot was taken when it was opened."""

    def __init__(self, link: Link, connection: psycopg.Connection[Any]) -> None:
        self._link = link
        self._connection = connection
        self._streams = 0

    def position(self, stream: str) -> int:
        """How far a stream has been shipped."""
        with self._link.in_time():
            return _position(self._connection, stream)

    def usage(self, period: Period | None = None) -> Iterator[UsageEvent]:
        """Events of requests admitted in the period, by `request_id`."""
        if period is None:
            return self._read(USAGE, "ORDER BY request_id", ())
        # By the key first: a request id begins with the millisecond of its admission.
        where = (
            "WHERE request_id >= %s AND request_id < %s AND admitted_ns >= %s AND admitted_ns < %s "
            "ORDER BY request_id"
        )
        ids = ids_within(period.start_ns, period.end_ns)
        return self._read(USAGE, where, (*ids, period.start_ns, period.end_ns))

    def allocation(self, period: Period | None = None) -> Iterator[AllocationEvent]:
        """Spans that overlap the period, by start."""
        return self._spans(ALLOCATION, period)

    def energy(self, period: Period | None = None) -> Iterator[EnergyEvent]:
        """Spans that overlap the period, by start."""
        return self._spans(ENERGY, period)

    def attempts(self, period: Period | None = None) -> Iterator[AttemptEvent]:
        """Tries that began in the period, by request and number."""
        if period is None:
            return self._read(ATTEMPTS, "ORDER BY request_id, number", ())
        where = "WHERE started_ns >= %s AND started_ns < %s ORDER BY request_id, number"
        return self._read(ATTEMPTS, where, (period.start_ns, period.end_ns))

    def corrections(self, period: Period | None = None) -> Iterator[CorrectionEvent]:
        """Corrections of requests of the period, by request, time and id."""
        order = "ORDER BY request_id, made_ns, correction_id"
        if period is None:
            return self._read(CORRECTIONS, order, ())
        where = f"WHERE request_id >= %s AND request_id < %s {order}"
        return self._read(CORRECTIONS, where, ids_within(period.start_ns, period.end_ns))

    def span(self) -> Period | None:
        """From the first to the last thing on record."""
        with self._link.in_time():
            row = self._connection.execute(
                "SELECT min(low), max(high) FROM ("
                "SELECT min(admitted_ns) AS low, max(finished_ns) AS high FROM usage UNION ALL "
                "SELECT min(start_ns), max(end_ns) FROM allocation) AS bounds"
            ).fetchone()
        assert row is not None
        return None if row[0] is None else Period(int(row[0]), int(row[1]) + 1)

    def _spans(self, table: RecordTable[R], period: Period | None) -> Iterator[R]:
        if period is None:
            return self._read(table, "ORDER BY start_ns, event_id", ())
        where = "WHERE end_ns > %s AND start_ns < %s ORDER BY start_ns, event_id"
        return self._read(table, where, (period.start_ns, period.end_ns))

    def _read(self, table: RecordTable[R], rest: str, values: tuple[Any, ...]) -> Iterator[R]:
        ours: PostgresqlTable[R] = POSTGRESQL_TABLES[table.name]
        self._streams += 1
        with self._connection.cursor(f"rows_{self._streams}") as cursor:
            with self._link.in_time():
                cursor.execute(ours.select(rest), values, binary=True)
            while True:
                with self._link.in_time():
                    rows = cursor.fetchmany(_FETCHED)
                if not rows:
                    return
                yield from ours.records(rows)


def _has(connection: psycopg.Connection[Any], table: str) -> bool:
    row = connection.execute("SELECT to_regclass(%s)", (f"neocloud.{table}",)).fetchone()
    return row is not None and row[0] is not None


def _make(connection: psycopg.Connection[Any]) -> None:
    found = connection.execute("SELECT 1 FROM pg_namespace WHERE nspname = 'neocloud'").fetchone()
    if found is None:
        connection.execute("CREATE SCHEMA neocloud")
    connection.execute("CREATE TABLE neocloud.meta (name text PRIMARY KEY, value text NOT NULL)")
    connection.execute("INSERT INTO neocloud.meta VALUES ('schema', %s)", (SCHEMA,))
    connection.execute(
        "CREATE TABLE neocloud.positions (stream text PRIMARY KEY, position bigint NOT NULL)"
    )
    for table in POSTGRESQL_TABLES.values():
        connection.execute(table.create())


def _add_lacking(connection: psycopg.Connection[Any]) -> None:
    """Add what a ledger of this schema may lack: tables, and fields at the end."""
    for table in POSTGRESQL_TABLES.values():
        rows = connection.execute(
            "SELECT column_name FROM information_schema.columns "
            "WHERE table_schema = 'neocloud' AND table_name = %s",
            (table.name,),
        ).fetchall()
        for statement in table.lacking({row[0] for row in rows}):
            connection.execute(statement)


def _check(connection: psycopg.Connection[Any], name: str) -> None:
    row = connection.execute("SELECT value FROM meta WHERE name = 'schema'").fetchone()
    found = None if row is None else str(row[0])
    if found != SCHEMA:
        raise LedgerError(other_schema(name, found))


def _position(connection: psycopg.Connection[Any], stream: str) -> int:
    row = connection.execute(
        "SELECT position FROM positions WHERE stream = %s", (hide(stream),)
    ).fetchone()
    return 0 if row is None else int(row[0])
