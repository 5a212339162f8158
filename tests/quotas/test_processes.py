"""Real processes on one budget, through stores that are killed: never over, and all is used."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from neocloud.quotas import TenantLimit

from ..servers.redis import RedisServer  # noqa: TID252  (a real server)

WAIT_S = 60.0
PROGRAM = Path(__file__).with_name("worker.py")
COST = 1000  # as the program has it
PERIOD_S = 0.1


class Workers:
    """Processes of the program, and what their ledgers say."""

    def __init__(self, store: str, folder: Path, limit: TenantLimit) -> None:
        self.store, self.folder = store, folder
        self.limit = msgspec.json.encode(limit).decode()
        self.running: dict[str, subprocess.Popen[str]] = {}
        self.starts = 0

    def start(self, *names: str) -> None:
        """Start some with nothing known of them, and let them begin together."""
        for name in names:
            self.make(name)
        for name in names:
            self.begin(name)

    def begin(self, name: str) -> None:
        process = self.running[name]
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()

    def make(self, name: str, spent: int | None = None) -> None:
        self.starts += 1
        words = [self.store, name, self.limit, str(self.ledger(name)), str(self.starts)]
        process = subprocess.Popen(
            [sys.executable, str(PROGRAM), *words, *([] if spent is None else [str(spent)])],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=dict(os.environ),
        )  # fmt: skip
        self.running[name] = process
        assert process.stdout is not None
        assert process.stdout.readline() == "started\n"

    def kill(self, name: str) -> None:
        process = self.running.pop(name)
        process.send_signal(signal.SIGKILL)
        process.communicate()

    def finish(self) -> None:
        """Let each end its requests, give back and go."""
        for process in self.running.values():
            assert process.stdin is not None
            process.stdin.close()
        self.wait()

    def wait(self) -> None:
        """Wait until each has found the budget used up."""
        for process in self.running.values():
            assert process.stdout is not None
            assert process.wait(WAIT_S) == 0
            assert process.stdout.read() == "done\n"
        self.running.clear()

    def ledger(self, name: str) -> Path:
        return self.folder / f"ledger-{name}"

    def entries(self, name: str) -> list[tuple[float, int]]:
        path = self.ledger(name)
        lines = path.read_text().splitlines() if path.exists() else []
        return [(float(a), int(b)) for a, b in (line.split() for line in lines)]

    def spent(self, name: str) -> int:
        return sum(cost for _, cost in self.entries(name))

    def total(self, names: str) -> int:
        return sum(self.spent(name) for name in names)

    def until(self, amount: int, names: str) -> None:
        """Wait until so much is spent."""
        end = time.monotonic() + WAIT_S
        while self.total(names) < amount:
            assert time.monotonic() < end, self.total(names)
            time.sleep(0.01)

    def close(self) -> None:
        for name in list(self.running):
            self.kill(name)


@pytest.fixture(params=["embedded", "redis"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "embedded":
        return str(tmp_path / "usage.db.quotas")
    running: RedisServer = request.getfixturevalue("redis")
    return running.url


@pytest.fixture
def workers(store: str, tmp_path: Path) -> Iterator[Workers]:
    made = Workers(store, tmp_path, TenantLimit(budget=600 * COST))
    yield made
    made.close()


def test_report_13_two_processes_on_one_budget_use_all_of_it_and_no_more(workers: Workers):
    workers.start("a", "b")
    workers.wait()
    assert all(workers.entries(name) for name in "ab")
    total = workers.total("ab")
    assert 600 * COST - COST < total <= 600 * COST


def test_report_13_workers_killed_again_and_again_never_overrun(workers: Workers):
    """Each comes back with what its own ledger shows, so nothing of its leases is lost either."""
    chance = random.Random(13)
    workers.start("a", "b")
    for part in range(1, 9):
        workers.until(part * 50 * COST, "ab")
        name = chance.choice("ab")
        workers.kill(name)
        assert workers.total("ab") <= 600 * COST
        workers.make(name, workers.spent(name))
        workers.begin(name)
    workers.wait()
    total = workers.total("ab")
    assert 600 * COST - COST < total <= 600 * COST


def test_a_killed_workers_lease_is_spent_where_its_ledger_is_not_known(workers: Workers):
    workers.start("a")
    workers.until(20 * COST, "a")
    workers.kill("a")
    workers.start("a")
    workers.wait()
    # It was alone and had leased all.
    assert workers.total("a") <= 600 * COST // 2


@pytest.mark.parametrize("kind", ["requests_per_minute", "tokens_per_minute"])
def test_two_processes_overshoot_a_rate_by_one_periods_refill_at_most(store, tmp_path, kind):
    each = 1 if kind == "requests_per_minute" else COST
    workers = Workers(store, tmp_path, TenantLimit(**{kind: 240 * each}))
    try:
        workers.start("a", "b")
        deadline = time.monotonic() + WAIT_S
        while used(workers, each) < (240 + 20) * each:
            assert time.monotonic() < deadline, used(workers, each)
            time.sleep(0.02)
        workers.finish()
        entries = sorted(workers.entries("a") + workers.entries("b"))
        spans = [(entries[0][0], entries[-1][0]), (entries[len(entries) // 2][0], entries[-1][0])]
        for start_s, end_s in spans:
            inside = [cost for then_s, cost in entries if start_s <= then_s <= end_s]
            amount = len(inside) if each == 1 else sum(inside)
            slack_s = PERIOD_S + 0.05  # of the clocks with which the program notes its times
            assert amount <= 240 * each * (1 + (end_s - start_s + slack_s) / 60)
    finally:
        workers.close()


def used(workers: Workers, each: int) -> int:
    if each == 1:
        return len(workers.entries("a")) + len(workers.entries("b"))
    return workers.total("ab")


def test_report_13_a_redis_killed_under_load_never_lets_a_budget_overrun(
    redis: RedisServer, tmp_path: Path
):
    workers = Workers(redis.url, tmp_path, TenantLimit(budget=900 * COST))
    try:
        workers.start("a", "b")
        for part in range(1, 6):
            workers.until(part * 60 * COST, "ab")
            redis.kill()
            time.sleep(0.05 * part)  # they go on with their slices, then refuse
            assert workers.total("ab") <= 900 * COST
            redis.start()
        workers.wait()
        total = workers.total("ab")
        assert 900 * COST - COST < total <= 900 * COST
    finally:
        workers.close()


def test_a_redis_that_hangs_is_away_and_comes_back(redis: RedisServer, tmp_path: Path):
    workers = Workers(redis.url, tmp_path, TenantLimit(budget=900 * COST))
    try:
        workers.start("a", "b")
        workers.until(100 * COST, "ab")
        redis.freeze()
        time.sleep(3.0)  # longer than a call may take
        redis.thaw()
        workers.wait()
        total = workers.total("ab")
        assert 900 * COST - COST < total <= 900 * COST
    finally:
        workers.close()
