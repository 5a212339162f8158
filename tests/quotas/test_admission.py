"""One process without a bank: each limit, holding and settling, what is told."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neocloud.quotas import Hold, Limited, Quotas, RateLeft, Refusal, Remaining, TenantLimit
from neocloud.units import parse_utc

from .world import TENANT, Clock, quotas


def alone(clock: Clock, **limits: int) -> Quotas:
    return quotas(TenantLimit(**limits), None, clock)


def held(outcome: object) -> Hold:
    assert isinstance(outcome, Hold), outcome
    return outcome


def refused(outcome: object) -> Refusal:
    assert isinstance(outcome, Refusal), outcome
    return outcome


def test_without_a_limit_nothing_is_refused_and_nothing_kept():
    clock = Clock()
    worker = Quotas({"free": TenantLimit()}, clock=clock.monotonic, epoch_ns=clock.epoch_ns)
    for tenant in ("free", "unheard-of"):
        hold = held(worker.admit(tenant, 10**30, 10**12, clock.now_s))
        assert hold.settled
        worker.settle(hold, 10**30, 10**12)
        assert worker.remaining(tenant, clock.now_s) == Remaining()
    assert worker._accounts == {}


def test_requests_a_minute_refill_evenly():
    clock = Clock()
    worker = alone(clock, requests_per_minute=30)
    for _ in range(30):
        held(worker.admit(TENANT, 0, 1, clock.now_s))
    refusal = refused(worker.admit(TENANT, 0, 1, clock.now_s))
    assert (refusal.kind, refusal.limit) == (Limited.REQUESTS, 30)
    assert refusal.retry_after_s == pytest.approx(2.0)
    clock.passed_s += 1.9
    refused(worker.admit(TENANT, 0, 1, clock.now_s))
    clock.passed_s += 0.11
    held(worker.admit(TENANT, 0, 1, clock.now_s))
    refused(worker.admit(TENANT, 0, 1, clock.now_s))


def test_a_settled_request_gives_back_tokens_but_not_its_request():
    clock = Clock()
    worker = alone(clock, requests_per_minute=2, tokens_per_minute=600)
    hold = held(worker.admit(TENANT, 0, 600, clock.now_s))
    assert refused(worker.admit(TENANT, 0, 100, clock.now_s)).kind is Limited.TOKENS
    worker.settle(hold, 0, 450)
    held(worker.admit(TENANT, 0, 150, clock.now_s))
    assert refused(worker.admit(TENANT, 0, 0, clock.now_s)).kind is Limited.REQUESTS


def test_tokens_come_back_when_the_minute_does():
    clock = Clock()
    worker = alone(clock, tokens_per_minute=600)
    worker.settle(held(worker.admit(TENANT, 0, 600, clock.now_s)), 0, 600)
    refusal = refused(worker.admit(TENANT, 0, 100, clock.now_s))
    assert refusal == Refusal(Limited.TOKENS, pytest.approx(10.0), 600)
    clock.passed_s += 10
    held(worker.admit(TENANT, 0, 100, clock.now_s))


def test_more_tokens_than_held_are_a_debt():
    clock = Clock()
    worker = alone(clock, tokens_per_minute=600)
    worker.settle(held(worker.admit(TENANT, 0, 600, clock.now_s)), 0, 900)
    refusal = refused(worker.admit(TENANT, 0, 100, clock.now_s))
    assert refusal.retry_after_s == pytest.approx(40.0)


def test_a_request_that_alone_exceeds_a_limit_is_never_possible():
    clock = Clock()
    worker = alone(clock, tokens_per_minute=600, budget=1000)
    assert worker.admit(TENANT, 0, 601, clock.now_s) == Refusal(Limited.TOKENS, None, 600)
    assert worker.admit(TENANT, 1001, 1, clock.now_s) == Refusal(Limited.BUDGET, None, 1000)
    held(worker.admit(TENANT, 1000, 600, clock.now_s))


def test_slots_come_back_once_when_a_hold_is_settled_twice():
    clock = Clock()
    worker = alone(clock, concurrent_requests=2, budget=100, tokens_per_minute=100)
    first = held(worker.admit(TENANT, 10, 10, clock.now_s))
    held(worker.admit(TENANT, 10, 10, clock.now_s))
    refusal = refused(worker.admit(TENANT, 10, 10, clock.now_s))
    assert (refusal.kind, refusal.limit) == (Limited.CONCURRENCY, 2)
    for _ in range(3):
        worker.settle(first, 4, 4)
        assert first.settled
    held(worker.admit(TENANT, 10, 10, clock.now_s))
    refused(worker.admit(TENANT, 10, 10, clock.now_s))
    assert worker.remaining(TENANT, clock.now_s).budget == 100 - 4 - 10 - 10


def test_a_refused_request_takes_nothing():
    clock = Clock()
    worker = alone(
        clock, requests_per_minute=5, tokens_per_minute=50, concurrent_requests=5, budget=50
    )
    for _ in range(4):
        held(worker.admit(TENANT, 10, 10, clock.now_s))
    before = worker.remaining(TENANT, clock.now_s)
    refused(worker.admit(TENANT, 11, 10, clock.now_s))
    refused(worker.admit(TENANT, 10, 11, clock.now_s))
    assert worker.remaining(TENANT, clock.now_s) == before


def test_the_longest_wait_is_told():
    clock = Clock()
    worker = alone(clock, requests_per_minute=60, tokens_per_minute=60)
    for _ in range(60):
        held(worker.admit(TENANT, 0, 1, clock.now_s))
    refusal = refused(worker.admit(TENANT, 0, 30, clock.now_s))
    assert refusal == Refusal(Limited.TOKENS, pytest.approx(30.0), 60)


def test_cost_beyond_the_hold_is_counted_and_the_budget_ends_below_zero():
    clock = Clock()
    worker = alone(clock, budget=100)
    worker.settle(held(worker.admit(TENANT, 60, 1, clock.now_s)), 130, 1)
    month = worker._accounts[TENANT].month
    assert (month.used, month.free, month.held) == (130, -30, 0)
    assert worker.remaining(TENANT, clock.now_s).budget == 0
    refusal = refused(worker.admit(TENANT, 0, 1, clock.now_s))
    assert refusal.kind is Limited.BUDGET


def test_a_budget_that_is_held_may_come_back_and_one_that_is_spent_next_month():
    clock = Clock()
    worker = alone(clock, budget=100)
    hold = held(worker.admit(TENANT, 100, 1, clock.now_s))
    assert refused(worker.admit(TENANT, 10, 1, clock.now_s)).retry_after_s == 1.0
    worker.settle(hold, 100, 1)
    month_end_s = (parse_utc("2026-11-01T00:00:00Z") - clock.epoch_ns()) / 1e9
    refusal = refused(worker.admit(TENANT, 10, 1, clock.now_s))
    assert refusal.retry_after_s == pytest.approx(month_end_s)


def test_the_month_ends_at_midnight_utc_of_the_first():
    clock = Clock(parse_utc("2026-12-31T23:59:58Z"))
    worker = alone(clock, budget=100)
    late = held(worker.admit(TENANT, 100, 1, clock.now_s))
    clock.passed_s = 1.999
    assert refused(worker.admit(TENANT, 1, 1, clock.now_s)).kind is Limited.BUDGET
    clock.passed_s = 2.0
    held(worker.admit(TENANT, 70, 1, clock.now_s))
    worker.settle(late, 20, 1)  # belongs to the old month: gives nothing to the new one
    assert worker.remaining(TENANT, clock.now_s).budget == 30
    refused(worker.admit(TENANT, 31, 1, clock.now_s))
    clock.sleep_until(parse_utc("2027-01-31T23:59:59Z"))
    refused(worker.admit(TENANT, 31, 1, clock.now_s))
    clock.sleep_until(parse_utc("2027-04-01T00:00:00Z"))  # nobody asked for two months
    held(worker.admit(TENANT, 100, 1, clock.now_s))


def test_a_month_is_found_again_when_the_time_of_day_was_wrong():
    clock = Clock(parse_utc("2026-10-31T23:00:00Z"))
    worker = alone(clock, budget=100)
    held(worker.admit(TENANT, 100, 1, clock.now_s))
    clock._start_ns -= 3600 * 10**9  # set back by an hour: the month ends two hours from now
    asyncio.run(worker.start())
    clock.passed_s = 3600.0
    refused(worker.admit(TENANT, 100, 1, clock.now_s))
    clock.passed_s = 7200.0
    held(worker.admit(TENANT, 100, 1, clock.now_s))


def test_what_was_spent_before_the_start_counts():
    clock = Clock()
    worker = alone(clock, budget=100)
    asyncio.run(worker.start({TENANT: 80}))
    refused(worker.admit(TENANT, 21, 1, clock.now_s))
    held(worker.admit(TENANT, 20, 1, clock.now_s))
    asyncio.run(worker.reconcile(TENANT, 40))
    assert worker.remaining(TENANT, clock.now_s).budget == 40


def test_what_remains_is_told_in_the_headers_terms():
    clock = Clock()
    worker = alone(
        clock, requests_per_minute=60, tokens_per_minute=6000, concurrent_requests=9, budget=500
    )
    hold = held(worker.admit(TENANT, 200, 1000, clock.now_s))
    assert worker.remaining(TENANT, clock.now_s) == Remaining(
        RateLeft(60, 59, 1.0), RateLeft(6000, 5000, 10.0), 8, 300
    )
    worker.settle(hold, 50, 400)
    assert worker.remaining(TENANT, clock.now_s) == Remaining(
        RateLeft(60, 59, 1.0), RateLeft(6000, 5600, 4.0), 9, 450
    )
    clock.passed_s += 60
    assert worker.remaining(TENANT, clock.now_s) == Remaining(
        RateLeft(60, 60, 0.0), RateLeft(6000, 6000, 0.0), 9, 450
    )
    assert worker.rates(TENANT, clock.now_s) == (RateLeft(60, 60, 0.0), RateLeft(6000, 6000, 0.0))
    assert worker.rates("nobody", clock.now_s) == (None, None)


def test_limits_change_under_requests_in_flight():
    clock = Clock()
    worker = alone(clock, budget=100, concurrent_requests=3, tokens_per_minute=100)
    hold = held(worker.admit(TENANT, 60, 60, clock.now_s))
    worker.change({TENANT: TenantLimit(budget=200, concurrent_requests=1)})
    assert refused(worker.admit(TENANT, 1, 10**6, clock.now_s)).kind is Limited.CONCURRENCY
    worker.settle(hold, 50, 60)
    assert worker.remaining(TENANT, clock.now_s) == Remaining(None, None, 1, 150)
    worker.change({})
    assert held(worker.admit(TENANT, 10**9, 1, clock.now_s)).settled


Steps = st.lists(
    st.tuples(st.floats(0, 20), st.integers(1, 40), st.integers(0, 60)), min_size=1, max_size=60
)


@given(steps=Steps)
def test_no_span_of_time_uses_more_than_its_part_and_one_bucket(steps):
    """Requests and tokens taken in any span: at most a full bucket and what refills meanwhile."""
    clock = Clock()
    worker = alone(clock, requests_per_minute=12, tokens_per_minute=120)
    taken: list[tuple[float, int]] = []
    for wait_s, tokens, used in steps:
        clock.passed_s += wait_s
        outcome = worker.admit(TENANT, 0, tokens, clock.now_s)
        if isinstance(outcome, Hold):
            worker.settle(outcome, 0, min(used, tokens))
            taken.append((clock.passed_s, min(used, tokens)))
    for first, (start_s, _) in enumerate(taken):
        tokens = 0
        for count, (then_s, used) in enumerate(taken[first:], start=1):
            tokens += used
            refilled_s = then_s - start_s + 0.02  # the buckets are filled each hundredth second
            assert count <= 12 + 12 * refilled_s / 60 + 1e-6
            assert tokens <= 120 + 120 * refilled_s / 60 + 1e-6
