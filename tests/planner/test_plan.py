"""What a plan promises: demand served within objectives and limits, at a cost that adds up."""

from __future__ import annotations

import json
import re
from pathlib import Path

import jsonschema
import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neocloud.activity import Purpose
from neocloud.perf import step_table
from neocloud.planner import (
    InfeasibleError,
    Plan,
    PlanFileError,
    capacity,
    lengths_of,
    make_plan,
    placement_table,
    plan_schema,
    planned_activity,
    point_at,
    read_plan,
    write_plan,
)
from neocloud.spec import load_cloud

from .clouds import CATALOG, TWO_SITES, at_site, changed, plan_of, read, replicas

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


def test_no_megawatts_is_infeasible_and_says_which_line():
    text = at_site("frankfurt", "capacity_mw: 0.1", "capacity_mw: 0")
    line = text.splitlines().index("      - {usd_per_mwh: 80, capacity_mw: 0}")  # of `power:`
    with pytest.raises(InfeasibleError) as caught:
        plan_of(text)
    (reason,) = caught.value.reasons
    assert reason.startswith(f"cloud.yaml:{line}: power at frankfurt binds: ")
    assert "give 0 MW" in reason
    assert "Raise capacity_mw" in reason
    needed = float(reason.split(" MW more")[0].rsplit(" ", 1)[1])
    # What it says is enough, and a tenth less is not.
    plan_of(at_site("frankfurt", "capacity_mw: 0.1", f"capacity_mw: {needed * 1.01}"))
    with pytest.raises(InfeasibleError):
        plan_of(at_site("frankfurt", "capacity_mw: 0.1", f"capacity_mw: {needed * 0.9}"))


def test_too_few_accelerators_are_named_with_their_number():
    text = changed(TWO_SITES, ("requests_per_s: 25", "requests_per_s: 300"))
    with pytest.raises(InfeasibleError) as caught:
        plan_of(text)
    (reason,) = caught.value.reasons
    assert "pool frankfurt/h100-sxm binds: it holds 1 node to plan on and " in reason
    more = int(re.search(r" and (\d+) more (is|are) needed", reason)[1])
    (change,) = caught.value.changes
    assert change.path == "sites.frankfurt.pools.h100-sxm.nodes"
    assert change.value == 1 + more
    enough = at_site("frankfurt", "nodes: 1", f"nodes: {1 + more}", text)
    plan_of(enough)
    with pytest.raises(InfeasibleError):
        plan_of(at_site("frankfurt", "nodes: 1", f"nodes: {more}", text))


def test_users_too_far_away_bind_the_objective():
    far = changed(
        TWO_SITES, ("metros: [berlin]", "metros: [sydney]"), ("ttft_ms: 1000", "ttft_ms: 250")
    )
    line = 1 + far.splitlines().index("    objective: {ttft_ms: 250, tpot_ms: 40}")
    with pytest.raises(InfeasibleError) as caught:
        plan_of(far)
    (reason,) = caught.value.reasons
    assert reason.startswith(f"cloud.yaml:{line}: the objective of llama binds")
    assert "sydney" in reason
    assert "ms to frankfurt" in reason


def test_an_objective_that_nothing_reaches_says_how_near_it_came():
    with pytest.raises(InfeasibleError) as caught:
        plan_of(changed(TWO_SITES, ("tpot_ms: 40", "tpot_ms: 3")))
    (reason,) = caught.value.reasons
    assert "a tpot of " in reason
    assert "(objective 3)" in reason


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


def test_a_plan_survives_its_file(plan: Plan, tmp_path: Path):
    path = tmp_path / "plan.json"
    write_plan(plan, path)
    assert read_plan(path) == plan
    assert [p.name for p in tmp_path.iterdir()] == ["plan.json"]
    document = json.loads(path.read_bytes())
    schema = plan_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(document, schema)
    del document["placements"][0]["curve"]
    with pytest.raises(jsonschema.ValidationError, match="curve"):
        jsonschema.validate(document, schema)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "No such file.*neocloud plan"),
        (b"{", "not a plan"),
        (b'{"cloud": "x"}', "not a plan of schema neocloud.plan/2"),
    ],
)
def test_a_file_that_is_no_plan_is_refused(tmp_path: Path, content, message):
    path = tmp_path / "plan.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(PlanFileError, match=message) as caught:
        read_plan(path)
    assert str(path) in str(caught.value)


def test_a_plan_of_another_version_is_refused(plan: Plan, tmp_path: Path):
    path = tmp_path / "plan.json"
    write_plan(msgspec.structs.replace(plan, schema="neocloud.plan/9"), path)
    with pytest.raises(PlanFileError, match=r"schema neocloud.plan/9, this version reads"):
        read_plan(path)


def test_the_same_cloud_gives_the_same_plan(example: Plan):
    again = make_plan(load_cloud(EXAMPLE, CATALOG), CATALOG)
    assert msgspec.json.encode(again) == msgspec.json.encode(example)


def test_the_search_accounts_for_every_point(example: Plan):
    s = example.search
    assert s.examined == s.no_room + s.too_slow + s.dominated + s.kept
    assert s.kept > 0
    assert 0.0 <= s.gap <= 1e-4
    assert s.solver == "HiGHS"


def test_planned_activity_sums_to_the_plan(example: Plan):
    rows = planned_activity(example)
    for m in example.models:
        mine = [r for r in rows if r.model == m.model]
        requests = sum(r.requests for r in mine)
        # A row is a whole number of requests an hour, so each may be half a request off.
        assert requests == pytest.approx(m.requests_per_day, abs=len(mine) / 2)
        assert sum(r.input_tokens for r in mine) == pytest.approx(
            requests * m.input_tokens_per_request, rel=1e-6
        )
        tokens = sum(r.input_tokens + r.output_tokens for r in mine)
        assert tokens == pytest.approx(m.tokens_per_day, rel=1e-4)
        within = sum(r.within_objective for r in mine)
        assert within == pytest.approx(0.9 * requests, rel=1e-3)
    held = [r for r in rows if r.purpose == Purpose.INFERENCE]
    accelerators = sum(p.accelerators for p in example.placements)
    assert sum(r.allocated_accelerator_s for r in held) == accelerators * 86_400
    assert all(0 <= r.busy_accelerator_s <= r.allocated_accelerator_s for r in held)
    spent = sum(
        r.energy_kwh * next(p.rates.power_per_kwh for p in example.placements if p.site == r.site)
        for r in held
    )
    assert spent == pytest.approx(24 * example.cost_per_hour.power)
    by_tenant = {f.tenant for f in example.flows}
    assert {r.tenant for r in rows if r.requests} == by_tenant


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


def test_replica_ids_are_unique_and_count_on(example: Plan):
    ids = [i for p in example.placements for i in p.replica_ids()]
    assert len(set(ids)) == len(ids) == sum(p.replicas for p in example.placements)
    assert all(i.split("/")[:3] == [p.site, p.pool, p.model]
               for p in example.placements for i in p.replica_ids())  # fmt: skip


def test_the_engine_is_started_as_planned(plan: Plan):
    p = plan.placements[0]
    arguments = dict(zip(p.engine.arguments[2::2], p.engine.arguments[3::2], strict=False))
    assert p.engine.arguments[:2] == ("serve", "meta-llama/Meta-Llama-3.1-8B")
    assert arguments["--served-model-name"] == "llama"
    assert arguments["--tensor-parallel-size"] == str(p.configuration.tp)
    assert arguments["--max-num-seqs"] == str(p.configuration.max_batch)
    assert arguments["--max-num-batched-tokens"] == str(p.configuration.batch_tokens)


def test_capacity_and_table_are_those_of_the_search(plan: Plan):
    cloud = read(TWO_SITES)
    for p in plan.placements:
        load = lengths_of(cloud, CATALOG, p.model).load(90.0)
        assert capacity(cloud, CATALOG, p, load) == pytest.approx(p.max_requests_per_s)
        twice = msgspec.structs.replace(load, output_tokens=2 * load.output_tokens)
        assert 0 < capacity(cloud, CATALOG, p, twice) < p.max_requests_per_s
        llama, h100 = cloud.models["llama"].architecture, CATALOG.accelerator("h100-sxm")
        expected = step_table(llama, h100, p.configuration, load)
        assert placement_table(cloud, CATALOG, p).data == expected.data


def test_a_hopeless_load_has_no_capacity(plan: Plan):
    cloud = read(changed(TWO_SITES, ("tpot_ms: 40", "tpot_ms: 1")))
    load = lengths_of(cloud, CATALOG, "llama").load(90.0)
    assert capacity(cloud, CATALOG, plan.placements[0], load) == 0.0
