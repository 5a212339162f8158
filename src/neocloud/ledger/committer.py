"""The commit thread: what was queued while the last commit was under way goes into the next one.

Under load a commit then carries tens of records, so that durability costs a request its latency but
the ledger no throughput. An admission need not be durable before something waits for it: it goes
with whatever commit comes next, and by itself after `PATIENCE_S`. A commit that fails is tried
again, with the same bytes in the same place, until it succeeds: nothing is dropped.

Who queues does little: an append, and a wake-up if the thread sleeps. The thread takes what is
there as a whole, encodes it as one frame, writes it and waits for the disk without the interpreter,
and hands all callbacks over at once.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial

from neocloud.ledger.frames import Event, write_frame
from neocloud.ledger.records import Admission
from neocloud.ledger.writer import SegmentWriter

log = logging.getLogger(__name__)

PATIENCE_S = 0.025
"""How long an admission may wait for a commit if nothing waits for it."""

_RETRY_S = (0.1, 0.5, 2.0)
_LIMIT = 2048
"""Records of a kind in one frame: encoding them keeps the interpreter for a millisecond or so."""
_QUIET = 40
_PACE_S = 50e-6
"""A commit costs tens of microseconds of processor time whatever it holds. Where more requests end
than one in this time, commits keep a distance of up to `_GAP_S` from start to start, so that each
holds more; where fewer do, none waits."""
_GAP_S = 0.001
"""Times of `PATIENCE_S` without anything to do after which the thread sleeps until it is called."""

Done = Callable[[], None]
Deliver = Callable[[Done], object]
"""Runs a callback in the thread of whoever queues, as `loop.call_soon_threadsafe` does."""


class Committer:
    """Owns the writer; runs until `close`. All but its thread belongs to one other thread.

    Args:
        writer: of the segments.
        deliver: hands callbacks over.
        still_open: tells what is open, for the head of a new segment; called by the thread.
        on_failure: told the reason when a commit fails for the first time in a row, and None when
            one succeeds again; called by the thread.

    Attributes:
        commits: commits so far.
        committed: records made durable so far.
    """

    def __init__(
        self,
        writer: SegmentWriter,
        deliver: Deliver,
        still_open: Callable[[], Iterable[Admission]],
        on_failure: Callable[[str | None], None],
    ) -> None:
        self._writer = writer
        self._deliver = deliver
        self._still_open = still_open
        self._on_failure = on_failure
        self._admissions: list[Admission] = []
        self._events: list[Event] = []
        self._callbacks: list[Done] = []
        # `_due`: something waits for a commit. `_asleep`: the thread waits for `_call`;
        # `_sound`: it does so without an end, so that it must be told of an admission too.
        self._due = False
        self._asleep = False
        self._sound = False
        self._call: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._closing = False
        self._give_up = threading.Event()
        self._frame = bytearray()
        self.commits = 0
        self.committed = 0
        self._unwritten = 0
        self._thread = threading.Thread(target=self._run, name="ledger", daemon=True)
        self._thread.start()

    def admit(self, admission: Admission, on_durable: Done | None) -> None:
        """Queue an admission."""
        self._admissions.append(admission)
        if on_durable is not None:
            self._callbacks.append(on_durable)
        if self._sound:
            self._sound = False
            self._call.put(None)

    def put(self, event: Event, on_durable: Done | None = None) -> None:
        """Queue an event for the next commit."""
        # In this order, which the thread relies on: a callback's record is there before it.
        self._events.append(event)
        if on_durable is not None:
            self._callbacks.append(on_durable)
        self._due = True
        if self._asleep:
            self._asleep = False
            self._call.put(None)

    def hurry(self) -> None:
        """Commit what is queued now: something waits for an admission."""
        self._due = True
        if self._asleep:
            self._asleep = False
            self._call.put(None)

    def close(self, timeout_s: float) -> int:
        """Commit what is queued, then end; the number of records that could not be written."""
        self._closing = True
        self.hurry()
        self._thread.join(timeout_s)
        if self._thread.is_alive():
            self._give_up.set()
            self._thread.join()
        with suppress(OSError):
            self._writer.close()
        return self._unwritten + len(self._admissions) + len(self._events)

    def _run(self) -> None:
        try:
            self._work()
        except BaseException as error:  # nothing is admitted any more, rather than lost unseen
            log.exception("the ledger's thread failed")
            self._on_failure(f"the ledger's thread failed: {error!r}")

    def _work(self) -> None:
        while True:
            closing = self._closing
            if not closing:
                self._wait()
            self._due = False
            # Callbacks are counted first, then events, then admissions: whatever comes meanwhile,
            # a callback's record is among those taken, and so is an event's admission.
            callbacks = len(self._callbacks)
            events = len(self._events)
            admissions = len(self._admissions)
            begun_s = time.monotonic()
            if not self._commit(admissions, events):
                return
            if callbacks:
                ready = self._callbacks[:callbacks]
                del self._callbacks[:callbacks]
                # A loop that has ended takes no callbacks: nobody waits any more, and what is
                # queued is still to be written.
                with suppress(RuntimeError):
                    self._deliver(partial(_call_all, ready))
            rest_s = min(_GAP_S, events * _PACE_S) - (time.monotonic() - begun_s)
            if rest_s > 0 and not closing:
                time.sleep(rest_s)
            if closing and not self._events and not self._admissions:
                return

    def _wait(self) -> None:
        """Sleep until something is to be committed."""
        quiet = 0
        while not self._due:
            self._asleep = True
            self._sound = quiet >= _QUIET
            if not self._due and not (self._sound and self._admissions):
                try:
                    self._call.get(timeout=None if self._sound else PATIENCE_S)
                    quiet = 0
                except queue.Empty:
                    if self._admissions:
                        break
                    quiet += 1
            elif self._sound:
                quiet = 0
        self._asleep = self._sound = False

    def _commit(self, admissions: int, events: int) -> bool:
        """Make so many of the queued records durable; False if told to give up."""
        while admissions or events:
            # Admissions before events; what does not fit waits for the next frame.
            first = self._admissions[: min(admissions, _LIMIT)]
            then = self._events[: min(events, _LIMIT)] if admissions <= _LIMIT else []
            del self._admissions[: len(first)]
            del self._events[: len(then)]
            admissions -= len(first)
            events -= len(then)
            write_frame(self._frame, first, then)
            if not self._insist(self._write):
                self._unwritten = len(first) + len(then)
                return False
            self.commits += 1
            self.committed += len(first) + len(then)
        return True

    def _write(self) -> None:
        if self._writer.full:
            self._writer.begin(list(self._still_open()))
        self._writer.append(self._frame)

    def _insist(self, action: Done) -> bool:
        """Try until it succeeds; False if told to give up."""
        tries = 0
        while True:
            try:
                action()
            except OSError as error:
                if tries == 0:
                    self._on_failure(f"{self._writer.path}: {error.strerror}")
                wait = _RETRY_S[min(tries, len(_RETRY_S) - 1)]
                tries += 1
                if self._give_up.wait(wait):
                    return False
                continue
            if tries:
                self._on_failure(None)
            return True


def _call_all(callbacks: list[Done]) -> None:
    for callback in callbacks:
        try:
            callback()
        except Exception:  # one request's mistake must not keep the others from their end
            log.exception("what waited for a record failed")
