"""Replicas that fail are let alone and come back; clients' mistakes do not count."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neocloud.routing import Breaker, Choice, Group, choose, kernels
from neocloud.routing import breaker as machine
from neocloud.routing.group import FIRST_FULL_S, MAX_FULL_S
from neocloud.routing.retries import FLOOR_PER_S, MOST, SHARE, START, RetryBudget

from .clouds import chosen, request, state

ID = "ashburn/h100-sxm/llama/0"


def opened(now_s: float = 0.0) -> Breaker:
    found = Breaker()
    for _ in range(machine.THRESHOLD):
        machine.failed(found, ID, now_s, now_s)
    assert not machine.admits(found, now_s)
    return found


def test_failures_in_a_row_open_it_and_an_answer_between_them_does_not_let_it_come_to_that():
    one = Breaker()
    for _ in range(machine.THRESHOLD - 1):
        assert not machine.failed(one, ID, 0.0, 0.0)
    machine.answered(one, 0.0, 0.0)
    for _ in range(machine.THRESHOLD - 1):
        assert not machine.failed(one, ID, 0.0, 0.0)
    assert machine.admits(one, 0.0)
    assert machine.failed(one, ID, 0.0, 0.0)
    assert not machine.admits(one, 0.0)


def test_half_open_one_at_a_time_may_try_it():
    one = opened()
    assert not machine.admits(one, math.nextafter(one.until_s, 0.0))
    assert machine.admits(one, one.until_s)
    sent_s = one.until_s
    assert machine.sent(one, sent_s)
    assert not machine.admits(one, sent_s + 1.0)
    assert not machine.sent(one, sent_s + 1.0)
    assert machine.answered(one, sent_s, sent_s + 2.0)
    assert machine.admits(one, sent_s + 2.0)
    assert one == Breaker(changed_s=sent_s + 2.0, until_s=one.until_s, recovered_s=sent_s + 2.0)


def test_a_try_that_fails_doubles_the_back_off_up_to_a_bound():
    one = opened()
    waits = []
    for _ in range(12):
        now_s = one.until_s
        machine.sent(one, now_s)
        assert machine.failed(one, ID, now_s, now_s)
        waits.append(one.until_s - now_s)
    least = [min(machine.MAX_BACKOFF_S, 2.0**n) for n in range(1, 13)]
    for wait, base in zip(waits, least, strict=True):
        assert base - 1e-6 <= wait <= base * (1.0 + machine.JITTER) + 1e-6
    machine.sent(one, one.until_s)
    machine.answered(one, one.until_s, one.until_s)
    again = opened(one.until_s)
    assert again.opened == 1  # it begins anew


def test_back_off_differs_by_replica_and_not_by_chance():
    waits = [machine.backoff_s(f"a/b/c/{i}", 1) for i in range(50)]
    assert waits == [machine.backoff_s(f"a/b/c/{i}", 1) for i in range(50)]
    assert len(set(waits)) == 50


def test_many_that_fail_together_open_it_once():
    one = Breaker()
    changes = [machine.failed(one, ID, 0.0, 10.0) for _ in range(100)]
    assert changes.count(True) == 1
    assert one.opened == 1


def test_an_answer_that_began_before_it_opened_does_not_close_it():
    one = opened(10.0)
    assert not machine.answered(one, 9.0, 11.0)
    assert not machine.admits(one, 11.0)


def test_a_try_of_which_nothing_is_heard_makes_room_for_the_next():
    one = opened()
    sent_s = one.until_s
    machine.sent(one, sent_s)
    assert not machine.admits(one, sent_s + machine.PROBE_LOST_S - 0.1)
    assert machine.admits(one, sent_s + machine.PROBE_LOST_S)
    assert not machine.left(one, sent_s - 1.0)  # another request's end
    assert machine.left(one, sent_s)  # its client hung up
    assert machine.admits(one, sent_s)


events = st.lists(
    st.tuples(st.sampled_from(("sent", "failed", "answered", "left")), st.floats(0.0, 20.0)),
    max_size=60,
)


@given(events)
def test_whatever_comes_it_is_open_for_a_bounded_time_only(script):
    one, now_s, sent_s = Breaker(), 0.0, 0.0
    for what, step in script:
        now_s += step
        if what == "sent":
            if machine.admits(one, now_s):
                sent_s = now_s
            machine.sent(one, now_s)
        elif what == "failed":
            machine.failed(one, ID, sent_s, now_s)
        elif what == "answered":
            machine.answered(one, sent_s, now_s)
        else:
            machine.left(one, sent_s)
        assert 0 <= one.failures < machine.THRESHOLD
        assert one.opened or one.probe_s is None
        longest = machine.MAX_BACKOFF_S * (1.0 + machine.JITTER) + machine.PROBE_LOST_S
        assert machine.admits(one, now_s + longest)


# in a group


def fail(group: Group, one, now_s: float, times: int = machine.THRESHOLD) -> None:
    for _ in range(times):
        group.enter(one, now_s)
        group.failed(one, now_s, now_s)
        group.leave(one, now_s)


def taken_by(group: Group, now_s: float, number: int = 100) -> set[str]:
    """Who takes this many requests that stay."""
    found = set()
    for _ in range(number):
        choice = choose(group, request(), now_s)
        assert isinstance(choice, Choice)
        found.add(choice.replica)
        group.enter(group.states[choice.index], now_s)
    return found


def test_report_16_a_thousand_client_errors_leave_all_replicas_in_rotation():
    states = [state(ordinal=i) for i in range(4)]
    group = Group("llama", states)
    for i in range(1000):
        choice = choose(group, request(), i * 1e-3)
        assert isinstance(choice, Choice)
        one = states[choice.index]
        group.enter(one, i * 1e-3, 50)
        group.answered(one, i * 1e-3, i * 1e-3, 50)  # by 400, 404, 422
        group.leave(one, i * 1e-3)
    assert taken_by(group, 1.0) == {one.replica for one in states}
    assert [one.breaker for one in states] == [Breaker()] * 4
    assert [one.waiting_tokens for one in states] == [0] * 4


def test_one_that_fails_is_out_at_once_tried_once_and_comes_back_slowly():
    states = [state(ordinal=i) for i in range(4)]
    bad = states[0]
    group = Group("llama", states)
    assert bad.replica in taken_by(group, 0.0, 4)
    fail(group, bad, 0.0)
    assert bad.replica not in taken_by(group, 0.0)
    half_open_s = bad.breaker.until_s
    before = bad.in_flight
    assert bad.replica in taken_by(group, half_open_s)
    assert bad.in_flight == before + 1  # one try, of a hundred requests
    group.answered(bad, half_open_s, half_open_s + 1.0)
    inside = bad.in_flight
    taken_by(group, half_open_s + 1.0, 80)
    others = min(one.in_flight for one in states[1:])
    assert inside <= bad.in_flight < others / 2  # a tenth of its places at first
    taken_by(group, half_open_s + 2.0 + kernels.SLOW_START_S, 200)
    assert bad.in_flight == pytest.approx(others + 40, abs=40)


def test_half_may_be_out_beyond_that_all_are_used():
    states = [state(ordinal=i) for i in range(4)]
    group = Group("llama", states)
    for one in states[:2]:
        fail(group, one, 0.0)
    assert taken_by(group, 0.0) == {one.replica for one in states[2:]}
    fail(group, states[2], 0.0)
    assert taken_by(group, 0.0, 400) == {one.replica for one in states}


def test_the_only_replica_is_never_ejected():
    group = Group("llama", [state()])
    fail(group, group.states[0], 0.0, 100)
    assert chosen(group, request(), 0.0) == ID


def test_in_a_panic_failures_do_not_put_off_the_next_try():
    group = Group("llama", [state()])
    one = group.states[0]
    fail(group, one, 0.0)
    due_s = one.breaker.until_s
    fail(group, one, 0.1, 50)
    assert (one.breaker.opened, one.breaker.until_s) == (1, due_s)


def test_in_a_panic_an_answer_brings_it_back():
    group = Group("llama", [state()])
    fail(group, group.states[0], 0.0)
    group.enter(group.states[0], 0.1)
    group.answered(group.states[0], 0.1, 0.2)
    assert group.states[0].breaker.opened == 0


def test_a_full_engine_is_let_alone_for_a_moment_and_not_broken():
    states = [state(ordinal=0), state(ordinal=1, in_flight=9)]
    group = Group("llama", states)
    for _ in range(20):
        group.enter(states[0], 0.0)
        group.full(states[0], 0.0, 0.0)
        group.leave(states[0], 0.0)
    assert chosen(group, request(), 0.0) == "ashburn/h100-sxm/llama/1"
    assert chosen(group, request(), FIRST_FULL_S) == ID
    group.full(states[0], 1.0, 1.0, retry_after_s=2.0)
    assert chosen(group, request(), 2.9) == "ashburn/h100-sxm/llama/1"
    assert chosen(group, request(), 3.0) == ID
    group.full(states[0], 4.0, 4.0, retry_after_s=1e6)
    assert chosen(group, request(), 4.0 + MAX_FULL_S) == ID
    assert states[0].breaker.failures == 0


def test_all_full_is_a_reason_to_wait():
    group = Group("llama", [state()])
    group.full(group.states[0], 0.0, 0.0)
    found = choose(group, request(), 0.0)
    assert not isinstance(found, Choice)
    assert found.full


# retries


def test_retries_are_a_share_of_requests_and_a_floor():
    budget = RetryBudget(0.0)
    assert [budget.take(0.0) for _ in range(11)] == [True] * int(START) + [False]
    for _ in range(52):
        budget.request()
    assert sum(budget.take(0.0) for _ in range(50)) == int(52 * SHARE)
    assert sum(budget.take(10.0) for _ in range(50)) == 10 * FLOOR_PER_S


@given(st.lists(st.tuples(st.booleans(), st.floats(0.0, 3.0)), max_size=300))
def test_retries_never_exceed_the_budget_of_any_span(script):
    budget, now_s = RetryBudget(0.0), 0.0
    log = [(0.0, 0, 0)]
    for is_request, step in script:
        now_s += step
        _, requests_, retries = log[-1]
        if is_request:
            budget.request()
            log.append((now_s, requests_ + 1, retries))
        else:
            log.append((now_s, requests_, retries + budget.take(now_s)))
    for start in log[:: max(1, len(log) // 20)]:
        for end in log:
            if end[0] >= start[0]:
                most = MOST + SHARE * (end[1] - start[1]) + FLOOR_PER_S * (end[0] - start[0])
                assert end[2] - start[2] <= most + 1e-6


def test_what_is_saved_up_is_bounded():
    budget = RetryBudget(0.0)
    for _ in range(100_000):
        budget.request()
    assert sum(budget.take(1e9) for _ in range(1000)) == MOST
