"""Bringing what segments hold into a store: exactly once, whatever is killed when.

Rows and the position up to which they were read go into the store in one transaction. Whoever comes
next goes on from that position; what was read twice changes nothing. Only what is on the disk of
the segment is brought, and a segment is deleted only when all of it is in the store and a newer one
holds what is open.
"""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import msgspec

from neocloud.ledger.errors import LedgerError
from neocloud.ledger.frames import Event, data_end, events_of, read_frames, read_head
from neocloud.ledger.segments import (
    offset_within,
    position_of,
    segment_files,
    worker_folders,
)
from neocloud.ledger.store import Store, batch_of

ROWS = 4096
"""In one transaction: some milliseconds of a store's time."""


class Progressing(msgspec.Struct):
    """How it goes, for whoever watches from another thread.

    Attributes:
        shipped: records brought so far.
        trying_since_s: since when the store has not finished what it was given (`monotonic`); None
            if it has.
        reason: what it said last.
        behind_since_s: since when there has been more to bring; None if there was none.
        damage: what is wrong with a segment; empty if nothing is.
    """

    shipped: int = 0
    trying_since_s: float | None = None
    reason: str = ""
    behind_since_s: float | None = None
    damage: str = ""


class Carrier:
    """Brings the segments of a folder into a store. Only one may work on a folder at a time."""

    def __init__(self, store: Store, segments: Path, rows: int = ROWS) -> None:
        self.state = Progressing()
        self._store = store
        self._segments = segments
        self._rows = rows
        self._created = False
        self._left: dict[Path, int] = {}  # by segment: where what is not shipped begins
        self._done: set[Path] = set()  # newest segments of which nothing was left at the last look
        self._lock = threading.Lock()  # around the two

    def round(self) -> bool:
        """Bring one batch of each worker; True if there is more to bring.

        Raises:
            StoreError: the store cannot be reached or written at present.
            LedgerError: the store is no ledger of this version.
        """
        if not self._created:
            with _Trying(self.state):
                self._store.create()
            self._created = True
        more = False
        damage = ""
        for folder in worker_folders(self._segments):
            try:
                more |= self._folder(folder)
            except DamagedError as error:  # the others go on
                damage = str(error)
            except OSError as error:
                damage = f"{folder}: {error.strerror}"
        self.state.damage = damage
        if not more:
            self.state.behind_since_s = None
        elif self.state.behind_since_s is None:
            self.state.behind_since_s = time.monotonic()
        return more

    def backlog_bytes(self) -> int:
        """Bytes of segments that are not in the store. May be asked from another thread."""
        total = 0
        with self._lock:
            left, done = dict(self._left), set(self._done)
        if self.state.trying_since_s is not None:
            done = set()
        for folder in worker_folders(self._segments):
            for file in segment_files(folder):
                if file not in done:
                    try:
                        total += max(0, file.stat().st_size - left.get(file, 0))
                    except FileNotFoundError:
                        continue
        return total

    def _folder(self, folder: Path) -> bool:
        files = segment_files(folder)
        for file in files:
            newest = file == files[-1]
            descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
            try:
                whole = self._bring(descriptor, file, newest=newest)
            finally:
                os.close(descriptor)
            if not whole:
                return True
            if not newest:
                file.unlink(missing_ok=True)
                with self._lock:
                    self._left.pop(file, None)
                    self._done.discard(file)
        return False

    def _bring(self, descriptor: int, file: Path, *, newest: bool) -> bool:
        """Bring one batch of a segment; True if nothing of it is left."""
        try:
            stream, sequence = read_head(descriptor, file)
        except LedgerError as error:
            raise DamagedError(str(error)) from None
        with _Trying(self.state):
            offset = offset_within(self._store.position(stream), sequence)
        if offset is None:
            return True
        records: list[Event] = []
        end, whole = offset, True
        for end, payload in read_frames(descriptor, offset):  # noqa: B007 - the last is used
            records += events_of(payload)
            if len(records) >= self._rows:
                whole = False
                break
        if end > offset:
            if newest:
                os.fdatasync(descriptor)  # it may have been written this moment
            with _Trying(self.state):
                self._store.apply(stream, position_of(sequence, end), batch_of(records))
            self.state.shipped += len(records)
        if whole and not newest and data_end(descriptor, end) > end:
            raise DamagedError(
                f"{file} is damaged from byte {end} on; what it holds behind that is not shipped. "
                "Move it to another folder to go on without"
            )
        with self._lock:
            self._left[file] = end
            (self._done.add if whole else self._done.discard)(file)
        return whole


class DamagedError(LedgerError):
    """A segment that cannot be read to its end."""


class _Trying:
    """Notes from when to when the store is at work, and what it says if it fails."""

    def __init__(self, state: Progressing) -> None:
        self._state = state

    def __enter__(self) -> None:
        if self._state.trying_since_s is None:
            self._state.trying_since_s = time.monotonic()

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is None:
            self._state.trying_since_s = None
            self._state.reason = ""
        else:
            self._state.reason = str(error)
