"""Smallest shocks: by hand, and by the exact model at what was found."""

from __future__ import annotations

import math

import numpy as np
import pytest

from neocloud.finance.arithmetic import Exact
from neocloud.finance.model import run
from neocloud.finance.stress.comparing import compared, exact_readings, figures_of
from neocloud.finance.stress.levers import LEVERS
from neocloud.finance.stress.readings import lowest_dscr
from neocloud.finance.stress.records import Reverse
from neocloud.finance.stress.reverse import reverse_of
from neocloud.finance.stress.scenarios import scenario_of
from neocloud.finance.stress.tornado import tornado_of, width
from neocloud.finance.stress.turning import exact_shocks

from .cases import simple, ten_contracts

TEN = ten_contracts()
BY_NAME = {lever.name: lever for lever in LEVERS}
BY_TITLE = {lever.title: lever for lever in LEVERS}


@pytest.fixture(scope="module")
def found() -> Reverse:
    return reverse_of(TEN)


def exact_dscr(levels: dict[str, float]) -> float:
    shocks = exact_shocks(TEN, [BY_NAME[name] for name in levels], list(levels.values()))
    return float(lowest_dscr(Exact(), TEN, run(TEN, Exact(), shocks), 1)[0])


def test_at_the_smallest_shock_the_exact_model_is_at_one(found: Reverse):
    reached = [item for item in found.alone if item.outcome == "found"]
    assert len(reached) >= 4
    for item in reached:
        assert item.level is not None
        if not BY_NAME[item.lever].whole:
            assert exact_dscr({item.lever: item.level}) == pytest.approx(1.0, abs=1e-9), item.lever
            assert exact_dscr({item.lever: item.level * 0.9}) > 1.0, item.lever
            assert item.sizes == pytest.approx(item.level / item.size)


def test_where_there_is_none_the_bound_does_not_reach_one(found: Reverse):
    for item in found.alone:
        if item.outcome == "never" and item.lever != "build":
            assert exact_dscr({item.lever: item.bound}) > 1.0, item.lever


def test_the_smallest_combination_is_at_one_and_smaller_than_each_alone(found: Reverse):
    levels = {BY_TITLE[item.name].name: item.value for item in found.together}
    assert exact_dscr(levels) == pytest.approx(1.0, abs=1e-9)
    norm = math.hypot(*(level / BY_NAME[name].size for name, level in levels.items()))
    assert norm == pytest.approx(found.norm, rel=1e-9)
    singles = [i.sizes for i in found.alone if i.sizes is not None and not BY_NAME[i.lever].whole]
    assert found.norm is not None
    assert found.norm < min(singles)
    assert len(levels) > 1
    assert exact_dscr({name: level * 0.95 for name, level in levels.items()}) > 1.0


def test_smallest_shocks_by_hand():
    """Cover is (100 (1 - x) - 40) / 50; of the customer half of the year is lost at most."""
    alone = {item.lever: item for item in reverse_of(simple()).alone}
    assert alone["curtailment"].level == pytest.approx(0.1)
    assert alone["customer"].level == pytest.approx(0.2)
    for lever in ("rates", "power", "token", "component", "build", "utilisation"):
        assert alone[lever].outcome == "never"
        assert alone[lever].level is None


def test_the_smallest_combination_by_hand():
    """(1 - 0.1 a) (2 - b) = 1.8 at the least root of a^2 + b^2, sought on a fine grid."""
    a = np.linspace(0.0, 1.0, 1_000_001)
    b = 2.0 - 1.8 / (1.0 - 0.1 * a)
    best = np.hypot(a, b)[b >= 0].min()
    assert reverse_of(simple()).norm == pytest.approx(best, rel=1e-4)


def test_who_is_below_one_already_or_owes_nothing_is_told():
    low = reverse_of(TEN, target=9.0)
    assert low.outcome == "already"
    assert all(item.level == 0.0 for item in low.alone)
    free = reverse_of(simple(facilities=()))
    assert free.outcome == "nothing"
    assert {item.outcome for item in free.alone} == {"nothing"}


def test_a_whole_number_of_months_is_the_first_that_is_enough():
    build = next(item for item in reverse_of(TEN, target=1.05).alone if item.lever == "build")
    if build.level is None:
        assert exact_dscr({"build": 1.0}) > 1.05
    else:
        assert build.level == round(build.level)
        assert exact_dscr({"build": build.level}) <= 1.05
        assert build.level == 1.0 or exact_dscr({"build": build.level - 1.0}) > 1.05


def test_the_tornado_has_the_scenarios_at_its_ends():
    base = figures_of(TEN, exact_readings(TEN), 0)
    bars = {bar.factor: bar for bar in tornado_of(TEN)}
    for factor, scenario, high in (
        ("rental", "rental-down", False),
        ("rental", "rental-up", True),
        ("token", "token-down", False),
        ("utilisation", "utilisation-down", False),
        ("power", "power-double", True),
        ("rates", "rates-up", True),
        ("component", "component-up", True),
        ("build", "build-late", True),
        ("customer", "customer-loss", True),
        ("curtailment", "curtailment", True),
    ):
        figures = compared(TEN, base, [scenario_of(scenario)])[0].figures
        bar = bars[factor]
        dscr = bar.min_dscr_high if high else bar.min_dscr_low
        irr = bar.equity_irr_high if high else bar.equity_irr_low
        assert dscr == pytest.approx(figures.min_dscr, rel=1e-9), scenario
        assert irr == pytest.approx(figures.equity_irr, rel=1e-9), scenario
    widths = [width(bar) for bar in tornado_of(TEN)]
    assert widths == sorted(widths, reverse=True)
