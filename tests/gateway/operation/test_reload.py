"""SIGHUP: what the files say now holds, and no request ends of it."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import pytest
from tests.fakes import upstream

from neocloud.ledger import Reader, Status, keys_of

from .clouds import MODEL, REPLICAS, CloudFile, at
from .house import House, chat, until, up


@pytest.fixture
def engine():
    with upstream.process("CHUNKS=6 PACE_MS=20", "--models", MODEL) as url:
        yield url


@contextmanager
def load(house: House, clients: int = 6) -> Iterator[Counter[object]]:
    """Clients that ask without a pause, streamed and not; what came of it, once it is over."""
    told: Counter[object] = Counter()
    over = threading.Event()

    def client(number: int) -> None:
        while not over.is_set():
            stream = number % 2 == 0
            try:
                answer = house.post(chat(model=MODEL, stream=stream))
            except OSError as error:
                told[repr(error)] += 1
                continue
            whole = answer.body.endswith(b"[DONE]\n\n") if stream else bool(answer.json()["usage"])
            told[answer.status, whole] += 1

    threads = [threading.Thread(target=client, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    try:
        yield told
    finally:
        over.set()
        for thread in threads:
            thread.join(60)


@pytest.mark.parametrize("workers", ["1", "2"])
def test_report_05_reloads_under_load_drop_nothing(tmp_path: Path, engine: str, workers: str):
    file = CloudFile(tmp_path)
    file.plan()
    words = ("cloud.yaml", *at(engine, *REPLICAS), "--workers", workers)
    with up(tmp_path, *words, admin=True) as house:
        with load(house) as told:
            for number in range(4):
                file.acme["rate_limits"] = {"requests_per_minute": 100_000 + number}
                file.content["models"][MODEL]["price_per_mtok"]["input"] = 0.10 + number
                file.write()
                house.reload()
                time.sleep(0.2)
            (acme,) = house.order("tenants").json()
            assert acme["limit"]["requests_per_minute"] == 100_003
        assert set(told) == {(200, True)}, told
        assert house.stop() == 0
        assert "the plan is of an earlier version of the file and goes on" in house.said
    events = list(Reader(tmp_path / "ledger.db").usage())
    assert len(events) == told[200, True]
    assert {event.status for event in events} == {Status.COMPLETED}
    assert len({event.price_version for event in events}) == 4  # the first price came again


def test_report_05_workers_recycled_under_load_drop_nothing(tmp_path: Path, engine: str):
    with up(tmp_path, "--upstream", engine, "--workers", "2") as house:
        with load(house) as told:
            time.sleep(0.3)
            first = set(house.workers)
            for pid in first:
                os.kill(pid, signal.SIGTERM)
            until(lambda: len(set(house.workers) - first) == 2)
            until(lambda: not first & set(house.workers))
            before = told[200, True]
            until(lambda: told[200, True] > before + 50)
        assert set(told) == {(200, True)}, told
        assert house.stop() == 0
    events = list(Reader(tmp_path / "usage.db").usage())
    assert len(events) == told[200, True]
    assert {event.status for event in events} == {Status.COMPLETED}


def test_a_file_that_is_wrong_changes_nothing_and_is_told_with_its_line(
    tmp_path: Path, engine: str
):
    file = CloudFile(tmp_path)
    file.acme["rate_limits"] = {"requests_per_minute": 600}
    good = file.plan().read_text()
    with up(tmp_path, "cloud.yaml", *at(engine, *REPLICAS), admin=True) as house:
        text = good.replace("requests_per_minute: 600", "requests_per_minute: many")
        file.path.write_text(text)
        line = 1 + text[: text.index("many")].count("\n")
        said = house.reload("not reloaded")
        assert f"cloud.yaml:{line}:" in said
        answer = house.order("reload", method="POST")
        assert answer.status == 422
        assert f"cloud.yaml:{line}:" in answer.json()["error"]["message"]
        file.content["sites"]["frankfurt"]["pue"] = 1.5  # what a plan depends on
        file.write()
        assert "Plan again" in house.reload("not reloaded")
        (acme,) = house.order("tenants").json()
        assert acme["limit"]["requests_per_minute"] == 600
        assert house.post(chat(model=MODEL)).status == 200
        file.path.write_text(good)
        house.reload()


def test_what_a_reload_brings_and_what_needs_a_restart(tmp_path: Path, engine: str):
    file = CloudFile(tmp_path)
    file.gateway["media_hosts"] = ["images.example.com"]
    file.plan()
    picture = {"type": "image_url", "image_url": {"url": "https://other.example.com/a.png"}}
    seen = chat(model=MODEL)
    seen["messages"] = [{"role": "user", "content": [picture]}]
    keys = keys_of(tmp_path / "ledger.db")
    key, _ = keys.create("acme", "", time.time_ns())
    alone = {"NEOCLOUD_KEY": ""}  # a key for the only tenant: there will be two
    with up(tmp_path, "cloud.yaml", *at(engine, *REPLICAS), environment=alone) as house:
        assert house.post(seen, key).status == 400
        file.gateway["media_hosts"] = ["other.example.com"]
        file.gateway["max_body_bytes"] = 2048
        file.gateway["workers"] = 3
        file.gateway["ledger"] = "sqlite:///other.db"
        file.content["tenants"]["other"] = {}
        file.write()
        said = house.reload("this needs a restart: the number of processes")
        assert "this needs a restart: the ledger" in said
        assert house.post(seen, key).status == 200
        assert house.post(chat("x" * 3000, model=MODEL), key).status == 413
        other, _ = keys.create("other", "", time.time_ns())
        house.reload()
        assert house.post(chat(model=MODEL), other).status == 200
        # Who leaves the file may ask no more.
        del file.content["tenants"]["other"]
        file.write()
        house.reload()
        assert house.post(chat(model=MODEL), other).status == 401
        assert house.post(chat(model=MODEL), key).status == 200


def test_a_new_plan_moves_the_emulated_engines_without_an_end_to_any_answer(tmp_path: Path):
    file = CloudFile(tmp_path)
    pool = file.content["sites"]["frankfurt"]["pools"][0]
    pool["engine"] = "emulated"
    file.content["models"][MODEL]["max_output_tokens"] = 20
    file.plan()
    with up(tmp_path, "cloud.yaml", "--workers", "2", admin=True) as house:
        before = {replica["replica"] for replica in house.order("replicas").json()}
        (engines,) = house.children("neocloud.engines.emulated")
        with load(house, clients=4) as told:
            time.sleep(0.3)
            pool["nodes"] = 2
            file.content["sites"]["frankfurt"]["power"][0]["capacity_mw"] = 0.2
            file.content["demand"][0]["requests_per_s"] = 18
            file.plan()
            came = house.order("reload", method="POST").json()
            time.sleep(0.3)
        after = {replica["replica"]: replica for replica in house.order("replicas").json()}
        assert set(after) > before
        assert set(came["added"]) == set(after) - before
        assert {replica["state"] for replica in after.values()} == {"ready"}
        assert set(told) == {(200, True)}, told
        (new_engines,) = house.children("neocloud.engines.emulated")
        assert new_engines != engines
        assert {replica["in_flight"] for replica in house.order("replicas").json()} == {0}
        assert house.stop() == 0
    spans = defaultdict(list)
    for event in Reader(tmp_path / "ledger.db").allocation():
        spans[event.holder].append((event.start_ns, event.end_ns))
    assert set(spans) >= set(after)
    for of in spans.values():  # one worker writes them, and each second once
        assert all(end <= start for (_, end), (start, _) in pairwise(sorted(of)))
