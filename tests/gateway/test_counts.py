"""The ledger against the engines' own counters: tokens, time in use, energy, accelerators held."""

from __future__ import annotations

import asyncio
import json
import random
import shutil
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest

from neocloud.catalog import load_catalog
from neocloud.engines import EmulatedEngines, Endpoint, EngineMetrics, scrape
from neocloud.gateway import Callers, Fleet, Gateway, Meter, fleet_of_plan, rules_of_cloud
from neocloud.ledger import KeyRing, Ledger, Reader, Status, UsageEvent, given_key
from neocloud.planner import Plan, read_plan
from neocloud.quotas import Quotas
from neocloud.spec import load_cloud
from neocloud.wire import Address, Client, Pool, serve

from .world import CHAT, KEY, Taker, ask, authorization, run, until

MODEL = "llama-70b"
REQUESTS = 80
HUNG_UP = 12
LIMIT = 40
"""Of the cloud file, where a request sets none."""
LONG = 400
"""Tokens of answers that nobody waits for: seconds of work."""


class Scrapes:
    """What the meter read of each replica, in order."""

    def __init__(self) -> None:
        self.of: dict[str, list[EngineMetrics]] = {}

    def reader(self, endpoint: Endpoint) -> Reading:
        return Reading(self, endpoint)


class Reading:
    """Reads one replica and keeps what it read."""

    def __init__(self, scrapes: Scrapes, endpoint: Endpoint) -> None:
        self.found = scrapes.of.setdefault(endpoint.replica, [])
        self.endpoint = endpoint

    async def read(self, pool: Pool, *, timeout_s: float) -> EngineMetrics:
        found = await scrape(pool, self.endpoint, timeout_s=timeout_s)
        assert found is not None
        self.found.append(found)
        return found


@dataclass
class Cloud:
    plan: Plan
    fleet: Fleet
    ledger: Ledger
    meter: Meter
    pool: Pool
    path: Path

    def usage(self, status: Status) -> list[UsageEvent]:
        return [event for event in Reader(self.path).usage() if event.status is status]

    async def counted(self) -> tuple[int, int, int]:
        """Prompt, cached and generated tokens, by the engines' own count."""
        found = [await scrape(b.pool, b.endpoint) for b in self.fleet.backends]
        assert all(each is not None and not each.running and not each.waiting for each in found)
        return (
            sum(each.prompt_tokens for each in found if each),
            sum(each.cached_tokens for each in found if each),
            sum(each.generated_tokens for each in found if each),
        )


@asynccontextmanager
async def up(folder: Path) -> AsyncIterator[Cloud]:
    """The cloud planned by the command line, its engines emulated, its gateway here."""
    cloud_path, plan_path = folder / "cloud.yaml", folder / "plan.json"
    shutil.copy(Path(__file__).with_name("cloud.yaml"), cloud_path)
    command = [sys.executable, "-m", "neocloud.cli.main", "plan", str(cloud_path), "--quiet"]
    await asyncio.to_thread(subprocess.run, command, check=True, stdout=subprocess.DEVNULL)
    catalog = load_catalog()
    rules = rules_of_cloud(load_cloud(cloud_path, catalog), catalog, "p1")
    plan = read_plan(plan_path)
    engines = await EmulatedEngines.start(cloud_path, plan_path, grace_s=5)
    client = Client()
    path = folder / "ledger.db"
    deliver = asyncio.get_running_loop().call_soon_threadsafe
    ledger = Ledger(path, worker=0, now_ns=time.time_ns(), deliver=deliver)
    fleet = fleet_of_plan(plan, {e.replica: e for e in engines.endpoints}, client)
    callers = Callers(rules, KeyRing((given_key(KEY, "acme"),)))
    quotas = Quotas({})
    gateway = Gateway(rules, fleet, ledger, quotas, callers)
    meter = Meter(fleet, ledger)
    await meter.start()
    metering = asyncio.create_task(meter.run())
    server = await serve(gateway.handle, "127.0.0.1", 0)
    try:
        pool = client.pool(Address(*server.address))
        yield Cloud(plan, fleet, ledger, meter, pool, path)
        metering.cancel()
        await asyncio.gather(metering, return_exceptions=True)
        await meter.finish()
    finally:
        metering.cancel()
        await server.close_gracefully(5)
        await client.close()
        await engines.stop()
        await asyncio.to_thread(ledger.close)


def request(number: int, chance: random.Random) -> bytes:
    """One of a mix; a third repeats the beginning of another."""
    words = "the same long beginning of many a question " * 40 if number % 3 == 0 else ""
    fields: dict[str, object] = {"stream": chance.random() < 0.5}
    if chance.random() < 0.8:
        fields["max_tokens"] = chance.randint(1, 30)
    if fields["stream"] and chance.random() < 0.5:
        fields["stream_options"] = {"include_usage": chance.random() < 0.5}
    text = words + f"question {number} " * chance.randint(1, 60)
    return json.dumps(
        {"model": MODEL, "messages": [{"role": "user", "content": text}], **fields}
    ).encode()


async def answered(cloud: Cloud) -> None:
    """A load of which every answer is whole; each token of it is in the ledger, and no other."""
    chance = random.Random(7)
    takers = []
    for number in range(REQUESTS):
        taker = Taker()
        cloud.pool.request(b"POST", CHAT, taker, authorization(), request(number, chance))
        takers.append(taker)
        await asyncio.sleep(chance.random() * 0.02)  # arrivals spread over many steps
    for taker in takers:
        await taker.ended.wait()
        assert taker.whole
        assert taker.status == 200
        assert taker.headers[b"x-neocloud-emulated"] == b"true"
    events = cloud.usage(Status.COMPLETED)
    assert len(events) == REQUESTS
    assert {event.request_id for event in events} == {taker.request_id for taker in takers}
    assert all(event.emulated and not event.estimated for event in events)
    assert max(event.output_tokens for event in events) <= LIMIT
    assert len({event.replica for event in events}) == len(cloud.fleet.backends)
    totals = (
        sum(event.input_tokens for event in events),
        sum(event.cached_tokens for event in events),
        sum(event.output_tokens for event in events),
    )
    assert await cloud.counted() == totals
    assert totals[1] > 0


async def hung_up(cloud: Cloud) -> None:
    """Streams whose clients leave in the middle; what had passed is metered, and little is lost."""
    *_, before = await cloud.counted()
    passed = {}
    for number in range(HUNG_UP):
        taker = Taker()
        body = ask(str(number), model=MODEL, stream=True, max_tokens=LONG)
        data = json.dumps(body).encode()
        call = cloud.pool.request(b"POST", CHAT, taker, authorization(), data)
        wanted = 1 + number % 5
        await until(lambda taker=taker, n=wanted: taker.body.count(b'"content":"') > n)
        passed[taker.request_id] = taker.body.count(b'"content":"') - 1  # the first is the role's
        call.abort()
    await until(lambda: len(cloud.usage(Status.ABORTED)) == HUNG_UP)
    await until(lambda: all(state.in_flight == 0 for state in cloud.fleet.states))
    events = cloud.usage(Status.ABORTED)
    # The engine told its count with each token, so that no answer broken off is an estimate.
    assert not any(event.estimated for event in events)
    for event in events:
        assert passed[event.request_id] <= event.output_tokens < LONG
    while True:  # an engine takes a cancelled request out after the step under way
        found = [await scrape(b.pool, b.endpoint) for b in cloud.fleet.backends]
        if not any(each is None or each.running for each in found):
            break
    *_, after = await cloud.counted()
    metered = sum(event.output_tokens for event in events)
    assert metered <= after - before < LONG * HUNG_UP


def spans_join(cloud: Cloud, scrapes: Scrapes) -> None:
    """Spans tile the time that the gateway ran, and sum up to what the engines counted."""
    reader = Reader(cloud.path)
    allocation, energy = list(reader.allocation()), list(reader.energy())
    assert [(e.event_id, e.start_ns, e.end_ns) for e in allocation] == [
        (e.event_id, e.start_ns, e.end_ns) for e in energy
    ]
    (placement,) = cloud.plan.placements
    tp = placement.configuration.tp
    assert tp > 1
    assert set(scrapes.of) == {e.holder for e in allocation} == set(placement.replica_ids())
    for replica, readings in scrapes.of.items():
        spans = [e for e in allocation if e.holder == replica]
        assert len(spans) > 1
        assert all(e.busy_s is not None for e in spans)
        assert all(a.end_ns == b.start_ns for a, b in pairwise(spans))
        assert all(e.end_ns > e.start_ns for e in spans)
        assert {e.accelerators for e in spans} == {tp}
        first, last = readings[0], readings[-1]
        assert first.busy_s is not None
        assert last.busy_s is not None
        assert first.joules is not None
        assert last.joules is not None
        busy_s = sum(e.busy_s or 0.0 for e in spans)
        assert busy_s == pytest.approx((last.busy_s - first.busy_s) * tp)
        assert busy_s > 0
        kwh = sum(e.kwh for e in energy if e.holder == replica)
        assert kwh == pytest.approx((last.joules - first.joules) * placement.pue / 3.6e6)
        assert all(e.emulated for e in spans)


@pytest.mark.slow
def test_the_ledger_holds_what_the_engines_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scrapes = Scrapes()
    monkeypatch.setattr("neocloud.gateway.metering.meter.MetricsReader", scrapes.reader)
    monkeypatch.setattr("neocloud.gateway.metering.meter.PROBE_S", 0.05)
    monkeypatch.setattr("neocloud.gateway.metering.meter.SPAN_S", 0.4)

    async def test() -> None:
        async with up(tmp_path) as cloud:
            assert len(cloud.fleet.backends) > 1
            await answered(cloud)
            await hung_up(cloud)
        spans_join(cloud, scrapes)

    run(test, within_s=90)
