"""Planned, simulated and metered beside each other: what a cause is, on activity that is known."""

from __future__ import annotations

from functools import cache

import msgspec
import pytest

from neocloud.activity import Origin
from neocloud.books import NothingSimulatedError, Report, make_report, report_text
from neocloud.planner import planned_activity
from neocloud.spec.load import parse_cloud

from ..metering import CATALOG, TEXT, Metering, small_cloud, small_plan  # noqa: TID252


@cache
def metered():
    return Metering(1.0, seconds=20.0).metered()


def simulated(**scaled: float):
    """The plan's day as a twin would lay it down, some fields of its rows scaled."""
    found = []
    for row in planned_activity(small_plan()):
        values = {name: getattr(row, name) * by for name, by in scaled.items()}
        values = {
            name: round(value) if isinstance(getattr(row, name), int) else value
            for name, value in values.items()
        }
        found.append(msgspec.structs.replace(row, source=Origin.SIMULATED, **values))
    return found


def report(rows) -> Report:
    return make_report(small_cloud(), CATALOG, small_plan(), metered(), rows)


def parts(rows) -> dict[str, float]:
    """What each cause adds from planned to simulated, over the planned cost."""
    (model,) = report(rows).models
    bridge = model.simulated_bridges[0]
    assert (bridge.start, bridge.end) == ("planned", "simulated")
    return {step.cause: step.adds_pico / bridge.start_pico for step in bridge.steps}


def test_a_twin_that_does_as_planned_shows_no_difference():
    assert all(abs(part) < 1e-5 for part in parts(simulated()).values())


@pytest.mark.parametrize(
    ("scaled", "cause", "sign"),
    [
        ({"requests": 0.5, "input_tokens": 0.5, "output_tokens": 0.5}, "utilisation", 1),
        ({"requests": 1.5, "input_tokens": 1.5, "output_tokens": 1.5}, "utilisation", -1),
        ({"energy_kwh": 2.0}, "power", 1),
        ({"energy_kwh": 0.5}, "power", -1),
    ],
)
def test_what_was_changed_is_what_is_named(scaled, cause, sign):
    found = parts(simulated(**scaled))
    assert found.pop(cause) * sign > 0.01
    assert all(abs(part) < 1e-4 for part in found.values())


def test_shorter_requests_are_mix_and_utilisation_and_no_other():
    found = parts(simulated(input_tokens=0.5, output_tokens=0.5))
    assert abs(found["mix"]) > 0.01
    assert abs(found["utilisation"]) > 0.01
    assert all(abs(found[cause]) < 1e-4 for cause in ("price", "efficiency", "power"))


def test_energy_beyond_take_or_pay_and_demand_charge_is_a_matter_of_price():
    """The same plan at a site that owes a demand charge which the plan did not reckon with."""
    dear = parse_cloud(
        TEXT.replace("capacity_mw: 0.1}", "capacity_mw: 0.1, demand_charge_per_kw_month: 20}"),
        "cloud.yaml", CATALOG,
    )  # fmt: skip
    found = make_report(dear, CATALOG, small_plan(), metered()).models[0].bridge
    assert found is not None
    adds = {step.cause: step.adds for step in found.steps}
    usual = report(None).models[0].bridge
    assert usual is not None
    without = {step.cause: step.adds for step in usual.steps}
    assert adds["price"] > 1e-4
    assert abs(without["price"]) < 1e-9


def test_both_bridges_by_way_of_the_twin_meet_the_direct_one():
    (model,) = report(simulated(requests=0.7, input_tokens=0.7, output_tokens=0.7)).models
    first, second = model.simulated_bridges
    assert model.bridge is not None
    assert first.start_pico == model.bridge.start_pico
    assert first.end_pico == second.start_pico
    assert second.end_pico == model.bridge.end_pico
    assert model.simulated is not None
    assert model.simulated.cost_per_mtok.total == pytest.approx(first.end_pico / 1e12, rel=1e-9)
    text = report_text(report(simulated()))
    assert "planned   simulated    expected     metered" in text
    assert "From simulated to metered" in text


def test_without_a_twin_there_is_no_such_column_and_other_sources_do_not_count():
    (model,) = report(None).models
    assert (model.simulated, model.simulated_bridges) == (None, ())
    with pytest.raises(NothingSimulatedError, match="source `simulated`"):
        report(planned_activity(small_plan()))


def test_the_metered_cost_is_the_tiers_cost_but_for_hours_that_cannot_serve():
    """Side by side spreads a pool's costs over usable hours, the tiers over all hours.

    An hour of October rents for a 744th of the month, in a plan for a 730th.
    """
    found = report(None)
    (model,) = found.models
    (priced,) = found.tiers.models
    cost = model.metered.cost_per_mtok
    availability = small_cloud().sites["ashburn"].pools[0].availability
    rest = (cost.capital + cost.operations) * availability
    assert priced.cost == pytest.approx(rest + cost.power + cost.network, rel=5e-3)
