"""What a plan is made from: demand by hour, lengths, rates, the search's candidates."""

from __future__ import annotations

import pytest

from neocloud.planner import lengths_of, point_at
from neocloud.planner.demand import demand_classes
from neocloud.planner.rates import capital_recovery_factor, request_gb

from .clouds import CATALOG, TWO_SITES, at_site, changed, plan_of, read


def test_rates_follow_the_local_day():
    """A daily shape in solar hours: Berlin's noon is at 11 UTC, New York's at 17."""
    text = TWO_SITES.replace("lengths: {", "shape: servegen-mid, lengths: {")
    shape = CATALOG.shape("servegen-mid").by_local_hour
    by_metro = {c.metro: c for c in demand_classes(read(text), CATALOG)}
    assert by_metro["berlin"].by_hour[11] == pytest.approx(25 * shape[12])
    assert by_metro["new-york"].by_hour[17] == pytest.approx(40 * shape[12])
    for metro, rate in (("berlin", 25), ("new-york", 40)):
        assert by_metro[metro].by_hour.mean() == pytest.approx(rate, rel=1e-3)


def test_tenants_with_the_same_rights_share_a_class():
    text = changed(
        TWO_SITES,
        (
            "  rhein: {allowed_sites: [frankfurt]}\n",
            "  rhein: {allowed_sites: [frankfurt]}\n  b: {}\n",
        ),
        (
            "planning:",
            "  - {model: llama, tenant: b, metros: [new-york], requests_per_s: 10}\nplanning:",
        ),
    )
    by_metro = {c.metro: c for c in demand_classes(read(text), CATALOG)}
    assert by_metro["new-york"].share_by_tenant == {"acme": 0.8, "b": 0.2}
    assert by_metro["berlin"].sites == ("frankfurt",)
    plan = plan_of(text)
    by_tenant = {t: sum(sum(f.requests_per_s_by_hour) for f in plan.flows if f.tenant == t) / 24
                 for t in ("acme", "b", "rhein")}  # fmt: skip
    assert by_tenant == pytest.approx({"acme": 40, "b": 10, "rhein": 25})


def test_lengths_mix_by_rate():
    text = TWO_SITES.replace("{input_tokens: 1000, output_tokens: 200}",
                             "{input_tokens: 3000, output_tokens: 100}", 1)  # fmt: skip
    lengths = lengths_of(read(text), CATALOG, "llama")
    assert lengths.mean_input() == pytest.approx((40 * 3000 + 25 * 1000) / 65)
    assert lengths.mean_output() == pytest.approx((40 * 100 + 25 * 200) / 65)
    assert [lengths.input_at(p) for p in (10, 38, 39, 90)] == [1000, 1000, 3000, 3000]
    load = lengths.load(90.0)
    attended = (40 * 100 * 3050 + 25 * 200 * 1100) / (40 * 100 + 25 * 200)
    assert load.context == pytest.approx(attended)
    second = (40 * 9e6 + 25 * 1e6) / 65
    assert load.input_cv2 == pytest.approx(second / lengths.mean_input() ** 2 - 1)
    assert 100 < load.typical_output < lengths.mean_output()


def test_rates_by_hand():
    assert capital_recovery_factor(0.0, 5) == 0.2
    assert capital_recovery_factor(0.10, 5) == pytest.approx(0.2637975)
    assert request_gb(1000, 200) == pytest.approx((4000 + 50_000) / 1e9)


def test_a_price_in_the_file_stands_for_the_one_that_the_catalog_lacks():
    text = TWO_SITES.replace(
        "{accelerator: h100-sxm, nodes: 1}", "{accelerator: l40s, nodes: 4, capex_usd: 12000}"
    )
    plan = plan_of(text)
    assert {p.accelerator for p in plan.placements} == {"l40s"}
    hour = 12_000 * capital_recovery_factor(0.10, 5) / (8760 * 0.97)
    for p in plan.placements:
        assert p.rates.capital_per_accelerator_hour == pytest.approx(hour)


def test_points_between_are_on_the_line_and_flat_beyond():
    (p,) = [p for p in plan_of(TWO_SITES).placements if p.site == "frankfurt"][:1]
    a, b = p.curve[3], p.curve[4]
    half = point_at(p.curve, (a.requests_per_s + b.requests_per_s) / 2)
    assert half.watts == pytest.approx((a.watts + b.watts) / 2)
    assert point_at(p.curve, 1e9).tpot_ms == p.curve[-1].tpot_ms
    assert point_at(p.curve, 0.0).watts == p.curve[0].watts


def test_precisions_are_those_allowed():
    wide = changed(TWO_SITES, ("    objective:", "    precisions: [fp8]\n    objective:"))
    assert {p.configuration.precision for p in plan_of(wide).placements} == {"fp8"}
    assert {p.configuration.precision for p in plan_of(TWO_SITES).placements} == {"bf16"}


def test_a_pool_that_no_objective_reaches_is_left_alone():
    text = at_site("ashburn", "{accelerator: h100-sxm, nodes: 1}",
                   "{accelerator: l40s, nodes: 1, capex_usd: 1}")  # fmt: skip
    # One L40S alone cannot read 16 GB of weights in that time.
    slow = changed(text, ("tpot_ms: 40", "tpot_ms: 15"), ("tp: [1, 2]", "tp: [1]"))
    assert {p.site for p in plan_of(slow).placements} == {"frankfurt"}
