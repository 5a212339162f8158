"""What the file says of power, pools, accelerators and costs reaches the plan."""

from __future__ import annotations

from pathlib import Path

import pytest

from neocloud.perf import Configuration, Load, predict
from neocloud.planner import InfeasibleError, make_plan, placement_table
from neocloud.planner.rates import (
    capital_per_accelerator_hour,
    operations_per_accelerator_hour,
    round_trip_ms,
)
from neocloud.planner.supply import accelerators_of, contracts_of
from neocloud.spec.load import parse_cloud

from .clouds import CATALOG, TWO_SITES, at_site, changed, plan_of, read, replicas

OWN = "accelerators: {own: {like: h100-sxm%s}}\n"
POWER = "- {usd_per_mwh: 80, capacity_mw: 0.1}"


def ashburn(old: str, new: str, text: str = TWO_SITES) -> str:
    return at_site("ashburn", old, new, text)


def test_an_accelerator_of_the_file_is_planned_with_its_own_figures() -> None:
    own = TWO_SITES.replace("accelerator: h100-sxm", "accelerator: own")
    as_before, plain = plan_of(own + OWN % ""), plan_of(TWO_SITES)
    assert as_before.cost_per_hour.total == pytest.approx(plain.cost_per_hour.total, rel=0.3)
    slow = plan_of(own + OWN % ", memory_gb_per_s: 1675")
    assert {p.accelerator for p in slow.placements} == {"own"}
    assert slow.cost_per_hour.total > 1.1 * as_before.cost_per_hour.total
    half, full = (
        predict(
            cloud.models["llama"].architecture,
            cloud.seen(CATALOG).accelerator("own"),
            Configuration(accelerator="own", tp=1, precision="bf16", max_batch=64),
            Load(input_tokens=1000, output_tokens=200),
            16,
        )
        for cloud in (read(own + OWN % ", memory_gb_per_s: 1675"), read(own + OWN % ""))
    )
    assert half.tpot_ms > 1.3 * full.tpot_ms
    tables = [
        placement_table(read(own + OWN % more), CATALOG, slow.placements[0])
        for more in (", memory_gb_per_s: 1675", "")
    ]
    assert tables[0].data != tables[1].data, "what stands behind a plan's replicas follows it too"


def test_the_last_mile_counts_into_the_time_to_the_first_token() -> None:
    near, far = (plan_of(f"{TWO_SITES}network: {{last_mile_ms: {ms}}}\n") for ms in (0, 30))
    for before, after in zip(near.flows, far.flows, strict=True):
        assert after.rtt_ms == pytest.approx(before.rtt_ms + 30)
    cloud = read(TWO_SITES)
    between = CATALOG.round_trip("new-york", "washington").ms
    assert round_trip_ms(cloud, CATALOG, "new-york", "washington") == pytest.approx(between + 10)
    with pytest.raises(InfeasibleError):
        plan_of(f"{TWO_SITES}network: {{last_mile_ms: 999}}\n")


def test_no_plan_draws_more_than_is_active_on_its_day() -> None:
    steps = f"{POWER}\n    power_ladder:\n" + "".join(
        f"      - {{date: 2026-0{month}-01, active_mw: {mw}}}\n"
        for month, mw in ((1, 0.0005), (7, 0.1))
    )
    text = at_site("frankfurt", f"{POWER}\n", steps)
    later = plan_of(changed(text, ("planning: {", "planning: {date: 2026-07-01, ")))
    assert later.cost_per_hour == plan_of(TWO_SITES).cost_per_hour
    for day in ("2026-01-01", "2026-06-30"):
        with pytest.raises(InfeasibleError) as caught:
            plan_of(changed(text, ("planning: {", f"planning: {{date: {day}, ")))
        line = text.splitlines().index("    power_ladder:") + 1
        told = f"cloud.yaml:{line}: power at frankfurt binds: 0.0005 MW are active"
        assert told in str(caught.value)


@pytest.mark.parametrize("dates", ["start: 2026-07-01", "end: 2026-03-01"])
def test_a_contract_gives_power_in_its_term_alone(dates: str) -> None:
    text = at_site("frankfurt", "usd_per_mwh: 80", f"usd_per_mwh: 80, {dates}")
    assert replicas(plan_of(text))["frankfurt"] > 0
    with pytest.raises(InfeasibleError, match="power at frankfurt binds: its contracts give 0 MW"):
        plan_of(changed(text, ("planning: {", "planning: {date: 2026-06-01, ")))


def test_sun_saves_energy_by_day_and_holds_no_replica_at_night() -> None:
    sun = "- {kind: on_site, price_per_mwh: 0, capacity_mw: 0.1}"
    both = plan_of(ashburn(POWER, f"{sun}\n      {POWER}"))
    plain = plan_of(TWO_SITES)
    price = {p.site: p.rates.power_per_kwh for p in both.placements}
    assert price["ashburn"] == pytest.approx(0.04), "twelve hours of the day are free"
    assert price["frankfurt"] == pytest.approx(0.08)
    assert both.cost_per_hour.total < plain.cost_per_hour.total
    with pytest.raises(InfeasibleError, match="its contracts give 0 MW in every hour"):
        plan_of(at_site("frankfurt", POWER, sun))


def test_sunshine_follows_the_site_around_the_globe() -> None:
    text = changed(TWO_SITES, (POWER, "- {kind: on_site, price_per_mwh: 0, capacity_mw: 1}"))
    cloud = read(text)
    (sun,) = contracts_of(cloud, cloud.sites["ashburn"], CATALOG)
    shining = [hour for hour in range(24) if sun.kw_at(hour) > 0]
    assert shining == list(range(11, 23)), "6 to 18 o'clock at 77 degrees west, in UTC"
    assert sun.least_kwh == 0


def test_what_a_renewable_gives_is_what_take_or_pay_obliges_to() -> None:
    wind = "- {kind: on_site, source: wind, usd_per_mwh: 80, capacity_mw: 0.1, take_or_pay: 0.5}"
    cloud = read(ashburn(POWER, f"{wind}\n      {POWER}"))
    first, _ = contracts_of(cloud, cloud.sites["ashburn"], CATALOG)
    assert first.least_kwh == pytest.approx(0.5 * 100 * 24 * 0.33)


def test_spare_nodes_are_paid_for_and_not_planned_on() -> None:
    more = plan_of(ashburn("nodes: 1", "nodes: 2"))
    spare = plan_of(ashburn("nodes: 1", "nodes: 2, spare_nodes: 1"))
    assert spare.placements == plan_of(TWO_SITES).placements
    idle, whole = (
        sum(u.accelerators for u in plan.unallocated)
        + sum(p.replicas * p.configuration.tp for p in plan.placements)
        for plan in (spare, more)
    )
    assert idle == whole == 24


def test_a_pool_that_comes_later_does_not_serve_before() -> None:
    text = at_site("frankfurt", "nodes: 1", "nodes: 1, start: 2026-07-01")
    cloud = read(changed(text, ("planning: {", "planning: {date: 2026-06-30, ")))
    (pool,) = cloud.sites["frankfurt"].pools
    assert accelerators_of(cloud, pool, CATALOG) == 0
    with pytest.raises(InfeasibleError, match="frankfurt"):
        make_plan(cloud, CATALOG)
    assert replicas(plan_of(text))["frankfurt"] > 0


def test_a_narrow_fabric_bounds_tensor_parallelism() -> None:
    text = changed(TWO_SITES, ("planning: {tp: [1, 2]", "planning: {tp: [2]"))
    assert {p.configuration.tp for p in plan_of(text).placements} == {2}
    narrow = ashburn("nodes: 1", "nodes: 1, fabric_domain: 1", text)
    assert {p.site for p in plan_of(narrow).placements} == {"frankfurt"}


def test_costs_of_an_accelerator_hour_by_hand() -> None:
    text = (
        TWO_SITES
        + """\
finance: {cost_of_capital: 0, life_years: 4, residual_share: 0.2, maintenance_share_per_year: 0.05,
          insurance_share_per_year: 0.01, staff_per_accelerator_hour: 0.1,
          network_per_accelerator_hour: 0.02, overhead_share: 0.5}
"""
    )
    cloud = read(ashburn("nodes: 1", "nodes: 1, capex_usd: 40000, availability: 1", text))
    site = cloud.sites["ashburn"]
    (pool,) = site.pools
    capital = capital_per_accelerator_hour(cloud, pool, CATALOG)
    assert capital == pytest.approx(40000 * 0.8 / 4 / 8760)
    space = 195 * 12 * 10.2 / 8 / 8760
    by_price = 40000 * 0.06 / 8760
    operations = operations_per_accelerator_hour(cloud, site, pool, CATALOG)
    assert operations == pytest.approx((space + by_price + 0.1 + 0.02) * 1.5)
    own = read(ashburn("nodes: 1", "nodes: 1, life_years: 8, residual_share: 0", text))
    assert own.sites["ashburn"].pools[0].life_years == 8


def test_a_lease_stands_for_price_and_maintenance() -> None:
    leased = "nodes: 1, ownership: leased, lease_usd_per_hour: 2, availability: 0.8"
    cloud = read(ashburn("nodes: 1", leased))
    site = cloud.sites["ashburn"]
    (pool,) = site.pools
    assert capital_per_accelerator_hour(cloud, pool, CATALOG) == pytest.approx(2 / 0.8)
    operations = operations_per_accelerator_hour(cloud, site, pool, CATALOG)
    assert operations == pytest.approx(195 * 12 * 10.2 / 8 / 8760 / 0.8)


def test_a_trace_of_the_file_gives_rate_shape_and_lengths(tmp_path: Path) -> None:
    rows = [f"{n * 0.1:.1f},{500 + n % 1000},200" for n in range(600)]
    (tmp_path / "t.csv").write_text("arrival_s,input_tokens,output_tokens\n" + "\n".join(rows))
    traced = "trace: t.csv}"
    text = changed(TWO_SITES, (
        "requests_per_s: 40, lengths: {input_tokens: 1000, output_tokens: 200}}", traced,
    ))  # fmt: skip
    cloud = parse_cloud(text, "cloud.yaml", CATALOG, tmp_path)
    plan = make_plan(cloud, CATALOG)
    asked = [sum(f.requests_per_s_by_hour) for f in plan.flows if f.tenant == "acme"]
    assert sum(asked) == pytest.approx(24 * 10)
    (model,) = plan.models
    mean = 500 + sum(n % 1000 for n in range(600)) / 600
    assert model.input_tokens_per_request == pytest.approx((10 * mean + 25 * 1000) / 35)
