"""One worker's part of the ledger, for writing: durable before anyone is told."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

from neocloud.ledger.committer import Committer, Deliver
from neocloud.ledger.errors import LedgerError
from neocloud.ledger.fitting import with_possible_tokens
from neocloud.ledger.place import LedgerPlace, place_of
from neocloud.ledger.progress import ProgressTable
from neocloud.ledger.records import (
    Admission,
    AllocationEvent,
    AttemptEvent,
    CorrectionEvent,
    EnergyEvent,
    UsageEvent,
)
from neocloud.ledger.recovery import PROGRESS, interrupted_events, left_open
from neocloud.ledger.report import ShippingReport
from neocloud.ledger.segments import Lock, LockedError, worker_folder
from neocloud.ledger.writer import SegmentWriter

_CLOSE_S = 10.0
_LOCK_S = 2.0
"""How long another process may hold the lock: one that only closes what a dead worker left."""


class Ledger:
    """Writes the segments of one worker. Opened by one process; calls belong to one thread.

    A request is admitted once and settled once. `on_durable` callbacks run by `deliver`, after the
    commit that holds the record has reached the disk.

    Attributes:
        recovered: requests of an earlier process that were open, now closed as interrupted.
        failure: why nothing may be admitted at present; None while all is well.
        shipping: what the shipper told last; None before the first time.
        progress: how far open requests have come, for the case that this process is killed.
    """

    def __init__(
        self, where: LedgerPlace | Path, *, worker: int, now_ns: int, deliver: Deliver
    ) -> None:
        """Begin a segment, and close what an earlier process left open.

        Args:
            where: the ledger; the path of a SQLite file stands for one.
            worker: number of this worker process.
            now_ns: present time, the end of the requests that are closed.
            deliver: runs callbacks in the caller's thread, as `loop.call_soon_threadsafe` does.

        Raises:
            LedgerError: held by another process, no ledger, another version, not writable.
        """
        place = place_of(where)
        if place.path is not None:
            _make_file(place, place.path)
        self.folder = worker_folder(place.segments, worker)
        self._lock = _lock_worker(self.folder)
        try:
            still_open = left_open(self.folder)
            path = self.folder / PROGRESS
            events = interrupted_events(still_open, path, now_ns)
            self.progress = ProgressTable(path)
            writer = SegmentWriter(self.folder, new_stream(), events=events)
        except OSError as error:
            self._lock.release()
            raise LedgerError(f"{self.folder}: {error.strerror}") from None
        except BaseException:
            self._lock.release()
            raise
        self.recovered = len(events)
        self.failure: str | None = None
        self._unwritable: str | None = None
        self._unshipped: str | None = None
        self.shipping: ShippingReport | None = None
        self._open: dict[str, Admission] = {}
        self._committer = Committer(writer, deliver, self._still_open, self._note_writing)

    @property
    def open_requests(self) -> int:
        """Requests that were admitted and not yet settled."""
        return len(self._open)

    @property
    def commits(self) -> int:
        """Commits so far; records over it is what a commit carries."""
        return self._committer.commits

    @property
    def committed(self) -> int:
        """Records made durable so far."""
        return self._committer.committed

    def admit(self, admission: Admission, on_durable: Callable[[], None] | None = None) -> None:
        """Note that a request was let in; from now on it must be settled.

        It is written with the next commit, by itself within `PATIENCE_S`, or at once if hurried.
        """
        assert admission.request_id not in self._open, "a request is admitted once"
        self._open[admission.request_id] = admission
        self._committer.admit(admission, on_durable)

    def readmit(self, admission: Admission) -> None:
        """Write an admission again, with another replica: it takes the place of the first."""
        assert admission.request_id in self._open, "only an open request is sent elsewhere"
        self._open[admission.request_id] = admission
        self._committer.admit(admission, None)

    def hurry(self, request_id: str) -> None:
        """Write an admission at once: something waits for it to be durable."""
        if request_id in self._open:
            self._committer.hurry()

    def settle(self, event: UsageEvent, on_durable: Callable[[], None] | None) -> None:
        """Write the one usage event of an admitted request.

        Counts that cannot be, below 0 or above 2^53, are bounded and marked as estimated.
        """
        assert event.request_id in self._open, "a request is settled once, after its admission"
        del self._open[event.request_id]
        if (
            event.input_tokens | event.cached_tokens | event.output_tokens | event.reasoning_tokens
        ) >> 53:
            event = with_possible_tokens(event)
        self._committer.put(event, on_durable)

    def record_attempt(self, event: AttemptEvent) -> None:
        """Write a try that failed."""
        self._committer.put(event)

    def record_allocation(self, event: AllocationEvent) -> None:
        """Write a span of held accelerators; the same span again changes nothing."""
        self._committer.put(event)

    def record_energy(self, event: EnergyEvent) -> None:
        """Write the energy of a span; the same span again changes nothing."""
        self._committer.put(event)

    def record_correction(self, event: CorrectionEvent) -> None:
        """Write a correction; the same again changes nothing."""
        self._committer.put(event)

    def note_shipping(self, report: ShippingReport) -> None:
        """Take over from the shipper why nothing may be admitted, or that all is well."""
        self.shipping = report
        self._unshipped = report.failure
        self.failure = self._unwritable or report.failure

    def close(self) -> None:
        """Commit what is queued and let go of the segment.

        Raises:
            LedgerError: some records could not be written.
        """
        lost = self._committer.close(_CLOSE_S)
        self.progress.close()
        self._lock.release()
        if lost:
            raise LedgerError(f"{lost} records could not be written: {self._unwritable}")

    def _still_open(self) -> list[Admission]:
        while True:
            try:
                return list(self._open.values())
            except RuntimeError:  # changed meanwhile by its own thread
                continue

    def _note_writing(self, failure: str | None) -> None:
        """In the committer's thread."""
        self._unwritable = failure
        self.failure = failure or self._unshipped


def close_abandoned(where: LedgerPlace | Path, *, workers: range, now_ns: int) -> int:
    """Close what workers left open that will not start again, as after a start with fewer of them.

    Those that run are passed over.

    Returns:
        How many requests were closed.

    Raises:
        LedgerError: a folder cannot be read or written.
    """
    place = place_of(where)
    closed = 0
    for worker in workers:
        folder = worker_folder(place.segments, worker)
        if not folder.is_dir():
            continue
        try:
            lock = Lock(folder / "lock")
        except LockedError:
            continue
        try:
            events = interrupted_events(left_open(folder), folder / PROGRESS, now_ns)
            if events:
                SegmentWriter(folder, new_stream(), events=events).close()
            closed += len(events)
        except OSError as error:
            raise LedgerError(f"{folder}: {error.strerror}") from None
        finally:
            lock.release()
    return closed


def new_stream() -> str:
    """A name for one run of one worker that no other run of any machine has."""
    return os.urandom(16).hex()


def _make_file(place: LedgerPlace, path: Path) -> None:
    if not path.parent.is_dir():
        raise LedgerError(f"{path}: there is no folder {path.parent}; make it first")
    store = place.connect()
    try:
        store.create()
    finally:
        store.close()


def _lock_worker(folder: Path) -> Lock:
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise LedgerError(f"{folder}: {error.strerror}") from None
    give_up_s = time.monotonic() + _LOCK_S
    while True:
        try:
            return Lock(folder / "lock")
        except LockedError:
            if time.monotonic() >= give_up_s:
                raise LedgerError(
                    f"{folder} is in use by another gateway; stop that one, or name another ledger"
                ) from None
            time.sleep(0.05)
