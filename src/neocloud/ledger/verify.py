"""Looking a ledger over: whether it can be read to its end, and agrees with itself."""

from __future__ import annotations

import hashlib
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import msgspec

from neocloud.ledger.contents import Contents, contents_of
from neocloud.ledger.corrections import without_event
from neocloud.ledger.errors import LedgerError, StoreError
from neocloud.ledger.frames import (
    HEAD_BYTES,
    Event,
    admissions_and_events,
    data_end,
    read_frames,
    read_head,
)
from neocloud.ledger.place import LedgerPlace
from neocloud.ledger.read_only import ReadOnlyFile
from neocloud.ledger.reader import RecordReader
from neocloud.ledger.records import (
    AllocationEvent,
    AttemptEvent,
    CorrectionEvent,
    EnergyEvent,
    UsageEvent,
)
from neocloud.ledger.segments import offset_within, position_of, segment_files, worker_folders
from neocloud.ledger.store import View

_BUSY_S = 5.0
_SHOWN = 50
"""Problems that are told one by one; of the rest the number."""

_TOKENS = ("input_tokens", "cached_tokens", "output_tokens", "reasoning_tokens")


class Verification(msgspec.Struct, frozen=True, kw_only=True):
    """What was found.

    Attributes:
        contents: what the ledger holds; None if it cannot be read whole.
        open_requests: requests that have not ended, on this machine.
        segments: files on this machine that were read.
        unshipped: events in them that are not in the store yet.
        problems: what is wrong, and where.
    """

    contents: Contents | None
    open_requests: int
    segments: int
    unshipped: int
    problems: tuple[str, ...]


def verify(place: LedgerPlace) -> Verification:
    """Read all of a ledger, while gateways write or not.

    Held to be right: each segment can be read to its end by its checksums; what the store's
    positions say was shipped is in the store, and reads there as in the segment; no event is there
    twice; no request is both open and ended; times do not run backwards, and no count is negative;
    a correction is one of a request that is on record.

    Raises:
        LedgerError: there is no ledger of this version at `place`.
    """
    reader = RecordReader(place)
    problems = _Problems()
    with ExitStack() as stack:
        # Before the store: what was shipped by then is in the view that is opened afterwards.
        segments = _Segments(stack, place.segments, problems)
        still_open = {admission.request_id for admission in reader.open_requests()}
        store = stack.enter_context(closing(place.connect()))
        view = stack.enter_context(store.view())
        if place.path is not None:
            _check_file(place.path, problems)
        found = stack.enter_context(closing(_Found()))
        segments.read(view, found)
        both = _compare(view, found, still_open, problems, place.name)
        unshipped = found.unshipped()
    if both:
        # What ended between the look at the segments and that at the store is open no longer.
        both &= {admission.request_id for admission in reader.open_requests()}
        for request_id in sorted(both):
            problems.add(f"{place.segments}: request {request_id} is open, and has ended as well")
    contents = _contents(reader, problems)
    if contents is not None and contents.corrections:
        for orphan in without_event(reader.usage(), reader.corrections()):
            problems.add(f"{place.name}: {_named(orphan)} is of a request that is not on record")
    return Verification(
        contents=contents,
        open_requests=len(still_open),
        segments=segments.count,
        unshipped=unshipped,
        problems=problems.told(),
    )


class _Problems:
    def __init__(self) -> None:
        self._found: list[str] = []
        self._more = 0

    def add(self, text: str) -> None:
        if len(self._found) < _SHOWN:
            self._found.append(text)
        else:
            self._more += 1

    def told(self) -> tuple[str, ...]:
        more = (f"and {self._more:,} more",) if self._more else ()
        return (*self._found, *more)


class _Segments:
    """Files of this machine, opened at one moment."""

    def __init__(self, stack: ExitStack, folder: Path, problems: _Problems) -> None:
        self._problems = problems
        self._files: list[tuple[int, Path, bool]] = []
        for worker in worker_folders(folder):
            files = segment_files(worker)
            for file in files:
                try:
                    descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
                except FileNotFoundError:
                    continue  # shipped and deleted meanwhile
                except OSError as error:
                    problems.add(f"{file}: {error.strerror}")
                    continue
                stack.callback(os.close, descriptor)
                self._files.append((descriptor, file, file == files[-1]))

    @property
    def count(self) -> int:
        return len(self._files)

    def read(self, view: View, found: _Found) -> None:
        for descriptor, file, newest in self._files:
            try:
                stream, sequence = read_head(descriptor, file)
            except LedgerError as error:
                self._problems.add(str(error))
                continue
            shipped = offset_within(view.position(stream), sequence)
            ends = {HEAD_BYTES}
            end = HEAD_BYTES
            for end, payload in read_frames(descriptor, HEAD_BYTES):
                ends.add(end)
                try:
                    _, events = admissions_and_events(payload)
                except (msgspec.DecodeError, ValueError) as error:
                    self._problems.add(f"{file}: the frame that ends at byte {end}: {error}")
                    continue
                for event in events:
                    said = found.add(event, file, is_shipped=shipped is None or end <= shipped)
                    if said:
                        self._problems.add(said)
            # A gateway may be writing behind the last frame of the newest at this moment.
            if not newest and data_end(descriptor, end) > end:
                self._problems.add(f"{file} is damaged from byte {end} on")
            if shipped is None and newest and segment_files(file.parent)[-1:] == (file,):
                self._problems.add(f"{file}: the store's position is behind this, the newest")
            if shipped is not None and shipped not in ends:
                self._problems.add(
                    f"{file}: position {position_of(sequence, shipped)} of the store is at byte "
                    f"{shipped}, where no frame ends"
                )


def _place_of(event: Event) -> tuple[int, int, str, int]:
    """Kind, and what events of a kind are sorted by in a store."""
    match event:
        case UsageEvent():
            return 0, 0, event.request_id, 0
        case AttemptEvent():
            return 1, 0, event.request_id, event.number
        case AllocationEvent():
            return 2, event.start_ns, event.event_id, 0
        case EnergyEvent():
            return 3, event.start_ns, event.event_id, 0
        case CorrectionEvent():
            return 4, 0, f"{event.request_id} {event.made_ns:020d} {event.correction_id}", 0


_encode = msgspec.msgpack.encode


def _digest(event: Event) -> bytes:
    return hashlib.sha256(_encode(event)).digest()


class _Found:
    """Events of segments, in the order of a store; in a temporary file, so memory is bounded."""

    def __init__(self) -> None:
        self._connection = sqlite3.connect("", isolation_level=None)
        self._connection.execute(
            "CREATE TABLE found (kind INTEGER, start INTEGER, id TEXT, number INTEGER, "
            "digest BLOB, file TEXT, shipped INTEGER, PRIMARY KEY (kind, start, id, number)) "
            "WITHOUT ROWID"
        )

    def add(self, event: Event, file: Path, *, is_shipped: bool) -> str:
        """Note an event; what is wrong with it, or nothing."""
        where, digest = _place_of(event), _digest(event)
        try:
            self._connection.execute(
                "INSERT INTO found VALUES (?, ?, ?, ?, ?, ?, ?)",
                (*where, digest, str(file), is_shipped),
            )
        except sqlite3.IntegrityError:
            (other,) = self._connection.execute(
                "SELECT file FROM found WHERE kind = ? AND start = ? AND id = ? AND number = ?",
                where,
            ).fetchone()
            if where[0] > 1 and (digest,) in self._connection.execute(
                "SELECT digest FROM found WHERE kind = ? AND start = ? AND id = ?", where[:3]
            ):
                return ""  # a span may be written again
            return f"{file}: {_named(event)} is there twice, also in {other}"
        return ""

    def rows(self, kind: int) -> Iterator[tuple[tuple[int, str, int], bytes, str, bool]]:
        for start, name, number, digest, file, shipped in self._connection.execute(
            "SELECT start, id, number, digest, file, shipped FROM found WHERE kind = ? "
            "ORDER BY start, id, number",
            (kind,),
        ):
            yield (start, name, number), digest, file, bool(shipped)

    def unshipped(self) -> int:
        (count,) = self._connection.execute(
            "SELECT count(*) FROM found WHERE NOT shipped"
        ).fetchone()
        return int(count)

    def close(self) -> None:
        self._connection.close()


_KINDS: tuple[tuple[str, Callable[[View], Iterator[Any]]], ...] = (
    ("usage event", lambda view: view.usage()),
    ("attempt", lambda view: view.attempts()),
    ("allocation", lambda view: view.allocation()),
    ("energy", lambda view: view.energy()),
    ("correction", lambda view: view.corrections()),
)
"""By the number of the kind, as in `_place_of`."""


def _compare(
    view: View, found: _Found, still_open: set[str], problems: _Problems, name: str
) -> set[str]:
    """Go through the store and what segments hold side by side; requests both open and ended."""
    both: set[str] = set()
    for kind, (called, read) in enumerate(_KINDS):
        rows = found.rows(kind)
        row = next(rows, None)
        last: tuple[int, str, int] | None = None
        try:
            for event in read(view):
                this = _place_of(event)[1:]
                if last is not None and this <= last:
                    problems.add(f"{name}: {_named(event)} is there twice, or out of order")
                last = this
                while row is not None and row[0] < this:
                    _missing(row, called, name, problems)
                    row = next(rows, None)
                if row is not None and row[0] == this:
                    if row[1] != _digest(event):
                        problems.add(f"{name}: {_named(event)} differs from the one in {row[2]}")
                    row = next(rows, None)
                if kind == 0 and event.request_id in still_open:
                    both.add(event.request_id)
                wrong = _implausible(event)
                if wrong:
                    problems.add(f"{name}: {_named(event)} {wrong}")
        except (LedgerError, ValueError, TypeError) as error:  # such as a status that is none
            problems.add(f"{name}: after {called} {last[1] if last else '(none)'}: {error}")
            continue
        while row is not None:
            _missing(row, called, name, problems)
            row = next(rows, None)
    return both


def _missing(
    row: tuple[tuple[int, str, int], bytes, str, bool], called: str, name: str, problems: _Problems
) -> None:
    (_, event_id, _), _, file, shipped = row
    if shipped:
        problems.add(f"{name} lacks the {called} {event_id}, which was shipped from {file}")


def _named(event: Event) -> str:
    match event:
        case UsageEvent():
            return f"the usage event {event.request_id}"
        case AttemptEvent():
            return f"the attempt {event.request_id} {event.number}"
        case AllocationEvent():
            return f"the allocation {event.event_id}"
        case EnergyEvent():
            return f"the energy {event.event_id}"
        case CorrectionEvent():
            return f"the correction {event.correction_id}"


def _implausible(event: Event) -> str:
    match event:
        case UsageEvent() | CorrectionEvent() if any(getattr(event, name) < 0 for name in _TOKENS):
            return "has a negative count of tokens"
        case UsageEvent():
            return "ends before it begins" if event.finished_ns < event.admitted_ns else ""
        case AttemptEvent():
            return "ends before it begins" if event.ended_ns < event.started_ns else ""
        case AllocationEvent() | EnergyEvent():
            return "" if event.end_ns > event.start_ns else "does not end after it begins"
        case CorrectionEvent():
            return ""


def _check_file(path: Path, problems: _Problems) -> None:
    """SQLite's own check of pages, indexes and constraints."""
    try:
        with closing(ReadOnlyFile(path, _BUSY_S)) as file:
            for (said,) in file.connection.execute(f"PRAGMA integrity_check({_SHOWN})"):
                if said != "ok":
                    problems.add(f"{path}: {said}")
            file.check()
    except (sqlite3.Error, StoreError) as error:
        problems.add(f"{path}: {error}")


def _contents(reader: RecordReader, problems: _Problems) -> Contents | None:
    try:
        return contents_of(reader)
    except (LedgerError, ValueError, TypeError) as error:
        problems.add(f"{reader.name} cannot be read whole: {error}")
        return None
