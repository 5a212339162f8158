"""Who gets a request: price, way, load, plan, ties, reasons."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given

from neocloud.routing import (
    Choice,
    Group,
    NoReplica,
    RouteRequest,
    Shares,
    SiteNow,
    choose,
    groups_of,
    kernels,
)
from neocloud.routing.group import REFRESH_S
from neocloud.routing.policy import FILL, MAX_CANDIDATES

from .clouds import FAR, NEAR, NOW, chosen, groups, request, requests, state, told

ASHBURN, FRANKFURT = "ashburn/h100-sxm/llama/0", "frankfurt/h100-sxm/llama/0"


def test_the_cheaper_site_takes_it_while_it_is_in_time():
    states = [state(cost=1.2), state("frankfurt", cost=1.0)]
    assert chosen(states, request()) == FRANKFURT
    # With 150 ms of round trip and 50 of prefill it would be 25 per cent late for 160 ms.
    assert chosen(states, request(ttft_budget_s=0.16)) == ASHBURN


def test_a_full_site_overflows_to_the_dearer_one():
    full = state("frankfurt", cost=1.0, in_flight=64, target_concurrency=64.0)
    group = Group("llama", [state(cost=1.2), full])
    assert chosen(group, request()) == FRANKFURT
    full.in_flight = 80  # seen at once
    assert chosen(group, request()) == ASHBURN


def test_the_engines_own_word_shows_what_others_sent_and_fades():
    def crowded(age_s: float):
        return state("frankfurt", cost=1.0, **told(running=64, waiting=30, age_s=age_s))

    assert chosen([state(cost=1.2), crowded(0.5)], request()) == ASHBURN
    assert chosen([state(cost=1.2), crowded(60.0)], request()) == FRANKFURT


def test_an_engines_count_has_our_own_requests_in_it():
    one = state(in_flight=10)
    one.told(12, 3, 0.5, NOW)
    assert (one.others, one.waiting, one.kv_usage, one.told_s) == (5, 3, 0.5, NOW)
    one.told(4, 0, 0.5, NOW)  # some of ours were still on their way
    assert one.others == 0


def test_what_an_engine_says_is_heeded_after_a_while_or_on_demand():
    busy = state(ordinal=0)
    group = Group("llama", [busy, state(ordinal=1, in_flight=1)])
    assert chosen(group, request(), NOW) == "ashburn/h100-sxm/llama/0"
    busy.told(30, 0, 0.0, NOW)
    assert chosen(group, request(), NOW + REFRESH_S) == "ashburn/h100-sxm/llama/1"
    busy.told(0, 0, 0.0, NOW)
    group.changed()
    assert chosen(group, request(), NOW + REFRESH_S) == "ashburn/h100-sxm/llama/0"


def test_a_full_cache_is_avoided():
    states = [
        state(ordinal=0, in_flight=1, **told(kv_usage=0.99, age_s=0.1)),
        state(ordinal=1, in_flight=9, **told(kv_usage=0.30, age_s=0.1)),
    ]
    assert chosen(states, request()) == "ashburn/h100-sxm/llama/1"


def test_prompts_that_wait_before_it_count():
    states = [
        state(cost=1.0, waiting_tokens=8000, prefill_tokens_per_s=1e4),
        state("frankfurt", cost=1.2, prefill_tokens_per_s=1e4),
    ]
    assert chosen(states, request(ttft_budget_s=1.0)) == ASHBURN
    assert chosen(states, request(ttft_budget_s=0.5)) == FRANKFURT


def test_a_long_prompt_goes_where_prefill_is_fast():
    states = [
        state(cost=1.0, prefill_tokens_per_s=1e4, mean_prompt_tokens=500.0),
        state("frankfurt", cost=1.5, prefill_tokens_per_s=5e4, mean_prompt_tokens=500.0),
    ]
    assert chosen(states, request(prompt_tokens=500)) == ASHBURN
    assert chosen(states, request(prompt_tokens=20_000)) == FRANKFURT


def test_in_a_pool_the_least_occupied_takes_it():
    states = [state(ordinal=i, in_flight=n) for i, n in enumerate((5, 3, 4))]
    assert chosen(states, request()) == "ashburn/h100-sxm/llama/1"


def test_equals_go_to_the_first_every_time():
    states = [state(ordinal=i) for i in range(4)]
    assert {chosen(states, request()) for _ in range(20)} == {ASHBURN}
    pools = [state(pool="b"), state(pool="a")]
    assert chosen(pools, request()) == "ashburn/b/llama/0"


def test_power_that_is_dear_now_moves_requests():
    sites = {"frankfurt": SiteNow()}
    group = Group("llama", [state(cost=1.2, kwh=0.5), state("frankfurt", cost=1.0, kwh=0.5)], sites)
    assert chosen(group, request(), NOW) == FRANKFURT
    sites["frankfurt"] = SiteNow(surcharge_per_kwh=0.5)
    assert chosen(group, request(), NOW + REFRESH_S) == ASHBURN


def test_carbon_weighs_what_its_price_says():
    states = [state(cost=1.2, kwh=0.5), state("frankfurt", cost=1.0, kwh=0.5)]
    sites = {"ashburn": SiteNow(grams_per_kwh=0.0), "frankfurt": SiteNow(grams_per_kwh=800.0)}
    assert chosen(Group("llama", states, sites, 100.0), request()) == FRANKFURT  # 0.04 more
    assert chosen(Group("llama", states, sites, 1000.0), request()) == ASHBURN  # 0.4 more


# the plan


def flow(states, plan: Shares, number: int = 1000, **known) -> dict[str, float]:
    """Shares of `number` idle choices by site, with draws spread evenly."""
    group = Group("llama", states)
    found: dict[str, float] = {}
    for i in range(number):
        site = chosen(group, request(plan=plan, draw=i * 2**32 // number, **known)).split("/")[0]
        found[site] = found.get(site, 0.0) + 1.0 / number
    return found


def test_the_plans_shares_are_followed_though_one_is_cheaper():
    states = [state(cost=1.0), state("frankfurt", cost=1.4)]
    plan = Shares.of({"ashburn/h100-sxm": 3.0, "frankfurt/h100-sxm": 1.0})
    assert flow(states, plan) == pytest.approx({"ashburn": 0.75, "frankfurt": 0.25}, abs=0.002)


def test_what_speaks_against_the_plan_overrules_it():
    plan = Shares.of({"frankfurt/h100-sxm": 1.0})
    other, home = state(cost=1.0), state("frankfurt", cost=1.0)
    assert chosen([other, home], request(plan=plan)) == FRANKFURT
    assert chosen([other, home], request(plan=plan, ttft_budget_s=0.17)) == ASHBURN  # late
    home.in_flight = 90  # overloaded
    assert chosen([other, home], request(plan=plan)) == ASHBURN
    home.in_flight, home.healthy = 0, False
    assert chosen([other, home], request(plan=plan)) == ASHBURN


def test_a_place_that_may_not_take_it_leaves_its_share_to_the_next():
    states = [state(), state("frankfurt"), state("tokyo", healthy=False)]
    plan = Shares.of({"frankfurt/h100-sxm": 1.0, "tokyo/h100-sxm": 1.0, "nowhere/x": 1.0})
    assert flow(states, plan) == {"frankfurt": pytest.approx(1.0)}


def test_shares_without_weight_are_no_plan():
    assert Shares.of({}) is None
    assert Shares.of({"a/b": 0.0}) is None
    shares = Shares.of({"a/b": 1.0, "c/d": 3.0, "e/f": 0.0})
    assert shares == Shares(("a/b", "c/d"), (0.25, 1.0))
    assert [shares.places[shares.drawn(x)] for x in (0.0, 0.24, 0.25, 0.999)] == [
        "a/b", "a/b", "c/d", "c/d",
    ]  # fmt: skip


# trying again, and nobody


def test_what_was_tried_is_not_tried_again():
    group = Group("llama", [state(ordinal=0), state(ordinal=1), state("frankfurt", cost=5.0)])
    tried: frozenset[str] = frozenset()
    order = []
    while isinstance(choice := choose(group, request(excluded=tried), NOW), Choice):
        order.append(choice.replica)
        tried |= {choice.replica}
    assert order == [ASHBURN, "ashburn/h100-sxm/llama/1", FRANKFURT]
    assert choice == NoReplica(reason="every replica of llama was tried")


def test_an_unknown_round_trip_is_the_assumed_one():
    states = [state("tokyo"), state(cost=1.01)]
    assert chosen(states, request(ttft_budget_s=0.1)) == "tokyo/h100-sxm/llama/0"
    assert chosen(states, request(ttft_budget_s=0.1, unknown_rtt_s=0.2)) == ASHBURN


@pytest.mark.parametrize(
    ("states", "asked", "reason"),
    [
        ([], {}, "no replica serves llama"),
        (
            [state()],
            {"allowed_sites": frozenset({"frankfurt"})},
            "no replica of llama stands at a site that this tenant may use",
        ),
        (
            [state(), state("frankfurt")],
            {"allowed_sites": frozenset({"frankfurt"}), "carbon_limit_g_per_kwh": 50.0},
            "no site with llama that this tenant may use is within its carbon limit",
        ),
        ([state(healthy=False)], {}, "no replica of llama is healthy"),
        (
            [state(), state("frankfurt", healthy=False)],
            {"excluded": frozenset({"ashburn/h100-sxm/llama/0"})},
            "every replica of llama was tried",
        ),
    ],
)
def test_why_nothing_takes_it(states, asked, reason):
    assert choose(Group("llama", states), request(**asked), NOW) == NoReplica(reason=reason)


def test_a_group_is_of_one_model():
    states = [state(), state(model="other"), state(ordinal=1)]
    found = groups_of(states)
    assert {model: [s.replica for s in group] for model, group in found.items()} == {
        "llama": ["ashburn/h100-sxm/llama/0", "ashburn/h100-sxm/llama/1"],
        "other": ["ashburn/h100-sxm/other/0"],
    }
    assert found["llama"].states[0] is states[0]  # the owner's own, updated in place
    with pytest.raises(AssertionError, match="does not serve llama"):
        Group("llama", states)


# the whole, beside a slow and plain version of itself


def scores(group: Group, asked: RouteRequest) -> list[tuple[float, str]]:
    """Every own pool that is not full with its score, as the terms say, in the order of ties.

    Relies on the pools' members, prices and limits as laid out, which the tests above hold.
    """
    pools = [
        p
        for p in group.own
        if (asked.allowed_sites is None or p.site in asked.allowed_sites)
        and (
            asked.carbon_limit_g_per_kwh is None or p.grams_per_kwh <= asked.carbon_limit_g_per_kwh
        )
        and any(m[0].replica not in asked.excluded for m in p.members)
    ]
    away, home = (kernels.PLAN, "") if asked.plan else (kernels.HOME, "")
    shares = asked.plan or (group.even if asked.prefix else None)
    if shares is not None and len(pools) > 1:
        levels = [h for i, h in enumerate(asked.prefix, start=1) if i & (i - 1) == 0]
        start = shares.drawn((levels[-1] if levels else asked.draw) / 2**32)
        order = shares.places[start:] + shares.places[:start]
        home = next((p for p in order if p in {pool.place for pool in pools}), "")
    found = []
    for pool in pools:
        inside = [
            (kernels.occupancy(s.in_flight, besides, places), position)
            for position, (s, besides, places, _, _) in enumerate(pool.members)
            if s.replica not in asked.excluded
        ]
        occupied, position = min(inside)
        s, _, _, backlog, _ = pool.members[position]
        if occupied >= pool.max_occupancy * FILL[asked.priority]:
            continue
        more = asked.prompt_tokens - s.mean_prompt_tokens if asked.prompt_tokens else 0.0
        value = kernels.score(
            kernels.relative_price(pool.price, pools[0].price),
            away if home and pool.place != home else 0.0,
            asked.rtt_s_by_site.get(pool.site, asked.unknown_rtt_s),
            kernels.prefill_seconds(s.prefill_s, s.waiting_tokens, more, s.prefill_tokens_per_s),
            kernels.queue_seconds(occupied, backlog, s.service_s),
            asked.ttft_budget_s,
            occupied,
        )
        found.append((value, pool.place))
    return found


@given(groups(), requests())
def test_the_choice_is_in_a_pool_with_the_lowest_score(group, asked):
    asked = msgspec.structs.replace(asked, may_overflow=False)
    choice = choose(group, asked, NOW)
    found = scores(group, asked)
    if not found:
        assert isinstance(choice, NoReplica)
        return
    assert isinstance(choice, Choice)
    mine = group.states[choice.index]
    assert mine.replica == choice.replica
    assert mine.replica not in asked.excluded
    assert mine.healthy
    assert min(found)[0] in [value for value, place in found if place == f"{mine.site}/{mine.pool}"]


@given(groups(), requests())
def test_without_a_prefix_the_choice_is_the_least_occupied_of_its_pool(group, asked):
    asked = msgspec.structs.replace(asked, prefix=())
    choice = choose(group, asked, NOW)
    if isinstance(choice, NoReplica):
        return
    (pool,) = [p for p in group.pools if choice.index in p.indexes]
    inside = {
        m[4]: kernels.occupancy(m[0].in_flight, m[1], m[2])
        for m in pool.members
        if m[0].replica not in asked.excluded
    }
    assert inside[choice.index] == min(inside.values())


@given(groups(), requests())
def test_routing_looks_and_does_not_touch(group, asked):
    before = msgspec.json.encode(group.states)
    first = choose(group, asked, NOW)
    assert choose(group, asked, NOW) == first
    assert msgspec.json.encode(group.states) == before


def test_of_many_replicas_a_bounded_number_is_looked_at_and_all_get_their_share():
    states = [state(ordinal=i) for i in range(500)]
    group = Group("llama", states)
    step = 2**32 // 5000
    for i in range(5000):
        choice = choose(group, request(draw=i * step * 7919 % 2**32), NOW)
        assert isinstance(choice, Choice)
        states[choice.index].in_flight += 1
    loads = [s.in_flight for s in states]
    assert sum(loads) == 5000
    assert max(loads) <= 2 * 10  # 10 each on average


def test_of_many_pools_the_cheapest_are_candidates():
    states = [state(f"site-{i}", cost=100.0 - i) for i in range(MAX_CANDIDATES + 10)]
    asked = request(rtt_s_by_site={f"site-{i}": NEAR if i < 5 else FAR for i in range(99)})
    assert chosen(states, asked) == f"site-{MAX_CANDIDATES + 9}/h100-sxm/llama/0"
