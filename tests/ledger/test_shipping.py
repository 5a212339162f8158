"""The process that ships: killed, doubled, started again; what it tells and when it ends."""

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
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
import uvloop

from neocloud.ledger import Ledger, Reader, Shipper, ShippingReport, writer
from neocloud.ledger.place import place_of
from neocloud.ledger.report import ShippingOrder
from neocloud.ledger.sqlite import SqliteStore

from .events import (
    START_NS,
    WAIT_S,
    Desk,
    admission,
    opened,
    request_id,
    usage,
)
from .folders import folder_of, ids, segments, stored, write


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


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


def test_a_process_that_is_killed_before_it_has_its_order_is_started_again(path, monkeypatch):
    real = asyncio.create_subprocess_exec
    ended: list[int] = []

    async def start_and_kill(*args: str, **options: Any) -> asyncio.subprocess.Process:
        process = await real(*args, **options)
        if not ended:
            process.kill()
            ended.append(await process.wait())
        return process

    async def test() -> None:
        monkeypatch.setattr(asyncio, "create_subprocess_exec", start_and_kill)
        reports: list[ShippingReport] = []
        shipper = await Shipper.start(place_of(path), reports.append)
        async with asyncio.timeout(WAIT_S):
            while not reports:
                await asyncio.sleep(0.01)
        assert reports[0].failure is None
        await shipper.stop()

    # uvloop, as the gateway runs: its pipes refuse with another error than asyncio's.
    uvloop.run(test())
    assert ended == [-signal.SIGKILL]
