"""The commit thread: what was queued while the last commit was under way goes into the next one.

Under load a commit of some milliseconds then carries tens of records, so that durability costs a
request its latency but the ledger no throughput. An admission waits for its usage event for
`PATIENCE_S`, unless it is hurried: most short requests then cost one row instead of three. A commit
that fails is tried again, with the same records and in the same order, until it succeeds: nothing
is dropped.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from enum import IntEnum
from typing import Any

from neocloud.ledger.schema import ALLOCATION, ENERGY, OPEN, USAGE

log = logging.getLogger(__name__)

_RETRY_S = (0.1, 0.5, 2.0)

_BUSY = 4
"""Records in a commit from which on it pays to let more gather for the next."""
_PAUSE_S = 0.005

_FAILURES = (sqlite3.Error, OverflowError, UnicodeError)
"""Of a commit: the database's, and those of a value that no column can hold."""


class Kind(IntEnum):
    """What a queued record is."""

    ADMISSION = 0
    USAGE = 1
    ALLOCATION = 2
    ENERGY = 3


PATIENCE_S = 0.025
"""How long an admission may wait for a commit if no byte of its answer waits for it."""

Entry = tuple[Kind, Any, Callable[[], None] | None, float]
"""Kind, record, what to call once it is durable, and when it must be written (`monotonic`)."""

Deliver = Callable[[Callable[[], None]], object]
"""Runs a callback in the thread of whoever queues, as `loop.call_soon_threadsafe` does."""


class Committer:
    """Owns the connection for writing; runs until `close`.

    Args:
        connect: opens the connection, in the thread that uses it.
        deliver: hands callbacks over.
        on_failure: told the reason when a commit fails for the first time in a row.
        on_recovery: told when one succeeds again.
    """

    def __init__(
        self,
        connect: Callable[[], sqlite3.Connection],
        deliver: Deliver,
        on_failure: Callable[[str], None],
        on_recovery: Callable[[], None],
    ) -> None:
        self._connect = connect
        self._deliver = deliver
        self._on_failure = on_failure
        self._on_recovery = on_recovery
        self._queue: deque[Entry] = deque()
        self._wake = threading.Event()
        self._hurried: set[str] = set()
        self._closing = False
        self._give_up = threading.Event()
        self.commits = 0
        self.committed = 0
        self._unwritten: list[Entry] = []
        self._thread = threading.Thread(target=self._run, name="ledger", daemon=True)
        self._thread.start()

    def put(self, kind: Kind, record: object, on_durable: Callable[[], None] | None) -> None:
        """Queue a record."""
        due_s = time.monotonic() + PATIENCE_S if kind is Kind.ADMISSION else 0.0
        self._queue.append((kind, record, on_durable, due_s))
        # For an admission the thread need only know that there is one.
        if not self._wake.is_set() and (due_s == 0.0 or len(self._queue) == 1):
            self._wake.set()

    def hurry(self, request_id: str) -> None:
        """Write an admission with the next commit, whatever its patience."""
        self._hurried.add(request_id)
        self._wake.set()

    def close(self, timeout_s: float) -> int:
        """Commit what is queued, then end; the number of records that could not be written."""
        self._closing = True
        self._wake.set()
        self._thread.join(timeout_s)
        if self._thread.is_alive():
            self._give_up.set()
            self._thread.join()
        return len(self._unwritten) + len(self._queue)

    def _run(self) -> None:
        connection = self._connected()
        if connection is None:
            return
        try:
            while True:
                self._wake.wait(self._patience_s())
                self._wake.clear()
                batch = self._batch()
                if batch:
                    start = time.monotonic()
                    if not self._persist(connection, batch):
                        self._unwritten = batch
                        return
                    if len(batch) >= _BUSY and not self._closing:
                        # As long again: half the commits, each twice as full, leave the
                        # interpreter to the requests.
                        time.sleep(min(time.monotonic() - start, _PAUSE_S))
                if self._closing and not self._queue:
                    return
        finally:
            connection.close()

    def _patience_s(self) -> float | None:
        """How long nothing need be written; None if nothing is queued."""
        try:
            due_s = self._queue[0][3]
        except IndexError:
            return None
        return max(0.0, due_s - time.monotonic())

    def _batch(self) -> list[Entry]:
        """Take what is to be written now; patient admissions stay, in their order."""
        hurried = self._hurried.copy()  # before the queue: a hurried admission was queued earlier
        self._hurried.difference_update(hurried)
        taken = [self._queue.popleft() for _ in range(len(self._queue))]
        if self._closing:
            return taken
        now = time.monotonic()
        urgent = hurried | {r.request_id for kind, r, _, _ in taken if kind is Kind.USAGE}
        batch, patient = [], []
        for entry in taken:
            _, record, _, due_s = entry
            if due_s > now and record.request_id not in urgent:
                patient.append(entry)
            else:
                batch.append(entry)
        self._queue.extendleft(reversed(patient))
        return batch

    def _connected(self) -> sqlite3.Connection | None:
        """The connection, however often it takes; None if told to give up."""
        opened: list[sqlite3.Connection] = []
        self._insist(lambda: opened.append(self._connect()))
        return opened[0] if opened else None

    def _persist(self, connection: sqlite3.Connection, batch: list[Entry]) -> bool:
        """Commit a batch however often it takes; False if told to give up."""
        if not self._insist(lambda: _commit(connection, batch)):
            return False
        self.commits += 1
        self.committed += len(batch)
        callbacks = [callback for _, _, callback, _ in batch if callback is not None]
        if callbacks:
            # A loop that has ended takes no callbacks: nobody waits any more, and what is queued
            # is still to be written.
            with suppress(RuntimeError):
                self._deliver(lambda: _call_all(callbacks))
        return True

    def _insist(self, action: Callable[[], None]) -> bool:
        """Try until it succeeds; False if told to give up."""
        tries = 0
        while True:
            try:
                action()
            except _FAILURES as error:
                if tries == 0:
                    self._on_failure(f"{type(error).__name__}: {error}")
                wait = _RETRY_S[min(tries, len(_RETRY_S) - 1)]
                tries += 1
                if self._give_up.wait(wait):
                    return False
                continue
            if tries:
                self._on_recovery()
            return True


def _call_all(callbacks: list[Callable[[], None]]) -> None:
    for callback in callbacks:
        try:
            callback()
        except Exception:  # one request's mistake must not keep the others from their end
            log.exception("what waited for a record failed")


def _commit(connection: sqlite3.Connection, batch: list[Entry]) -> None:
    """Write a batch in one transaction; a request that came and went within it is never open."""
    settled = {record.request_id for kind, record, _, _ in batch if kind is Kind.USAGE}
    opened = [
        record
        for kind, record, _, _ in batch
        if kind is Kind.ADMISSION and record.request_id not in settled
    ]
    here = {record.request_id for kind, record, _, _ in batch if kind is Kind.ADMISSION}
    usage = [record for kind, record, _, _ in batch if kind is Kind.USAGE]
    before = [(record.request_id,) for record in usage if record.request_id not in here]
    connection.execute("BEGIN IMMEDIATE")
    try:
        if opened:
            connection.executemany(OPEN.insert, [OPEN.row(r) for r in opened])
        if usage:
            connection.executemany(USAGE.insert, [USAGE.row(r) for r in usage])
        if before:
            connection.executemany("DELETE FROM open_requests WHERE request_id = ?", before)
        for kind, table in ((Kind.ALLOCATION, ALLOCATION), (Kind.ENERGY, ENERGY)):
            rows = [table.row(record) for k, record, _, _ in batch if k is kind]
            if rows:
                connection.executemany(table.insert_new, rows)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
