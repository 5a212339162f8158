"""Writing: one event an admission, durable before its callback, whatever fails meanwhile."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neocloud.ledger import Ledger, LedgerError, Reader, Status, committer, ledger_path

from .events import (
    START_NS,
    WAIT_S,
    Desk,
    Gate,
    admission,
    allocation,
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


def test_what_comes_and_goes_while_a_commit_is_under_way_is_never_open(path, monkeypatch):
    gate = Gate(committer._commit)
    monkeypatch.setattr(committer, "_commit", gate)
    desk = Desk()
    with opened(path, desk) as ledger, closing(sqlite3.connect(path)) as watched:
        # A deletion from the table of open requests would tell that it was there.
        watched.execute("CREATE TABLE gone (id TEXT)")
        watched.execute(
            "CREATE TRIGGER gone BEFORE DELETE ON open_requests "
            "BEGIN INSERT INTO gone VALUES (OLD.request_id); END"
        )
        watched.commit()
        ledger.admit(admission(0))
        assert gate.entered.wait(WAIT_S)
        ledger.admit(admission(1))
        ledger.settle(usage(1), desk.noted("1"))
        ledger.settle(usage(0), desk.noted("0"))
        gate.let_through()
        desk.run_until(2)
        assert watched.execute("SELECT id FROM gone").fetchall() == [(request_id(0),)]
    assert ids(Reader(path).usage()) == [request_id(0), request_id(1)]


def test_records_that_wait_for_a_commit_share_the_next(path, monkeypatch):
    gate = Gate(committer._commit)
    monkeypatch.setattr(committer, "_commit", gate)
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
    """A commit that fails some times before it succeeds."""

    def __init__(self, error: Exception, times: int) -> None:
        self.error = error
        self.left = times
        self.failed = threading.Event()
        self.heal = threading.Event()
        self.real = committer._commit

    def __call__(self, connection: sqlite3.Connection, batch: list[committer.Entry]) -> None:
        if self.left:
            self.left -= 1
            raise self.error
        self.failed.set()
        assert self.heal.wait(WAIT_S)
        self.real(connection, batch)


@pytest.mark.parametrize(
    "error",
    [
        sqlite3.OperationalError("disk I/O error"),
        OverflowError("Python int too large to convert to SQLite INTEGER"),
        UnicodeEncodeError("utf-8", "\ud800", 0, 1, "surrogates not allowed"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_commit_that_fails_is_told_and_tried_until_it_succeeds(path, monkeypatch, error):
    monkeypatch.setattr(committer, "_RETRY_S", (0.001,))
    failing = Failing(error, times=3)
    monkeypatch.setattr(committer, "_commit", failing)
    desk = Desk()
    with opened(path, desk) as ledger:
        ledger.admit(admission(1), desk.noted("in"))
        assert failing.failed.wait(WAIT_S)
        assert ledger.failure == f"{type(error).__name__}: {error}"
        ledger.settle(usage(1), desk.noted("out"))
        ledger.admit(admission(2), desk.noted("next"))
        assert desk.idle, "nothing is called before it is durable"
        failing.heal.set()
        desk.run_until(3)
        assert ledger.failure is None
    assert desk.done == ["in", "out", "next"]
    assert ids(Reader(path).usage()) == [request_id(1)]
    assert ids(Reader(path).open_requests()) == [request_id(2)]


def test_a_transaction_that_fails_half_way_leaves_nothing_of_it(path, monkeypatch):
    monkeypatch.setattr(committer, "_RETRY_S", (0.001,))
    desk = Desk()
    with opened(path, desk) as ledger, closing(sqlite3.connect(path)) as other:
        # Usage is written after admissions in the same transaction: this fails in its midst.
        other.execute(
            "CREATE TRIGGER full BEFORE INSERT ON usage BEGIN SELECT RAISE(ABORT, 'no space'); END"
        )
        ledger.admit(admission(1), desk.noted("in"))
        desk.run_until(1)
        gate = Gate(committer._commit)
        monkeypatch.setattr(committer, "_commit", gate)
        ledger.admit(admission(2), desk.noted("2 in"))
        assert gate.entered.wait(WAIT_S)
        ledger.admit(admission(3), desk.noted("3 in"))
        ledger.settle(usage(1), desk.noted("1 out"))
        gate.let_through()
        desk.run_until(2)
        while ledger.failure is None:
            assert gate.calls < 1000
        assert "no space" in ledger.failure
        assert ids(Reader(path).open_requests()) == [request_id(1), request_id(2)]
        other.execute("DROP TRIGGER full")
        desk.run_until(4)
    assert ids(Reader(path).open_requests()) == [request_id(2), request_id(3)]
    assert ids(Reader(path).usage()) == [request_id(1)]


def test_a_ledger_that_cannot_be_written_says_at_its_end_what_is_lost(path, monkeypatch):
    monkeypatch.setattr("neocloud.ledger.ledger._CLOSE_S", 0.05)
    monkeypatch.setattr(
        committer, "_commit", Failing(sqlite3.OperationalError("disk is full"), times=10**9)
    )
    desk = Desk()
    ledger = Ledger(path, worker=0, now_ns=START_NS, deliver=desk.deliver)
    for number in range(3):
        ledger.admit(admission(number), desk.noted("in"))
    with pytest.raises(LedgerError, match=r"ledger\.db: 3 records .*disk is full"):
        ledger.close()
    assert desk.idle
    with opened(path) as again:
        assert again.recovered == 0, "and the segment is free for the next"


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
        with pytest.raises(LedgerError, match=r"ledger\.db is in use by another gateway; stop"):
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
    assert sorted(p.name for p in path.parent.glob("*.db")) == ["ledger.1.db", "ledger.db"]
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
    said = r"ledger\.db has ledger schema neocloud\.ledger/9, this version reads .*/1; use the"
    with pytest.raises(LedgerError, match=said):
        Ledger(path, worker=0, now_ns=START_NS, deliver=Desk().deliver)
    with pytest.raises(LedgerError, match=said):
        list(Reader(path).usage())


def test_a_foreign_database_is_refused_and_left_as_it_is(path):
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE recipes (name TEXT)")
    before = path.read_bytes()
    with pytest.raises(LedgerError, match="is not a ledger: no such table"):
        Ledger(path, worker=0, now_ns=START_NS, deliver=Desk().deliver)
    assert path.read_bytes() == before
    with pytest.raises(LedgerError, match="is not a ledger"):
        list(Reader(path).usage())


def test_a_file_that_is_no_database_is_refused(path):
    path.write_text("name: two-sites\n" * 100)
    with pytest.raises(LedgerError, match=r"ledger\.db: .*not a database"):
        Ledger(path, worker=0, now_ns=START_NS, deliver=Desk().deliver)


def test_a_folder_that_is_not_there_is_told(tmp_path):
    with pytest.raises(LedgerError, match="No such file or directory; is its folder there"):
        Ledger(tmp_path / "no" / "ledger.db", worker=0, now_ns=0, deliver=Desk().deliver)


def test_a_ledgers_url_is_a_path_beside_the_cloud_file(tmp_path):
    assert ledger_path("sqlite:///ledger.db", tmp_path) == tmp_path / "ledger.db"
    assert ledger_path("sqlite:////var/ledger.db", tmp_path) == Path("/var/ledger.db")
    for wrong in ("postgres://ledger", "sqlite:///", "ledger.db"):
        with pytest.raises(LedgerError, match=r"write sqlite:///ledger\.db"):
            ledger_path(wrong, tmp_path)
