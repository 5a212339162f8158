"""Several processes behind one address: shared, restarted, ended together."""

from __future__ import annotations

import os
import signal
import threading
from collections import Counter
from http.client import HTTPException
from pathlib import Path

import pytest
from tests.fakes import upstream

from neocloud.ledger import Reader, Status

from .house import House, ask, chat, children_of, command_of, until, up


def answers(house: House, count: int) -> Counter[int]:
    return Counter(house.post(chat()).status for _ in range(count))


@pytest.fixture
def engine():
    with upstream.process("CHUNKS=3") as url:
        yield url


def test_two_workers_share_the_address_and_each_request_is_metered_once(tmp_path: Path, engine):
    with up(tmp_path, "--upstream", engine, "--workers", "2") as house:
        assert len(house.workers) == 2
        assert answers(house, 40) == {200: 40}
        folders = tmp_path / "usage.db.segments"
        assert {f.name for f in folders.glob("worker-*")} == {"worker-0", "worker-1"}
        assert house.stop() == 0
    events = list(Reader(tmp_path / "usage.db").usage())
    assert len(events) == len({event.request_id for event in events}) == 40
    assert {event.status for event in events} == {Status.COMPLETED}


def test_two_gateways_do_not_share_an_address(tmp_path: Path, engine):
    other = tmp_path / "other"
    other.mkdir()
    with up(tmp_path, "--upstream", engine, "--workers", "2") as house:
        words = ("--upstream", engine, "--listen", house.url.removeprefix("http://"))
        for workers in ("1", "2"):
            with (
                pytest.raises(AssertionError, match="cannot listen on"),
                up(other, *words, "--workers", workers),
            ):
                pass


def test_a_worker_that_is_killed_is_replaced_and_what_it_left_is_closed(tmp_path: Path):
    with (
        upstream.process("CHUNKS=50 PACE_MS=20") as engine,
        up(tmp_path, "--upstream", engine, "--workers", "2") as house,
    ):
        cut = threading.Barrier(9)
        seen: Counter[str] = Counter()

        def stream() -> None:
            cut.wait()
            try:
                answer = house.post(chat(stream=True))
                seen["whole" if answer.body.endswith(b"[DONE]\n\n") else "cut"] += 1
            except (OSError, HTTPException):
                seen["cut"] += 1

        clients = [threading.Thread(target=stream) for _ in range(8)]
        for client in clients:
            client.start()
        cut.wait()
        reader = Reader(tmp_path / "usage.db")
        until(lambda: len(list(reader.open_requests())) == 8)
        old = set(house.workers)
        victim = min(old)
        os.kill(victim, signal.SIGKILL)
        for client in clients:
            client.join()
        until(lambda: len(set(house.workers) - {victim}) == 2)
        until(lambda: not list(reader.open_requests()))
        assert old - set(house.workers) == {victim}
        assert answers(house, 4) == {200: 4}
        assert house.stop() == 0
    statuses = Counter(event.status for event in Reader(tmp_path / "usage.db").usage())
    assert statuses[Status.COMPLETED] == seen["whole"] + 4
    assert statuses[Status.INTERRUPTED] == seen["cut"]
    assert sum(statuses.values()) == 12


def test_no_process_outlives_a_supervisor_that_is_killed(tmp_path: Path, engine):
    with up(tmp_path, "--upstream", engine, "--workers", "2") as house:
        family = children_of(house.process.pid)
        assert len(family) == 3  # the shipper too
        house.process.kill()
        house.process.wait()
        until(lambda: not any(map(command_of, family)), "a process outlives the supervisor")
        address = house.url
    with up(tmp_path, "--upstream", engine, "--workers", "2", "--listen", address[7:]) as house:
        assert answers(house, 2) == {200: 2}


def test_a_worker_told_to_end_has_a_successor_while_it_still_answers(tmp_path: Path):
    with (
        upstream.process("CHUNKS=30 PACE_MS=50") as engine,
        up(tmp_path, "--upstream", engine, "--workers", "1") as alone,
    ):
        assert alone.workers == []  # one worker is the process itself
        assert alone.stop() == 0
    with (
        upstream.process("CHUNKS=40 PACE_MS=50") as engine,
        up(tmp_path, "--upstream", engine, "--workers", "2") as house,
    ):
        whole: list[bool] = []
        clients = [
            threading.Thread(
                target=lambda: whole.append(
                    house.post(chat(stream=True)).body.endswith(b"[DONE]\n\n")
                )
            )
            for _ in range(6)
        ]
        for client in clients:
            client.start()
        reader = Reader(tmp_path / "usage.db")
        until(lambda: len(list(reader.open_requests())) == 6)
        for pid in house.workers:
            os.kill(pid, signal.SIGTERM)
        until(lambda: len(house.workers) == 4, "no successors")
        until(lambda: ask(house.url, "/readyz").status == 200)
        for client in clients:
            client.join()
        assert whole == [True] * 6
        until(lambda: len(house.workers) == 2)
        assert house.stop() == 0
    folders = tmp_path / "usage.db.segments"
    assert {f.name for f in folders.glob("worker-*")} == {f"worker-{n}" for n in range(4)}
