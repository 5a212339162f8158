"""Writing: one event an admission, durable before its callback, many of them in one commit."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from functools import partialmethod
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neocloud.ledger import (
    Ledger,
    Reader,
    committer,
)
from neocloud.ledger.frames import HEAD_BYTES, admissions_and_events, read_frames
from neocloud.ledger.writer import SegmentWriter

from .events import (
    START_NS,
    WAIT_S,
    Desk,
    Gate,
    admission,
    allocation,
    attempt,
    energy,
    opened,
    request_id,
    usage,
)
from .folders import ids


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


def test_an_admission_becomes_one_event_field_by_field(path):
    desk = Desk()
    with opened(path, desk) as ledger:
        ledger.admit(admission(1), desk.noted("in"))
        desk.run_until(1)
        assert list(Reader(path).open_requests()) == [admission(1)]
        assert list(Reader(path).usage()) == []
        assert ledger.open_requests == 1
        ledger.settle(usage(1), desk.noted("out"))
        desk.run_until(2)
        assert list(Reader(path).usage()) == [usage(1)]
        assert list(Reader(path).open_requests()) == []
        assert (ledger.open_requests, ledger.committed, ledger.failure) == (0, 2, None)
    assert desk.done == ["in", "out"]


@given(steps=st.lists(st.tuples(st.integers(0, 5), st.booleans()), max_size=30))
def test_any_order_of_admissions_and_ends_leaves_each_request_open_or_ended_once(
    tmp_path_factory, steps
):
    path = tmp_path_factory.mktemp("any") / "ledger.db"
    desk = Desk()
    admitted: set[int] = set()
    ended: set[int] = set()
    asked = 0
    with opened(path, desk) as ledger:
        for number, wait in steps:
            if number not in admitted:
                admitted.add(number)
                ledger.admit(admission(number), desk.noted("in"))
            elif number not in ended:
                ended.add(number)
                ledger.settle(usage(number), desk.noted("out"))
            else:
                continue
            asked += 1
            if wait:
                desk.run_until(asked)
    assert ids(Reader(path).usage()) == sorted(map(request_id, ended))
    assert ids(Reader(path).open_requests()) == sorted(map(request_id, admitted - ended))


def test_a_second_admission_or_a_second_end_is_our_mistake(path):
    desk = Desk()
    with opened(path, desk) as ledger:
        ledger.admit(admission(1))
        with pytest.raises(AssertionError, match="admitted once"):
            ledger.admit(admission(1))
        with pytest.raises(AssertionError, match="settled once"):
            ledger.settle(usage(2), desk.noted("2"))
        ledger.settle(usage(1), desk.noted("1"))
        with pytest.raises(AssertionError, match="settled once"):
            ledger.settle(usage(1), desk.noted("again"))
    assert ids(Reader(path).usage()) == [request_id(1)]


Append = Callable[[SegmentWriter, bytearray], None]


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Gate:
    """Holds the commits of ledgers that are opened after it."""
    made = Gate(SegmentWriter.append)
    monkeypatch.setattr(SegmentWriter, "append", partialmethod(made))
    return made


def frames(path: Path, worker: int = 0) -> list[tuple[list[object], list[object]]]:
    """What each commit of a worker's newest segment holds, as ids."""
    folder = path.with_name(path.name + ".segments") / f"worker-{worker}"
    descriptor = os.open(max(folder.glob("*.log")), os.O_RDONLY)
    try:
        found = [admissions_and_events(data) for _, data in read_frames(descriptor, HEAD_BYTES)]
    finally:
        os.close(descriptor)
    return [(ids(admissions), ids(events)) for admissions, events in found]


def test_an_admission_goes_with_the_commit_that_comes_next(path, gate):
    desk = Desk()
    with opened(path, desk) as ledger:
        ledger.admit(admission(0))
        assert gate.entered.wait(WAIT_S), "by itself, after a while"
        ledger.admit(admission(1))
        ledger.admit(admission(2))
        ledger.settle(usage(1), desk.noted("1"))
        gate.let_through()
        desk.run_until(1)
        ledger.settle(usage(0), desk.noted("0"))
        ledger.settle(usage(2), desk.noted("2"))
        desk.run_until(3)
    zero, one, two = (request_id(n) for n in range(3))
    first, second, *rest = frames(path)
    assert (first, second) == (([zero], []), ([one, two], [one]))
    assert [event for _, events in rest for event in events] == [zero, two]


def test_records_that_wait_for_a_commit_share_the_next(path, gate):
    desk = Desk()
    with opened(path, desk) as ledger:
        ledger.admit(admission(0))
        assert gate.entered.wait(WAIT_S)
        for number in range(500):
            if number:
                ledger.admit(admission(number))
            ledger.settle(usage(number), desk.noted(str(number)))
        gate.let_through()
        desk.run_until(500)
        assert (ledger.commits, ledger.committed, gate.calls) == (2, 1000, 2)
    assert desk.done == [str(number) for number in range(500)]
    assert desk.batches == 1, "all callbacks of a commit are handed over together"


def test_more_than_a_frame_holds_goes_into_several_in_order(path, gate):
    desk = Desk()
    count = 3 * committer._LIMIT + 7
    with opened(path, desk) as ledger:
        ledger.admit(admission(0))
        assert gate.entered.wait(WAIT_S)
        for number in range(count):
            if number:
                ledger.admit(admission(number))
            ledger.settle(usage(number), desk.noted(str(number)))
        gate.let_through()
        desk.run_until(count)
        assert ledger.commits > 4
    admitted: set[object] = set()
    for admissions, events in frames(path):
        admitted |= set(admissions)
        assert admitted.issuperset(events), "no event comes before its admission"
    assert len(list(Reader(path).usage())) == count
    assert list(Reader(path).open_requests()) == []


def test_an_admission_written_again_takes_the_place_of_the_first(path):
    with opened(path) as ledger:
        with pytest.raises(AssertionError, match="only an open request"):
            ledger.readmit(admission(1))
        ledger.admit(admission(1, replica="a/b/c/0"))
        ledger.readmit(admission(1, replica="x/y/z/1", site="x", emulated=True))
        ledger.record_attempt(attempt(1))
    assert list(Reader(path).open_requests()) == [
        admission(1, replica="x/y/z/1", site="x", emulated=True)
    ]
    assert list(Reader(path).attempts()) == [attempt(1)]
    with opened(path, now_ns=START_NS + 5) as ledger:
        assert ledger.recovered == 1
    (event,) = Reader(path).usage()
    assert (event.replica, event.site, event.emulated, event.attempts) == ("x/y/z/1", "x", True, 1)


def test_many_threads_worth_of_haste_leaves_no_callback_behind(path):
    """The thread goes to sleep and is woken in every order: by an end, in a hurry, by itself."""
    desk = Desk()
    with opened(path, desk) as ledger:
        for number in range(300):
            ledger.admit(admission(number), desk.noted("in"))
            if number % 3 == 0:
                ledger.hurry(request_id(number))
                desk.run_until(2 * number + 1)
            elif number % 50 == 1:
                desk.run_until(2 * number + 1)
            ledger.settle(usage(number), desk.noted("out"))
            desk.run_until(2 * number + 2)
        assert (ledger.open_requests, ledger.committed) == (0, 600)


def test_a_thread_that_sleeps_soundly_is_woken_by_an_admission(path, monkeypatch):
    monkeypatch.setattr(committer, "_QUIET", 1)
    desk = Desk()
    with opened(path, desk) as ledger:
        for number in range(5):
            while not ledger._committer._sound:
                pass
            ledger.admit(admission(number), desk.noted("in"))
            desk.run_until(number + 1)


def test_a_callback_comes_after_its_record_can_be_read(path):
    seen: list[bool] = []
    all_seen = threading.Event()

    def look(number: int) -> None:
        seen.append(request_id(number) in ids(Reader(path).usage()))
        if len(seen) == 20:
            all_seen.set()

    # Run at once in the ledger's thread, hence as early as a callback can ever run.
    ledger = Ledger(path, worker=0, now_ns=START_NS, deliver=lambda callback: callback())
    for number in range(20):
        ledger.admit(admission(number))
        ledger.settle(usage(number), lambda number=number: look(number))
    assert all_seen.wait(WAIT_S)
    ledger.close()
    assert seen == [True] * 20


def test_spans_are_written_once_however_often_they_are_told(path):
    hour = 3_600_000_000_000
    with opened(path) as ledger:
        for _ in range(3):
            ledger.record_allocation(allocation(START_NS, START_NS + hour))
            ledger.record_energy(energy(START_NS, START_NS + hour))
        ledger.record_allocation(allocation(START_NS, START_NS + hour, holder="r1", busy_s=None))
    with opened(path) as ledger:
        ledger.record_allocation(allocation(START_NS, START_NS + hour))
    assert list(Reader(path).allocation()) == [
        allocation(START_NS, START_NS + hour),
        allocation(START_NS, START_NS + hour, holder="r1", busy_s=None),
    ]
    assert list(Reader(path).energy()) == [energy(START_NS, START_NS + hour)]
