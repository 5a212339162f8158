"""Opening a ledger: whose it is, what an earlier process left open, where it lies."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from neocloud.ledger import (
    Ledger,
    LedgerError,
    Reader,
    Status,
    close_abandoned,
    ledger_path,
    ledger_place,
)

from .events import (
    START_NS,
    Desk,
    admission,
    opened,
    request_id,
    usage,
)
from .folders import ids


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


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
