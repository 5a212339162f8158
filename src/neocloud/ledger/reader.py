"""Reading a ledger: what is shipped and what is not yet, as one, while gateways write."""

from __future__ import annotations

import heapq
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from neocloud.ledger.corrections import corrected, in_order
from neocloud.ledger.errors import LedgerError
from neocloud.ledger.frames import Event, events_of, read_frames, read_head
from neocloud.ledger.place import LedgerPlace, place_of
from neocloud.ledger.records import (
    Admission,
    AllocationEvent,
    AttemptEvent,
    CorrectionEvent,
    EnergyEvent,
    UsageEvent,
)
from neocloud.ledger.recovery import open_in
from neocloud.ledger.segments import offset_within, segment_files, worker_folders
from neocloud.ledger.sqlite import Sorted
from neocloud.ledger.store import View, batch_of
from neocloud.units import Period

R = TypeVar("R", bound=msgspec.Struct)
_PIECE = 4096


class Moment(msgspec.Struct, frozen=True):
    """A ledger as of one moment."""

    shipped: View
    unshipped: Callable[[], Iterator[Event]]
    """Reads the segments' rest, in no order; some of it may be in the store all the same."""


class RecordReader:
    """A ledger as it was written, read-only. Each call reads what is committed at that moment.

    Events stand as they were first recorded, corrections beside them: for copies, and for who looks
    into what was corrected. What is to be counted is told by `Reader`.

    Attributes:
        place: where it lies.

    Raises:
        LedgerError: there is no ledger at `where`, or one of another version.
    """

    def __init__(self, where: LedgerPlace | Path) -> None:
        self.place = place_of(where)
        path = self.place.path
        if path is not None and not path.exists():
            raise LedgerError(f"no ledger at {path}; `neocloud up` makes one")

    @property
    def name(self) -> str:
        """How the ledger is called in messages."""
        return self.place.name

    def usage(self, period: Period | None = None) -> Iterator[UsageEvent]:
        """Usage events by `request_id`, which is by time of admission; of one period, or all."""
        return self._merged(UsageEvent, lambda view: view.usage(period), _request_id)

    def allocation(self, period: Period | None = None) -> Iterator[AllocationEvent]:
        """Spans of held accelerators that overlap the period, whole; by start."""
        return self._merged(AllocationEvent, lambda view: view.allocation(period), _span_key)

    def energy(self, period: Period | None = None) -> Iterator[EnergyEvent]:
        """Spans of energy that overlap the period, whole; by start."""
        return self._merged(EnergyEvent, lambda view: view.energy(period), _span_key)

    def attempts(self, period: Period | None = None) -> Iterator[AttemptEvent]:
        """Tries that failed and began in the period, by `request_id` and number."""
        return self._merged(
            AttemptEvent, lambda view: view.attempts(period), lambda e: (e.request_id, e.number)
        )

    def corrections(self, period: Period | None = None) -> Iterator[CorrectionEvent]:
        """Corrections of requests of the period, to its milliseconds, or all; by request, `made_ns`
        and id: of each request the last one holds.
        """  # noqa: D205 - one sentence
        return self._merged(CorrectionEvent, lambda view: view.corrections(period), in_order)

    def open_requests(self) -> Iterator[Admission]:
        """Requests of this machine that were admitted and have no usage event yet, by id."""
        found: dict[str, Admission] = {}
        for folder in worker_folders(self.place.segments):
            found |= _open_of(folder)
        return iter([found[request_id] for request_id in sorted(found)])

    def span(self) -> Period | None:
        """From the first to the last thing on record; None of an empty ledger."""
        with self._moment() as moment:
            shipped = moment.shipped.span()
            starts = [] if shipped is None else [shipped.start_ns]
            ends = [] if shipped is None else [shipped.end_ns]
            for event in moment.unshipped():
                if isinstance(event, UsageEvent):
                    start, end = event.admitted_ns, event.finished_ns + 1
                elif isinstance(event, AllocationEvent):
                    start, end = event.start_ns, event.end_ns + 1
                else:
                    continue
                starts = [min([*starts, start])]
                ends = [max([*ends, end])]
        return Period(starts[0], ends[0]) if starts else None

    def _merged(
        self, kind: type[R], read: Callable[[View], Iterator[R]], key: Callable[[R], Any]
    ) -> Iterator[R]:
        """Records of store and segments in one order, each once."""
        with self._views(kind) as views:
            yield from _once(views, read, key)

    @contextmanager
    def _views(self, *kinds: type[msgspec.Struct]) -> Iterator[tuple[View, ...]]:
        """The store as of now, and what segments hold beyond it of some kinds, if anything."""
        with self._moment() as moment, ExitStack() as stack:
            rest = (event for event in moment.unshipped() if isinstance(event, kinds))
            first = list(islice(rest, 1))
            if not first:
                yield (moment.shipped,)
                return
            table = Sorted()
            stack.callback(table.close)
            while first:
                table.add(batch_of(first))
                first = list(islice(rest, _PIECE))
            yield moment.shipped, table.view()

    @contextmanager
    def _moment(self) -> Iterator[Moment]:
        """The ledger as of now.

        Segments are opened before the store is looked at: what is shipped and deleted between is in
        the store by then, and what is deleted later can still be read.
        """
        with ExitStack() as stack:
            opened = []
            for folder in worker_folders(self.place.segments):
                for file in segment_files(folder):
                    descriptor = _open(file)
                    if descriptor is not None:
                        stack.callback(os.close, descriptor)
                        opened.append((descriptor, file))
            store = self.place.connect()
            stack.callback(store.close)
            view = stack.enter_context(store.view())
            yield Moment(view, lambda: _unshipped(opened, view))


class Reader(RecordReader):
    """A ledger as it holds now, read-only: events with what corrections say of them."""

    def usage(self, period: Period | None = None) -> Iterator[UsageEvent]:
        """Usage events by `request_id`; those that were corrected say by which correction."""
        with self._views(UsageEvent, CorrectionEvent) as views:
            yield from corrected(
                _once(views, lambda view: view.usage(period), _request_id),
                _once(views, lambda view: view.corrections(period), in_order),
            )

    def recorded(self, period: Period | None = None) -> Iterator[UsageEvent]:
        """Usage events as they were first recorded, whatever was corrected since."""
        return super().usage(period)


def _once(
    views: Sequence[View], read: Callable[[View], Iterator[R]], key: Callable[[R], Any]
) -> Iterator[R]:
    """Records of all views in one order, each once."""
    if len(views) == 1:
        yield from read(views[0])
        return
    last: Any = None
    for record in heapq.merge(*map(read, views), key=key):
        this = key(record)
        if this != last:
            yield record
        last = this


def _request_id(event: UsageEvent) -> str:
    return event.request_id


def _open(file: Path) -> int | None:
    """A segment; None if it was shipped and deleted meanwhile."""
    try:
        return os.open(file, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise LedgerError(f"{file}: {error.strerror}") from None


def _unshipped(opened: Iterable[tuple[int, Path]], view: View) -> Iterator[Event]:
    for descriptor, file in opened:
        stream, sequence = read_head(descriptor, file)
        offset = offset_within(view.position(stream), sequence)
        if offset is not None:
            for _, payload in read_frames(descriptor, offset):
                yield from events_of(payload)


def _open_of(folder: Path) -> dict[str, Admission]:
    """What is open by the newest segment of a worker, whichever that is at this moment."""
    while files := segment_files(folder):
        descriptor = _open(files[-1])
        if descriptor is not None:
            try:
                return open_in(descriptor)[0]
            finally:
                os.close(descriptor)
    return {}


def _span_key(event: AllocationEvent | EnergyEvent) -> tuple[int, str]:
    return event.start_ns, event.event_id
