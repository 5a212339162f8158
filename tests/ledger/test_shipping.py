"""Shipping: exactly once, whatever is killed when; and what is told while the store is away."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partialmethod
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from neocloud.ledger import Ledger, LedgerError, Reader, Shipper, ShippingReport, StoreError, writer
from neocloud.ledger.carrier import Carrier
from neocloud.ledger.place import place_of
from neocloud.ledger.report import ShippingOrder
from neocloud.ledger.shipping import Reporter
from neocloud.ledger.sqlite import SqliteStore
from neocloud.ledger.store import Batch, Store

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
from .stores import STORES


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


def folder_of(path: Path) -> Path:
    return path.with_name(path.name + ".segments")


def segments(path: Path, worker: int = 0) -> list[Path]:
    return sorted((folder_of(path) / f"worker-{worker}").glob("*.log"))


def ids(events: object) -> list[str]:
    return [event.request_id for event in events]  # type: ignore[attr-defined]


def stored(store: Store) -> list[str]:
    with store.view() as view:
        return ids(view.usage())


def write(ledger: Ledger, first: int, count: int) -> None:
    for number in range(first, first + count):
        ledger.admit(admission(number))
        ledger.settle(usage(number), None)


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


# The process.


def start(path: Path) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        [sys.executable, "-m", "neocloud.ledger.shipping"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdin is not None
    order = ShippingOrder(url=f"sqlite:///{path}", segments=str(folder_of(path)))
    process.stdin.write(msgspec.json.encode(order) + b"\n")
    process.stdin.flush()
    return process


def end(process: subprocess.Popen[bytes]) -> None:
    for pipe in (process.stdin, process.stdout, process.stderr):
        assert pipe is not None
        pipe.close()
    process.wait(WAIT_S)


@pytest.mark.slow
def test_the_process_is_killed_again_and_again_while_segments_are_written(path, monkeypatch):
    monkeypatch.setattr(writer, "SEGMENT_BYTES", 40_000)
    chance = random.Random(20261125)
    stop = threading.Event()
    wrong: list[str] = []
    count = 0
    desk = Desk()
    ledger = Ledger(path, worker=0, now_ns=START_NS, deliver=desk.deliver)

    def watch() -> None:
        while not stop.is_set():
            before = count
            found = ids(Reader(path).usage())
            if len(found) != len(set(found)) or found != sorted(found):
                wrong.append("twice")
            if len(found) < before:
                wrong.append(f"{before} were durable, {len(found)} are read")

    watcher = threading.Thread(target=watch)
    watcher.start()
    kills = 0
    try:
        for _ in range(12):
            process = start(path)
            until = time.monotonic() + 0.15 + chance.random() * 0.5
            while time.monotonic() < until:
                first = len(desk.done)
                for number in range(first, first + 50):
                    ledger.admit(admission(number))
                    ledger.settle(usage(number), desk.noted("x"))
                desk.run_until(first + 50)
                count = len(desk.done)
            process.send_signal(signal.SIGKILL)
            kills += process.wait(WAIT_S) == -signal.SIGKILL
            end(process)
    finally:
        stop.set()
        watcher.join(WAIT_S)
        ledger.close()
    assert kills == 12
    assert not wrong
    assert ids(Reader(path).usage()) == [request_id(n) for n in range(count)]
    process = start(path)
    assert process.stdin is not None
    process.stdin.close()  # its parent is gone: it brings what is left, and ends
    assert process.wait(WAIT_S) == 0
    end(process)
    store = SqliteStore(path)
    assert stored(store) == [request_id(n) for n in range(count)]
    store.close()
    assert len(segments(path)) == 1


def test_two_gateways_start_two_processes_and_one_ships(path):
    with opened(path) as ledger:
        first = start(path)
        assert first.stdout is not None
        assert first.stdout.readline()
        second = start(path)
        assert second.stdout is not None
        write(ledger, 0, 10)
        shipped = 0
        while shipped < 10:  # the one that stands by passes on what the other tells
            shipped = msgspec.json.decode(second.stdout.readline(), type=ShippingReport).shipped
        first.kill()
        end(first)
        write(ledger, 10, 10)
        while shipped != 20 - 10 or len(stored(SqliteStore(path))) < 20:
            shipped = msgspec.json.decode(second.stdout.readline(), type=ShippingReport).shipped
        second.kill()
        end(second)


def test_a_process_that_cannot_be_of_use_says_why(tmp_path):
    process = start(tmp_path / "ledger.db")
    end(process)
    process = subprocess.Popen(
        [sys.executable, "-m", "neocloud.ledger.shipping"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    order = ShippingOrder(url="mysql://x", segments=str(tmp_path / "s"))
    _, said = process.communicate(msgspec.json.encode(order) + b"\n", timeout=WAIT_S)
    assert process.returncode == 2
    assert b"write sqlite:///" in said


def test_the_parent_starts_it_again_and_hears_when_the_store_is_away(path):
    async def main() -> None:
        loop = asyncio.get_running_loop()
        ledger = Ledger(path, worker=0, now_ns=START_NS, deliver=loop.call_soon_threadsafe)
        heard = asyncio.Event()

        def take(report: ShippingReport) -> None:
            ledger.note_shipping(report)
            heard.set()

        async def until(condition: Callable[[], bool]) -> None:
            async with asyncio.timeout(WAIT_S):
                while not condition():
                    heard.clear()
                    await heard.wait()

        shipper = await Shipper.start(place_of(path), take, patience_s=0.2)
        try:
            write(ledger, 0, 10)
            await until(lambda: shipper.report.shipped == 10)
            first = shipper.pid
            assert first is not None
            os.kill(first, signal.SIGKILL)
            write(ledger, 10, 10)
            await until(lambda: shipper.pid != first and shipper.report.shipped == 10)
            holder = sqlite3.connect(path, isolation_level=None)
            holder.execute("BEGIN EXCLUSIVE")
            write(ledger, 20, 10)
            await until(lambda: ledger.failure is not None)
            assert "not answered" in str(ledger.failure) or "locked" in str(ledger.failure)
            holder.execute("ROLLBACK")
            holder.close()
            await until(lambda: ledger.failure is None and shipper.report.shipped == 20)
            write(ledger, 30, 5)
        finally:
            await asyncio.to_thread(ledger.close)
            await shipper.stop()
            await shipper.stop()
        assert shipper.report.shipped == 25, "what is left at the end is brought"

    asyncio.run(main())
    store = SqliteStore(path)
    assert stored(store) == [request_id(n) for n in range(35)]
    store.close()


_PARENT = """
import asyncio, sys
from pathlib import Path
from neocloud.ledger import Shipper
from neocloud.ledger.place import place_of

async def main():
    told = asyncio.Event()
    shipper = await Shipper.start(place_of(Path(sys.argv[1])), lambda report: told.set())
    await told.wait()
    print(shipper.pid, flush=True)
    await asyncio.sleep(1000)

asyncio.run(main())
"""


def test_it_ends_when_its_parent_is_killed(path):
    parent = subprocess.Popen(
        [sys.executable, "-c", _PARENT, str(path)], stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    parent.kill()
    parent.wait(WAIT_S)
    parent.stdout.close()
    until = time.monotonic() + WAIT_S
    while Path(f"/proc/{pid}/cmdline").exists() and Path(f"/proc/{pid}/cmdline").read_bytes():
        assert time.monotonic() < until
        time.sleep(0.02)
