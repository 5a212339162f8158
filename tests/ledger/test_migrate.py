"""Migration into a real PostgreSQL and back: all of it, once, resumed, compared."""

from __future__ import annotations

from pathlib import Path

import pytest

from neocloud.ledger import KeyRing, LedgerError, LedgerPlace, Reader, keys_of, ledger_place
from neocloud.ledger.contents import contents_of
from neocloud.ledger.migrate import DifferentContentsError, migrate
from neocloud.ledger.store import Batch

from ..servers.postgresql import running, shared  # noqa: TID252  (a real server)
from .events import usage
from .filling import filled, one_open, place_in, ship, write


@pytest.fixture
def target(tmp_path: Path) -> LedgerPlace:
    return ledger_place(shared().database(), tmp_path)


def untold(done: int, of: int) -> None:
    assert done <= of


def test_events_shipped_or_not_and_keys_come_over_and_the_source_stays(tmp_path, target):
    source = filled(tmp_path)
    text, key = keys_of(source).create("acme", "laptop", 5)
    _, gone = keys_of(source).create("acme", "", 6)
    keys_of(source).revoke(gone.key_id, 7)
    before = contents_of(Reader(source))
    files = {p: p.read_bytes() for p in source.segments.rglob("*.log")}
    told: list[tuple[int, int]] = []
    done = migrate(source, target, lambda a, b: told.append((a, b)), rows=50)
    assert (done.contents, done.resumed, done.keys, done.open_requests) == (before, 0, 2, 0)
    assert told == [(50, 130), (100, 130), (130, 130)]
    assert contents_of(Reader(target)) == contents_of(Reader(source)) == before
    assert {p: p.read_bytes() for p in source.segments.rglob("*.log")} == files
    assert keys_of(target).keys() == keys_of(source).keys()
    found = KeyRing(keys_of(target).keys()).find(text.encode())
    assert found == key
    assert list(Reader(target).usage()) == list(Reader(source).usage())


def test_and_back_into_a_file(tmp_path, target):
    source = filled(tmp_path)
    migrate(source, target, untold)
    (tmp_path / "back").mkdir()
    back = place_in(tmp_path / "back")
    done = migrate(target, back, untold)
    assert done.contents == contents_of(Reader(back)) == contents_of(Reader(source))


def test_a_run_that_was_broken_off_goes_on_where_it_was(tmp_path, target):
    source = filled(tmp_path)

    def break_off(done: int, of: int) -> None:
        if done >= 60:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        migrate(source, target, break_off, rows=20)
    told: list[int] = []
    done = migrate(source, target, lambda a, _: told.append(a), rows=20)
    assert done.resumed == 60
    assert told == [80, 100, 120, 130]
    assert migrate(source, target, untold).resumed == 130, "a third run has nothing to do"


def test_a_server_killed_in_between_costs_a_second_run_and_nothing_else(tmp_path):
    with running() as server:
        source, target = filled(tmp_path), ledger_place(server.database(), tmp_path)

        def kill(done: int, of: int) -> None:
            if done == 60:
                server.kill()

        with pytest.raises(LedgerError):
            migrate(source, target, kill, rows=20)
        server.start()
        done = migrate(source, target, untold, rows=20)
        assert done.resumed == 60
        assert done.contents == contents_of(Reader(source))


def test_what_a_source_gained_comes_with_another_run(tmp_path, target):
    source = filled(tmp_path)
    migrate(source, target, untold)
    write(source, 300, 20)
    with one_open(source, 500):
        done = migrate(source, target, untold)
        assert (done.contents.usage, done.open_requests) == (120, 1)
    assert migrate(source, target, untold).contents.usage == 121
    ship(source)
    assert migrate(source, target, untold).resumed > 0, "shipping changes nothing"


def test_a_target_with_other_events_is_told(tmp_path, target):
    source = filled(tmp_path)
    store = target.connect()
    store.create()
    store.apply("other", 1, Batch(usage=[usage(3, tenant="rhein"), usage(900)]))
    store.close()
    with pytest.raises(DifferentContentsError, match=r"100 and 101 usage.*name an empty database"):
        migrate(source, target, untold)
    assert keys_of(target).keys() == (), "keys come when the events are right"


def test_a_source_or_target_that_cannot_be_is_told(tmp_path, target):
    source = filled(tmp_path)
    with pytest.raises(LedgerError, match="to itself"):
        migrate(source, place_in(tmp_path), untold)
    with pytest.raises(LedgerError, match="no ledger at"):
        migrate(place_in(tmp_path, "none.db"), target, untold)
    (tmp_path / "text.db").write_text("not a database\n" * 100)
    with pytest.raises(LedgerError, match="is not a ledger"):
        migrate(source, place_in(tmp_path, "text.db"), untold)
    nowhere = ledger_place("postgresql://owner:s3cret@127.0.0.1:1/x", tmp_path)
    with pytest.raises(LedgerError, match=r"owner@127\.0\.0\.1:1/x") as caught:
        migrate(source, nowhere, untold)
    assert "s3cret" not in str(caught.value)
