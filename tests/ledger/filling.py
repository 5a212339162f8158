"""Ledgers with something in them: shipped, not shipped yet, and still open."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from neocloud.ledger import Ledger
from neocloud.ledger.carrier import Carrier
from neocloud.ledger.place import LedgerPlace, ledger_place
from neocloud.ledger.records import AttemptEvent

from .events import START_NS, Desk, admission, allocation, energy, opened, request_id, usage


def place_in(folder: Path, name: str = "ledger.db") -> LedgerPlace:
    return ledger_place(f"sqlite:///{name}", folder)


def write(place: LedgerPlace, first: int, count: int, worker: int = 0) -> None:
    """Requests with their events, in segments only; one span and one failed try with each ten."""
    assert place.path is not None
    desk = Desk()
    with opened(place.path, desk, worker=worker) as ledger:
        for number in range(first, first + count):
            ledger.admit(admission(number))
            ledger.settle(usage(number), desk.noted("out"))
            if number % 10 == 0:
                start = START_NS + number
                ledger.record_allocation(allocation(start, start + 10, busy_s=None))
                ledger.record_energy(energy(start, start + 10))
                ledger.record_attempt(
                    AttemptEvent(
                        request_id=request_id(number), number=1, replica="a/b/c/0",
                        fault="connect", started_ns=START_NS, ended_ns=START_NS + 1,
                    )
                )  # fmt: skip
        desk.run_until(count)


@contextmanager
def one_open(place: LedgerPlace, number: int) -> Iterator[Ledger]:
    """A gateway that runs, with one request open and on the disk until the end."""
    assert place.path is not None
    desk = Desk()
    with opened(place.path, desk) as ledger:
        ledger.admit(admission(number), desk.noted("in"))
        ledger.hurry(request_id(number))
        desk.run_until(1)
        yield ledger
        ledger.settle(usage(number), None)


def ship(place: LedgerPlace) -> int:
    """Bring all that is in segments into the store; how many events."""
    with closing(place.connect()) as store:
        carrier = Carrier(store, place.segments)
        while carrier.round():
            pass
        return carrier.state.shipped


def filled(folder: Path) -> LedgerPlace:
    """A ledger with 60 requests in the store and 40 of two workers in segments."""
    place = place_in(folder)
    write(place, 0, 60)
    ship(place)
    write(place, 60, 30)
    write(place, 90, 10, worker=1)
    return place
