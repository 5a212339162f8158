"""Cover, leverage, liquidity and covenants, by hand."""

from __future__ import annotations

from datetime import date
from fractions import Fraction

import numpy as np
import numpy_financial as npf
import pytest
from msgspec.structs import replace

from neocloud.finance.arithmetic import Exact, Paths
from neocloud.finance.measures import (
    contracted_cover,
    covenant_tests,
    dscr_by_period,
    dscr_trailing,
    first_breach,
    interest_cover,
    leverage,
    loan_life_cover,
    loan_to_value,
    lowest,
    lowest_month,
    net_debt,
    project_life_cover,
    runway,
)
from neocloud.finance.model import run
from neocloud.finance.months import Months
from neocloud.finance.records import (
    Asset,
    Contract,
    Covenants,
    Facility,
    Inputs,
    Merchant,
    Opening,
    Policies,
)
from neocloud.finance.shocks import Shocks
from neocloud.units.money import PICO

_COUNT = 18
_A = Exact()


def plant(earned: tuple[int, ...] | None = None, **demands: Fraction | int) -> Inputs:
    """A loan of 1200 at 12 % over 12 months in equal principal, 100 a month; 120 a month come in,
    and 30 from merchants that are not behind it; an asset of 1800 over 18 months secures it.
    """
    line = earned or (120 * PICO,) * _COUNT
    return Inputs(
        name="plant",
        currency="USD",
        months=Months(first=date(2026, 1, 1), count=_COUNT),
        contracts=(
            Contract(
                key="c", customer="acme", first=0, last=_COUNT - 1, earned=line, committed=line
            ),
        ),
        merchant=(Merchant(key="m", source="hours", earned=(30 * PICO,) * _COUNT),),
        assets=(
            Asset(
                key="a",
                kind="accelerators",
                in_service=0,
                life_months=18,
                opening_cost=1800 * PICO,
                standing=True,
            ),
        ),
        facilities=(
            Facility(
                key="loan",
                kind="term_loan",
                commitment=1200 * PICO,
                start=date(2026, 1, 1),
                maturity=date(2027, 1, 1),
                margin=(Fraction(12, 100),),
                period_months=1,
                amortisation="straight",
                contracts=("c",),
                collateral=("a",),
                covenants=Covenants(**demands),  # type: ignore[arg-type]
            ),
        ),
        opening=Opening(cash=50 * PICO),
        policies=Policies(minimum_cash=40 * PICO),
    )


def test_cover_of_a_month_and_of_a_year() -> None:
    """Interest falls from 12 by 1 a month: 120 / 112, 120 / 111, ...; a year 1440 / 1278."""
    lines = run(plant(), _A).facilities[0]
    assert dscr_by_period(_A, lines)[:12] == tuple(Fraction(120, 112 - n) for n in range(12))
    assert dscr_by_period(_A, lines)[12:] == (None,) * 6
    trailing = dscr_trailing(_A, lines)
    assert trailing[1] == Fraction(240, 223)
    assert trailing[11] == Fraction(1440, 1200 + sum(range(1, 13)))
    assert lowest(trailing) == Fraction(120, 112)
    assert lowest_month(trailing, _COUNT) == 0
    assert lowest((None, None)) is None
    assert lowest_month((None,) * _COUNT, _COUNT) == _COUNT


def test_life_cover_is_present_value_over_debt() -> None:
    """At the end of January 1100 are owed, and eleven months of 120 at 1 % a month are to come."""
    lines = run(plant(), _A).facilities[0]
    worth = -npf.pv(0.01, 11, 120)
    assert float(loan_life_cover(_A, lines)[0]) == pytest.approx(worth / 1100, rel=1e-12)
    longer = -npf.pv(0.01, 17, 120)
    assert float(project_life_cover(_A, lines)[0]) == pytest.approx(longer / 1100, rel=1e-12)
    assert loan_life_cover(_A, lines)[11] is None


def test_value_leverage_and_interest() -> None:
    inputs = plant()
    outcome = run(inputs, _A)
    assert loan_to_value(_A, inputs, outcome, "loan")[0] == Fraction(1100, 1700)
    assert interest_cover(_A, outcome)[1] == Fraction(300, 23)
    # Cash: 50 + 1200 drawn + 150 - 112.
    assert net_debt(outcome)[0] == (1100 - (50 + 1200 + 150 - 112)) * PICO
    assert leverage(_A, outcome)[0] == Fraction(1100 - 1288, 150 * 12)
    # Four fifths of revenue are contracted.
    assert contracted_cover(_A, outcome)[0] == Fraction(120, 112)


def test_debt_over_the_same_collateral_counts_together() -> None:
    inputs = plant()
    loan = inputs.facilities[0]
    twice = replace(inputs, facilities=(loan, replace(loan, key="second")))
    outcome = run(twice, _A)
    assert loan_to_value(_A, twice, outcome, "second")[0] == Fraction(2200, 1700)
    assert dscr_by_period(_A, outcome.facilities[0])[0] == Fraction(120, 224)


def test_a_covenant_tells_level_headroom_and_the_month_it_breaks() -> None:
    """From May on half comes: 60 / 108 in the month; trailing (480 + 60) / (112 + 111 + 110 + 109 +
    108), which is below 1.05 of it already: 0.98.
    """
    earned = tuple((120 if month < 4 else 60) * PICO for month in range(_COUNT))
    inputs = plant(
        earned,
        min_dscr=Fraction(105, 100),
        lock_up_dscr=Fraction(2),
        max_ltv=Fraction(7, 10),
        min_llcr=Fraction(1, 2),
        min_liquidity=40 * PICO,
        min_interest_cover=Fraction(2),
        max_leverage=Fraction(100),
    )
    outcome = run(inputs, _A)
    tests = {test.measure: test for test in covenant_tests(_A, inputs, outcome)}
    assert set(tests) == {
        "dscr", "lock_up", "ltv", "llcr", "liquidity", "interest_cover", "leverage",
    }  # fmt: skip
    dscr = tests["dscr"]
    assert dscr.values[4] == Fraction(540, 550)
    assert dscr.headroom[4] == Fraction(540, 550) / Fraction(105, 100) - 1
    assert dscr.first_breach == 4
    assert dscr.breached[:5] == (False, False, False, False, True)
    assert tests["lock_up"].first_breach == 0
    # Debt 1100, 1000, ... over 1700, 1600, ...: 64.7 % and falling.
    assert tests["ltv"].first_breach == _COUNT
    assert tests["ltv"].tightest == 1 - Fraction(1100, 1700) / Fraction(7, 10)
    assert tests["liquidity"].values[0] == 1288
    assert tests["leverage"].first_breach == _COUNT
    assert first_breach(tuple(tests.values()), _COUNT) == 4
    assert dscr.values[12:] == (None,) * 6


def test_covenants_of_paths_are_those_of_each_path() -> None:
    inputs = plant(min_dscr=Fraction(105, 100), max_leverage=Fraction(1), max_ltv=Fraction(66, 100))
    shares = (1.0, 0.97, 0.5, 0.0)
    a = Paths(len(shares))
    paths = run(inputs, a, Shocks(delivered=[np.array(shares)] * _COUNT))
    tests = covenant_tests(a, inputs, paths)
    for index, share in enumerate(shares):
        alone = run(inputs, _A, Shocks(delivered=[Fraction(str(share))] * _COUNT))
        exact = covenant_tests(_A, inputs, alone)
        for one, many in zip(exact, tests, strict=True):
            assert np.broadcast_to(many.first_breach, (4,))[index] == one.first_breach
            assert np.broadcast_to(many.tightest, (4,))[index] == pytest.approx(
                float(one.tightest), rel=1e-9
            )
        assert np.broadcast_to(runway(a, inputs, paths), (4,))[index] == runway(_A, inputs, alone)


def test_the_runway_ends_below_the_minimum() -> None:
    """Nothing comes in: cash is 50 + 1200 - 112 at the end of January and loses about 106 a month;
    after eleven payments, 1266 - 66 + 11 ... it is below 40.
    """
    inputs = plant()
    outcome = run(inputs, _A, Shocks(delivered=(Fraction(0),) * _COUNT))
    cash = [50 + 1200 - sum(112 - n for n in range(month + 1)) for month in range(12)]
    assert [value // PICO for value in outcome.balance.cash[:11]] == cash[:11]
    ends = next(month for month, value in enumerate(cash) if value < 40)
    assert runway(_A, inputs, outcome) == ends
    assert runway(_A, inputs, run(inputs, _A)) == _COUNT
