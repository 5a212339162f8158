"""Bringing events into a ledger afterwards, from files in the form that `export` writes.

Nothing is ever changed or removed: an event whose id is there already stays as it is, and one that
says something else under a known id is told and refused. So the same file again changes nothing,
and a run that was broken off goes on where it was.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from heapq import merge
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec

from neocloud.ledger.event_files import BackfillError, Check, digest_of, read_events
from neocloud.ledger.place import LedgerPlace
from neocloud.ledger.reader import Reader
from neocloud.ledger.records import AllocationEvent, UsageEvent
from neocloud.ledger.schema import TABLES, USAGE, RecordTable
from neocloud.ledger.sqlite import SqliteView, create_table, insert_into
from neocloud.ledger.store import batch_of
from neocloud.units import Period

_ROWS = 5_000
"""Read, or written in one transaction, at a time."""
_TOLD = 5
"""Mistakes that are told of at once."""
_MILLISECOND_NS = 1_000_000


class Staged:
    """Rows of a file that a ledger has not, kept in a file of their own until it is closed.

    Attributes:
        table: of which kind the rows are.
        rows: of the file.
        repeated: rows that stand in it more than once, all alike.
        known: rows that the ledger has already.
        new: rows that it has not.
        digest: hash of the file's content.
    """

    def __init__(self, table: RecordTable[Any], digest: str) -> None:
        self.table = table
        self.digest = digest
        self.rows = self.repeated = self.known = self.new = 0
        self._connection = sqlite3.connect("", isolation_level=None)
        for each in TABLES:
            self._connection.execute(create_table(each))
        names = table.key.split(", ")
        self._keys = len(names)
        where = " AND ".join(f"{name} = ?" for name in names)
        self._one = f"SELECT {table.names} FROM {table.name} WHERE {where}"  # noqa: S608
        self._drop = f"DELETE FROM {table.name} WHERE {where}"  # noqa: S608 - names of ours

    @property
    def view(self) -> SqliteView:
        """The rows that are new, in the orders of a store."""
        return SqliteView(self._connection, "the file")

    def close(self) -> None:
        """Throw it away."""
        self._connection.close()

    def add(self, records: Iterable[Any]) -> list[str]:
        """Add rows of the file; names of those that contradict one before."""
        insert, contradict = insert_into(self.table), []
        self._connection.execute("BEGIN")
        for record in records:
            self.rows += 1
            row = self.table.row(record)
            if self._connection.execute(insert, row).rowcount:
                self.new += 1
            elif self._at(record) == record:
                self.repeated += 1
            else:
                contradict.append(self._name(record))
        self._connection.execute("COMMIT")
        return contradict

    def sift(self, having: Iterable[Any]) -> list[str]:
        """Drop what the ledger has; names of rows that say something else than it does."""
        differ = []
        for record in having:
            mine = self._at(record)
            if mine is None:
                continue
            if mine != record:
                differ.append(self._name(record))
            self._connection.execute(self._drop, self._key(record))
            self.known += 1
            self.new -= 1
        return differ

    def _key(self, record: Any) -> tuple[Any, ...]:
        return self.table.row(record)[: self._keys]

    def _name(self, record: Any) -> str:
        return " ".join(map(str, self._key(record)))

    def _at(self, record: Any) -> Any:
        rows = self._connection.execute(self._one, self._key(record))
        return next(iter(self.table.records(rows)), None)


class Together:
    """A ledger as it will be with what is staged. Reads like `Reader`."""

    def __init__(self, reader: Reader, more: SqliteView) -> None:
        self._reader = reader
        self._more = more

    def usage(self, period: Period | None = None) -> Iterator[UsageEvent]:
        """Usage events by `request_id`."""
        both = self._reader.usage(period), self._more.usage(period)
        return merge(*both, key=lambda e: e.request_id)

    def allocation(self, period: Period | None = None) -> Iterator[AllocationEvent]:
        """Spans of held accelerators that overlap the period; by start."""
        both = self._reader.allocation(period), self._more.allocation(period)
        return merge(*both, key=lambda e: (e.start_ns, e.event_id))


@contextmanager
def staged(path: Path, reader: Reader, check: Check) -> Iterator[Staged]:
    """Read a file and set it beside a ledger.

    Args:
        path: CSV, or Parquet where its name says so.
        reader: the ledger.
        check: what else must hold of a record.

    Raises:
        BackfillError: it is no such file, a row of it cannot be, or contradicts another one or the
            ledger.
        LedgerError: the ledger cannot be read.
    """
    table, records = read_events(path, check)
    with closing(Staged(table, digest_of(path))) as found:
        twice: list[str] = []
        while piece := list(islice(records, _ROWS)):
            twice += found.add(piece)
        _refuse(twice, path, "stand in it twice and differ")
        _refuse(found.sift(_having(reader, found)), path, "are known to the ledger and differ")
        if table is USAGE:
            still = [a.request_id for a in reader.open_requests()]
            still = [name for name in still if found._at(_Named(name)) is not None]  # noqa: SLF001
            _refuse(still, path, "are under way in a gateway, which will close them itself")
        yield found


def bring_in(place: LedgerPlace, found: Staged) -> int:
    """Write what is new into the store, durably; how many events it was.

    Raises:
        LedgerError: the store cannot be written; what was written before stays.
    """
    view, done = found.view, 0
    read: dict[str, Callable[[], Iterator[Any]]] = {
        "usage": view.usage, "allocation": view.allocation, "energy": view.energy,
        "attempts": view.attempts,
    }  # fmt: skip
    stream = f"backfill of {found.digest}"
    with closing(place.connect()) as store:
        store.create()
        position = store.position(stream)
        records = read[found.table.name]()
        while batch := list(islice(records, _ROWS)):
            done += len(batch)
            store.apply(stream, position + done, batch_of(batch))
    return done


class _Named(msgspec.Struct, frozen=True):
    """Stands for a request of which the id alone is known."""

    request_id: str


def _having(reader: Reader, found: Staged) -> Iterator[Any]:
    """What of the ledger may have the same ids."""
    if found.table is not USAGE:
        read: dict[str, Callable[[], Iterator[Any]]] = {
            "allocation": reader.allocation, "energy": reader.energy, "attempts": reader.attempts,
        }  # fmt: skip
        yield from read[found.table.name]()
        return
    span = found.view.span()
    if span is not None:
        # An id tells the millisecond of admission.
        yield from reader.recorded(
            Period(max(0, span.start_ns - _MILLISECOND_NS), span.end_ns + _MILLISECOND_NS)
        )


def _refuse(names: list[str], path: Path, why: str) -> None:
    if names:
        more = f" and {len(names) - _TOLD:,} more" if len(names) > _TOLD else ""
        raise BackfillError(
            f"{path}: {', '.join(names[:_TOLD])}{more} {why}. Nothing was written: an event that "
            "is on record does not change"
        )
