"""Writing: one event an admission, durable before its callback, whatever fails meanwhile."""

from __future__ import annotations

import errno
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import closing
from functools import partialmethod
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neocloud.ledger import (
    Ledger,
    LedgerError,
    Reader,
    ShippingReport,
    Status,
    close_abandoned,
    committer,
    ledger_path,
    ledger_place,
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


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


def ids(events: object) -> list[str]:
    return [event.request_id for event in events]  # type: ignore[attr-defined]


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


class Failing:
    """Commits fail some times before they succeed."""

    def __init__(self, error: OSError, times: int, monkeypatch: pytest.MonkeyPatch) -> None:
        self.error = error
        self.left = times
        self.failed = threading.Event()
        self.heal = threading.Event()
        self.real = SegmentWriter.append
        monkeypatch.setattr(committer, "_RETRY_S", (0.001,))
        monkeypatch.setattr(SegmentWriter, "append", partialmethod(self))

    def __call__(self, writer: SegmentWriter, frame: bytearray) -> None:
        if self.left:
            self.left -= 1
            raise self.error
        self.failed.set()
        assert self.heal.wait(WAIT_S)
        self.real(writer, frame)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EROFS], ids=errno.errorcode.get)
def test_a_commit_that_fails_is_told_and_tried_until_it_succeeds(path, monkeypatch, number):
    failing = Failing(OSError(number, os.strerror(number)), 3, monkeypatch)
    desk = Desk()
    with opened(path, desk) as ledger:
        ledger.admit(admission(1), desk.noted("in"))
        assert failing.failed.wait(WAIT_S)
        assert ledger.failure is not None
        assert ledger.failure.endswith(f"0000000001.log: {os.strerror(number)}")
        ledger.settle(usage(1), desk.noted("out"))
        ledger.admit(admission(2), desk.noted("next"))
        assert desk.idle, "nothing is called before it is durable"
        failing.heal.set()
        desk.run_until(3)
        assert ledger.failure is None
    assert desk.done == ["in", "out", "next"]
    assert ids(Reader(path).usage()) == [request_id(1)]
    assert ids(Reader(path).open_requests()) == [request_id(2)]


@pytest.mark.parametrize("broken", ["fdatasync", "half"])
def test_report_04_a_commit_that_fails_half_way_is_neither_lost_nor_doubled(
    path, monkeypatch, broken
):
    """A batch that was taken and whose write failed was dropped, its spend with it."""
    monkeypatch.setattr(committer, "_RETRY_S", (0.001,))
    real_sync, real_write = os.fdatasync, os.pwrite
    bad = {"left": 0}

    def sync(descriptor: int) -> None:
        if broken == "fdatasync" and bad["left"]:
            bad["left"] -= 1
            raise OSError(errno.EIO, "Input/output error")
        real_sync(descriptor)

    def write(descriptor: int, data: bytes, offset: int) -> int:
        if broken == "half" and bad["left"]:
            bad["left"] -= 1
            return real_write(descriptor, bytes(data)[: len(data) // 2], offset)
        return real_write(descriptor, data, offset)

    desk = Desk()
    with opened(path, desk) as ledger:
        monkeypatch.setattr(os, "fdatasync", sync)
        monkeypatch.setattr(os, "pwrite", write)
        for number in range(60):
            bad["left"] = number % 4
            ledger.admit(admission(number))
            ledger.settle(usage(number), desk.noted(str(number)))
            desk.run_until(number + 1)
            assert len(list(Reader(path).usage())) == number + 1
        assert ledger.failure is None
    assert desk.done == [str(number) for number in range(60)]
    assert ids(Reader(path).usage()) == [request_id(number) for number in range(60)]
    assert list(Reader(path).open_requests()) == []


def test_what_the_shipper_says_is_a_failure_too_and_neither_hides_the_other(path, monkeypatch):
    report = ShippingReport(shipped=0, backlog_bytes=0, lag_s=0.0, failure=None)
    away = ShippingReport(shipped=0, backlog_bytes=9, lag_s=6.0, failure="the store is away")
    failing = Failing(OSError(errno.ENOSPC, "No space left on device"), 1, monkeypatch)
    desk = Desk()
    with opened(path, desk) as ledger:
        ledger.note_shipping(away)
        assert ledger.failure == "the store is away"
        ledger.admit(admission(1), desk.noted("in"))
        assert failing.failed.wait(WAIT_S)
        ledger.note_shipping(report)
        assert "No space left" in str(ledger.failure)
        ledger.note_shipping(away)
        failing.heal.set()
        desk.run_until(1)
        assert ledger.failure == "the store is away"
        ledger.note_shipping(report)
        assert ledger.failure is None


def test_a_ledger_that_cannot_be_written_says_at_its_end_what_is_lost(path, monkeypatch):
    monkeypatch.setattr("neocloud.ledger.ledger._CLOSE_S", 0.05)
    full = OSError(errno.ENOSPC, "No space left on device")
    with monkeypatch.context() as patch:
        failing = Failing(full, 10**9, patch)
        desk = Desk()
        ledger = Ledger(path, worker=0, now_ns=START_NS, deliver=desk.deliver)
        for number in range(3):
            ledger.admit(admission(number), desk.noted("in"))
        with pytest.raises(LedgerError, match=r"3 records could not be written: .*No space left"):
            ledger.close()
        assert failing.left < 10**9
    assert desk.idle
    with opened(path) as again:
        assert again.recovered == 0, "and the segment is free for the next"


def test_values_that_no_ledger_holds_are_made_such_that_it_can(path):
    desk = Desk()
    with opened(path, desk) as ledger:
        ledger.admit(admission(1, user_metro="\ud800", prompt_bytes=2**70))
        ledger.settle(
            usage(1, user_metro="a\ud800b", input_tokens=2**63, output_tokens=-5), desk.noted("x")
        )
        ledger.admit(admission(2))
        ledger.settle(usage(2), desk.noted("y"))
        desk.run_until(2)
        assert ledger.failure is None
    first, second = Reader(path).usage()
    assert (first.user_metro, first.input_tokens, first.output_tokens, first.estimated) == (
        "a?b", 2**53 - 1, 0, True,
    )  # fmt: skip
    assert second == usage(2)


def test_closing_writes_what_is_queued_even_where_nobody_takes_callbacks(path):
    def ended(callback: object) -> None:
        raise RuntimeError("Event loop is closed")

    ledger = Ledger(path, worker=0, now_ns=START_NS, deliver=ended)
    for number in range(200):
        ledger.admit(admission(number))
        ledger.settle(usage(number), lambda: None)
    ledger.close()
    assert len(list(Reader(path).usage())) == 200


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


_KILLED = """
import sys, threading
from pathlib import Path
from neocloud.ledger import Ledger, Reader
sys.path.insert(0, sys.argv[2])
from events import START_NS, admission, usage

done = threading.Event()
ledger = Ledger(Path(sys.argv[1]), worker=0, now_ns=START_NS, deliver=lambda call: call())
for number in range(4):
    ledger.admit(admission(number))
ledger.settle(usage(0), lambda: None)
ledger.admit(admission(4), done.set)
done.wait()
print("durable", flush=True)
threading.Event().wait()
"""


def test_what_a_killed_process_left_open_is_closed_as_interrupted(path):
    process = subprocess.Popen(
        [sys.executable, "-c", _KILLED, str(path), str(Path(__file__).parent)],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "durable\n"
        with pytest.raises(LedgerError, match=r"worker-0 is in use by another gateway; stop"):
            Ledger(path, worker=0, now_ns=START_NS, deliver=Desk().deliver)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
    assert len(list(Reader(path).open_requests())) == 4
    now_ns = START_NS + 60
    with opened(path, now_ns=now_ns) as ledger:
        assert (ledger.recovered, ledger.open_requests) == (4, 0)
    events = list(Reader(path).usage())
    assert events[0] == usage(0)
    assert ids(events) == [request_id(number) for number in range(5)]
    for event in events[1:]:
        assert (event.status, event.estimated, event.finished_ns) == (
            Status.INTERRUPTED, True, now_ns,
        )  # fmt: skip
        assert (event.tenant, event.key_id, event.model, event.price_version) == (
            "acme", "k1", "llama", "p1",
        )  # fmt: skip
        assert (event.input_tokens, event.output_tokens) == (1001, 0), "4,001 bytes, rounded up"
        assert (event.site, event.replica, event.attempts, event.emulated) == ("", "", 0, False)
    assert list(Reader(path).open_requests()) == []
    with opened(path) as ledger:
        assert ledger.recovered == 0


def test_a_clock_that_went_back_ends_no_request_before_it_began(path):
    with opened(path) as ledger:
        ledger.admit(admission(1))
    with opened(path, now_ns=START_NS - 10) as ledger:
        assert ledger.recovered == 1
    assert next(Reader(path).usage()).finished_ns == START_NS


def test_one_process_cannot_open_a_segment_twice_but_each_worker_has_its_own(path):
    with opened(path), opened(path, worker=1):
        for worker in (0, 1):
            with pytest.raises(LedgerError, match="in use"):
                Ledger(path, worker=worker, now_ns=START_NS, deliver=Desk().deliver)
    folder = path.with_name("ledger.db.segments")
    assert sorted(p.name for p in folder.iterdir()) == ["worker-0", "worker-1"]
    with opened(path, worker=1):
        pass


def test_closing_twice_does_not_close_someone_elses_file(path):
    ledger = Ledger(path, worker=0, now_ns=START_NS, deliver=Desk().deliver)
    ledger.close()
    with opened(path), pytest.raises(LedgerError, match="in use"):
        ledger.close()
        Ledger(path, worker=0, now_ns=START_NS, deliver=Desk().deliver)


def test_a_ledger_of_another_version_is_neither_written_nor_read(path):
    with opened(path):
        pass
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE meta SET value = 'neocloud.ledger/9'")
    said = r"ledger\.db has ledger schema neocloud\.ledger/9, this version .*/2; name another"
    with pytest.raises(LedgerError, match=said):
        Ledger(path, worker=0, now_ns=START_NS, deliver=Desk().deliver)
    with pytest.raises(LedgerError, match=said):
        list(Reader(path).usage())


def test_a_foreign_database_is_refused_and_left_as_it_is(path):
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE recipes (name TEXT)")
    before = path.read_bytes()
    with pytest.raises(LedgerError, match="is not a ledger; name another"):
        Ledger(path, worker=0, now_ns=START_NS, deliver=Desk().deliver)
    assert path.read_bytes() == before
    with pytest.raises(LedgerError, match="is not a ledger"):
        list(Reader(path).usage())


def test_a_file_that_is_no_database_is_refused(path):
    path.write_text("name: two-sites\n" * 100)
    with pytest.raises(LedgerError, match=r"ledger\.db is not a ledger: .*not a database"):
        Ledger(path, worker=0, now_ns=START_NS, deliver=Desk().deliver)


def test_a_folder_that_is_not_there_is_told(tmp_path):
    with pytest.raises(LedgerError, match=r"there is no folder .*no; make it first"):
        Ledger(tmp_path / "no" / "ledger.db", worker=0, now_ns=0, deliver=Desk().deliver)


def test_a_ledger_of_the_first_schema_says_what_to_do(path):
    """Its tables had these names, and its segments were databases."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL)")
        connection.execute("INSERT INTO meta VALUES ('schema', 'neocloud.ledger/1')")
        connection.execute("CREATE TABLE usage (request_id TEXT PRIMARY KEY)")
    before = path.read_bytes()
    for use in (
        lambda: Ledger(path, worker=0, now_ns=START_NS, deliver=Desk().deliver),
        lambda: list(Reader(path).usage()),
    ):
        with pytest.raises(LedgerError, match=r"schema neocloud\.ledger/1.* name another ledger"):
            use()
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_what_workers_left_that_start_no_more_is_closed(path):
    for worker in (0, 2, 3):
        with opened(path, worker=worker) as ledger:
            ledger.admit(admission(worker))
    with opened(path, worker=3):
        assert close_abandoned(path, workers=range(1, 8), now_ns=START_NS + 3) == 1
        assert close_abandoned(path, workers=range(1, 8), now_ns=START_NS + 3) == 0
    assert ids(Reader(path).open_requests()) == [request_id(0)]
    assert ids(Reader(path).usage()) == [request_id(2), request_id(3)]


def test_a_ledgers_url_is_a_path_beside_the_cloud_file(tmp_path):
    assert ledger_path("sqlite:///ledger.db", tmp_path) == tmp_path / "ledger.db"
    assert ledger_path("sqlite:////var/ledger.db", tmp_path) == Path("/var/ledger.db")
    for wrong in ("mysql://ledger", "sqlite:///", "ledger.db"):
        with pytest.raises(LedgerError, match=r"write sqlite:///ledger\.db"):
            ledger_path(wrong, tmp_path)
    with pytest.raises(LedgerError, match="is not a file"):
        ledger_path("postgresql://h/db", tmp_path)


def test_segments_and_keys_lie_beside_a_file_or_where_they_are_asked_for(tmp_path):
    place = ledger_place("sqlite:///a.db", tmp_path)
    assert (place.segments, place.keys) == (tmp_path / "a.db.segments", tmp_path / "a.db.keys")
    place = ledger_place("sqlite:///a.db", tmp_path, Path("fast"))
    assert (place.segments, place.keys) == (tmp_path / "fast", tmp_path / "a.db.keys")
    place = ledger_place("postgresql://me:secret@host/db", tmp_path)
    assert (place.path, place.segments) == (None, tmp_path / "ledger-segments")
    assert "secret" not in repr(place)
    assert "secret" not in place.name
