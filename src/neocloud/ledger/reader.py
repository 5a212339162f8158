"""Reading a ledger: all segments as one, while gateways write."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from neocloud.ledger.errors import LedgerError
from neocloud.ledger.records import Admission, AllocationEvent, EnergyEvent, UsageEvent
from neocloud.ledger.schema import ALLOCATION, ENERGY, OPEN, USAGE, RecordTable, check_schema
from neocloud.ledger.segments import segments
from neocloud.units import Period

R = TypeVar("R", bound=msgspec.Struct)

_MILLISECOND_NS = 1_000_000


def _id_from(time_ns: int) -> str:
    """Not above any request id made at `time_ns` or later: UUIDv7 begins with the millisecond."""
    value = f"{max(0, time_ns // _MILLISECOND_NS):012x}"
    return f"{value[:8]}-{value[8:]}"


class Reader:
    """A ledger, read-only. Each call reads what is committed at that moment.

    Raises:
        LedgerError: there is no ledger at `path`, or one of another version.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        if not segments(path):
            raise LedgerError(f"no ledger at {path}; `neocloud up` makes one")

    def usage(self, period: Period | None = None) -> Iterator[UsageEvent]:
        """Usage events by time of admission within each segment; of one period, or all."""
        if period is None:
            yield from self._read(USAGE, "ORDER BY request_id", ())
            return
        bounds = (_id_from(period.start_ns), _id_from(period.end_ns + _MILLISECOND_NS))
        where = "WHERE request_id >= ? AND request_id < ? ORDER BY request_id"
        for event in self._read(USAGE, where, bounds):
            if event.admitted_ns in period:
                yield event

    def open_requests(self) -> Iterator[Admission]:
        """Requests that were admitted and have no usage event yet."""
        return self._read(OPEN, "ORDER BY request_id", ())

    def allocation(self, period: Period | None = None) -> Iterator[AllocationEvent]:
        """Spans of held accelerators that overlap the period, whole; by start."""
        return self._spans(ALLOCATION, period)

    def energy(self, period: Period | None = None) -> Iterator[EnergyEvent]:
        """Spans of energy that overlap the period, whole; by start."""
        return self._spans(ENERGY, period)

    def span(self) -> Period | None:
        """From the first to the last thing on record; None of an empty ledger."""
        starts: list[int] = []
        ends: list[int] = []
        for start, end, table in (
            ("admitted_ns", "finished_ns", "usage"),
            ("start_ns", "end_ns", "allocation"),
        ):
            query = f"SELECT min({start}), max({end}) FROM {table}"  # noqa: S608
            for low, high in self._rows(query, ()):
                if low is not None:
                    starts.append(int(low))
                    ends.append(int(high))
        return Period(min(starts), max(ends) + 1) if starts else None

    def _spans(self, table: RecordTable[R], period: Period | None) -> Iterator[R]:
        if period is None:
            return self._read(table, "ORDER BY start_ns, event_id", ())
        where = "WHERE end_ns > ? AND start_ns < ? ORDER BY start_ns, event_id"
        return self._read(table, where, (period.start_ns, period.end_ns))

    def _read(self, table: RecordTable[R], rest: str, values: tuple[str | int, ...]) -> Iterator[R]:
        query = f"SELECT {table.columns} FROM {table.name} {rest}"  # noqa: S608
        yield from table.records(self._rows(query, values))

    def _rows(self, query: str, values: tuple[str | int, ...]) -> Iterator[tuple[Any, ...]]:
        for segment in segments(self.path):
            try:
                with closing(
                    sqlite3.connect(f"{segment.resolve().as_uri()}?mode=ro", uri=True, timeout=5.0)
                ) as connection:
                    check_schema(connection, segment)
                    yield from connection.execute(query, values)
            except sqlite3.Error as error:
                raise LedgerError(f"{segment}: {error}") from None
