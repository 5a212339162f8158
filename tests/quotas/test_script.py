"""The script in Redis says to the same words what the arithmetic of the embedded store says."""

from __future__ import annotations

import asyncio
import itertools
import os
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from neocloud.quotas import EmbeddedBank, SharedBank, TenantLimit
from neocloud.quotas.bank import Ask, MoneyAsk, RateAsk, SlotAsk

from ..servers.redis import RedisServer  # noqa: TID252  (a real server)
from .world import HUGE, MONTH, AnyBank, Time, worker

Quarters = st.integers(0, 400).map(lambda n: n / 4)
Amounts = st.one_of(
    st.integers(0, 300), st.integers(0, HUGE), st.sampled_from([10**12, 10**12 - 1])
)


@st.composite
def asks(draw: st.DrawFn) -> Ask:
    def maybe(limits: st.SearchStrategy[int]) -> int | None:
        return draw(st.one_of(st.none(), limits))

    used, held, spare = draw(Amounts), draw(Amounts), draw(Amounts)
    least = draw(st.sampled_from([0, 1, 40]))
    in_flight, idle = draw(st.integers(0, 5)), draw(st.integers(0, 5))
    return Ask(
        tenant=draw(st.sampled_from(["x", "y"])),
        month=draw(st.sampled_from(["2026-10", "2026-11"])),
        limit=TenantLimit(
            requests_per_minute=maybe(st.integers(1, 100)),
            tokens_per_minute=maybe(st.integers(1, 10**12)),
            concurrent_requests=maybe(st.integers(1, 20)),
            budget=maybe(Amounts),
        ),
        touched_s=draw(st.sampled_from([0.0, 0.25, 3.0])),
        requests=RateAsk(draw(Quarters), draw(Quarters) - 20, draw(st.sampled_from([0, 1])), 50.0),
        tokens=RateAsk(draw(Quarters), draw(Quarters) - 50, draw(Quarters), draw(Quarters)),
        slots=SlotAsk(in_flight + idle, idle, draw(st.integers(0, 1)), draw(st.integers(0, 9))),
        money=MoneyAsk(used + held + spare, used, spare, least, draw(Amounts)),
    )


Names = st.sampled_from(["a", "b", "c"])
Calls = st.lists(
    st.one_of(
        st.tuples(st.just("exchange"), Names, st.lists(asks(), max_size=3)),
        st.tuples(st.just("open"), Names, st.sampled_from([None, {}, {"x": 10**12, "y": 3}])),
        st.tuples(st.just("leave"), Names, st.none()),
        st.tuples(st.just("reconcile"), Names, Amounts),
        st.tuples(st.just("wait"), st.just(""), st.sampled_from([0.5, 4.0, 11.0, 700.0])),
    ),
    max_size=12,
)
_prefixes = itertools.count()


@settings(max_examples=120, suppress_health_check=list(HealthCheck))
@given(calls=Calls)
def test_the_script_in_the_server_says_what_the_arithmetic_here_says(
    redis: RedisServer, tmp_path_factory, calls
):
    number = next(_prefixes)
    memory = Path("/dev/shm")  # where syncing costs nothing; thousands of exchanges are made
    folder = memory if memory.is_dir() else tmp_path_factory.getbasetemp()
    time = Time()

    async def main() -> None:
        path = folder / f"quotas-{os.getpid()}-{number}"
        stores: list[AnyBank] = [
            EmbeddedBank(path, time.now_ns), SharedBank(redis.url, prefix=f"p{number}")
        ]  # fmt: skip
        for sequence, (action, name, value) in enumerate(calls, start=1):
            if action == "wait":
                time.passed_s += value
            said = []
            for store in stores:
                time.tell(store)
                who = worker(name, expected=2 if name == "c" else 1)
                if action == "exchange":
                    answer = await store.exchange(who, sequence, value)
                    said.append(answer)
                elif action == "open":
                    await store.open(who, MONTH, ["x", "y"], value)
                elif action == "leave":
                    await store.leave(who)
                elif action == "reconcile":
                    await store.reconcile("x", MONTH, value, 600.0)
            assert not said or said[0] == said[1]
        for store in stores:
            await store.close()
        for file in folder.glob(path.name + "*"):
            file.unlink()

    asyncio.run(main())
