"""Workers that share: leases move to where they are needed, months end, stores go and come back."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neocloud.quotas import BankError, Hold, Limited, NeedsLease, Quotas, Refusal, TenantLimit
from neocloud.quotas.account import Want
from neocloud.units import parse_utc

from .world import TENANT, Clock, MemoryBank, admit_once, exchange, periods, quotas


def pair(limit: TenantLimit, clock: Clock | None = None) -> tuple[Clock, MemoryBank, list[Quotas]]:
    clock = clock or Clock()
    bank = MemoryBank(clock)
    return clock, bank, [quotas(limit, bank, clock, name) for name in "ab"]


def taken(worker: Quotas, clock: Clock, money: int = 0, tokens: int = 0) -> Hold:
    outcome = worker.admit(TENANT, money, tokens, clock.now_s)
    assert isinstance(outcome, Hold), outcome
    return outcome


def test_what_lies_idle_elsewhere_comes_within_a_period():
    async def main() -> None:
        limit = TenantLimit(budget=100, concurrent_requests=4, tokens_per_minute=600)
        clock, _, (first, second) = pair(limit)
        await first.start()
        assert first.remaining(TENANT, clock.now_s).budget == 100
        await second.start()
        asking = asyncio.ensure_future(second.acquire(TENANT, 90, 500))
        await asyncio.sleep(0)
        await exchange(second)
        assert not asking.done()
        clock.passed_s += 1.0
        await exchange(first)  # learns that there is a second, and what it lacks
        await exchange(second)
        async with asyncio.timeout(20):
            assert isinstance(await asking, Hold)
        assert not isinstance(await admit_once(first, clock, 11, 1), Hold)
        assert isinstance(await admit_once(first, clock, 10, 1), Hold)

    asyncio.run(main())


def test_idle_workers_keep_nothing_after_a_while_and_closed_ones_at_once():
    async def main() -> None:
        clock, bank, (first, second) = pair(TenantLimit(budget=100, concurrent_requests=8))
        await first.start()
        await second.start()
        hold = taken(first, clock, 10)
        await periods(clock, 12, first, second)
        shares = bank.books[TENANT].shares
        assert (shares["a"].slots, shares["b"].slots) == (1, 0)  # one is in flight
        assert bank.charged() == 10
        first.settle(hold, 4, 1)
        taken_by_second = await admit_once(second, clock, 90, 1)
        assert isinstance(taken_by_second, Hold)
        await second.close()
        await first.close()
        assert bank.charged() == 94  # what the second holds at its end stays charged

    asyncio.run(main())


def test_two_workers_that_each_have_a_part_of_what_is_left_do_not_wait_for_each_other():
    async def main() -> None:
        _, _, (first, second) = pair(TenantLimit(budget=100, tokens_per_minute=100))
        await first.start()
        await second.start()
        first._accounts[TENANT].waiting[0] = Want(60, 60)
        second._accounts[TENANT].waiting[0] = Want(40, 40)
        for worker in (first, second, first, second):
            worker._desk.active.update(worker._accounts.values())
            await exchange(worker)
        for worker in (first, second):
            worker._accounts[TENANT].waiting.clear()
        parts = [worker._accounts[TENANT].month.free for worker in (first, second)]
        assert sum(parts) == 100
        assert all(0 < part < 100 for part in parts)
        asked = [
            asyncio.ensure_future(worker.acquire(TENANT, 61, 61)) for worker in (first, second)
        ]
        async with asyncio.timeout(20):
            while not all(task.done() for task in asked):
                await asyncio.sleep(0.01)
                for worker in (first, second):
                    await exchange(worker)
        outcomes = sorted(type(task.result()).__name__ for task in asked)
        assert outcomes == ["Hold", "Refusal"]

    asyncio.run(main())


def test_slices_shrink_with_what_is_left():
    async def main() -> None:
        clock = Clock()
        bank = MemoryBank(clock)
        worker = quotas(TenantLimit(budget=1000), bank, clock, workers=2)
        sizes = []
        await worker.start()
        while True:
            outcome = await admit_once(worker, clock, 5, 1)
            if not isinstance(outcome, Hold):
                break
            worker.settle(outcome, 5, 1)
            sizes.append(worker._accounts[TENANT].month.free)
        assert isinstance(outcome, Refusal)
        assert len(sizes) == 200  # all of it, without a second worker to take any
        slices = [after - before for before, after in pairwise(sizes) if after > before]
        assert slices[0] > slices[-1] >= 0

    asyncio.run(main())


def test_a_worker_that_runs_short_asks_ahead():
    async def main() -> None:
        clock = Clock()
        bank = MemoryBank(clock)
        worker = quotas(TenantLimit(requests_per_minute=60_000), bank, clock, workers=4)
        await worker.start()
        running = asyncio.ensure_future(worker.run())
        waited = 0
        for _ in range(4000):  # 250 a second where a quarter of 1,000 a second may be had
            clock.passed_s += 0.004
            outcome = worker.admit(TENANT, 0, 0, clock.now_s)
            if isinstance(outcome, NeedsLease):
                waited += 1
                outcome = await worker.acquire(TENANT, 0, 0)
            assert isinstance(outcome, Hold)
            worker.settle(outcome, 0, 0)
            await asyncio.sleep(0)
        assert waited < 40
        running.cancel()
        await worker.close()

    asyncio.run(main())


def test_a_month_ends_in_all_workers_and_late_costs_stay_in_theirs():
    async def main() -> None:
        clock = Clock(parse_utc("2026-10-31T23:59:59Z"))
        clock, bank, (first, second) = pair(TenantLimit(budget=100), clock)
        await first.start()
        late = taken(first, clock, 60)
        await second.start()
        clock.passed_s = 1.0
        assert isinstance(await admit_once(second, clock, 100, 1), Hold)
        first.settle(late, 50, 1)
        assert not isinstance(await admit_once(first, clock, 1, 1), Hold)
        await exchange(first)
        assert bank.charged("2026-10") == 50
        assert bank.charged("2026-11") == 100
        assert first._accounts[TENANT].old == []

    asyncio.run(main())


def test_without_the_store_money_ends_with_the_slice_and_rates_go_on_for_the_grace(caplog):
    async def main() -> None:
        limit = TenantLimit(budget=1000, requests_per_minute=60, concurrent_requests=10)
        clock, bank, (first, second) = pair(limit)
        await first.start()
        await second.start()
        await periods(clock, 12, first, second)  # idle: both give back, so that they are alike
        hold = await admit_once(first, clock, 100, 0)
        assert isinstance(hold, Hold)
        bank.away = True
        with caplog.at_level(logging.ERROR):
            await exchange(first)
            await exchange(first)
        assert [record.getMessage() for record in caplog.records] == [
            "the store of the quotas is away: away"
        ]
        assert first.failure == "away"
        refusal = first.admit(TENANT, 100, 0, clock.now_s)
        assert refusal == Refusal(Limited.UNAVAILABLE, 1.0, 0)
        first.settle(hold, 30, 0)  # what it gives back is the slice's, store or no store
        clock.passed_s += 2  # this worker's part of the requests
        again = taken(first, clock, 70)
        first.settle(again, 0, 0)
        admitted = 0
        while clock.passed_s < 12 + 59:  # half a request a second is this worker's part
            clock.passed_s += 0.1
            outcome = first.admit(TENANT, 0, 0, clock.now_s)
            if isinstance(outcome, Hold):
                admitted += 1
                first.settle(outcome, 0, 0)
            else:
                assert outcome.kind is Limited.REQUESTS
        assert 25 <= admitted <= 30 + 30
        clock.passed_s = 12 + 62
        refusal = first.admit(TENANT, 0, 0, clock.now_s)
        assert refusal == Refusal(Limited.UNAVAILABLE, 1.0, 0)
        bank.away = False
        await exchange(first)
        assert first.failure is None
        assert isinstance(await admit_once(first, clock, 100, 0), Hold)
        assert bank.charged() <= 30 + 1000

    asyncio.run(main())


def test_a_debt_of_tokens_is_not_lost_with_a_message():
    async def main() -> None:
        clock, bank, (first, _) = pair(TenantLimit(tokens_per_minute=600))
        await first.start()
        first.settle(taken(first, clock, 0, 600), 0, 900)
        bank.away = True
        await exchange(first)
        bank.away = False
        await exchange(first)
        clock.passed_s += 31  # 300 are owed, and ten a second come back
        assert not isinstance(await admit_once(first, clock, 0, 20), Hold)
        clock.passed_s += 1.5
        assert isinstance(await admit_once(first, clock, 0, 20), Hold)

    asyncio.run(main())


def test_a_budget_alone_goes_on_without_the_store_and_not_for_ever():
    async def main() -> None:
        clock, bank, (first, _) = pair(TenantLimit(budget=1000))
        await first.start()
        bank.away = True
        await exchange(first)
        clock.passed_s += 299
        taken(first, clock, 10)
        clock.passed_s += 2
        refusal = first.admit(TENANT, 10, 0, clock.now_s)
        assert refusal == Refusal(Limited.UNAVAILABLE, 1.0, 0)
        bank.away = False
        await exchange(first)
        taken(first, clock, 980)

    asyncio.run(main())


def test_a_superseded_worker_serves_no_limited_tenant_any_more():
    async def main() -> None:
        clock = Clock()
        bank = MemoryBank(clock)
        limit = TenantLimit(budget=1000, tokens_per_minute=100)
        first, second = (quotas(limit, bank, clock, "same") for _ in range(2))
        await first.start()
        await second.start()
        await exchange(first)
        refusal = first.admit(TENANT, 1, 1, clock.now_s)
        assert refusal == Refusal(Limited.UNAVAILABLE, 1.0, 0)
        await first.close()
        assert not isinstance(await admit_once(second, clock, 1, 100), Hold)  # it may all be used
        clock.passed_s += 60
        await second.reconcile(TENANT, 0)
        assert isinstance(await admit_once(second, clock, 1000, 100), Hold)

    asyncio.run(main())


def test_a_store_that_does_not_open_is_an_error_at_the_start():
    async def main() -> None:
        clock = Clock()
        bank = MemoryBank(clock)
        bank.away = True
        with pytest.raises(BankError, match="away"):
            await quotas(TenantLimit(budget=1), bank, clock).start()

    asyncio.run(main())


def test_limits_change_with_leases_out():
    async def main() -> None:
        clock, bank, (first, _) = pair(TenantLimit(budget=100, concurrent_requests=8))
        await first.start()
        holds = [taken(first, clock, 10) for _ in range(5)]
        first.change({TENANT: TenantLimit(budget=60, concurrent_requests=6)})
        await exchange(first)
        outcomes = [first.admit(TENANT, 5, 0, clock.now_s) for _ in range(3)]
        kinds = [getattr(outcome, "kind", None) for outcome in outcomes]
        assert kinds == [None, Limited.CONCURRENCY, Limited.CONCURRENCY]
        first.change({})
        await exchange(first)
        assert bank.books[TENANT].shares["a"].slots == 6  # what is in flight
        for hold in [*holds, outcomes[0]]:
            first.settle(hold, 1, 0)
        await exchange(first)
        assert bank.books[TENANT].shares["a"].slots == 0
        assert bank.charged() == 6
        assert first._desk.leaving == []
        first.change({TENANT: TenantLimit(budget=60)})
        await exchange(first)
        taken(first, clock, 54)

    asyncio.run(main())


def test_nothing_grows_with_requests():
    async def main() -> None:
        clock, _, (first, _) = pair(TenantLimit(budget=10**9, tokens_per_minute=10**6))
        await first.start()
        for number in range(3000):
            clock.passed_s += 0.05
            first.settle(taken(first, clock, 10, 10), 5, 5)
            first.admit(f"stranger-{number}", 1, 1, clock.now_s)
            if number % 20 == 0:
                await exchange(first)
        account = first._accounts[TENANT]
        assert (len(first._accounts), len(first._desk.active)) == (1, 1)
        assert (account.old, account.waiting, first._desk.leaving) == ([], {}, [])
        assert first._exchange._tasks == set()

    asyncio.run(main())


Steps = st.lists(
    st.tuples(
        st.integers(0, 2), st.floats(0, 1), st.integers(1, 60), st.floats(0, 1), st.integers(0, 8)
    ),
    max_size=80,
)


@settings(max_examples=60)
@given(steps=Steps)
def test_rates_of_several_workers_overshoot_by_one_periods_refill_at_most(steps):
    """Requests and tokens in any span: a full bucket, its refill, and that of one period more."""

    async def main() -> None:
        clock = Clock()
        bank = MemoryBank(clock)
        limit = TenantLimit(requests_per_minute=30, tokens_per_minute=300)
        workers = [quotas(limit, bank, clock, name) for name in "abc"]
        for worker in workers:
            await worker.start()
        taken: list[tuple[float, int]] = []
        in_flight: deque[tuple[int, Hold, int]] = deque()
        for number, wait_s, tokens, part, later in steps:
            clock.passed_s += wait_s
            for worker in workers:  # each period, which is a second
                await exchange(worker)
            for _ in range(later):
                outcome = await admit_once(workers[number], clock, 0, tokens)
                if isinstance(outcome, Hold):
                    in_flight.append((number, outcome, int(tokens * part)))
                    taken.append((clock.passed_s, int(tokens * part)))
            while len(in_flight) > later:
                who, hold, used = in_flight.popleft()
                workers[who].settle(hold, 0, used)
        for first, (start_s, _) in enumerate(taken):
            tokens = 0
            for count, (then_s, used) in enumerate(taken[first:], start=1):
                tokens += used
                refilled_s = then_s - start_s + 1.0
                assert count <= 30 + 30 * refilled_s / 60 + 1e-6
                assert tokens <= 300 + 300 * refilled_s / 60 + 1e-6

    asyncio.run(main())


def test_a_budget_that_comes_later_is_leased_and_what_was_spent_before_counts():
    async def main() -> None:
        clock, bank, workers = pair(TenantLimit(concurrent_requests=8))
        for worker in workers:
            await worker.start()
            worker.change({TENANT: TenantLimit(concurrent_requests=8, budget=100)})
            worker.charge(TENANT, 30)
        first, second = workers
        assert isinstance(first.admit(TENANT, 10, 1, clock.now_s), NeedsLease)  # no refusal
        await periods(clock, 2, first, second)
        assert bank.charged() >= 60
        hold = await admit_once(first, clock, 25, 1)
        assert isinstance(hold, Hold)
        first.settle(hold, 25, 1)
        await periods(clock, 12, first, second)
        assert not isinstance(await admit_once(second, clock, 20, 1), Hold)
        assert isinstance(await admit_once(second, clock, 15, 1), Hold)
        assert bank.charged() == 100

    asyncio.run(main())
