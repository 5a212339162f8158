"""Scenarios: by hand, each against the exact model, and what more of a shock can never do."""

from __future__ import annotations

from dataclasses import fields
from datetime import date
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from neocloud.finance.arithmetic import Array, Exact, Paths
from neocloud.finance.model import run
from neocloud.finance.records import Asset, Flow, Inputs
from neocloud.finance.shocks import NONE, Shocks
from neocloud.finance.stress.combine import combined, stacked
from neocloud.finance.stress.comparing import (
    compared,
    exact_readings,
    figures_of,
    readings_by_paths,
)
from neocloud.finance.stress.customers import base_use, largest_customer, lost
from neocloud.finance.stress.levers import LEVERS, Lever
from neocloud.finance.stress.readings import Readings, readings_of
from neocloud.finance.stress.records import Breach, Figures
from neocloud.finance.stress.scenarios import (
    NAMES,
    TOGETHER,
    UnknownScenarioError,
    scenario_of,
    shortened,
)
from neocloud.finance.stress.turning import dscr_at

from .cases import FIRST, flat, money, simple, ten_contracts

TEN = ten_contracts()


def of(name: str) -> Figures:
    inputs = simple()
    base = figures_of(inputs, exact_readings(inputs), 0)
    return compared(inputs, base, [scenario_of(name)])[0].figures


def test_the_base_case_by_hand():
    inputs = simple()
    base = figures_of(inputs, exact_readings(inputs), 0)
    assert base.revenue == pytest.approx(1200)
    assert base.min_dscr == pytest.approx(1.2)
    assert base.min_dscr_month == "2027-01"
    assert base.first_breach is None
    assert base.runway_months is None


def test_who_leaves_halfway_without_a_fee():
    """600 came, 40 a month go on: after twelve months 120 cover 600 of service."""
    left = of("customer-loss")
    assert left.revenue == pytest.approx(600)
    assert left.min_dscr == pytest.approx(0.2)
    assert left.min_dscr_month == "2027-12"
    assert left.first_breach == Breach(month="2027-07", facility="loan", measure="dscr")


def test_who_leaves_and_pays_a_quarter_of_what_was_to_come():
    """The fee is 150: (750 - 280) / 350 holds the seventh month, (750 - 320) / 400 does not."""
    paid = of("customer-loss-fee")
    assert paid.revenue == pytest.approx(750)
    assert paid.min_dscr == pytest.approx(0.45)
    assert paid.first_breach == Breach(month="2027-08", facility="loan", measure="dscr")


def test_what_is_left_behind_is_let_again_at_the_market_price():
    """Four months of 50 hours at 1, four fifths of them; half of that when rents halve."""
    inputs = simple()
    again = lost(inputs, Fraction(1), gap=2)
    assert exact_readings(inputs, again).revenue[0] == pytest.approx(600 + 160)
    half = combined(again, scenario_of("rental-down").shocks(inputs))
    assert exact_readings(inputs, half).revenue[0] == pytest.approx(600 + 80)


def test_a_part_that_moves_away():
    assert of("customer-reallocation").revenue == pytest.approx(600 + 360)


def test_a_customer_that_comes_later_pays_later():
    late = of("customer-delay")
    assert late.revenue == pytest.approx(600)
    assert late.min_dscr == pytest.approx(-0.8), "40 of cost before the first income"


def test_who_takes_or_pays_does_not_pay_less_for_using_less():
    inputs = simple()
    assert base_use(inputs) == (Fraction(1, 2),) * 12
    assert of("utilisation-down").revenue == pytest.approx(1200)
    free = replace(inputs.contracts[0], committed=flat(0, 12))
    shock = scenario_of("utilisation-down").shocks(inputs)
    revenue = exact_readings(replace(inputs, contracts=(free,)), shock).revenue[0]
    assert revenue == pytest.approx(1200 * 0.6), "20 points of 50 are two fifths"


def test_no_more_than_all_of_a_contract_is_used():
    """Half as much again of 90 of 100 is 100; of 60 it is 90."""
    inputs = simple()
    half_more = Shocks(utilisation=(Fraction(3, 2),) * 12)
    for earned, most in ((90, 100), (60, 90)):
        known = replace(
            inputs.contracts[0], earned=flat(earned, 12), committed=flat(0, 12), price=flat(2, 12)
        )
        changed = replace(inputs, contracts=(known,))
        assert exact_readings(changed, half_more).revenue[0] == pytest.approx(12 * most)
        paths = Shocks(utilisation=(np.full(1, 1.5),) * 12)
        assert readings_by_paths(changed, paths, 1).revenue[0] == pytest.approx(12 * most)


def test_curtailment_takes_from_what_is_committed_too():
    assert of("curtailment").min_dscr == pytest.approx((90 - 40) / 50)


@pytest.mark.parametrize(("years", "life"), [(4, Fraction(2, 3)), (3, Fraction(1, 2))])
def test_a_shorter_life(years: int, life: Fraction):
    pool = Asset(key="pool", kind="accelerators", in_service=0, life_months=72)
    assert shortened(years, simple(assets=(pool,))).life == life
    assert shortened(4, simple(assets=(replace(pool, life_months=48),))) is NONE


def test_depreciation_runs_over_the_shorter_life():
    pool = Asset(
        key="pool", kind="accelerators", in_service=0, life_months=72, opening_cost=money(7200),
        standing=True,
    )  # fmt: skip
    inputs = simple(assets=(pool,))
    worn = [
        run(inputs, Exact(), scenario_of(name).shocks(inputs)).income.depreciation[0]
        for name in ("rental-down", "life-4", "life-3")
    ]
    assert worn == [money(100), money(150), money(200)]


def test_the_largest_customer_is_the_one_with_most_to_come():
    assert largest_customer(TEN) == "customer-9"
    assert largest_customer(simple(contracts=())) is None
    assert scenario_of("customer-loss").shocks(simple(contracts=())) is NONE


@pytest.mark.parametrize("name", [*NAMES, "build-late+rates-up", "customer-delay+glut"])
def test_a_path_is_the_exact_model(name: str):
    """All scenarios as paths of one run, each beside a run of its own in whole numbers."""
    scenario = scenario_of(name)
    inputs = TEN if scenario.change is None else scenario.change(TEN)
    shocks = scenario.shocks(inputs)
    beside = Shocks(rental=(Fraction(1, 3),) * TEN.months.count)
    paths = readings_by_paths(inputs, stacked([beside, shocks], TEN.months.count), 2)
    exact = exact_readings(inputs, shocks)
    for field in fields(Readings):
        if field.name in {"dscr_facility", "tests"}:
            continue
        one, other = getattr(paths, field.name)[..., 1], getattr(exact, field.name)[..., 0]
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-6, err_msg=field.name)


def test_every_scenario_says_how_much_and_why():
    for name in NAMES:
        scenario = scenario_of(name)
        assert scenario.parameters
        assert all(parameter.source for parameter in scenario.parameters)


def test_what_changes_nothing_is_told():
    inputs = simple()
    base = figures_of(inputs, exact_readings(inputs), 0)
    names = ("token-down", "curtailment", "rates-up")
    results = compared(inputs, base, [scenario_of(name) for name in names])
    assert [result.moves for result in results] == [False, True, False]
    assert results[1].change.min_dscr == pytest.approx(-0.2)


def test_an_unknown_name_gets_the_nearest():
    with pytest.raises(UnknownScenarioError, match=r"'rental-dwn'. Nearest: rental-down"):
        scenario_of("rates-up+rental-dwn")


def test_names_join_and_a_glut_is_what_it_says():
    inputs = simple()
    together = scenario_of("+".join(TOGETHER["glut"])).shocks(inputs)
    assert together == scenario_of("glut").shocks(inputs)
    twice = scenario_of("rental-down+glut").shocks(inputs)
    assert twice == together, "what is named twice happens once"


def test_shocks_combine():
    one = Shocks(rental=(Fraction(1, 2),), delay={"a": 2}, base_rate=(Fraction(1, 100),), life=2)
    other = Shocks(rental=(Fraction(1, 3),), delay={"a": 1, "b": 3}, base_rate=(Fraction(2, 100),))
    both = combined(one, other)
    assert both.rental == (Fraction(1, 6),)
    assert both.delay == {"a": 3, "b": 3}
    assert both.base_rate == (Fraction(3, 100),)
    assert both.life == 2


BY_NAME = {lever.name: lever for lever in LEVERS}
PRICES = [BY_NAME[name] for name in ("rental", "token", "power", "customer")]
SELLS_LESS = [BY_NAME[name] for name in ("rental", "token", "utilisation", "curtailment")]
FIXED = replace(TEN, costs=tuple(replace(cost, variable=()) for cost in TEN.costs))
_SHARES = st.lists(st.floats(0, 1), min_size=4, max_size=4)


def cover_at(inputs: Inputs, levers: list[Lever], some: list[float], others: list[float]) -> Array:
    """Least DSCR at the lesser of two shares of each bound, and at the greater."""
    bounds = np.array([lever.bound for lever in levers])
    levels = np.stack([np.minimum(some, others), np.maximum(some, others)], axis=1)
    return dscr_at(inputs, levers, levels * bounds[:, None])


@settings(max_examples=40, deadline=None)
@given(_SHARES, _SHARES)
def test_worse_prices_never_raise_cover(some: list[float], others: list[float]):
    """Of what is sold, of power, and who buys: what is owed stays, and so does what is used."""
    dscr = cover_at(TEN, PRICES, some, others)
    assert dscr[1] <= dscr[0] + 1e-9


@settings(max_examples=40, deadline=None)
@given(_SHARES, _SHARES)
def test_selling_less_never_raises_cover_where_it_saves_nothing(
    some: list[float], others: list[float]
):
    """Without costs that follow use. With them it may: take-or-pay pays for what is not used."""
    dscr = cover_at(FIXED, SELLS_LESS, some, others)
    assert dscr[1] <= dscr[0] + 1e-9


def test_readings_of_many_paths_are_those_of_each():
    shocks = [scenario_of(name).shocks(TEN) for name in ("rates-up", "power-double")]
    paths = Paths(2)
    both = readings_of(paths, TEN, run(TEN, paths, stacked(shocks, 72)), 2)
    for case, shock in enumerate(shocks):
        one = readings_by_paths(TEN, stacked([shock], 72), 1)
        assert both.equity_irr[case] == pytest.approx(one.equity_irr[0], rel=1e-9)
        assert both.min_llcr[case] == pytest.approx(one.min_llcr[0], rel=1e-12)


def test_fees_on_what_was_never_drawn_are_no_service_to_cover():
    """Drawn on the first day it has a cover; shut out, all that is ever due are fees."""
    (loan,) = simple().facilities
    late = replace(
        loan, kind="delayed_draw", draws=(Flow(day=FIRST, amount=money(600)),),
        commitment_fee=Fraction(1, 100), available_until=date(2027, 12, 31),
    )  # fmt: skip
    inputs = simple(facilities=(late,))
    assert exact_readings(inputs).min_dscr[0] > 0
    shut = scenario_of("refinancing-shut").shocks(inputs)
    assert any(run(inputs, Exact(), shut).facility("loan").fee_paid)
    assert np.isnan(exact_readings(inputs, shut).min_dscr[0])
    assert np.isnan(readings_by_paths(inputs, stacked([shut], 12), 1).min_dscr[0])
