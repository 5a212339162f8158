"""Bringing segments into a store: exactly once, whatever fails or is killed when."""

from __future__ import annotations

import os
import random
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partialmethod
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from neocloud.ledger import Ledger, LedgerError, Reader, ShippingReport, StoreError, writer
from neocloud.ledger.carrier import Carrier
from neocloud.ledger.report import ShippingOrder
from neocloud.ledger.shipping import Reporter
from neocloud.ledger.sqlite import SqliteStore
from neocloud.ledger.store import Batch

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
from .folders import folder_of, ids, segments, stored, write
from .stores import STORES


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


@contextmanager
def carrying(path: Path, rows: int = 4096) -> Iterator[Carrier]:
    store = SqliteStore(path)
    try:
        yield Carrier(store, folder_of(path), rows)
    finally:
        store.close()


def test_everything_is_brought_and_only_the_newest_segment_stays(path):
    for round_ in range(3):
        with opened(path) as ledger:
            write(ledger, round_ * 10, 10)
            ledger.record_attempt(attempt(round_))
            ledger.record_allocation(allocation(START_NS + round_, START_NS + 10))
            ledger.record_energy(energy(START_NS + round_, START_NS + 10))
    with opened(path, worker=5) as ledger:  # it does not run any more either
        write(ledger, 30, 2)
    with carrying(path) as carrier:
        while carrier.round():
            pass
        assert carrier.state.shipped == 32 + 9
        assert carrier.backlog_bytes() == 0
    assert len(segments(path)) == len(segments(path, 5)) == 1
    store = SqliteStore(path)
    with store.view() as view:
        assert ids(view.usage()) == [request_id(n) for n in range(32)]
        assert len(list(view.attempts())) == 3
        assert len(list(view.allocation())) == len(list(view.energy())) == 3
    store.close()
    assert ids(Reader(path).usage()) == [request_id(n) for n in range(32)]


class Killed(BaseException):
    """What a kill would be, within one process: nothing after it runs."""


class Mortal:
    """Kills at the n-th of the points that are passed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.left = 10**9
        for module, name in (
            (SqliteStore, "apply"), (SqliteStore, "position"), (SqliteStore, "create"),
            (Path, "unlink"), (os, "pread"), (os, "fdatasync"),
        ):  # fmt: skip
            monkeypatch.setattr(module, name, self._around(getattr(module, name)))

    def _around(self, real: Callable[..., object]) -> Callable[..., object]:
        def mortal(*arguments: object, **named: object) -> object:
            self.point()
            result = real(*arguments, **named)
            self.point()
            return result

        return mortal

    def point(self) -> None:
        self.left -= 1
        if self.left == 0:
            raise Killed


@pytest.mark.slow
@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    lives=st.lists(
        st.tuples(st.integers(1, 60), st.integers(0, 12), st.booleans()), min_size=1, max_size=10
    ),
    rows=st.sampled_from([1, 3, 4096]),
)
def test_a_shipper_killed_at_any_point_loses_and_doubles_nothing(tmp_path_factory, lives, rows):
    path = tmp_path_factory.mktemp("killed") / "ledger.db"
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(writer, "SEGMENT_BYTES", 1500)
        desk = Desk()
        count = 0
        ledger = Ledger(path, worker=0, now_ns=START_NS, deliver=desk.deliver)
        for after, more, again in lives:
            for number in range(count, count + more):
                ledger.admit(admission(number))
                ledger.settle(usage(number), desk.noted("x"))
                if number % 3 == 0:
                    desk.run_until(number + 1)
            count += more
            desk.run_until(count)
            if again:
                ledger.close()
                ledger = Ledger(path, worker=0, now_ns=START_NS, deliver=desk.deliver)
            with pytest.MonkeyPatch.context() as patch:
                mortal = Mortal(patch)
                mortal.left = after
                try:
                    with carrying(path, rows) as carrier:
                        while carrier.round():
                            pass
                except Killed:
                    pass
                mortal.left = 10**9
            assert ids(Reader(path).usage()) == [request_id(n) for n in range(count)]
        ledger.close()
    with carrying(path, rows) as carrier:
        while carrier.round():
            pass
    store = SqliteStore(path)
    assert stored(store) == [request_id(n) for n in range(count)]
    store.close()
    assert len(segments(path)) == 1


@pytest.mark.parametrize("kind", STORES)
def test_report_04_a_batch_whose_commit_fails_is_neither_lost_nor_doubled(tmp_path, kind):
    """Batches left memory before the database had them (litellm #35531, #33872)."""
    path = tmp_path / "ledger.db"
    chance = random.Random(20261125)
    with kind(tmp_path / "store") as connect, opened(path) as ledger:
        (tmp_path / "store").mkdir(exist_ok=True)
        store = connect()
        real = store.apply
        failed = 0

        def apply(stream: str, position: int, batch: Batch) -> None:
            nonlocal failed
            when = chance.choice(["before", "after", "never"])
            failed += when != "never"
            if when == "before":
                raise StoreError("the server is gone")
            real(stream, position, batch)
            if when == "after":  # committed, but the answer was lost
                raise StoreError("the connection broke")

        store.apply = apply  # type: ignore[method-assign]
        carrier = Carrier(store, folder_of(path), rows=7)
        for step in range(40):
            write(ledger, step * 5, 5)
            while ledger.committed < (step + 1) * 10:
                pass
            try:
                carrier.round()
            except StoreError as error:
                assert carrier.state.reason == str(error)
                assert carrier.state.trying_since_s is not None
        assert failed > 10
        more = True
        while more:
            try:
                more = carrier.round()
            except StoreError:
                continue
        assert carrier.state.trying_since_s is None
        assert stored(store) == [request_id(n) for n in range(200)]


def report_of(carrier: Carrier, path: Path, **limits: float) -> ShippingReport:
    reporter = Reporter.__new__(Reporter)
    order = ShippingOrder(url=f"sqlite:///{path}", segments=str(folder_of(path)), **limits)
    reporter._order, reporter._carrier = order, carrier
    return reporter.report()


def test_report_04_a_store_that_stalls_is_told_while_it_stalls(path, monkeypatch):
    gate = Gate(SqliteStore.apply)
    monkeypatch.setattr(SqliteStore, "apply", partialmethod(gate))
    with opened(path) as ledger, carrying(path) as carrier:
        write(ledger, 0, 10)
        while ledger.committed < 20:
            pass
        thread = threading.Thread(target=carrier.round)
        thread.start()
        assert gate.entered.wait(WAIT_S)
        told = report_of(carrier, path, patience_s=0.0)
        assert told.failure is not None
        assert told.failure.startswith("the store has not answered for")
        assert told.backlog_bytes > 0
        assert told.lag_s > 0
        assert report_of(carrier, path, patience_s=1e9).failure is None
        gate.let_through()
        thread.join(WAIT_S)
        told = report_of(carrier, path, patience_s=0.0)
        assert (told.failure, told.backlog_bytes, told.lag_s, told.shipped) == (None, 0, 0.0, 10)


def test_more_than_may_wait_for_the_store_is_a_failure(path):
    with opened(path) as ledger, carrying(path, rows=5) as carrier:
        write(ledger, 0, 400)
        while ledger.committed < 800:
            pass
        assert carrier.round()
        told = report_of(carrier, path, backlog_bytes=20_000)
        assert told.failure is not None
        assert "bytes wait for the store, more than the 20,000 that may" in told.failure
        assert told.lag_s > 0
        while carrier.round():
            pass
        assert report_of(carrier, path, backlog_bytes=0).failure is None


def test_a_damaged_segment_holds_up_no_other_worker_and_is_told(path, monkeypatch):
    with opened(path) as ledger:
        write(ledger, 0, 5)
    (damaged,) = segments(path)
    with opened(path), opened(path, worker=1) as other:
        write(other, 10, 5)
        data = bytearray(damaged.read_bytes())
        data[60] ^= 1
        damaged.write_bytes(data)
        while other.committed < 10:
            pass
        with carrying(path) as carrier:
            carrier.round()
            assert "0000000001.log is damaged from byte 32 on" in carrier.state.damage
            assert report_of(carrier, path).failure == carrier.state.damage
            store = SqliteStore(path)
            assert stored(store) == [request_id(n) for n in range(10, 15)]
            store.close()
            assert damaged.exists()
            damaged.rename(path.parent / "moved")
            carrier.round()
            assert report_of(carrier, path).failure is None


def test_a_store_of_another_version_is_told(path):
    with opened(path) as ledger:
        write(ledger, 0, 1)
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE meta SET value = 'neocloud.ledger/9'")
    connection.close()
    with carrying(path) as carrier:
        with pytest.raises(LedgerError, match=r"neocloud\.ledger/9"):
            carrier.round()
        assert "neocloud.ledger/9" in str(report_of(carrier, path, patience_s=0.0).failure)
