"""All accelerators of a cloud file have a holder, at any time, and each one only."""

from __future__ import annotations

import time
from collections import Counter
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.gateway.world import run

from neocloud.activity import Purpose, total
from neocloud.catalog import load_catalog
from neocloud.engines import Endpoint
from neocloud.gateway import Meter, fleet_of_plan
from neocloud.gateway.metering.holdings import (
    Ground,
    Planned,
    PoolStand,
    Reservation,
    ground_of,
    held_at,
    undelivered,
)
from neocloud.ledger import EnergyEvent, Ledger, Reader, metered_activity
from neocloud.planner import Plan, make_plan
from neocloud.spec import Cloud, parse_cloud
from neocloud.units import HOUR_NS, Period, parse_utc
from neocloud.wire import Address, Client

CATALOG = load_catalog()
TEXT = """\
name: small
sites:
  ashburn:
    metro: washington
    pue: 1.25
    power: [{usd_per_mwh: 80, capacity_mw: 1}]
    pools:
      - {accelerator: h100-sxm, nodes: 4, spare_nodes: 1}
      - {accelerator: h200-sxm, nodes: 1, start: 2099-01-01}
  frankfurt:
    metro: frankfurt
    power: [{usd_per_mwh: 80, capacity_mw: 1}]
    pools: [{accelerator: mi300x, nodes: 1}]
models:
  llama:
    config: meta-llama/Meta-Llama-3.1-8B
    objective: {ttft_ms: 1000, tpot_ms: 40}
    price_per_mtok: {input: 0.26, output: 0.55}
tenants: {acme: {allowed_sites: [ashburn]}, rhein: {}}
demand:
  - {model: llama, tenant: acme, metros: [new-york], requests_per_s: 6, lengths: azure-conv}
planning: {tp: [1], batch: [64], date: 2026-09-01}
contracts:
  - {name: rest, tenant: rhein, kind: last_resort, accelerators: 6, start: 2026-01-01,
     term_months: 12, price: 1, purpose: backfill}
  - {name: job, tenant: acme, accelerator: h100-sxm, accelerators: 16, sites: [ashburn],
     start: 2026-01-31, term_months: 13, price: 2}
  - {name: served, tenant: acme, kind: dedicated, model: llama, accelerators: 8, start: 2026-01-01,
     term_months: 12, price: 2}
  - {name: hoped, tenant: acme, accelerators: 8, start: 2026-01-01, term_months: 12, price: 2,
     probability: 0.5}
"""
NOW = parse_utc("2026-10-05T13:00:00Z")


@cache
def cloud_and_plan() -> tuple[Cloud, Plan]:
    cloud = parse_cloud(TEXT, "cloud.yaml", CATALOG)
    return cloud, make_plan(cloud, CATALOG)


@cache
def ground() -> Ground:
    cloud, plan = cloud_and_plan()
    return ground_of(cloud, CATALOG, plan)


def held(now_ns: int = NOW, served: tuple[str, ...] | None = None) -> dict[str, int]:
    if served is None:
        served = tuple(planned.replica for planned in ground().planned)
    return {each.holder: each.accelerators for each in held_at(ground(), now_ns, served)}


def test_reservations_take_what_the_plan_leaves_and_the_rest_is_idle() -> None:
    replicas = len(ground().planned)
    assert replicas >= 1
    assert held() == {
        "ashburn/h100-sxm/contract/job": 16,
        "ashburn/h100-sxm/contract/rest": 6,
        "ashburn/h100-sxm/idle": 32 - replicas - 22,
        "frankfurt/mi300x/idle": 8,
    }


def test_terms_begin_and_end() -> None:
    assert "ashburn/h100-sxm/contract/job" not in held(parse_utc("2026-01-30T23:59:59Z"))
    assert "ashburn/h100-sxm/contract/job" in held(parse_utc("2026-01-31T00:00:00Z"))
    # Thirteen months from the last day of January on is the last of February.
    assert "ashburn/h100-sxm/contract/job" in held(parse_utc("2027-02-27T23:59:59Z"))
    assert "ashburn/h100-sxm/contract/job" not in held(parse_utc("2027-02-28T00:00:00Z"))
    assert held(parse_utc("2099-01-01T00:00:00Z"))["ashburn/h200-sxm/idle"] == 8


def test_purposes_tenants_and_power() -> None:
    found = {each.holder: each for each in held_at(ground(), NOW, ())}
    job, rest = (found[f"ashburn/h100-sxm/contract/{name}"] for name in ("job", "rest"))
    assert (job.purpose, job.tenant) == (Purpose.TRAINING, "acme")
    assert (rest.purpose, rest.tenant) == (Purpose.BACKFILL, "rhein")
    idle = found["ashburn/h100-sxm/idle"]
    assert idle.purpose is Purpose.IDLE
    # An H100 board idles near 110 W of 700; with its share of the node, and a PUE of 1.25.
    assert 110 * 1.25 < idle.watts / idle.accelerators < job.watts / job.accelerators < 1400
    for planned in ground().planned:
        down = found[planned.replica]
        assert (down.purpose, down.model) == (Purpose.DOWN, "llama")


def test_a_reservation_without_room_is_told() -> None:
    tight = Ground(
        pools=(stand("p", 8),), planned=(planned("p", 6),), reservations=(reservation("r", 5),)
    )
    assert undelivered(tight, NOW) == {"r": 3}
    assert undelivered(ground(), NOW) == {}


def stand(pool: str, accelerators: int) -> PoolStand:
    return PoolStand(
        site="s", pool=pool, accelerator="h", accelerators=accelerators, start_ns=0,
        idle_watts=100.0, busy_watts=700.0, emulated=False,
    )  # fmt: skip


def planned(pool: str, accelerators: int, number: int = 0) -> Planned:
    return Planned(
        replica=f"s/{pool}/m/{number}", site="s", pool=pool, model="m", accelerators=accelerators
    )


def reservation(name: str, accelerators: int) -> Reservation:
    return Reservation(
        name=name, tenant="t", purpose="training", accelerator=None, accelerators=accelerators,
        sites=None, start_ns=0, end_ns=2**62,
    )  # fmt: skip


@given(
    st.lists(st.integers(1, 64), min_size=1, max_size=3),
    st.lists(st.tuples(st.integers(0, 2), st.integers(1, 8)), max_size=8),
    st.lists(st.integers(1, 80), max_size=4),
    st.sets(st.integers(0, 7)),
)
def test_each_accelerator_has_one_holder(
    pools: list[int], replicas: list[tuple[int, int]], reserved: list[int], served: set[int]
) -> None:
    there = [
        planned(f"p{pool % len(pools)}", number, ordinal)
        for ordinal, (pool, number) in enumerate(replicas)
    ]
    made = Ground(
        pools=tuple(stand(f"p{i}", number) for i, number in enumerate(pools)),
        planned=tuple(there),
        reservations=tuple(reservation(f"r{i}", n) for i, n in enumerate(reserved)),
    )
    names = {there[number].replica for number in served if number < len(there)}
    found = list(held_at(made, NOW, names))
    by_pool: Counter[str] = Counter()
    for each in found:
        assert each.accelerators > 0
        by_pool[each.pool] += each.accelerators
    for each in there:
        if each.replica in names:
            by_pool[each.pool] += each.accelerators
    on_plan: Counter[str] = Counter()
    for each in there:
        on_plan[each.pool] += each.accelerators
    for i, number in enumerate(pools):  # a plan that takes more than there is, is believed
        assert by_pool[f"p{i}"] == max(number, on_plan[f"p{i}"])
    assert len({each.holder for each in found}) == len({(e.holder, e.pool) for e in found})


def test_activity_covers_all_accelerators_of_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Through the meter and the ledger: held seconds are all accelerators times the time."""
    cloud, plan = cloud_and_plan()
    path = tmp_path / "ledger.db"
    clock = SimpleNamespace(now=NOW, monotonic=time.monotonic)
    clock.time_ns = lambda: clock.now
    monkeypatch.setattr("neocloud.gateway.metering.meter.time", clock)

    async def test() -> None:
        ledger = Ledger(path, worker=0, now_ns=NOW, deliver=lambda call: call())
        client = Client()
        served = ground().planned[0].replica
        endpoint = Endpoint(
            replica=served, address=Address("127.0.0.1", 9), prefix=b"", kind="vllm", model="llama"
        )
        fleet = fleet_of_plan(plan, {served: endpoint}, client)
        meter = Meter(fleet, ledger, ground_of(cloud, CATALOG, plan))
        await meter.start()
        clock.now += 1800 * 10**9
        meter.change(fleet, ground())  # a reload
        clock.now += 5400 * 10**9
        await meter.finish()
        clock.now += 10**9
        await meter.finish()
        await client.close()
        ledger.close()

    run(test)
    reader = Reader(path)
    allocation, energy = list(reader.allocation()), list(reader.energy())
    assert [(a.event_id, a.purpose, a.tenant, a.pool) for a in allocation] == [
        (e.event_id, e.purpose, e.tenant, e.pool) for e in energy
    ]
    hours = Period(NOW, NOW + 2 * HOUR_NS)
    rows = metered_activity([], allocation, energy, hours, lambda _: True)
    for hour in (NOW, NOW + HOUR_NS):
        for site, number in (("ashburn", 32), ("frankfurt", 8)):
            mine = total(row for row in rows if (row.site, row.hour_utc) == (site, hour))
            assert mine.allocated_accelerator_s == pytest.approx(number * 3600)
            assert mine.energy_kwh > number * 0.1  # kW that one draws at least
    purposes = {row.purpose for row in rows}
    assert {Purpose.TRAINING, Purpose.BACKFILL, Purpose.IDLE} <= purposes
    assert {row.tenant for row in rows if row.purpose is Purpose.TRAINING} == {"acme"}
    # What a meter tells is all of it again, and no more.
    meter = EnergyEvent(
        event_id="ashburn/meter@1", start_ns=NOW, end_ns=NOW + 2 * HOUR_NS, site="ashburn",
        pool="", model="", holder="", kwh=99.0, modelled=False, emulated=False,
    )  # fmt: skip
    rows = metered_activity([], allocation, [*energy, meter], hours, lambda _: True)
    assert total(r for r in rows if r.site == "ashburn").energy_kwh == pytest.approx(99.0)
    assert all(row.pool for row in rows)
