"""Tables of a segment, made from the records, and rows to records and back."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import Any, Generic, TypeVar, get_args, get_type_hints

import msgspec

from neocloud.ledger.errors import LedgerError
from neocloud.ledger.records import SCHEMA, Admission, AllocationEvent, EnergyEvent, UsageEvent

R = TypeVar("R", bound=msgspec.Struct)

_KINDS: dict[type, str] = {int: "INTEGER", bool: "INTEGER", float: "REAL"}


def _optional(hint: Any) -> tuple[type, bool]:
    """The type without `| None`, and whether None was allowed."""
    parts = [part for part in get_args(hint) if part is not type(None)]
    return (parts[0], True) if parts else (hint, False)


class RecordTable(Generic[R]):
    """One table: a column a field, the first field its key.

    Args:
        name: of the table.
        record: what a row is.
    """

    def __init__(self, name: str, record: type[R]) -> None:
        self.name = name
        self.record = record
        hints = get_type_hints(record)
        self._fields = record.__struct_fields__
        self._types = [_optional(hints[field]) for field in self._fields]
        self.columns = ", ".join(self._fields)
        marks = ", ".join("?" * len(self._fields))
        self.insert = f"INSERT INTO {name} ({self.columns}) VALUES ({marks})"  # noqa: S608
        self.insert_new = f"INSERT OR IGNORE INTO {name} ({self.columns}) VALUES ({marks})"  # noqa: S608

    def create(self) -> str:
        """The statement that makes the table."""
        columns = [
            f"{field} {_KINDS.get(kind, 'TEXT')}"
            + (" PRIMARY KEY" if field == self._fields[0] else "")
            + ("" if optional else " NOT NULL")
            for field, (kind, optional) in zip(self._fields, self._types, strict=True)
        ]
        return f"CREATE TABLE IF NOT EXISTS {self.name} ({', '.join(columns)}) WITHOUT ROWID"

    def row(self, record: R) -> tuple[Any, ...]:
        """Values of a record in the order of the columns."""
        return msgspec.structs.astuple(record)

    def records(self, rows: Iterable[tuple[Any, ...]]) -> Iterator[R]:
        """Rows, columns in our order, as records."""
        makers = [(kind if issubclass(kind, (bool, StrEnum)) else None) for kind, _ in self._types]
        fields = self._fields
        for row in rows:
            yield self.record(
                **{
                    field: value if maker is None or value is None else maker(value)
                    for field, value, maker in zip(fields, row, makers, strict=True)
                }
            )


OPEN = RecordTable("open_requests", Admission)
USAGE = RecordTable("usage", UsageEvent)
ALLOCATION = RecordTable("allocation", AllocationEvent)
ENERGY = RecordTable("energy", EnergyEvent)

_META = "CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL)"


def is_empty(connection: sqlite3.Connection) -> bool:
    """True of a database without a single table, as a new file is."""
    row = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    return bool(row[0] == 0)


def create_tables(connection: sqlite3.Connection) -> None:
    """Make what is missing, and note the schema's version: all of it or nothing."""
    connection.execute("BEGIN IMMEDIATE")
    connection.execute(_META)
    connection.execute("INSERT OR IGNORE INTO meta VALUES ('schema', ?)", (SCHEMA,))
    for table in (OPEN, USAGE, ALLOCATION, ENERGY):
        connection.execute(table.create())
    connection.execute("COMMIT")


def check_schema(connection: sqlite3.Connection, path: object) -> None:
    """Refuse what is no ledger, or one of another version.

    Raises:
        LedgerError: with the file, and what to do.
    """
    try:
        row = connection.execute("SELECT value FROM meta WHERE name = 'schema'").fetchone()
    except sqlite3.DatabaseError as error:
        raise LedgerError(f"{path} is not a ledger: {error}") from None
    if row is None or row[0] != SCHEMA:
        found = "none" if row is None else row[0]
        raise LedgerError(
            f"{path} has ledger schema {found}, this version reads {SCHEMA}; "
            "use the version of neocloud that wrote it"
        )
