"""Other rules and replicas within a process: what flies, what waits, and who is asked for what."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from tests.gateway.scripted import JSON, answers, plain, waits
from tests.gateway.world import World, ask, before, rules_with, run, until

from neocloud.engines import TokenPrice as TheirPrice
from neocloud.engines import endpoint_of_url
from neocloud.gateway import Fleet
from neocloud.gateway.fleet.remotes import Remote, cost_of
from neocloud.gateway.fleet.replicas import Backend
from neocloud.gateway.requests.ids import RequestIds, admitted_by
from neocloud.gateway.tenants.rules import ModelRule, TokenPrice
from neocloud.gateway.workers.post import Post, gateway_id
from neocloud.gateway.workers.spent import of_worker, spent_this_month
from neocloud.ledger import Admission, Ledger, LedgerPlace, Status, UsageEvent, ledger_place
from neocloud.quotas import TenantLimit


def only(whole: Fleet, number: int) -> Fleet:
    """A fleet of one replica, which takes one request at a time."""
    backend = whole.backends[number]
    state = msgspec.structs.replace(backend.state)
    state.target_concurrency = state.max_occupancy = 1.0
    return Fleet([Backend(backend.endpoint, backend.pool, state, None)])


async def asked(world: World, count: int) -> list[asyncio.Task]:
    calls = [asyncio.create_task(world.post(ask(f"{number}"))) for number in range(count)]
    await until(lambda: world.ledger.open_requests + len(world.gateway.waiting) == count)
    return calls


def test_what_waits_is_placed_anew_and_what_flies_ends_where_it_is(tmp_path: Path) -> None:
    async def test() -> None:
        async with before(tmp_path, waits, answers()) as world:
            gateway, rules, whole = world.gateway, world.gateway.rules, world.fleet
            gateway.change(rules, only(whole, 0))
            calls = await asked(world, 4)
            assert (world.ledger.open_requests, len(gateway.waiting)) == (1, 3)
            first = gateway.fleet
            gateway.change(rules, only(whole, 1))
            others = await asyncio.gather(*calls[1:])
            assert [answer.status for answer in others] == [200, 200, 200]
            world.mocks[0].open[0].respond(200, JSON, plain(3))
            assert (await calls[0]).status == 200
            assert [state.in_flight for state in first.states] == [0]
            assert sorted(event.site for event in world.usage()) == ["far"] * 3 + ["near"]
            gateway.change(rules, whole)

    run(test)


def test_what_waits_for_a_model_that_is_gone_is_refused_and_its_hold_given_back(
    tmp_path: Path,
) -> None:
    async def test() -> None:
        rules = rules_with(limit=TenantLimit(concurrent_requests=2))
        async with before(tmp_path, waits, rules=rules) as world:
            gateway = world.gateway
            gateway.change(rules, only(world.fleet, 0))
            calls = await asked(world, 2)
            fewer = msgspec.structs.replace(rules, models={"other": rules.models["other"]})
            gateway.change(fewer, gateway.fleet)
            assert (await calls[1]).status == 404
            assert gateway.quotas.remaining("acme", time.monotonic()).concurrent == 1
            world.mocks[0].open[0].respond(200, JSON, plain(3))
            assert (await calls[0]).status == 200
            assert gateway.quotas.remaining("acme", time.monotonic()).concurrent == 2

    run(test)


def test_each_event_is_rated_by_the_prices_of_its_admission(tmp_path: Path) -> None:
    """The request that flies has the old version, the one that waited the new."""

    async def test() -> None:
        async with before(tmp_path, waits) as world:
            gateway, rules = world.gateway, world.gateway.rules
            gateway.change(rules, only(world.fleet, 0))
            calls = await asked(world, 2)
            gateway.change(msgspec.structs.replace(rules, price_version="p2"), gateway.fleet)
            await asyncio.sleep(0)
            for number in range(2):
                await until(lambda number=number: len(world.mocks[0].open) > number)
                world.mocks[0].open[number].respond(200, JSON, plain(3))
                assert (await calls[number]).status == 200
            assert [event.price_version for event in world.usage()] == ["p1", "p2"]

    run(test)


@given(st.integers(0, 2**16 - 1), st.integers(0, 1023), st.integers(10**18, 2 * 10**18))
def test_an_id_tells_who_admitted_and_never_comes_twice(gateway: int, worker: int, now_ns: int):
    ids = RequestIds(gateway, worker)
    made = [ids.new(now_ns) for _ in range(50)]
    assert len(set(made)) == 50
    assert {admitted_by(each) for each in made} == {(gateway, worker)}
    assert ids.new(now_ns + 2_000_000) > max(made)


def settled(
    place: LedgerPlace, worker: int, ids: RequestIds, times: list[int], tokens: int
) -> None:
    ledger = Ledger(place, worker=worker, now_ns=time.time_ns(), deliver=lambda call: call())
    for at_ns in times:
        request_id = ids.new(at_ns)
        ledger.admit(
            Admission(
                request_id=request_id, admitted_ns=at_ns, tenant="acme", key_id="k", model="m",
                user_metro="", prompt_bytes=8, max_output_tokens=0, price_version="p",
            )
        )  # fmt: skip
        ledger.settle(
            UsageEvent(
                request_id=request_id, tenant="acme", key_id="k", model="m", site="s", pool="p",
                replica="r", accelerator="", engine="remote", user_metro="", input_tokens=tokens,
                cached_tokens=0, output_tokens=0, admitted_ns=at_ns, first_token_ns=at_ns,
                finished_ns=at_ns, status=Status.COMPLETED, attempts=1, streamed=False,
                estimated=False, emulated=False, price_version="p",
            ),
            None,
        )  # fmt: skip
    ledger.close()


def test_what_workers_answer_for_is_all_that_was_spent_and_nothing_twice(tmp_path: Path) -> None:
    place = ledger_place("sqlite:///usage.db", tmp_path)
    now_ns = time.time_ns()
    started_ns = now_ns - 1000
    gateway = gateway_id(place)
    assert gateway == gateway_id(place)
    number = int(gateway[:4], 16)
    settled(place, 0, RequestIds(number, 0), [started_ns - 1, started_ns], 1)
    settled(place, 1, RequestIds(number, 1), [started_ns - 1, started_ns, started_ns + 1], 10)
    settled(place, 2, RequestIds(number ^ 1, 2), [started_ns - 1], 100)  # another gateway's
    model = ModelRule(
        max_output_tokens=None, ttft_budget_s=1.0,
        price=TokenPrice(input=1, cached_input=0, output=1),
    )  # fmt: skip
    rules = msgspec.structs.replace(rules_with(limit=TenantLimit(budget=1000)), models={"m": model})

    def spent(worker: int, *, shared: bool) -> int:
        post = Post(number=worker, gateway=gateway, started_ns=started_ns)
        counts = of_worker(post, shared=shared)
        return spent_this_month(place, rules, now_ns, ("acme",), counts)["acme"]

    assert spent_this_month(place, rules, now_ns, ("acme",)) == {"acme": 132}
    assert [spent(n, shared=True) for n in range(3)] == [1 + 11, 20, 0]
    assert [spent(n, shared=False) for n in range(3)] == [1 + 11 + 100, 20, 0]


def test_a_remote_costs_its_price_and_without_one_more_than_all_of_ones_own() -> None:
    price = TheirPrice(currency="USD", input=10**6, cached=10**6, output=2 * 10**6)
    endpoint = endpoint_of_url("http://x", replica="remote/a/m/0", model="m", price=price)
    remote = Remote(endpoint=endpoint, model="m", metro=None)
    assert cost_of(remote, None, [5.0]) == (1000 * 10**6 + 200 * 2 * 10**6) / 10**12
    unknown = msgspec.structs.replace(
        remote, endpoint=msgspec.structs.replace(endpoint, price=None)
    )
    assert cost_of(unknown, None, [5.0, 7.0]) > 7.0
    assert cost_of(unknown, None, []) > 0.0
