"""Hard limits of a tenant, places by priority, and when somebody else's replicas are used."""

from __future__ import annotations

import math

import msgspec
import pytest
from hypothesis import given

from neocloud.routing import (
    Choice,
    Group,
    NoReplica,
    Priority,
    SiteNow,
    capacity,
    choose,
)
from neocloud.routing.policy import FILL

from .clouds import NOW, chosen, groups, request, requests, state, told

ASHBURN, FRANKFURT = "ashburn/h100-sxm/llama/0", "frankfurt/h100-sxm/llama/0"
FULL = NoReplica(reason="every replica of llama is full", full=True)


def test_allowed_sites_are_a_hard_limit():
    """However late, full and dear it is there."""
    states = [state(cost=0.01), state("frankfurt", cost=9.0, in_flight=6400, prefill_s=30.0)]
    asked = request(allowed_sites=frozenset({"frankfurt"}), ttft_budget_s=0.01)
    assert chosen(states, asked) == FRANKFURT
    states[1].healthy = False
    assert isinstance(choose(Group("llama", states), asked, NOW), NoReplica)


def test_a_carbon_limit_is_a_hard_limit_and_the_unknown_is_not_within_it():
    sites = {"ashburn": SiteNow(grams_per_kwh=400.0), "frankfurt": SiteNow(grams_per_kwh=200.0)}
    states = [state(cost=0.01), state("frankfurt", cost=9.0), state("tokyo", cost=0.01)]
    group = Group("llama", states, sites)
    assert chosen(group, request(carbon_limit_g_per_kwh=200.0)) == FRANKFURT
    assert chosen(group, request(carbon_limit_g_per_kwh=400.0)) == ASHBURN
    assert isinstance(choose(group, request(carbon_limit_g_per_kwh=100.0), NOW), NoReplica)


@given(groups(), requests())
def test_no_limit_is_ever_broken(group, asked):
    choice = choose(group, asked, NOW)
    if isinstance(choice, NoReplica):
        return
    mine = group.states[choice.index]
    (pool,) = [p for p in group.pools if choice.index in p.indexes]
    assert mine.healthy
    assert mine.full_until_s <= NOW
    assert mine.replica not in asked.excluded
    assert asked.allowed_sites is None or mine.site in asked.allowed_sites
    limit = asked.carbon_limit_g_per_kwh
    assert limit is None or pool.grams_per_kwh <= limit
    assert asked.may_overflow or not mine.overflow
    most = capacity(mine, asked.priority)
    assert mine.in_flight < most or mine.breaker.recovered_s > -math.inf


# places


def test_capacity_is_whole_and_at_least_one():
    one = state(target_concurrency=32.0, max_occupancy=1.25)
    assert [capacity(one, p) for p in Priority] == [48.0, 40.0, 32.0]
    assert capacity(state(target_concurrency=1.0, max_occupancy=0.5), Priority.LOW) == 1.0
    assert capacity(state(target_concurrency=3.0, max_occupancy=1.1)) == 4.0
    assert capacity(state()) == math.inf  # nobody knows what it can take


@pytest.mark.parametrize("priority", Priority)
@pytest.mark.parametrize(
    ("target", "most"),
    [
        (1.0, 1.25),
        (7.3, 1.25),
        (32.0, 1.0),
        (2.0, 0.4),
        (51.3, 31 / 51.3),  # times the target it is a little more than 31
        (26.2, 5.877862595419848),  # and this one no more than 154, which are not enough
    ],
)
def test_replicas_take_their_capacity_and_not_one_more(priority, target, most):
    states = [state(ordinal=i, target_concurrency=target, max_occupancy=most) for i in range(3)]
    group = Group("llama", states)
    while isinstance(choice := choose(group, request(priority=priority), NOW), Choice):
        group.enter(states[choice.index], NOW)
    assert choice == FULL
    assert [s.in_flight for s in states] == [capacity(states[0], priority)] * 3


def test_low_priority_waits_first_and_high_last():
    one = state(target_concurrency=10.0, max_occupancy=1.0, in_flight=9)
    group = Group("llama", [one])

    def passes() -> list[bool]:
        return [isinstance(choose(group, request(priority=p), NOW), Choice) for p in Priority]

    assert passes() == [True, True, False]
    one.in_flight = 10
    assert passes() == [True, False, False]
    one.in_flight = 12
    assert passes() == [False, False, False]
    assert tuple(sorted(FILL, reverse=True)) == FILL


def test_a_prefix_takes_no_place_that_is_kept_for_others():
    states = [state(ordinal=i, target_concurrency=10.0, max_occupancy=1.0) for i in range(2)]
    group = Group("llama", states)
    asked = request(prefix=(5,), priority=Priority.LOW)
    home = choose(group, asked, NOW)
    assert isinstance(home, Choice)
    states[home.index].in_flight, states[1 - home.index].in_flight = 8, 7
    assert chosen(group, msgspec.structs.replace(asked, priority=Priority.NORMAL)) == home.replica
    assert chosen(group, asked) == states[1 - home.index].replica


def test_places_that_others_took_are_taken():
    one = state(target_concurrency=10.0, max_occupancy=1.0, **told(running=10))
    assert choose(Group("llama", [one]), request(), NOW) == FULL


def test_a_full_pool_leaves_requests_to_another():
    states = [
        state(cost=1.0, target_concurrency=4.0, max_occupancy=1.0, in_flight=4),
        state("frankfurt", cost=9.0, target_concurrency=4.0, max_occupancy=1.0),
    ]
    assert chosen(states, request()) == FRANKFURT


# overflow

REMOTE = "tokyo/remote/llama/0"


def remote(**known):
    return state("tokyo", "remote", overflow=True, **known)


def own(**known):
    return state(target_concurrency=10.0, max_occupancy=1.25, service_s=4.0, **known)


def test_somebody_elses_is_used_only_where_ones_own_would_be_late():
    mine = own(cost=1.0)
    group = Group("llama", [mine, remote(cost=0.1)])  # cheaper, and yet
    assert chosen(group, request()) == ASHBURN
    mine.in_flight = 12  # 20 per cent too many: 0.8 s of waiting
    assert chosen(group, request(ttft_budget_s=0.5)) == REMOTE
    assert chosen(group, request(ttft_budget_s=2.0)) == ASHBURN


def test_a_price_beyond_what_waiting_is_worth_is_not_paid():
    group = Group("llama", [own(cost=1.0, in_flight=11), remote(cost=50.0)])
    assert chosen(group, request(ttft_budget_s=0.4)) == ASHBURN


def test_full_and_late_overflows_full_and_in_time_waits():
    group = Group("llama", [own(cost=1.0, in_flight=13), remote(cost=3.0)])
    assert chosen(group, request(ttft_budget_s=0.5)) == REMOTE
    assert choose(group, request(ttft_budget_s=9.0), NOW) == FULL
    group = Group("llama", [own(cost=1.0, in_flight=10), remote(cost=3.0)])
    low = request(priority=Priority.LOW, ttft_budget_s=0.5)
    assert choose(group, low, NOW) == FULL  # it waits for a place, nobody is late


def test_none_healthy_overflows():
    mine = own(cost=1.0, healthy=False)
    group = Group("llama", [mine, remote(cost=9.0)])
    assert chosen(group, request()) == REMOTE
    mine.healthy = True
    group.changed()
    assert chosen(group, request(excluded=frozenset({ASHBURN}))) == REMOTE  # it failed there


def test_overflow_keeps_the_tenants_limits():
    group = Group("llama", [own(cost=1.0, healthy=False), remote(cost=9.0)])
    nobody = NoReplica(reason="no replica of llama is healthy")
    assert choose(group, request(may_overflow=False), NOW) == nobody
    assert choose(group, request(allowed_sites=frozenset({"ashburn"})), NOW) == nobody
    assert chosen(group, request(allowed_sites=frozenset({"ashburn", "tokyo"}))) == REMOTE
    assert isinstance(choose(group, request(carbon_limit_g_per_kwh=900.0), NOW), NoReplica)


@given(groups(), requests())
def test_somebody_elses_changes_nothing_while_ones_own_are_in_time(group, asked):
    choice = choose(group, asked, NOW)
    alone = choose(group, msgspec.structs.replace(asked, may_overflow=False), NOW)
    if isinstance(choice, NoReplica) or not group.states[choice.index].overflow:
        assert choice == alone or isinstance(choice, NoReplica)
