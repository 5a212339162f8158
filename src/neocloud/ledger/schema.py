"""Tables of a store, made from the records, and rows to records and back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import Any, Generic, TypeVar, get_args, get_type_hints

import msgspec

from neocloud.ledger.records import (
    SCHEMA,
    AllocationEvent,
    AttemptEvent,
    CorrectionEvent,
    EnergyEvent,
    UsageEvent,
)

R = TypeVar("R", bound=msgspec.Struct)


def _optional(hint: Any) -> tuple[type, bool]:
    """The type without `| None`, and whether None was allowed."""
    parts = [part for part in get_args(hint) if part is not type(None)]
    return (parts[0], True) if parts else (hint, False)


class Column(msgspec.Struct, frozen=True):
    """One field: its name, its type in Python, and whether it may be None."""

    name: str
    kind: type
    optional: bool


class RecordTable(Generic[R]):
    """One table: a column a field, the first fields its key.

    Args:
        name: of the table.
        record: what a row is.
        keys: how many fields, from the first on, no two rows share.
    """

    def __init__(self, name: str, record: type[R], keys: int = 1) -> None:
        self.name = name
        self.record = record
        hints = get_type_hints(record)
        self.columns = tuple(
            Column(field, *_optional(hints[field])) for field in record.__struct_fields__
        )
        names = [column.name for column in self.columns]
        self.key = ", ".join(names[:keys])
        self.names = ", ".join(names)
        makers = [
            column.kind if issubclass(column.kind, (bool, StrEnum)) else None
            for column in self.columns
        ]
        self._made = [
            (name, maker) for name, maker in zip(names, makers, strict=True) if maker is not None
        ]
        self._names = tuple(names)

    @property
    def added(self) -> tuple[tuple[str, type, str], ...]:
        """Columns that came later: name, type in Python, and the default as SQL writes it."""
        defaults = self.record.__struct_defaults__
        later = self.columns[len(self.columns) - len(defaults) :] if defaults else ()
        return tuple(
            (column.name, column.kind, f"'{default}'" if isinstance(default, str) else f"{default}")
            for column, default in zip(later, defaults, strict=True)
        )

    def row(self, record: R) -> tuple[Any, ...]:
        """Values of a record in the order of the columns."""
        return msgspec.structs.astuple(record)

    def records(self, rows: Iterable[tuple[Any, ...]]) -> Iterator[R]:
        """Rows, columns in our order, as records."""
        names, made, record = self._names, self._made, self.record
        for row in rows:
            values = dict(zip(names, row, strict=True))
            for name, maker in made:
                values[name] = maker(values[name])
            yield record(**values)


USAGE = RecordTable("usage", UsageEvent)
ATTEMPTS = RecordTable("attempts", AttemptEvent, keys=2)
ALLOCATION = RecordTable("allocation", AllocationEvent)
ENERGY = RecordTable("energy", EnergyEvent)
CORRECTIONS = RecordTable("corrections", CorrectionEvent)
TABLES: tuple[RecordTable[Any], ...] = (USAGE, ATTEMPTS, ALLOCATION, ENERGY, CORRECTIONS)

_MILLISECOND_NS = 1_000_000


def id_from(time_ns: int) -> str:
    """Not above any request id made at `time_ns` or later: UUIDv7 begins with the millisecond."""
    value = f"{max(0, time_ns // _MILLISECOND_NS):012x}"
    return f"{value[:8]}-{value[8:]}"


def ids_within(start_ns: int, end_ns: int) -> tuple[str, str]:
    """From which request id on, and below which, all lie that were made in `[start, end)`."""
    return id_from(start_ns), id_from(end_ns + _MILLISECOND_NS)


def other_schema(name: object, found: str | None) -> str:
    """What to tell of a store that is another version's, or nobody's."""
    if found is None:
        return f"{name} is not a ledger; name another file or database"
    return (
        f"{name} has ledger schema {found}, this version reads and writes {SCHEMA}; name another "
        "ledger for what is metered from now on, and read this one with the version of neocloud "
        "that wrote it"
    )
