"""Backup, verify and compact: on ledgers in use, on damaged ones, and never at an event's cost."""

from __future__ import annotations

import os
import sqlite3
import stat
import threading
from contextlib import closing
from pathlib import Path

import pytest

from neocloud.ledger import Keys, KeyStore, LedgerError, Reader, Status, keys_of
from neocloud.ledger.backup import backup
from neocloud.ledger.compact import compact
from neocloud.ledger.contents import contents_of
from neocloud.ledger.place import LedgerPlace, ledger_place
from neocloud.ledger.segments import segment_files, worker_folder
from neocloud.ledger.verify import verify

from ..servers.postgresql import shared  # noqa: TID252  (a real server)
from .events import START_NS, WAIT_S, Desk, admission, allocation, opened, request_id, usage
from .filling import filled, one_open, place_in, ship, write


def ids(place: LedgerPlace) -> list[str]:
    return [event.request_id for event in Reader(place).usage()]


def execute(place: LedgerPlace, statement: str) -> None:
    """What neocloud never does to its database."""
    assert place.path is not None
    with closing(sqlite3.connect(place.path)) as connection, connection:
        connection.execute("PRAGMA ignore_check_constraints = ON")
        connection.execute(statement)


# backup


def test_a_backup_holds_what_the_ledger_does_and_keys_and_segments(tmp_path):
    place = filled(tmp_path)
    text, _ = keys_of(place).create("acme", "", 1)
    with one_open(place, 500):
        copy, held = backup(place, tmp_path / "copy")
        assert contents_of(Reader(copy)) == held == contents_of(Reader(place))
        assert [a.request_id for a in Reader(copy).open_requests()] == [request_id(500)]
    keys: Keys = keys_of(copy)
    assert isinstance(keys, KeyStore)
    assert keys.keys() == keys_of(place).keys()
    assert text.split("-")[2].encode() not in keys.path.read_bytes()
    for path in (copy.path, keys.path, *copy.segments.glob("*/*.log")):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    assert verify(copy).problems == ()


def test_a_gateway_goes_on_from_a_backup_and_closes_what_was_open(tmp_path):
    place = filled(tmp_path)
    with one_open(place, 500):
        copy, _ = backup(place, tmp_path / "copy")
    with opened(copy.path) as ledger:
        assert ledger.recovered == 1
        ledger.admit(admission(501))
        ledger.settle(usage(501), lambda: None)
    ship(copy)
    assert ids(copy) == sorted([*(request_id(n) for n in range(100)), request_id(500),
                                request_id(501)])  # fmt: skip
    assert {e.request_id: e.status for e in Reader(copy).usage()}[request_id(500)] == (
        Status.INTERRUPTED
    )
    assert verify(copy).problems == ()


def test_a_backup_taken_while_gateways_write_and_ship_lacks_nothing_that_had_ended(tmp_path):
    place = filled(tmp_path)
    stop = threading.Event()
    ended: list[int] = []
    failed: list[Exception] = []

    def work() -> None:
        desk = Desk()
        number = 1000
        try:
            with opened(place.path, desk, worker=2) as ledger:
                while not stop.is_set():
                    ledger.admit(admission(number))
                    ledger.settle(usage(number), desk.noted("out"))
                    desk.run_until(number - 999)
                    ended.append(number)
                    number += 1
        except Exception as error:  # noqa: BLE001  (whatever it is, the test tells)
            failed.append(error)

    def carry() -> None:
        while not stop.is_set():
            ship(place)

    threads = [threading.Thread(target=work), threading.Thread(target=carry)]
    for each in threads:
        each.start()
    try:
        for number in range(5):
            known = {request_id(n) for n in ended}
            copy, held = backup(place, tmp_path / f"copy{number}")
            assert known <= set(ids(copy)), "what had ended is in it"
            checked = verify(copy)
            assert (checked.problems, checked.contents) == ((), held)
            assert verify(place).problems == (), "nor is anything wrong with the one in use"
    finally:
        stop.set()
        for each in threads:
            each.join(WAIT_S)
    assert failed == []
    assert ended


def test_what_cannot_be_backed_up_is_told_and_leaves_nothing_behind(tmp_path):
    place = filled(tmp_path)
    before = set(tmp_path.iterdir())
    with pytest.raises(LedgerError, match="is there already"):
        backup(place, tmp_path)
    with pytest.raises(LedgerError, match="no ledger at"):
        backup(place_in(tmp_path, "none.db"), tmp_path / "copy")
    with pytest.raises(LedgerError, match="pg_dump --schema=neocloud --schema=neocloud_books"):
        backup(ledger_place("postgresql://owner:s3cret@h/x", tmp_path), tmp_path / "copy")
    (tmp_path / "ledger.db.keys").write_bytes(b"SQLite format 3\0" + b"x" * 5000)
    with pytest.raises(LedgerError, match=r"ledger\.db\.keys"):
        backup(place, tmp_path / "copy")
    after = {path for path in tmp_path.iterdir() if not path.name.endswith(("-wal", "-shm"))}
    assert after - before == {tmp_path / "ledger.db.keys"}


# verify


def test_a_sound_ledger_is_told_with_counts_and_a_hash_that_shipping_does_not_change(tmp_path):
    place = filled(tmp_path)
    found = verify(place)
    assert found.problems == ()
    assert found.contents is not None
    assert (found.contents.usage, found.contents.allocation, found.contents.attempts) == (
        100, 10, 10,
    )  # fmt: skip
    assert (found.unshipped, found.open_requests) == (40 + 3 * 4, 0)
    assert ship(place) == found.unshipped
    again = verify(place)
    assert (again.problems, again.unshipped, again.contents) == ((), 0, found.contents)
    write(place, 700, 1)
    other = verify(place).contents
    assert other is not None
    assert other.sha256 != found.contents.sha256


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("UPDATE usage SET output_tokens = 7 WHERE output_tokens = 95", "differs from the one in"),
        ("DELETE FROM usage WHERE output_tokens = 95", "lacks the usage event"),
        ("DELETE FROM energy", "lacks the energy"),
        ("UPDATE usage SET status = 'lost' WHERE output_tokens = 5", "'lost' is not a valid"),
        ("UPDATE usage SET input_tokens = -1 WHERE output_tokens = 5", "negative count"),
        ("UPDATE usage SET finished_ns = 1 WHERE output_tokens = 5", "ends before it begins"),
        ("UPDATE positions SET position = position - 3", "where no frame ends"),
        ("UPDATE positions SET position = position + (1 << 40)", "is behind this, the newest"),
    ],
)
def test_what_is_wrong_in_the_store_is_told(tmp_path, statement, said):
    place = filled(tmp_path)
    ship(place)
    assert verify(place).problems == ()
    execute(place, statement)
    problems = verify(place).problems
    assert any(said in problem and str(place.path.parent) in problem for problem in problems), (
        problems
    )


def test_a_segment_that_is_damaged_is_told_with_file_and_byte(tmp_path):
    place = filled(tmp_path)
    write(place, 200, 5)  # the segment before is full by now: nothing may stand behind its frames
    file = segment_files(worker_folder(place.segments, 0))[-2]
    size = file.stat().st_size
    for offset in (size - 40, 60, 0):
        whole = file.read_bytes()
        with file.open("r+b") as opened_file:
            opened_file.seek(offset)
            opened_file.write(bytes([whole[offset] ^ 255]))
        problems = verify(place).problems
        assert any(str(file) in problem for problem in problems), (offset, problems)
        file.write_bytes(whole)
    assert verify(place).problems == ()


def test_an_event_that_is_twice_in_segments_is_told(tmp_path):
    place = filled(tmp_path)
    write(place, 95, 1, worker=3)
    (problem,) = verify(place).problems
    assert f"the usage event {request_id(95)} is there twice" in problem
    assert "worker-1" in problem
    assert "worker-3" in problem


def test_a_span_that_is_written_again_is_no_mistake(tmp_path):
    place = filled(tmp_path)
    with opened(place.path) as ledger:
        ledger.record_allocation(allocation(START_NS + 90, START_NS + 100, busy_s=None))
    assert verify(place).problems == ()


def test_a_request_both_open_and_ended_is_told(tmp_path):
    place = filled(tmp_path)
    with one_open(place, 3):
        problems = verify(place).problems
        assert problems == (
            f"{place.segments}: request {request_id(3)} is open, and has ended as well",
        )


def test_a_database_with_broken_pages_is_told(tmp_path):
    place = filled(tmp_path)
    ship(place)
    execute(place, "PRAGMA wal_checkpoint(TRUNCATE)")
    data = bytearray(place.path.read_bytes())
    data[-3000:-1000] = os.urandom(2000)
    place.path.write_bytes(data)
    try:
        problems = verify(place).problems
    except LedgerError as error:
        problems = (str(error),)
    assert any("ledger.db" in problem for problem in problems)


def test_no_ledger_or_another_version_is_told(tmp_path):
    with pytest.raises(LedgerError, match="no ledger at"):
        verify(place_in(tmp_path))
    place = filled(tmp_path)
    execute(place, "UPDATE meta SET value = 'neocloud.ledger/9'")
    with pytest.raises(LedgerError, match=r"neocloud\.ledger/9"):
        verify(place)


def test_a_ledger_in_postgresql_is_verified_too(tmp_path):
    place = ledger_place(shared().database(), tmp_path)
    with pytest.raises(LedgerError, match="is not a ledger"):
        verify(place)
    source = filled(tmp_path)
    with closing(place.connect()) as store:
        store.create()
    source.segments.rename(place.segments)
    ship(place)
    found = verify(place)
    assert found.problems == ()
    assert found.contents is not None
    assert (found.contents.usage, found.segments) == (100, 2)
    with shared().connect(place.url.rpartition("/")[2]) as connection:
        connection.execute("DELETE FROM neocloud.usage WHERE output_tokens = 95")
    (problem,) = verify(place).problems
    assert f"lacks the usage event {request_id(95)}" in problem
    assert "worker-1" in problem


# compact


def test_compacting_ships_and_drops_segments_and_no_event(tmp_path):
    place = filled(tmp_path)
    execute(place, "CREATE TABLE ballast AS SELECT randomblob(3000000) AS blob")
    execute(place, "DROP TABLE ballast")
    held = contents_of(Reader(place))
    done = compact(place)
    assert (done.contents, done.shipped, done.open_requests) == (held, 52, 0)
    assert contents_of(Reader(place)) == held
    assert list(place.segments.glob("*/*.log")) == []
    assert done.bytes_after < done.bytes_before - 2_000_000
    assert done.bytes_after == place.path.stat().st_size
    again = compact(place)
    assert (again.contents, again.shipped, again.segments) == (held, 0, 0)
    write(place, 300, 20)
    assert len(ids(place)) == 120
    assert verify(place).problems == ()


def test_what_a_dead_gateway_left_open_stays_until_one_closes_it(tmp_path):
    place = filled(tmp_path)
    copy = place_in(tmp_path, "copy/ledger.db")
    with one_open(place, 500):
        backup(place, tmp_path / "copy")  # as it would stand there after a crash
    done = compact(copy)
    assert done.open_requests == 1
    assert [a.request_id for a in Reader(copy).open_requests()] == [request_id(500)]
    with opened(copy.path) as ledger:
        assert ledger.recovered == 1
    assert compact(copy).open_requests == 0
    assert len(ids(copy)) == 101


def test_a_ledger_in_use_is_not_compacted(tmp_path):
    place = filled(tmp_path)
    before = sorted(place.segments.rglob("*"))
    with opened(place.path, worker=1), pytest.raises(LedgerError, match="a gateway is using"):
        compact(place)
    assert set(before) <= set(place.segments.rglob("*"))
    with pytest.raises(LedgerError, match="no ledger at"):
        compact(place_in(tmp_path, "none.db"))
    assert not (tmp_path / "none.db").exists()


def test_a_damaged_segment_is_not_dropped(tmp_path):
    place = filled(tmp_path)
    write(place, 200, 5)
    file: Path = segment_files(worker_folder(place.segments, 0))[-2]
    with file.open("r+b") as damaged:
        damaged.seek(file.stat().st_size - 40)
        damaged.write(b"\xff\xfe\xfd")
    with pytest.raises(LedgerError, match=r"is damaged from byte \d+ on"):
        compact(place)
    assert file.exists()
