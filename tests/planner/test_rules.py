"""What the file asks of every plan beside its demand: sites, spares, hours, certainty, power."""

from __future__ import annotations

from itertools import chain, combinations, pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neocloud.planner import Plan, point_at
from neocloud.planner.binding import binding
from neocloud.planner.setting import Contract, Placed
from neocloud.spec import Cloud, SpecError

from .clouds import CATALOG, TWO_SITES, at_site, changed, plan_of, read, replicas, solved
from .placing.clouds import halves, option, setting, wanted

LONDON = """\
  london:
    metro: london
    power:
      - {usd_per_mwh: 90, capacity_mw: 0.1}
    pools:
      - {accelerator: h100-sxm, nodes: 1}
"""
THREE_SITES = changed(
    TWO_SITES, ("models:\n", LONDON + "models:\n"),
    ("allowed_sites: [frankfurt]", "allowed_sites: [frankfurt, london]"),
)  # fmt: skip
SHAPED = changed(THREE_SITES, ("requests_per_s: 40", "requests_per_s: 200, shape: servegen-mid"))
"""More than half as much again in the busiest hour as in the quietest."""
ONE_SITE = changed(
    TWO_SITES, ("{model: llama, tenant: acme", "{model: llama, tenant: rhein")
)  # fmt: skip
"""All of it must stay at Frankfurt."""


def rule(what: str, text: str = TWO_SITES) -> str:
    """The text with another rule of planning."""
    return changed(text, ("planning: {", f"planning: {{{what}, "))


def total(plan: Plan) -> float:
    return plan.cost_per_hour.total


# Least sites.


@pytest.mark.parametrize("least", [1, 2, 3])
def test_a_model_stands_at_as_many_sites_as_it_must(least: int):
    text = changed(THREE_SITES, ("    objective:", f"    min_sites: {least}\n    objective:"))
    plan = plan_of(text)
    assert len(replicas(plan)) >= least
    if least == 1:
        assert len(replicas(plan)) == 1, "or the others would prove nothing"


def test_it_does_so_in_every_hour():
    text = changed(SHAPED, ("    objective:", "    min_sites: 3\n    objective:"))
    plan = plan_of(rule("replicas: hourly", text))
    for hour in range(24):
        assert {p.site for p in plan.placements if p.replicas_by_hour[hour]} == {
            "ashburn", "frankfurt", "london",
        }  # fmt: skip


# Spares.


@pytest.mark.parametrize("hours", ["fixed", "hourly"])
def test_a_replica_may_be_lost_wherever_any_stand(hours: str):
    text = rule(f"replicas: {hours}", SHAPED)
    plan, bare = plan_of(rule("spares: replica", text)), plan_of(text)
    assert total(plan) > total(bare)
    assert any(misses_a_replica(p) for p in bare.placements)
    assert not any(misses_a_replica(p) for p in plan.placements)


def misses_a_replica(p) -> bool:
    return any(
        rate > (count - 1) * p.max_requests_per_s * (1 + 1e-6)
        for count, rate in zip(p.replicas_by_hour, p.requests_per_s_by_hour, strict=True)
        if count
    )


def unserved_without(plan: Plan, cloud: Cloud, lost: str) -> float:
    """The most requests/s of any hour that replicas elsewhere cannot take, which they may.

    By Hall's theorem: demand can be shared out if and only if no set of users wants more than all
    replicas that any of them may use.
    """
    users = sorted({(f.tenant, f.user_metro, f.model) for f in plan.flows})

    def may(user: tuple[str, str, str], p) -> bool:
        tenant, metro, model = user
        allowed = cloud.tenants[tenant].allowed_sites
        far = CATALOG.round_trip(metro, cloud.sites[p.site].metro).ms + cloud.network.last_mile_ms
        near = far <= p.max_rtt_ms + 1e-9
        return model == p.model and near and p.site in (allowed or cloud.sites)

    left = [p for p in plan.placements if p.site != lost]
    users = [
        u for u in users
        if any(site != lost for site in cloud.tenants[u[0]].allowed_sites or cloud.sites)
    ]  # fmt: skip
    sets = chain.from_iterable(combinations(users, n) for n in range(1, len(users) + 1))
    worst = 0.0
    for some in sets:
        wanted = np.sum(
            [f.requests_per_s_by_hour for f in plan.flows
             if (f.tenant, f.user_metro, f.model) in some], axis=0,
        )  # fmt: skip
        there = sum(
            (np.array(p.replicas_by_hour) * p.max_requests_per_s
             for p in left if any(may(u, p) for u in some)), np.zeros(24),
        )  # fmt: skip
        worst = max(worst, float((wanted - there).max()))
    return worst


@pytest.mark.parametrize("hours", ["fixed", "hourly"])
def test_any_one_site_may_be_lost(hours: str):
    text = rule(f"replicas: {hours}", SHAPED)
    cloud, plan, bare = read(text), plan_of(rule("spares: site", text)), plan_of(text)
    assert total(plan) > total(bare)
    for lost in cloud.sites:
        assert unserved_without(plan, cloud, lost) <= 1e-4
    assert max(unserved_without(bare, cloud, lost) for lost in cloud.sites) > 10.0


def test_what_may_be_served_nowhere_else_needs_no_spare_site():
    """Who must stay at Frankfurt is lost with it; New York is not."""
    plan = plan_of(rule("spares: site"))
    cloud = read(TWO_SITES)
    assert all(unserved_without(plan, cloud, lost) <= 1e-4 for lost in cloud.sites)
    each = plan.placements[0].max_requests_per_s
    elsewhere = sum(n for site, n in replicas(plan).items() if site != "frankfurt")
    assert elsewhere * each >= 40.0


# Replicas by hour.


def test_replicas_follow_the_hours():
    """At one site with one configuration: no more than each hour needs."""
    text = changed(ONE_SITE, ("requests_per_s: 40", "requests_per_s: 160, shape: servegen-mid"))
    text = changed(text, ("tp: [1, 2]", "tp: [1], pp: [1]"))
    fixed, hourly = plan_of(text), plan_of(rule("replicas: hourly", text))
    (p,) = hourly.placements
    wanted = np.sum([f.requests_per_s_by_hour for f in hourly.flows], axis=0)
    needed = np.ceil(wanted / p.max_requests_per_s - 1e-6)
    assert p.replicas_by_hour == tuple(needed)
    assert needed.max() > needed.min()
    assert {n for q in fixed.placements for n in q.replicas_by_hour} == {needed.max()}
    share = needed.mean() / needed.max()
    assert hourly.cost_per_hour.capital == pytest.approx(share * fixed.cost_per_hour.capital)
    # What the busiest hour needs cannot be let to others for the whole day.
    free = {u.site: u.accelerators for u in hourly.unallocated}
    assert free["frankfurt"] == 8 - needed.max()


@given(st.floats(5, 250), st.floats(5, 150), st.sampled_from(["none", "replica", "site"]))
@settings(max_examples=8)
def test_following_the_hours_is_never_dearer(first: float, second: float, spares: str):
    text = changed(
        rule(f"spares: {spares}", THREE_SITES),
        ("requests_per_s: 40,", f"requests_per_s: {first}, shape: servegen-mid,"),
        ("requests_per_s: 25,", f"requests_per_s: {second}, shape: servegen-small,"),
    )
    text = text.replace("nodes: 1", "nodes: 4")
    fixed, hourly = (solved(rule(f"replicas: {how}", text))[1] for how in ("fixed", "hourly"))
    assert hourly.bound <= fixed.cost * (1 + 1e-9)
    assert hourly.gap <= 1e-4


def test_limits_that_replicas_share_by_turns_are_told_by_the_hour():
    """Six by day and six by night of another kind: never more than six at once."""
    day, night = halves(0, 6).astype(np.int64), halves(6, 0).astype(np.int64)
    asked = setting(
        [option(), option(requests_per_s=9.0)],
        [wanted(50.0)],
        contracts={"a": (Contract(price=0.1, capacity_kw=6 * 0.875),)},
        accelerators={("a", "pool"): 6},
        hourly=True,
    )
    placed = Placed(replicas=np.array([day, night]), flows={}, drawn_kw={}, cost=0.0, bound=0.0)
    told = {b.limit: (b.used, b.available) for b in binding(asked, placed, 0.0)}
    assert told == {"accelerators": (6.0, 6.0), "power": (5.25e-3, 5.25e-3)}


# Certainty.


def test_planned_with_more_confidence_replicas_are_slower_and_the_plan_no_cheaper():
    plans = [plan_of(rule(f"confidence: {c}", SHAPED)) for c in (0.5, 0.8, 0.95)]
    for sure, surer in pairwise(plans):
        assert total(surer) > total(sure)
        each = [
            {p.configuration.tp: p.max_requests_per_s for p in x.placements} for x in (sure, surer)
        ]
        for tp in set(each[0]) & set(each[1]):
            assert each[1][tp] < each[0][tp]
        for load in (0.0, 5.0, 20.0):
            slow, fast = (point_at(x.placements[0].curve, load) for x in (surer, sure))
            assert slow.tpot_ms > fast.tpot_ms
    assert [p.confidence for p in plans] == [0.5, 0.8, 0.95]


# Supply.


def test_accelerators_that_nothing_measured_stands_behind_are_left_out_and_told():
    text = at_site("ashburn", "{accelerator: h100-sxm, nodes: 1}",
                   "{accelerator: gaudi-3, nodes: 9, capex_usd: 1}")  # fmt: skip
    plan = plan_of(text)
    (skipped,) = plan.skipped
    assert (skipped.site, skipped.pool) == ("ashburn", "gaudi-3")
    assert "gaudi-3" in skipped.reason
    assert set(replicas(plan)) == {"frankfurt"}


@pytest.mark.parametrize(("racks", "fits"), [(3, True), (2, False)])
def test_nodes_stand_in_racks_that_can_feed_them(racks: int, fits: bool):
    """Five nodes of 10.2 kW, two in a rack of 21 kW."""
    text = at_site("ashburn", "nodes: 1", "nodes: 5")
    text = at_site(
        "ashburn", "    pools:", f"    rack_kw: 21\n    racks: {racks}\n    pools:", text
    )
    if fits:
        assert total(plan_of(text)) > 0
        return
    with pytest.raises(SpecError, match="need 3 racks of 21 kW, and the site has 2"):
        read(text)


def test_cooling_takes_away_what_it_can_by_hand():
    """3 kW of heat are 3.75 kW at the meter at a PUE of 1.25; a replica at full load draws 1."""
    bare = plan_of(changed(ONE_SITE, ("tp: [1, 2]", "tp: [1], pp: [1]")))
    (p,) = bare.placements
    kw = p.curve[-1].watts * p.replicas / 1e3
    for room, fits in ((1.001, True), (0.999, False)):
        cold = at_site("frankfurt", "    pools:",
                       f"    cooling_mw: {kw * room / 1e3}\n    pools:",
                       changed(ONE_SITE, ("tp: [1, 2]", "tp: [1], pp: [1]")))  # fmt: skip
        if fits:
            plan = plan_of(cold)
            assert replicas(plan) == replicas(bare)
            (b,) = [b for b in plan.binding if b.where == "frankfurt"]
            assert (b.limit, b.unit) == ("cooling", "MW")
            assert b.available == pytest.approx(kw * room * 1.25 / 1e3)
        else:
            with pytest.raises(Exception, match="cooling at frankfurt binds"):
                plan_of(cold)


def test_a_demand_charge_by_hand():
    """18.25 a kW-month are 0.6 a kW-day; flat demand draws the same in every hour."""
    plan = plan_of(ONE_SITE)
    charged = plan_of(
        at_site("frankfurt", "80,", "80, demand_charge_per_kw_month: 18.25,", ONE_SITE)
    )
    assert replicas(charged) == replicas(plan)
    kw = plan.cost_per_hour.power / 0.08
    assert charged.cost_per_hour.power == pytest.approx(kw * (0.08 + 0.6 / 24))


def test_a_demand_charge_evens_out_the_load_where_it_can():
    """With a price on peaks no plan's highest draw is higher than without one."""
    text = at_site("ashburn", "80,", "79,", SHAPED.replace("nodes: 1", "nodes: 3"))
    charge = at_site("ashburn", "79,", "79, demand_charge_per_kw_month: 60,", text)
    peaks = []
    for one in (text, charge):
        _, placed, _ = solved(one)
        peaks.append(placed.drawn_kw["ashburn", 0].max())
    assert peaks[1] < peaks[0]


def test_power_that_is_owed_where_none_is_drawn_is_told():
    """0.1 MW at 80 of which three tenths are owed: 2.4 an hour, drawn or not."""
    owed = at_site("ashburn", "capacity_mw: 0.1", "capacity_mw: 0.1, take_or_pay: 0.3", ONE_SITE)
    plan = plan_of(owed)
    assert set(replicas(plan)) == {"frankfurt"}
    (o,) = plan.obligations
    assert o.site == "ashburn"
    assert o.cost_per_hour == pytest.approx(30 * 0.08)
    assert total(plan) == pytest.approx(total(plan_of(ONE_SITE)))
    placed = solved(owed)[1]
    assert placed.cost / 24 == pytest.approx(solved(ONE_SITE)[1].cost / 24 + 2.4, rel=1e-4)
    assert plan_of(ONE_SITE).obligations == ()
