"""Who gets a request: hard limits, the scores' argument of the minimum, ties, reasons."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neocloud.routing import (
    Choice,
    NoReplica,
    ReplicaState,
    RouteRequest,
    candidates,
    choose,
    kernels,
)

NEAR, FAR = 0.010, 0.150


def state(site="ashburn", pool="h100-sxm", ordinal=0, model="llama", **known) -> ReplicaState:
    known.setdefault("cost", 1.0)
    return ReplicaState(
        replica=f"{site}/{pool}/{model}/{ordinal}", site=site, pool=pool, model=model, **known
    )


def request(**changes) -> RouteRequest:
    settings = {"model": "llama", "rtt_s_by_site": {"ashburn": NEAR, "frankfurt": FAR}}
    return RouteRequest(**(settings | changes))


def chosen(states: list[ReplicaState], asked: RouteRequest) -> str:
    choice = choose(states, asked)
    assert isinstance(choice, Choice)
    assert states[choice.index].replica == choice.replica
    return choice.replica


def test_the_cheaper_site_takes_it_while_it_is_in_time():
    states = [state(cost=1.2), state("frankfurt", cost=1.0)]
    assert chosen(states, request()) == "frankfurt/h100-sxm/llama/0"
    # With 150 ms of round trip and 50 of prefill it would be 25 per cent late for 160 ms.
    assert chosen(states, request(ttft_budget_s=0.16)) == "ashburn/h100-sxm/llama/0"


def test_a_full_site_overflows_to_the_dearer_one():
    full = state("frankfurt", cost=1.0, in_flight=64, target_concurrency=64.0)
    states = [state(cost=1.2), full]
    assert chosen(states, request()) == "frankfurt/h100-sxm/llama/0"
    full.in_flight = 80
    assert chosen(states, request()) == "ashburn/h100-sxm/llama/0"


def test_the_engines_own_word_shows_what_others_sent():
    crowded = state("frankfurt", cost=1.0, running=64, waiting=30, age_s=0.5)
    states = [state(cost=1.2), crowded]
    assert chosen(states, request()) == "ashburn/h100-sxm/llama/0"
    crowded.age_s = 60.0  # what it said a minute ago means nothing
    assert chosen(states, request()) == "frankfurt/h100-sxm/llama/0"


def test_a_full_cache_is_avoided():
    states = [
        state(ordinal=0, kv_usage=0.99, age_s=0.1, in_flight=1),
        state(ordinal=1, kv_usage=0.30, age_s=0.1, in_flight=9),
    ]
    assert chosen(states, request()) == "ashburn/h100-sxm/llama/1"


def test_in_a_pool_the_least_occupied_takes_it():
    states = [state(ordinal=i, in_flight=n) for i, n in enumerate((5, 3, 4))]
    assert chosen(states, request()) == "ashburn/h100-sxm/llama/1"
    (only,) = candidates(states, request())
    assert only.replica == "ashburn/h100-sxm/llama/1"
    assert only.occupancy == 3 / 64


def test_equals_go_to_the_first_every_time():
    states = [state(ordinal=i) for i in range(4)]
    assert {chosen(states, request()) for _ in range(20)} == {"ashburn/h100-sxm/llama/0"}
    pools = [state(pool="b"), state(pool="a")]
    assert chosen(pools, request()) == "ashburn/b/llama/0"


def test_allowed_sites_are_a_hard_limit():
    """However late, full and dear it is there."""
    states = [
        state(cost=0.01),
        state("frankfurt", cost=9.0, in_flight=6400, prefill_s=30.0),
    ]
    asked = request(allowed_sites=frozenset({"frankfurt"}), ttft_budget_s=0.01)
    assert chosen(states, asked) == "frankfurt/h100-sxm/llama/0"
    states[1].healthy = False
    assert isinstance(choose(states, asked), NoReplica)


def test_what_was_tried_is_not_tried_again():
    states = [state(ordinal=0), state(ordinal=1), state("frankfurt", cost=5.0)]
    tried: frozenset[str] = frozenset()
    order = []
    while isinstance(choice := choose(states, request(excluded=tried)), Choice):
        order.append(choice.replica)
        tried |= {choice.replica}
    assert order == [
        "ashburn/h100-sxm/llama/0",
        "ashburn/h100-sxm/llama/1",
        "frankfurt/h100-sxm/llama/0",
    ]
    assert choice == NoReplica(reason="every replica of llama was tried")


def test_an_unknown_round_trip_is_the_assumed_one():
    states = [state("tokyo"), state()]
    assert chosen(states, request(ttft_budget_s=0.1)) == "tokyo/h100-sxm/llama/0"
    asked = request(ttft_budget_s=0.1, unknown_rtt_s=0.2)
    assert chosen(states, asked) == "ashburn/h100-sxm/llama/0"
    assert {c.rtt_s for c in candidates(states, asked)} == {0.2, NEAR}


@pytest.mark.parametrize(
    ("states", "asked", "reason"),
    [
        ([], {}, "no replica serves llama"),
        ([state(model="other")], {}, "no replica serves llama"),
        (
            [state()],
            {"allowed_sites": frozenset({"frankfurt"})},
            "no replica of llama stands at a site that this tenant may use",
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
    assert choose(states, request(**asked)) == NoReplica(reason=reason)
    assert candidates(states, request(**asked)) == ()


SITES = ("ashburn", "frankfurt", "tokyo")
POOLS = ("h100-sxm", "mi300x")
MODELS = ("llama", "gpt-oss")


@st.composite
def clouds(draw) -> list[ReplicaState]:
    return [
        state(
            site=draw(st.sampled_from(SITES)),
            pool=draw(st.sampled_from(POOLS)),
            model=draw(st.sampled_from(MODELS)),
            ordinal=ordinal,
            healthy=draw(st.sampled_from((True, True, True, False))),
            in_flight=draw(st.integers(0, 100)),
            running=draw(st.integers(0, 100)),
            waiting=draw(st.integers(0, 20)),
            kv_usage=draw(st.floats(0.0, 1.0)),
            age_s=draw(st.sampled_from((0.0, 1.0, 9.0, float("inf")))),
            target_concurrency=draw(st.floats(1.0, 64.0)),
            prefill_s=draw(st.floats(0.0, 1.0)),
            service_s=draw(st.floats(0.0, 9.0)),
            cost=draw(st.sampled_from((0.0, 0.5, 1.0, 3.0))),
        )
        for ordinal in range(draw(st.integers(0, 12)))
    ]


@st.composite
def requests(draw) -> RouteRequest:
    sites = st.frozensets(st.sampled_from(SITES))
    tried = st.frozensets(st.integers(0, 11), max_size=3)
    excluded = {
        f"{s}/{p}/{m}/{i}" for i in draw(tried) for s in SITES for p in POOLS for m in MODELS
    }
    return RouteRequest(
        model=draw(st.sampled_from(MODELS)),
        rtt_s_by_site=draw(st.dictionaries(st.sampled_from(SITES), st.floats(0.0, 0.4))),
        allowed_sites=draw(st.none() | sites),
        excluded=frozenset(excluded),
        ttft_budget_s=draw(st.floats(0.05, 3.0)),
        unknown_rtt_s=draw(st.floats(0.0, 0.3)),
    )


def may_take(s: ReplicaState, asked: RouteRequest) -> bool:
    return (
        s.model == asked.model
        and s.healthy
        and (asked.allowed_sites is None or s.site in asked.allowed_sites)
        and s.replica not in asked.excluded
    )


@given(clouds(), requests())
def test_the_choice_is_the_best_of_the_candidates(states, asked):
    """And each of them may take it, one a pool, scored as the terms say."""
    choice, found = choose(states, asked), candidates(states, asked)
    permitted = [s for s in states if may_take(s, asked)]
    if not permitted:
        assert isinstance(choice, NoReplica)
        assert found == ()
        return
    assert isinstance(choice, Choice)
    assert may_take(states[choice.index], asked)
    by_id = {s.replica: s for s in permitted}
    assert {(s.site, s.pool) for s in permitted} == {
        (by_id[c.replica].site, by_id[c.replica].pool) for c in found
    }
    assert len(found) == len({(by_id[c.replica].site, by_id[c.replica].pool) for c in found})
    assert [c.score for c in found] == sorted(c.score for c in found)
    mine = next(c for c in found if c.replica == choice.replica)
    assert mine.score == found[0].score
    cheapest = min(c.cost for c in found)
    for c in found:
        s = by_id[c.replica]
        occupied = kernels.occupancy(
            s.in_flight, s.running, s.waiting, s.kv_usage, s.age_s, s.target_concurrency
        )
        assert c.occupancy == occupied
        assert c.queue_s == kernels.queue_seconds(occupied, s.service_s)
        assert c.score == kernels.score(
            s.cost, cheapest, c.rtt_s, s.prefill_s, c.queue_s, asked.ttft_budget_s, occupied
        )


@given(clouds(), requests())
def test_the_choice_has_the_least_occupied_of_its_pool(states, asked):
    choice = choose(states, asked)
    if isinstance(choice, NoReplica):
        return
    mine = states[choice.index]

    def occupied(s: ReplicaState) -> float:
        return kernels.occupancy(
            s.in_flight, s.running, s.waiting, s.kv_usage, s.age_s, s.target_concurrency
        )

    peers = [s for s in states if may_take(s, asked) and (s.site, s.pool) == (mine.site, mine.pool)]
    assert occupied(mine) == min(map(occupied, peers))


@given(clouds(), requests())
def test_routing_looks_and_does_not_touch(states, asked):
    before = msgspec.json.encode(states)
    first = (choose(states, asked), candidates(states, asked))
    assert (choose(states, asked), candidates(states, asked)) == first
    assert msgspec.json.encode(states) == before
