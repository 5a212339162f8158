"""One worker's segment, for writing: admissions, usage, allocation and energy, made durable."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from neocloud.ledger.committer import Committer, Deliver, Kind
from neocloud.ledger.errors import LedgerError
from neocloud.ledger.records import Admission, AllocationEvent, EnergyEvent, UsageEvent
from neocloud.ledger.recovery import close_open_requests
from neocloud.ledger.schema import check_schema, create_tables, is_empty
from neocloud.ledger.segments import SegmentLock, segment_path

_CLOSE_S = 10.0


def _connect(segment: Path) -> sqlite3.Connection:
    """Open for writing. FULL: a commit returns when the log is on the disk (fsync)."""
    connection = sqlite3.connect(segment, isolation_level=None, timeout=5.0)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
    except BaseException:
        connection.close()
        raise
    return connection


class Ledger:
    """Writes one segment. Opened by one process at a time; calls belong to one thread.

    A request is admitted once and settled once. `on_durable` callbacks run by `deliver`, after the
    commit that holds the record has reached the disk.

    Attributes:
        recovered: requests of an earlier process that were open, now closed as interrupted.
        failure: why nothing can be written at present; None while all is well.
    """

    def __init__(self, path: Path, *, worker: int, now_ns: int, deliver: Deliver) -> None:
        """Open or make the segment, and close what an earlier process left open.

        Args:
            path: first segment of the ledger; this worker's own stands beside it.
            worker: number of this worker process.
            now_ns: present time, the end of the requests that are closed.
            deliver: runs callbacks in the caller's thread, as `loop.call_soon_threadsafe` does.

        Raises:
            LedgerError: held by another process, no ledger, another version, not writable.
        """
        self.segment = segment_path(path, worker)
        self._lock = SegmentLock(self.segment)
        try:
            self.recovered = self._prepare(now_ns)
        except BaseException:
            self._lock.release()
            raise
        self.failure: str | None = None
        self._open: set[str] = set()
        self._committer = Committer(
            lambda: _connect(self.segment), deliver, self._failed, self._well_again
        )

    @property
    def open_requests(self) -> int:
        """Requests that were admitted and not yet settled."""
        return len(self._open)

    @property
    def commits(self) -> int:
        """Transactions so far; records over it is what a commit carries."""
        return self._committer.commits

    @property
    def committed(self) -> int:
        """Records made durable so far."""
        return self._committer.committed

    def admit(self, admission: Admission, on_durable: Callable[[], None] | None = None) -> None:
        """Note that a request was let in; from now on it must be settled.

        It is written within `PATIENCE_S`, at once if hurried, or together with its usage event.
        """
        assert admission.request_id not in self._open, "a request is admitted once"
        self._open.add(admission.request_id)
        self._committer.put(Kind.ADMISSION, admission, on_durable)

    def hurry(self, request_id: str) -> None:
        """Write an admission at once: something waits for it to be durable."""
        self._committer.hurry(request_id)

    def settle(self, event: UsageEvent, on_durable: Callable[[], None]) -> None:
        """Write the one usage event of an admitted request."""
        assert event.request_id in self._open, "a request is settled once, after its admission"
        self._open.discard(event.request_id)
        self._committer.put(Kind.USAGE, event, on_durable)

    def record_allocation(self, event: AllocationEvent) -> None:
        """Write a span of held accelerators; the same span again changes nothing."""
        self._committer.put(Kind.ALLOCATION, event, None)

    def record_energy(self, event: EnergyEvent) -> None:
        """Write the energy of a span; the same span again changes nothing."""
        self._committer.put(Kind.ENERGY, event, None)

    def close(self) -> None:
        """Commit what is queued and let go of the segment.

        Raises:
            LedgerError: some records could not be written.
        """
        lost = self._committer.close(_CLOSE_S)
        self._lock.release()
        if lost:
            raise LedgerError(
                f"{self.segment}: {lost} records could not be written: {self.failure}"
            )

    def _prepare(self, now_ns: int) -> int:
        try:
            # Looked at before anything is written, the journal's mode too: the file may be
            # another version's, or no ledger at all.
            with closing(sqlite3.connect(self.segment, timeout=5.0)) as connection:
                if not is_empty(connection):
                    check_schema(connection, self.segment)
            with closing(_connect(self.segment)) as connection:
                create_tables(connection)
                return close_open_requests(connection, now_ns)
        except sqlite3.Error as error:
            raise LedgerError(f"{self.segment}: {error}") from None

    def _failed(self, reason: str) -> None:
        self.failure = reason

    def _well_again(self) -> None:
        self.failure = None
