"""What a plan is held against: the naive plan, today's, more of each limit, and no spares."""

from __future__ import annotations

import math

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neocloud.planner import (
    Answers,
    Ground,
    Plan,
    SolverError,
    Worth,
    ground_of,
    make_plan,
    point_at,
    with_baselines,
)
from neocloud.planner.answering import with_worth
from neocloud.planner.naive import naive
from neocloud.planner.today import compare_today

from .clouds import CATALOG, TWO_SITES, at_site, changed, plan_of, read, solved

DEFAULTS = "planning: {tp: [1], pp: [1], batch: [256], batch_tokens: [8192]}"
"""What the naive plan takes wherever it holds the objective."""
PLANNING = "planning: {tp: [1, 2], batch: [64, 256]}"
CAPITAL = 49_500 * 0.10 / (1 - 1.10**-5) / (8760 * 0.97)
OPERATIONS = (195 * 12 * 10.2 / 8 + 0.03 * 49_500) / (8760 * 0.97)
NETWORK = (1000 * 4 + 200 * 250) / 1e9 * 0.0024 * 3600


def ground(text: str) -> Ground:
    return ground_of(read(text), CATALOG)


# The naive plan.


def test_the_naive_plan_by_hand():
    """New York to Ashburn, Berlin to Frankfurt, each by itself, at defaults."""
    text = at_site("ashburn", "usd_per_mwh: 80", "usd_per_mwh: 30", TWO_SITES)
    found = naive(ground(text))
    one = plan_of(changed(text, (PLANNING, DEFAULTS))).placements[0]
    watts, count = 0.0, 0
    for rate, price in ((40.0, 30.0), (25.0, 80.0)):
        replicas = math.ceil(rate / one.max_requests_per_s)
        count += replicas
        watts += replicas * point_at(one.curve, rate / replicas).watts * price / 1e6
    assert count == 3
    assert found.accelerators == 3
    assert found.missing_accelerators == 0
    assert found.missed == ()
    assert found.cost_per_hour.power == pytest.approx(watts * 1.25)
    assert found.cost_per_hour.capital == pytest.approx(3 * CAPITAL)
    assert found.cost_per_hour.operations == pytest.approx(3 * OPERATIONS)
    assert found.cost_per_hour.network == pytest.approx(65 * NETWORK)
    tokens = 65 * 3600 * 1200 / 1e6
    assert found.cost_per_mtok == pytest.approx(found.cost_per_hour.total / tokens)


ONE = at_site(
    "frankfurt", "usd_per_mwh: 80", "usd_per_mwh: 5000",
    changed(TWO_SITES, ("[frankfurt]", "[ashburn]"), ("metros: [berlin]", "metros: [new-york]"),
            (PLANNING, DEFAULTS)),
)  # fmt: skip
"""All of it at Ashburn, at the naive plan's defaults: so that both are one plan."""


def test_the_naive_plan_pays_for_peaks_and_carbon_as_a_plan_does():
    text = at_site("ashburn", "80,", "80, demand_charge_per_kw_month: 9,", ONE)
    text = changed(text, ("planning: {", "planning: {carbon_price_per_tonne: 90, "))
    plan, plain = plan_of(text), plan_of(ONE)
    assert {p.site for p in plan.placements} == {"ashburn"}
    assert plan.cost_per_hour.power > 1.3 * plain.cost_per_hour.power
    for one, cloud in ((plan, text), (plain, ONE)):
        found = naive(ground(cloud))
        assert found.cost_per_hour.power == pytest.approx(one.cost_per_hour.power)
        assert found.cost_per_hour.total == pytest.approx(one.cost_per_hour.total)


def test_the_naive_plan_draws_from_contracts_in_their_order():
    kw = naive(ground(ONE)).cost_per_hour.power / 0.08
    assert kw > 2.0
    first = "capacity_mw: 0.001}\n      - {usd_per_mwh: 90, capacity_mw: 0.1}"
    found = naive(ground(at_site("ashburn", "capacity_mw: 0.1}", first, ONE)))
    assert found.cost_per_hour.power == pytest.approx(1.0 * 0.08 + (kw - 1.0) * 0.09)


def test_it_counts_accelerators_that_are_not_there():
    text = changed(TWO_SITES, ("requests_per_s: 25", "requests_per_s: 400"))
    rate = plan_of(changed(TWO_SITES, (PLANNING, DEFAULTS))).placements[0].max_requests_per_s
    needed = math.ceil(400 / rate)
    found = naive(ground(text))
    assert needed > 8
    assert found.missing_accelerators == needed - 8
    assert found.accelerators == needed + math.ceil(40 / rate)


QUICK = """\
  quick:
    config: meta-llama/Meta-Llama-3.1-8B
    objective: {ttft_ms: 1000, tpot_ms: 1}
    price_per_mtok: {input: 0.1, output: 0.1}
"""


def test_it_names_models_that_it_cannot_serve_and_leaves_them_out():
    quick = changed(
        TWO_SITES,
        ("tenants:\n", QUICK + "tenants:\n"),
        ("demand:\n", "demand:\n  - {model: quick, tenant: acme, requests_per_s: 1}\n"),
    )
    found, without = naive(ground(quick)), naive(ground(TWO_SITES))
    assert found.missed == ("quick",)
    assert without.missed == ()
    assert found.cost_per_hour == without.cost_per_hour
    assert found.cost_per_mtok == without.cost_per_mtok


def test_users_whose_sites_have_nothing_yet_are_missed():
    text = at_site("frankfurt", "nodes: 1", "nodes: 1, start: 2027-01-01")
    found = naive(ground(changed(text, ("planning: {", "planning: {date: 2026-01-01, "))))
    assert found.missed == ("llama",)
    assert found.cost_per_hour.total == 0.0


def test_it_is_as_careful_as_the_plan():
    def accelerators(confidence: float) -> int:
        more = f"planning: {{confidence: {confidence}, "
        many = changed(TWO_SITES, ("requests_per_s: 25", "requests_per_s: 2500"))
        return naive(ground(changed(many, ("planning: {", more)))).accelerators

    assert accelerators(0.9) > accelerators(0.5)


@given(
    st.tuples(st.integers(1, 120), st.integers(1, 120)),
    st.tuples(st.integers(0, 400), st.integers(0, 400)),
    st.sampled_from(
        ["", "carbon_price_per_tonne: 200, ", "confidence: 0.8, ", "replicas: hourly, "]
    ),
    st.sampled_from(["", ", demand_charge_per_kw_month: 20", ", take_or_pay: 0.02"]),
)
@settings(max_examples=20)
def test_where_it_can_stand_it_is_no_cheaper_than_any_plan_could_be(rates, prices, rule, contract):
    text = changed(
        TWO_SITES,
        ("requests_per_s: 40,", f"requests_per_s: {rates[0]},"),
        ("requests_per_s: 25,", f"requests_per_s: {rates[1]},"),
        (PLANNING, PLANNING.replace("{", "{" + rule, 1)),
    )
    for site, price in zip(("ashburn", "frankfurt"), prices, strict=True):
        new = f"usd_per_mwh: {price}{contract}"
        text = at_site(site, "usd_per_mwh: 80", new, text)
    here, placed, plan = solved(text)
    found = naive(here)
    assert found.missed == ()
    assert found.missing_accelerators == 0
    # Placement draws a straight line below the curve by which the naive plan is counted, and what
    # sites that draw nothing are owed is in neither plan.
    owed = sum(c.least_kwh * c.price for cs in here.setting.contracts.values() for c in cs)
    assert found.cost_per_hour.total * 24 + owed >= placed.bound * (1 - 1e-9)
    assert plan.search.gap <= 1e-4


# Today's plan.


def today(before: Plan, text: str) -> Answers:
    """The plan of the text, held against one that runs."""
    here = ground(text)
    return with_baselines(here, make_plan(here.cloud, CATALOG), ("now.json", before)).answers


RULES = [
    "",
    "replicas: hourly, ",
    "spares: replica, ",
    "carbon_price_per_tonne: 100, ",
]


@pytest.mark.parametrize("rule", RULES)
def test_the_same_plan_costs_the_same(rule: str):
    text = changed(TWO_SITES, (PLANNING, PLANNING.replace("{", "{" + rule, 1)))
    text = changed(text, ("requests_per_s: 40", "requests_per_s: 40, shape: servegen-mid"))
    plan = plan_of(text)
    found = today(plan, text).today
    assert found is not None
    assert found.file == "now.json"
    assert found.cost_per_hour == pytest.approx(plan.cost_per_hour.total, rel=1e-6)
    assert found.changes == ()


def test_it_costs_what_the_file_asks_now():
    """Prices of energy, hardware and traffic go by the file, not by the plan."""
    before = plan_of(TWO_SITES)
    (p,) = before.placements
    dearer = TWO_SITES
    for site in ("ashburn", "frankfurt"):
        dearer = at_site(site, "usd_per_mwh: 80", "usd_per_mwh: 240", dearer)
        dearer = at_site(site, "nodes: 1}", "nodes: 1, capex_usd: 99000}", dearer)
        dearer = at_site(site, "    pools:", "    network_usd_per_gb: 0.0048\n    pools:", dearer)
    found = today(before, dearer).today
    assert found is not None
    cost = p.cost_per_hour
    hardware = cost.capital + 3 * 0.03 * 49_500 / (8760 * 0.97)
    assert found.cost_per_hour == pytest.approx(
        cost.total + 2 * cost.power + hardware + cost.network, rel=1e-9
    )


def test_a_plan_that_follows_the_hours_still_does_where_new_ones_may_not():
    shaped = changed(TWO_SITES, ("requests_per_s: 40", "requests_per_s: 200, shape: servegen-mid"))
    hourly = plan_of(changed(shaped, ("planning: {", "planning: {replicas: hourly, ")))
    assert any(len(set(p.replicas_by_hour)) > 1 for p in hourly.placements)
    found = today(hourly, shaped).today
    assert found is not None
    assert found.cost_per_hour == pytest.approx(hourly.cost_per_hour.total, rel=1e-6)


def test_what_cannot_serve_has_no_cost_and_changes_are_listed():
    before = plan_of(TWO_SITES)
    more = changed(TWO_SITES, ("requests_per_s: 25", "requests_per_s: 140"))
    after = plan_of(more)
    found = today(before, more).today
    assert found is not None
    assert found.cost_per_hour is None
    told = {(c.site, c.pool, c.model): (c.replicas_today, c.replicas) for c in found.changes}
    keys = {(p.site, p.pool, p.model) for p in (*before.placements, *after.placements)}
    for key in keys:
        old, new = (
            sum(p.replicas for p in plan.placements if (p.site, p.pool, p.model) == key)
            for plan in (before, after)
        )
        assert told.get(key, (old, old)) == (old, new)
    assert sum(new - old for old, new in told.values()) > 0


def test_replicas_on_what_is_gone_count_no_more():
    """A pool with another name, or of another kind, holds none of today's replicas."""
    before = plan_of(TWO_SITES)
    assert {p.site for p in before.placements} == {"frankfurt"}
    for new in ("{accelerator: h100-sxm, name: new, nodes: 1}",
                "{accelerator: h200-sxm, name: h100-sxm, nodes: 1}"):  # fmt: skip
        text = at_site("frankfurt", "{accelerator: h100-sxm, nodes: 1}", new)
        found = compare_today(ground(text), before, "now.json", plan_of(text))
        assert found.cost_per_hour is None


# What more of a limit is worth, and what spares cost.

FULL = at_site(
    "frankfurt", "usd_per_mwh: 80", "usd_per_mwh: 900",
    at_site("ashburn", "usd_per_mwh: 80", "usd_per_mwh: 20",
            changed(TWO_SITES, ("requests_per_s: 40", "requests_per_s: 300"))),
)  # fmt: skip
"""More than the cheap site can take."""


def worths(text: str) -> tuple[dict[tuple[str, str], Worth], float]:
    """Worth by what and where; and the cost of an hour."""
    here, placed, plan = solved(text)
    answers = with_worth(here, placed, plan).answers
    return {(w.what, w.where): w for w in answers.worth}, placed.cost / 24


def test_one_more_node_is_worth_what_planning_with_it_saves():
    found, cost = worths(FULL)
    assert {where for _, where in found} == {"ashburn/h100-sxm"}
    for what, nodes in (("node", 2), ("pool", 2)):
        more = solved(at_site("ashburn", "nodes: 1", f"nodes: {nodes}", FULL))[1].cost / 24
        one = found[what, "ashburn/h100-sxm"]
        assert one.saved_per_hour > 10 * one.uncertain_per_hour + 0.1
        assert one.saved_per_hour == pytest.approx(cost - more, abs=one.uncertain_per_hour + 1e-9)


def test_a_pool_that_is_full_with_nothing_left_to_serve_is_worth_nothing_more():
    rate = plan_of(TWO_SITES).placements[0].max_requests_per_s
    exact = changed(
        TWO_SITES,
        ("requests_per_s: 40,", f"requests_per_s: {7.9 * rate - 25:.2f},"),
        ("[frankfurt]", "[ashburn]"),
        (PLANNING, DEFAULTS),
    )
    exact = at_site("frankfurt", "usd_per_mwh: 80", "usd_per_mwh: 900", exact)
    found, _ = worths(exact)
    one = found["node", "ashburn/h100-sxm"]
    assert one.saved_per_hour <= one.uncertain_per_hour + 1e-9


@pytest.mark.parametrize("contract", ["", ", take_or_pay: 1"])
def test_one_more_megawatt_is_worth_what_planning_with_it_saves(contract: str):
    """It obliges to nothing, so an obligation to take does not grow with it."""
    small = at_site("ashburn", "capacity_mw: 0.1", f"capacity_mw: 0.003{contract}", FULL)
    found, cost = worths(small)
    more = at_site(
        "ashburn", f"capacity_mw: 0.003{contract}}}",
        f"capacity_mw: 0.003{contract}}}\n      - {{usd_per_mwh: 20, capacity_mw: 1}}", small,
    )  # fmt: skip
    one = found["megawatt", "ashburn"]
    saved = cost - solved(more)[1].cost / 24
    assert saved > 1.0
    assert one.saved_per_hour == pytest.approx(saved, abs=one.uncertain_per_hour + 1e-9)


def test_a_megawatt_of_what_cooling_takes_away_too():
    cold = at_site("ashburn", "    pools:", "    cooling_mw: 0.003\n    pools:", FULL)
    found, cost = worths(cold)
    more = solved(FULL)[1].cost / 24  # 0.1 MW of power suffice for all of the pool
    one = found["megawatt", "ashburn"]
    assert one.saved_per_hour == pytest.approx(cost - more, abs=one.uncertain_per_hour + 1e-9)


def test_nothing_is_asked_where_nothing_binds():
    here, placed, plan = solved(TWO_SITES)
    assert with_worth(here, placed, plan).answers == Answers()


def test_what_does_not_end_in_time_is_left_out(monkeypatch: pytest.MonkeyPatch):
    here, placed, plan = solved(changed(FULL, ("planning: {", "planning: {spares: replica, ")))
    assert plan.binding

    def late(*_: object, **__: object) -> None:
        raise SolverError("no placement found within 10 s")

    monkeypatch.setattr("neocloud.planner.worth.place", late)
    assert with_worth(here, placed, plan).answers == Answers()


@pytest.mark.parametrize("spares", ["replica", "site"])
def test_spares_cost_what_planning_without_them_saves(spares: str):
    text = changed(
        TWO_SITES,
        ("planning: {", f"planning: {{spares: {spares}, "),
        ("{allowed_sites: [frankfurt]}", "{}"),
    )
    here, placed, plan = solved(text)
    answers = with_worth(here, placed, plan).answers
    plain = solved(changed(text, (f"spares: {spares}", "spares: none")))[1]
    extra = (placed.cost - plain.cost) / 24
    assert extra > 0.9 * (CAPITAL + OPERATIONS)
    assert answers.spares_cost_per_hour == pytest.approx(extra, rel=1e-3)
    assert msgspec.structs.replace(plan, answers=answers).spares == spares
