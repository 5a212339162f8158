"""An explanation says what the choice did, and leaves nobody out unsaid."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given

from neocloud.routing import (
    Choice,
    Explanation,
    Group,
    NoReplica,
    Shares,
    SiteNow,
    choose,
    explain,
    kernels,
)

from .clouds import FAR, NEAR, NOW, groups, request, requests, state, told

ASHBURN, FRANKFURT = "ashburn/h100-sxm/llama/0", "frankfurt/h100-sxm/llama/0"


def test_every_term_of_a_choice_between_two():
    states = [
        state(cost=1.2, kwh=0.5, **told(running=16, waiting=4)),
        state("frankfurt", cost=1.0, prefill_s=0.35),
    ]
    sites = {"ashburn": SiteNow(surcharge_per_kwh=-0.1, grams_per_kwh=100.0)}
    plan = Shares.of({"frankfurt/h100-sxm": 1.0})
    found = explain(
        Group("llama", states, sites, 1000.0), request(ttft_budget_s=0.4, plan=plan), NOW
    )
    assert (found.chosen, found.home) == (ASHBURN, "frankfurt/h100-sxm")
    assert found.left_out == ()
    near, far = found.candidates
    assert near.replica == ASHBURN
    assert near.price == pytest.approx(1.2 - 0.05 + 0.05)
    assert near.relative == pytest.approx(1.2)
    assert (near.away, near.late, near.overload) == (kernels.PLAN, 0.0, 0.0)
    assert near.spread == pytest.approx(kernels.SPREAD * 20 / 64)
    assert (near.rtt_s, near.prefill_s, near.queue_s) == (NEAR, 0.05, 4 / 64 * 2.0)
    assert near.grams_per_kwh == 100.0
    assert (far.relative, far.away, far.spread, far.rtt_s) == (1.0, 0.0, 0.0, FAR)
    assert far.late == pytest.approx(kernels.LATE * 0.25)
    assert far.score == pytest.approx(1.0 + kernels.LATE * 0.25)
    assert far.grams_per_kwh is None


def test_who_is_left_out_and_by_which_rule():
    ejected = state(ordinal=3)
    ejected.breaker.opened, ejected.breaker.until_s = 1, NOW + 1.0
    states = [
        state(ordinal=0),
        state(ordinal=1, healthy=False),
        state(ordinal=2, full_until_s=NOW + 1.0),
        ejected,
        state(ordinal=4),
        state("frankfurt"),
        state("tokyo"),
        state("tokyo", "remote", overflow=True),
        state(pool="small", target_concurrency=4.0, max_occupancy=1.0, in_flight=4),
    ]
    sites = {"ashburn": SiteNow(grams_per_kwh=1.0), "tokyo": SiteNow(grams_per_kwh=9.0)}
    asked = request(
        allowed_sites=frozenset({"ashburn", "tokyo"}),
        carbon_limit_g_per_kwh=5.0,
        excluded=frozenset({states[4].replica}),
    )
    found = explain(Group("llama", states, sites), asked, NOW)
    assert found.chosen == ASHBURN
    assert {out.rule: out.replicas for out in found.left_out} == {
        "unhealthy": (states[1].replica,),
        "said that it is full": (states[2].replica,),
        "ejected after failures": (states[3].replica,),
        "tried": (states[4].replica,),
        "site not allowed to the tenant": (states[5].replica,),
        "carbon above the tenant's limit": (states[6].replica, states[7].replica),
        "at capacity for this priority": (states[8].replica,),
    }


def test_somebody_elses_is_said_to_be_unneeded_forbidden_or_compared():
    mine = state(target_concurrency=10.0)
    group = Group("llama", [mine, state("tokyo", "remote", cost=1.5, overflow=True)])
    remote = "tokyo/remote/llama/0"

    def rules(asked) -> dict[str, tuple[str, ...]]:
        return {out.rule: out.replicas for out in explain(group, asked, NOW).left_out}

    assert rules(request()) == {"somebody else's, not needed": (remote,)}
    assert rules(request(may_overflow=False)) == {"somebody else's, not allowed": (remote,)}
    mine.in_flight = 20
    found = explain(group, request(), NOW)
    assert [c.replica for c in found.candidates] == [remote, ASHBURN]
    assert (found.chosen, found.candidates[0].overflow) == (remote, True)


def test_a_prefix_that_decided_is_named():
    group = Group("llama", [state(ordinal=i, in_flight=i) for i in range(8)])
    named = {explain(group, request(prefix=(n * 0x9E3779B1 % 2**32,)), NOW) for n in range(40)}
    by_prefix = [c for found in named for c in found.candidates if c.by_prefix]
    assert by_prefix
    assert all(c.replica != ASHBURN for c in by_prefix)
    assert all(found.chosen == found.candidates[0].replica for found in named)


def test_it_fits_into_an_answer():
    states = [state(site, ordinal=i) for site in ("ashburn", "frankfurt") for i in range(10)]
    text = msgspec.json.encode(explain(Group("llama", states), request(), NOW))
    assert len(text) < 600
    assert msgspec.json.decode(text, type=Explanation).chosen == ASHBURN


@given(groups(), requests())
def test_an_explanation_agrees_with_the_choice_and_leaves_nobody_out(group, asked):
    found = explain(group, asked, NOW)
    choice = choose(group, asked, NOW)
    if isinstance(choice, NoReplica):
        assert (found.chosen, found.reason) == ("", choice.reason)
        assert found.candidates == ()
    else:
        assert isinstance(choice, Choice)
        assert found.chosen == choice.replica == found.candidates[0].replica
    for one in found.candidates:
        terms = one.relative + one.away + one.late + one.overload + one.spread
        assert one.score == pytest.approx(terms)
    assert [c.score for c in found.candidates] == sorted(c.score for c in found.candidates)
    out = [replica for rule in found.left_out for replica in rule.replicas]
    assert len(out) == len(set(out))
    places = {c.replica.rsplit("/", 1)[0] for c in found.candidates}
    for one in group.states:
        compared = one.replica.rsplit("/", 1)[0] in places
        assert compared or one.replica in out
