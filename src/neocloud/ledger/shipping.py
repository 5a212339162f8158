"""`python -m neocloud.ledger.shipping`: the process that ships segments, at a lower priority.

Its standard input is a pipe that only its parent holds: one line, the order; at its end the process
brings what is left and ends. One process works on a folder; others stand by and pass on what it
tells, until they can take its place.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import msgspec

from neocloud.ledger.carrier import Carrier
from neocloud.ledger.errors import LedgerError
from neocloud.ledger.place import ledger_place
from neocloud.ledger.report import ShippingOrder, ShippingReport
from neocloud.ledger.segments import Lock, LockedError

_LOOK_S = 0.5
"""Between two looks at segments of which nothing was left, and between two reports."""
_LAST_S = 5.0
"""For what is left when the parent has ended."""
_END_S = 10.0
_SILENT_S = 10.0
_NICE = 10
"""Requests go first where both want the same core, yet it is never starved."""


class Reporter:
    """Tells twice a second how it stands, even while the store does not answer."""

    def __init__(self, order: ShippingOrder, carrier: Carrier) -> None:
        self._order = order
        self._carrier = carrier
        self._path = Path(order.segments) / "shipping.json"
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="reporter", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Tell once more, then end."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(_LOOK_S):
            self._tell()
        self._tell()

    def _tell(self) -> None:
        line = msgspec.json.encode(self.report())
        tell(line)
        beside = self._path.with_suffix(".new")
        with suppress(OSError):  # for those who stand by: the next one will do
            beside.write_bytes(line)
            beside.replace(self._path)

    def report(self) -> ShippingReport:
        """How it stands now."""
        state, order, now_s = self._carrier.state, self._order, time.monotonic()
        backlog = self._carrier.backlog_bytes()
        since, behind = state.trying_since_s, state.behind_since_s
        failure = state.damage or None
        if since is not None and now_s - since > order.patience_s:
            failure = state.reason or f"the store has not answered for {now_s - since:.0f} s"
        elif backlog > order.backlog_bytes:
            failure = (
                f"{backlog:,} bytes wait for the store, more than the {order.backlog_bytes:,} "
                "that may"
            )
        starts = [start for start in (since, behind) if start is not None]
        return ShippingReport(
            shipped=state.shipped,
            backlog_bytes=backlog,
            lag_s=now_s - min(starts) if starts else 0.0,
            failure=failure,
        )


def tell(line: bytes) -> None:
    """Write a line to the parent, whole; it may be gone."""
    with suppress(OSError):
        os.write(1, line + b"\n")


def follow_parent() -> threading.Event:
    """An event that is set when the parent closes our input or ends; we end soon after."""
    ended = threading.Event()

    def watch() -> None:
        while os.read(0, 4096):
            pass
        ended.set()
        time.sleep(_END_S)
        os._exit(1)  # stuck with a store that does not answer: what is left stays in its segments

    threading.Thread(target=watch, name="parent", daemon=True).start()
    return ended


def stand_by(folder: Path, ended: threading.Event) -> Lock | None:
    """Wait for our turn, telling what the process tells whose turn it is; None if ours never came.

    Raises:
        LedgerError: the folder cannot be used.
    """
    while True:
        try:
            return Lock(folder / "shipper.lock")
        except LockedError:
            if ended.wait(_LOOK_S):
                return None
        told = folder / "shipping.json"
        with suppress(OSError):
            if time.time() - told.stat().st_mtime < _SILENT_S:
                tell(told.read_bytes())


def ship(order: ShippingOrder, ended: threading.Event) -> None:
    """Bring what there is until the parent ends, then what is left.

    Raises:
        LedgerError: the folder or the store's URL cannot be used.
    """
    folder = Path(order.segments)
    store = ledger_place(order.url, Path()).connect()
    carrier = Carrier(store, folder)
    reporter = Reporter(order, carrier)
    give_up_s = float("inf")
    said = ""
    try:
        while True:
            last = ended.is_set()  # before the round: it sees all that the parent left
            if last and give_up_s == float("inf"):
                give_up_s = time.monotonic() + _LAST_S
            try:
                more = carrier.round()
            except LedgerError as error:
                more = False
                if str(error) != said:
                    said = str(error)
                    print(f"ledger: {said}", file=sys.stderr, flush=True)  # noqa: T201
            if last and (not more or time.monotonic() >= give_up_s):
                break
            if not more:
                ended.wait(_LOOK_S)
    finally:
        reporter.close()
        store.close()


def main() -> int:
    """Read the order, take the turn, ship. Status 0, or 2 if it cannot be done."""
    order = msgspec.json.decode(_first_line(), type=ShippingOrder)
    os.nice(_NICE)
    ended = follow_parent()
    folder = Path(order.segments)
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = stand_by(folder, ended)
        if lock is not None:
            ship(order, ended)
            lock.release()
    except (LedgerError, OSError) as error:
        print(f"ledger: {error}", file=sys.stderr, flush=True)  # noqa: T201
        return 2
    return 0


def _first_line() -> bytes:
    line = b""
    while not line.endswith(b"\n"):
        piece = os.read(0, 1)
        if not piece:
            break
        line += piece
    return line


if __name__ == "__main__":
    sys.exit(main())
