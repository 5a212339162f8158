"""Tables of a ledger in PostgreSQL, made from the records: a column a field.

PostgreSQL's text cannot hold the character NUL, which a name may. It is written as two characters
U+0001, and U+0001 as U+0001 U+0002: the order of texts by their codes stays what it was.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from enum import StrEnum
from typing import Any, Generic, TypeVar, get_args, get_type_hints

import msgspec

from neocloud.ledger.records import AllocationEvent, AttemptEvent, EnergyEvent, UsageEvent

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
    """One table and how its rows come and go.

    Args:
        name: of the table.
        record: what a row is.
        key: fields that tell rows apart.
    """

    def __init__(self, name: str, record: type[R], key: Sequence[str]) -> None:
        self.name = name
        self.key = tuple(key)
        self._record = record
        hints = get_type_hints(record)
        fields = record.__struct_fields__
        self.columns = ", ".join(f'"{field}"' for field in fields)
        self._kinds = [_KINDS.get(_plain(hints[field]), _TEXT) for field in fields]
        self._optional = [type(None) in get_args(hints[field]) for field in fields]
        self._texts = [n for n, kind in enumerate(self._kinds) if kind == _TEXT]
        self._makers: list[tuple[int, Callable[[str], Any]]] = [
            (n, _plain(hints[field]))
            for n, field in enumerate(fields)
            if issubclass(_plain(hints[field]), StrEnum)
        ]
        self._fields = fields
        self._key_of = [fields.index(field) for field in key]
        self.order = ", ".join(key)

    def create(self) -> str:
        """The statement that makes the table."""
        columns = [
            f'"{field}" {kind}' + ("" if optional else " NOT NULL")
            for field, kind, optional in zip(self._fields, self._kinds, self._optional, strict=True)
        ]
        return f"CREATE TABLE {self.name} ({', '.join(columns)}, PRIMARY KEY ({self.order}))"

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
            cursor.copy(f"COPY pg_temp.new_{self.name} ({self.columns}) FROM STDIN") as copy,
        ):
            for row in self._rows(records):
                copy.write_row(row)
        connection.execute(
            f"INSERT INTO {self.name} ({self.columns}) SELECT {self.columns} "  # noqa: S608
            f"FROM pg_temp.new_{self.name} ORDER BY {self.order} ON CONFLICT DO NOTHING"
        )

    def records(self, rows: Iterable[tuple[Any, ...]]) -> Iterator[R]:
        """Rows, columns in our order, as records."""
        record, texts, makers = self._record, self._texts, self._makers
        fields = self._fields
        for row in rows:
            values = list(row)
            for n in texts:
                if "\1" in values[n]:
                    values[n] = show(values[n])
            for n, maker in makers:
                values[n] = maker(values[n])
            yield record(**dict(zip(fields, values, strict=True)))

    def _rows(self, records: Iterable[R]) -> Iterator[list[Any]]:
        """Values of each record once, the first of those with one key."""
        seen: set[tuple[Any, ...]] = set()
        for record in records:
            values = list(msgspec.structs.astuple(record))
            key = tuple(values[n] for n in self._key_of)
            if key in seen:
                continue
            seen.add(key)
            for n in self._texts:
                # Enough for most: no texts of ours hold them.
                if "\0" in values[n] or "\1" in values[n]:
                    values[n] = hide(values[n])
            yield values


def _plain(hint: Any) -> type:
    """The type without `| None`."""
    parts = [part for part in get_args(hint) if part is not type(None)]
    kind: type = parts[0] if parts else hint
    return kind


USAGE = PostgresqlTable("usage", UsageEvent, ("request_id",))
ALLOCATION = PostgresqlTable("allocation", AllocationEvent, ("event_id",))
ENERGY = PostgresqlTable("energy", EnergyEvent, ("event_id",))
ATTEMPTS = PostgresqlTable("attempts", AttemptEvent, ("request_id", "number"))
