"""One budget for many processes: through HTTP, on a file and on a real Redis, and after kills."""

from __future__ import annotations

import os
import signal
import threading
from collections import Counter
from pathlib import Path

import pytest
from tests.fakes import upstream
from tests.servers.redis import RedisServer, redis_server

from neocloud.ledger import Reader, Status

from .clouds import MODEL, REPLICAS, CloudFile, at
from .house import House, chat, until, up

BUDGET = 400
"""A token costs a tenth, a request 1, and some 20 are held for it while it runs."""


def cloud(folder: Path, **gateway: object) -> CloudFile:
    file = CloudFile(folder)
    file.acme["budget_per_month"] = BUDGET
    file.content["models"][MODEL]["price_per_mtok"] = {"input": 100_000, "output": 100_000}
    file.gateway.update(gateway)
    file.plan()
    return file


def spend(houses: list[House], clients: int) -> Counter[int]:
    """Ask until every client was told that there is no more."""
    told: Counter[int] = Counter()

    def client(house: House) -> None:
        status = 200
        while status == 200:
            status = house.post(chat(model=MODEL, max_tokens=8)).status
            told[status] += 1

    threads = [threading.Thread(target=client, args=(h,)) for h in houses for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive(), told
    return told


def spent(*ledgers: Path) -> float:
    """What the answers cost, in the currency: a tenth a token."""
    events = [event for ledger in ledgers for event in Reader(ledger).usage()]
    billed = [e for e in events if e.status in (Status.COMPLETED, Status.ABORTED)]
    return sum(e.input_tokens + e.output_tokens for e in billed) / 10


@pytest.fixture
def redis(tmp_path: Path):
    folder = tmp_path / "redis"
    folder.mkdir()
    with redis_server(folder) as server:
        yield server


@pytest.fixture
def engine():
    with upstream.process("CHUNKS=8 TOKENS=12 PACE_MS=2", "--models", MODEL) as url:
        yield url


def test_two_workers_never_spend_more_than_the_budget_and_a_killed_one_neither(
    tmp_path: Path, engine: str
):
    cloud(tmp_path)
    words = ("cloud.yaml", *at(engine, REPLICAS[0]), "--workers", "2")
    with up(tmp_path, *words) as house:
        for victim in house.workers:
            for _ in range(5):
                assert house.post(chat(model=MODEL, max_tokens=8)).status == 200
            os.kill(victim, signal.SIGKILL)
            until(lambda victim=victim: len(set(house.workers) - {victim}) == 2)
            until(lambda: house.page("/readyz").status == 200)
        told = spend([house], 6)
        assert told[200] > 0
        assert set(told) == {200, 429}
        assert house.stop() == 0
    assert 0.4 * BUDGET < spent(tmp_path / "ledger.db") <= BUDGET
    with up(tmp_path, *words) as house:  # nothing of it is forgotten
        assert spend([house], 3)[429] > 0
        assert house.stop() == 0
    with up(tmp_path, *words[:-1], "1") as house:  # nor by the one process that has no such file
        assert spend([house], 3)[429] > 0
        answer = house.post(chat(model=MODEL, max_tokens=8))
        assert (answer.status, answer.json()["error"]["code"]) == (429, "insufficient_quota")
        assert house.stop() == 0
    assert BUDGET - 60 < spent(tmp_path / "ledger.db") <= BUDGET


def test_two_gateways_on_one_redis_never_spend_more_than_the_budget(
    tmp_path: Path, engine: str, redis: RedisServer
):
    password = {"NEOCLOUD_QUOTAS_PASSWORD": redis.password}
    folders = [tmp_path / name for name in ("one", "two")]
    for folder in folders:
        folder.mkdir()
        cloud(folder, quotas=redis.url)
    words = ("cloud.yaml", *at(engine, REPLICAS[0]))
    with (
        up(folders[0], *words, "--workers", "2", environment=password) as one,
        up(folders[1], *words, environment=password) as two,
    ):
        for _ in range(10):
            assert two.post(chat(model=MODEL, max_tokens=8)).status == 200
        two.process.kill()
        two.process.wait()
        with up(folders[1], *words, environment=password) as two_again:
            told = spend([one, two_again], 4)
            assert set(told) == {200, 429}
            assert spent(folders[0] / "ledger.db") <= BUDGET
            redis.kill()
            until(lambda: b"budgets cannot be checked" in one.page("/readyz").body)
            assert one.page("/healthz").status == 200
            redis.start()
            until(lambda: one.page("/readyz").status == 200, "the store is not found again")
            assert two_again.stop() == 0
        assert one.stop() == 0
    total = spent(*(folder / "ledger.db" for folder in folders))
    assert 0.4 * BUDGET < total <= BUDGET  # the last slices may lie where nobody asks


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_budget_that_comes_by_a_reload_counts_what_was_spent_before(
    tmp_path: Path, engine: str, workers: str
):
    file = cloud(tmp_path)
    del file.acme["budget_per_month"]
    file.plan()
    with up(tmp_path, "cloud.yaml", *at(engine, REPLICAS[0]), "--workers", workers) as house:
        for _ in range(50):
            assert house.post(chat(model=MODEL, max_tokens=8)).status == 200
        before = spent(tmp_path / "ledger.db")
        assert before == 50
        file.acme["budget_per_month"] = 100
        file.write()
        house.reload()
        assert spend([house], 4)[200] > 0
        assert house.stop() == 0
    assert before < spent(tmp_path / "ledger.db") <= 100


def test_a_store_that_is_not_there_is_told(tmp_path: Path, engine: str):
    cloud(tmp_path, quotas="redis://127.0.0.1:1/0")
    with (
        pytest.raises(AssertionError, match=r"127\.0\.0\.1:1"),
        up(tmp_path, "cloud.yaml", *at(engine, REPLICAS[0])),
    ):
        pass
