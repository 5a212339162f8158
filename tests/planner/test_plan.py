"""What a plan promises: demand served within objectives and limits, at a cost that adds up."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neocloud.planner import Plan, make_plan, point_at
from neocloud.spec import load_cloud

from .clouds import CATALOG, TWO_SITES, at_site, changed, plan_of, replicas

EXAMPLE = Path(__file__).parents[2] / "examples" / "two-sites" / "cloud.yaml"


@pytest.fixture(scope="module")
def plan() -> Plan:
    return plan_of(TWO_SITES)


@pytest.fixture(scope="module")
def example() -> Plan:
    return make_plan(load_cloud(EXAMPLE, CATALOG), CATALOG)


def power_at(plan: Plan, site: str) -> float:
    return sum(p.cost_per_hour.power for p in plan.placements if p.site == site)


def test_all_demand_is_served_and_no_replica_is_sent_too_much(example: Plan):
    cloud = load_cloud(EXAMPLE, CATALOG)
    for demand in cloud.demand:
        flows = [f for f in example.flows if (f.tenant, f.model) == (demand.tenant, demand.model)]
        mean = sum(sum(f.requests_per_s_by_hour) for f in flows) / 24
        assert mean == pytest.approx(demand.requests_per_s, rel=1e-6)
        assert {f.user_metro for f in flows} == set(demand.metros)
    for p in example.placements:
        sent = np.sum([f.requests_per_s_by_hour for f in example.flows if f.placed_on(p)], axis=0)
        assert sent == pytest.approx(np.array(p.requests_per_s_by_hour))
        assert sent.max() <= p.replicas * p.max_requests_per_s * (1 + 1e-6)


def test_the_example_uses_what_stands_there(example: Plan):
    """Both kinds of accelerator at both sites, more than half of each site, room at the peak."""
    used = {(p.site, p.accelerator) for p in example.placements}
    assert len(used) == 4
    for site in ("frankfurt", "ashburn"):
        assert 8 < sum(p.accelerators for p in example.placements if p.site == site) < 16
    assert 11 <= sum(p.replicas for p in example.placements) <= 26


def test_pools_hold_their_replicas(example: Plan):
    for site, pool, there in [(u.site, u.pool, 8) for u in example.unallocated]:
        used = sum(p.accelerators for p in example.placements if (p.site, p.pool) == (site, pool))
        free = next(u.accelerators for u in example.unallocated if (u.site, u.pool) == (site, pool))
        assert used + free == there


def test_every_flow_is_within_the_objective(example: Plan):
    """Network included, at the percentile, at the load of its hour."""
    cloud = load_cloud(EXAMPLE, CATALOG)
    for p in example.placements:
        objective = cloud.models[p.model].objective
        for f in example.flows:
            if not f.placed_on(p):
                continue
            assert f.rtt_ms <= p.max_rtt_ms
            for hour, rate in enumerate(p.requests_per_s_by_hour):
                point = point_at(p.curve, rate / p.replicas)
                assert point.ttft_ms_at_percentile + f.rtt_ms <= objective.ttft_ms
                assert point.tpot_ms_at_percentile <= objective.tpot_ms
                assert f.requests_per_s_by_hour[hour] >= 0
    for m in example.models:
        assert m.ttft_ms_at_percentile <= m.objective_ttft_ms
        assert m.tpot_ms_at_percentile <= m.objective_tpot_ms


def test_allowed_sites_are_a_hard_limit(example: Plan):
    assert {f.site for f in example.flows if f.tenant == "rheingold"} == {"frankfurt"}
    # Even where the other site costs nothing and this one a fortune. One replica takes what must
    # stay, so no second one stands there with room for others.
    fewer = changed(TWO_SITES, ("requests_per_s: 25", "requests_per_s: 28"))
    dear = at_site("frankfurt", "usd_per_mwh: 80", "usd_per_mwh: 4000", fewer)
    free = at_site("ashburn", "usd_per_mwh: 80", "usd_per_mwh: 0", dear)
    sites = {f.tenant: {g.site for g in plan_of(free).flows if g.tenant == f.tenant}
             for f in plan_of(free).flows}  # fmt: skip
    assert sites == {"acme": {"ashburn"}, "rhein": {"frankfurt"}}


def test_the_cost_adds_up_by_hand(plan: Plan):
    """Of each placement by tier; of the models over a day; of the whole."""
    for p in plan.placements:
        kw = [
            p.replicas * point_at(p.curve, rate / p.replicas).watts / 1e3
            for rate in p.requests_per_s_by_hour
        ]
        mean_kw = sum(kw) / 24
        assert p.cost_per_hour.power == pytest.approx(mean_kw * p.pue * 0.08)
        # 49,500 USD over 5 years at 10 per cent, of which 0.97 are usable.
        factor = 0.10 / (1 - 1.10**-5)
        capital = 49_500 * factor / (8760 * 0.97)
        assert p.cost_per_hour.capital == pytest.approx(p.accelerators * capital)
        # 195 USD a month for 10.2 kW / 8, and 3 per cent of the price a year.
        operations = (195 * 12 * 10.2 / 8 + 0.03 * 49_500) / (8760 * 0.97)
        assert p.cost_per_hour.operations == pytest.approx(p.accelerators * operations)
        gigabytes = (1000 * 4 + 200 * 250) / 1e9
        a_day = sum(p.requests_per_s_by_hour) * 3600
        assert p.cost_per_hour.network * 24 == pytest.approx(a_day * gigabytes * 0.0024)
    (model,) = plan.models
    assert model.tokens_per_day == pytest.approx(65 * 86_400 * 1200)
    assert model.cost_per_mtok.total * model.tokens_per_day / 1e6 == pytest.approx(
        24 * plan.cost_per_hour.total
    )
    parts = [p.cost_per_hour.total for p in plan.placements]
    assert plan.cost_per_hour.total == pytest.approx(sum(parts))


def test_double_the_power_price_adds_the_power_share_where_the_plan_stays():
    """The tenant at Frankfurt cannot leave; its replicas stay, and only power costs more."""
    only = changed(
        TWO_SITES, ("  - {model: llama, tenant: acme", "  - {model: llama, tenant: rhein")
    )
    before = plan_of(only)
    after = plan_of(at_site("frankfurt", "usd_per_mwh: 80", "usd_per_mwh: 160", only))
    assert replicas(before) == replicas(after) == {"frankfurt": sum(replicas(before).values())}
    assert [p.configuration for p in after.placements] == [
        p.configuration for p in before.placements
    ]
    share = before.cost_per_hour.power / before.cost_per_hour.total
    assert share > 0.03
    assert after.cost_per_hour.total / before.cost_per_hour.total == pytest.approx(1 + share)
    assert after.cost_per_hour.power == pytest.approx(2 * before.cost_per_hour.power)
    assert after.cost_per_hour.capital == before.cost_per_hour.capital


def test_double_the_power_price_moves_what_may_move():
    """Two sites alike but for one dollar a MWh; then the cheaper one doubles."""
    alike = changed(
        TWO_SITES,
        ("metro: frankfurt", "metro: chicago"),
        ("[frankfurt]", "[ashburn, frankfurt]"),
        ("metros: [berlin]", "metros: [new-york]"),
    )
    before = plan_of(at_site("frankfurt", "usd_per_mwh: 80", "usd_per_mwh: 81", alike))
    assert set(replicas(before)) == {"ashburn"}
    dear = at_site("ashburn", "usd_per_mwh: 80", "usd_per_mwh: 160", alike)
    after = plan_of(at_site("frankfurt", "usd_per_mwh: 80", "usd_per_mwh: 81", dear))
    assert set(replicas(after)) == {"frankfurt"}
    rise = after.cost_per_hour.power / before.cost_per_hour.power
    assert rise == pytest.approx(81 / 80)


@given(st.sampled_from(["ashburn", "frankfurt"]), st.floats(1.1, 20.0))
@settings(max_examples=12)
def test_a_dearer_site_costs_more_and_never_more_than_its_power(site: str, factor: float):
    """The old plan still stands, at its own power times the factor: an optimum costs no more."""
    before = plan_of(TWO_SITES)
    after = plan_of(at_site(site, "usd_per_mwh: 80", f"usd_per_mwh: {80 * factor}"))
    most = before.cost_per_hour.total + (factor - 1) * power_at(before, site)
    gap = 1e-4 * most
    assert before.cost_per_hour.total - gap <= after.cost_per_hour.total <= most + gap


def test_take_or_pay_raises_the_price_of_what_is_drawn():
    """0.1 MW of which nine tenths are paid for, of which a twentieth is drawn."""
    text = at_site("ashburn", "capacity_mw: 0.1", "capacity_mw: 0.1, take_or_pay: 0.9")
    plan = plan_of(text)
    here = [p for p in plan.placements if p.site == "ashburn"]
    assert sum(p.cost_per_hour.power for p in here) == pytest.approx(90 * 0.08)
    assert all(p.rates.power_per_kwh > 0.08 for p in here)
    none_drawn = changed(text, ("tenant: acme", "tenant: rhein"))
    assert {p.site for p in plan_of(none_drawn).placements} == {"frankfurt"}


def test_contracts_in_euros_are_exchanged():
    dollars = plan_of(TWO_SITES)
    euros = plan_of(at_site("frankfurt", "usd_per_mwh: 80", "eur_per_mwh: 64"))
    assert power_at(euros, "frankfurt") == pytest.approx(power_at(dollars, "frankfurt"))


def test_distance_costs_load():
    """Where time to first token is short, far users get less out of a replica, or more of them."""
    tight = changed(
        TWO_SITES,
        ("ttft_ms: 1000", "ttft_ms: 150"),
        ("tpot_ms: 40", "tpot_ms: 200"),
        ("tp: [1, 2]", "tp: [2]"),
    )
    near, far = plan_of(tight), plan_of(changed(tight, ("[berlin]", "[tel-aviv]")))
    reach = {p.site: p.max_rtt_ms for p in far.placements}
    flow = next(f for f in far.flows if f.user_metro == "tel-aviv")
    assert flow.rtt_ms <= reach["frankfurt"]

    def each(plan: Plan) -> float:
        return max(p.max_requests_per_s for p in plan.placements if p.site == "frankfurt")

    assert each(far) < each(near)


def test_the_same_cloud_gives_the_same_plan(example: Plan):
    again = make_plan(load_cloud(EXAMPLE, CATALOG), CATALOG)
    assert msgspec.json.encode(again) == msgspec.json.encode(example)


def test_the_search_accounts_for_every_point(example: Plan):
    s = example.search
    assert s.examined == s.no_room + s.too_slow + s.dominated + s.kept
    assert s.kept > 0
    assert 0.0 <= s.gap <= 1e-4
    assert s.solver == "HiGHS"


def test_what_stands_free_is_told_with_its_cost(plan: Plan):
    for u in plan.unallocated:
        used = sum(p.accelerators for p in plan.placements if p.site == u.site)
        assert u.accelerators == 8 - used
        one = plan.placements[0].rates  # both pools are alike
        each = one.capital_per_accelerator_hour + one.operations_per_accelerator_hour
        assert u.cost_per_hour == pytest.approx(u.accelerators * each)


def test_what_binds_is_told():
    full = at_site("frankfurt", "capacity_mw: 0.1", "capacity_mw: 0.003")
    bound = {(b.limit, b.where): b for b in plan_of(full).binding}
    b = bound["power", "frankfurt"]
    assert b.used <= b.available == 0.003
    assert b.unit == "MW"
