"""Tables of a ledger in PostgreSQL, made from the records: a column a field.

PostgreSQL's text cannot hold the character NUL, which a name may. It is written as two characters
U+0001, and U+0001 as U+0001 U+0002: the order of texts by their codes stays what it was.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Iterator
from typing import Any, Generic, TypeVar

import msgspec

from neocloud.ledger.schema import TABLES, RecordTable

R = TypeVar("R", bound=msgspec.Struct)

_KINDS: dict[type, str] = {int: "bigint", bool: "boolean", float: "double precision"}
_TEXT = 'text COLLATE "C"'

_HIDDEN = re.compile("[\0\1]")
_SHOWN = re.compile("\1[\1\2]")


def hide(text: str) -> str:
    """A text as PostgreSQL can hold it."""
    return _HIDDEN.sub(lambda m: "\1\1" if m[0] == "\0" else "\1\2", text)


def show(text: str) -> str:
    """The text that was hidden."""
    return _SHOWN.sub(lambda m: "\0" if m[0] == "\1\1" else "\1", text)


class PostgresqlTable(Generic[R]):
    """How the rows of one table come and go.

    Args:
        table: what a row is.
    """

    def __init__(self, table: RecordTable[R]) -> None:
        self.name = table.name
        self._table = table
        self._columns = ", ".join(f'"{column.name}"' for column in table.columns)
        self._texts = [n for n, column in enumerate(table.columns) if column.kind not in _KINDS]
        names = [column.name for column in table.columns]
        self._key = [names.index(name) for name in table.key.split(", ")]

    def create(self) -> str:
        """The statement that makes the table."""
        columns = [
            f'"{column.name}" {_KINDS.get(column.kind, _TEXT)}'
            + ("" if column.optional else " NOT NULL")
            for column in self._table.columns
        ]
        key = f"PRIMARY KEY ({self._table.key})"
        return f"CREATE TABLE {self.name} ({', '.join(columns)}, {key})"

    def lacking(self, having: Container[str]) -> list[str]:
        """Statements that make the table, or add columns that it lacks.

        Args:
            having: names of the columns that are there.
        """
        if self._table.columns[0].name not in having:
            return [self.create()]
        return [
            f'ALTER TABLE {self.name} ADD COLUMN "{name}" {_KINDS.get(kind, _TEXT)} '
            f"NOT NULL DEFAULT {default}"
            for name, kind, default in self._table.added
            if name not in having
        ]

    def select(self, rest: str) -> str:
        """A query for rows, as `records` takes them."""
        return f"SELECT {self._columns} FROM {self.name} {rest}"  # noqa: S608

    def insert(self, connection: Any, records: Iterable[R]) -> None:
        """Insert what is not there yet, within a transaction.

        By COPY into a table that only this connection sees, and from there in the order of the key:
        two writers of the same rows then wait for each other and never cross.
        """
        connection.execute(
            f"CREATE TEMPORARY TABLE IF NOT EXISTS new_{self.name} (LIKE {self.name}) "
            "ON COMMIT DELETE ROWS"
        )
        with (
            connection.cursor() as cursor,
            cursor.copy(f"COPY pg_temp.new_{self.name} ({self._columns}) FROM STDIN") as copy,
        ):
            for row in self._rows(records):
                copy.write_row(row)
        connection.execute(
            f"INSERT INTO {self.name} ({self._columns}) SELECT {self._columns} "  # noqa: S608
            f"FROM pg_temp.new_{self.name} ORDER BY {self._table.key} ON CONFLICT DO NOTHING"
        )

    def records(self, rows: Iterable[tuple[Any, ...]]) -> Iterator[R]:
        """Rows of `select` as records."""
        return self._table.records(map(self._shown, rows))

    def _shown(self, row: tuple[Any, ...]) -> tuple[Any, ...]:
        if not any("\1" in row[n] for n in self._texts):
            return row
        return tuple(show(value) if n in self._texts else value for n, value in enumerate(row))

    def _rows(self, records: Iterable[R]) -> Iterator[list[Any]]:
        """Values of each record once, the first of those with one key."""
        seen: set[tuple[Any, ...]] = set()
        for record in records:
            values = list(msgspec.structs.astuple(record))
            key = tuple(values[n] for n in self._key)
            if key in seen:
                continue
            seen.add(key)
            for n in self._texts:
                # Enough for most: no texts of ours hold them.
                if "\0" in values[n] or "\1" in values[n]:
                    values[n] = hide(values[n])
            yield values


POSTGRESQL_TABLES = {table.name: PostgresqlTable(table) for table in TABLES}
