"""Carbon: a price that is paid, a cap that holds, and tenants who allow no dirty energy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neocloud.planner import Ground, InfeasibleError, point_at
from neocloud.planner.setting import Placed

from .clouds import TWO_SITES, at_site, changed, plan_of, replicas, solved

POWER = "- {usd_per_mwh: 80, capacity_mw: 0.1}"
FREE = changed(TWO_SITES, ("{allowed_sites: [frankfurt]}", "{}"))


def with_carbon(ashburn: float, frankfurt: float, text: str = FREE) -> str:
    for site, grams in (("ashburn", ashburn), ("frankfurt", frankfurt)):
        text = at_site(
            site, "capacity_mw: 0.1", f"capacity_mw: 0.1, carbon_g_per_kwh: {grams}", text
        )
    return text


def rule(what: str, text: str) -> str:
    return changed(text, ("planning: {", f"planning: {{{what}, "))


CHEAP_IS_DIRTY = at_site("ashburn", "usd_per_mwh: 80", "usd_per_mwh: 40", with_carbon(800, 100))


def test_emissions_by_hand():
    """All at one site: the energy by the curves, at 800 g a kWh."""
    plan = plan_of(CHEAP_IS_DIRTY)
    assert set(replicas(plan)) == {"ashburn"}
    watts = sum(
        count * point_at(p.curve, rate / count).watts / 24
        for p in plan.placements
        for rate, count in zip(p.requests_per_s_by_hour, p.replicas_by_hour, strict=True)
    )
    assert plan.carbon_t_per_year == pytest.approx(watts / 1e3 * 1.25 * 8760 * 0.8 / 1e3)


def test_a_price_is_paid_on_what_is_emitted():
    """It comes as a part of the price of energy: 800 g at 100 a tonne are 0.08 a kWh."""
    plan = plan_of(at_site("frankfurt", "usd_per_mwh: 80", "usd_per_mwh: 4000", CHEAP_IS_DIRTY))
    priced = plan_of(rule("carbon_price_per_tonne: 100", at_site(
        "frankfurt", "usd_per_mwh: 80", "usd_per_mwh: 4000", CHEAP_IS_DIRTY)))  # fmt: skip
    assert replicas(priced) == replicas(plan)
    assert plan.placements[0].rates.power_per_kwh == pytest.approx(0.04)
    assert priced.placements[0].rates.power_per_kwh == pytest.approx(0.12)
    assert priced.cost_per_hour.power == pytest.approx(3 * plan.cost_per_hour.power)


def test_a_price_moves_what_is_dirty():
    """Frankfurt costs 40 a MWh more and spares 0.7 t: even at 57 a tonne."""
    for price, site in ((50, "ashburn"), (65, "frankfurt")):
        plan = plan_of(rule(f"carbon_price_per_tonne: {price}", CHEAP_IS_DIRTY))
        assert set(replicas(plan)) == {site}


@given(
    st.tuples(st.integers(1, 200), st.integers(1, 200)),
    st.tuples(st.integers(0, 900), st.integers(0, 900)),
    st.tuples(st.integers(0, 300), st.integers(1, 300)),
)
@settings(max_examples=12)
def test_a_higher_price_never_raises_emissions(rates, grams, prices):
    """Beyond what the gaps leave open: cost and emissions of both answers at both prices."""
    text = at_site("ashburn", "usd_per_mwh: 80", "usd_per_mwh: 50", with_carbon(*grams))
    text = changed(
        text,
        ("requests_per_s: 40,", f"requests_per_s: {rates[0]},"),
        ("requests_per_s: 25,", f"requests_per_s: {rates[1]},"),
    )
    low, high = prices[0], prices[0] + prices[1]
    one, other = (solved(rule(f"carbon_price_per_tonne: {p}", text))[1:] for p in (low, high))
    open_ = sum(placed.cost - placed.bound for placed, _ in (one, other))
    more = (other[1].carbon_t_per_year - one[1].carbon_t_per_year) / 365 * (high - low)
    assert more <= open_ + 1e-9 * one[0].cost


@pytest.mark.parametrize(("share", "binds"), [(0.7, False), (0.5, False), (0.4, True)])
def test_a_cap_holds_and_costs(share: float, binds: bool):
    """Whole replicas may leave room below it."""
    free = plan_of(CHEAP_IS_DIRTY)
    cap = share * free.carbon_t_per_year
    held = plan_of(rule(f"carbon_cap_t_per_year: {cap}", CHEAP_IS_DIRTY))
    assert held.carbon_t_per_year <= cap * (1 + 1e-6)
    assert held.cost_per_hour.total > free.cost_per_hour.total
    told = [(b.used, b.available) for b in held.binding if b.limit == "carbon"]
    assert told == ([pytest.approx((held.carbon_t_per_year, cap))] if binds else [])


def test_a_cap_below_the_cleanest_is_infeasible():
    clean = plan_of(rule("carbon_price_per_tonne: 10000", CHEAP_IS_DIRTY)).carbon_t_per_year
    plan_of(rule(f"carbon_cap_t_per_year: {clean * 1.05}", CHEAP_IS_DIRTY))
    with pytest.raises(InfeasibleError, match="the carbon cap binds"):
        plan_of(rule(f"carbon_cap_t_per_year: {clean * 0.9}", CHEAP_IS_DIRTY))


# Tenants who allow no dirty energy.

SUN = """- {source: solar, usd_per_mwh: 20, capacity_mw: 0.003, carbon_g_per_kwh: 40}
      - {usd_per_mwh: 60, capacity_mw: 0.1, carbon_g_per_kwh: 700}"""
CLEAN = "- {usd_per_mwh: 300, capacity_mw: 0.1, carbon_g_per_kwh: 30}"
MIXED = at_site("frankfurt", POWER, CLEAN, at_site("ashburn", POWER, SUN, FREE))
"""Ashburn is cheap, clean by day and dirty by night; Frankfurt is dear and clean."""


def mean_carbon(here: Ground, placed: Placed, site: str) -> np.ndarray:
    """kg a kWh of what a site draws in each hour."""
    kw = [placed.drawn_kw[site, c] for c in range(len(here.setting.contracts[site]))]
    kg = [k * c.carbon_kg_per_kwh for k, c in zip(kw, here.setting.contracts[site], strict=True)]
    drawn = np.sum(kw, axis=0)
    return np.divide(np.sum(kg, axis=0), drawn, out=np.zeros(24), where=drawn > 1e-9)


@pytest.mark.parametrize("hours", ["fixed", "hourly"])
@pytest.mark.parametrize("limit", [50, 300])
def test_who_allows_no_dirty_energy_is_served_on_clean_alone(hours: str, limit: int):
    text = rule(f"replicas: {hours}", MIXED)
    limited = changed(text, ("acme: {}", f"acme: {{carbon_limit_g_per_kwh: {limit}}}"))
    here, placed, plan = solved(limited)
    dirty = mean_carbon(here, placed, "ashburn") > limit / 1e3 + 1e-6
    assert dirty.any()
    assert not dirty.all()
    served = np.sum([f.requests_per_s_by_hour for f in plan.flows
                     if (f.tenant, f.site) == ("acme", "ashburn")], axis=0)  # fmt: skip
    assert np.max(served * dirty, initial=0.0) <= 1e-6
    # Without the limit it would be.
    here, placed, bare = solved(text)
    flows = [f for f in bare.flows if (f.tenant, f.site) == ("acme", "ashburn")]
    sent = np.sum([f.requests_per_s_by_hour for f in flows], axis=0)
    assert (sent * (mean_carbon(here, placed, "ashburn") > limit / 1e3)).max() > 1.0
    assert plan.cost_per_hour.total > bare.cost_per_hour.total


def test_a_tenant_whom_no_site_is_clean_enough_for_cannot_be_served():
    text = changed(MIXED, ("acme: {}", "acme: {carbon_limit_g_per_kwh: 25}"))
    with pytest.raises(InfeasibleError, match="llama from new-york"):
        plan_of(text)
