"""IREN and Microsoft, from public figures: what forgetting a prepayment does to cover.

Contract value 9.7 bn over five years, a prepayment of 20 % (IREN press release, 2025-11-06);
project EBITDA margin 85 % and equipment of 5.8 bn (call notes, 2025-11-09); a loan of 3.6 bn over
five years, fully amortising, at 6 % by assumption (expected under 6 %; call notes, 2026-02-05).
"""

from __future__ import annotations

from datetime import date
from fractions import Fraction

import msgspec
import numpy as np
import numpy_financial as npf
import pytest

from neocloud.finance.arithmetic import Exact, Paths
from neocloud.finance.measures import (
    Definition,
    covenant_tests,
    dscr_by_period,
    dscr_trailing,
    lowest,
)
from neocloud.finance.model import run
from neocloud.finance.months import Months
from neocloud.finance.outcome import FacilityLines
from neocloud.finance.records import Asset, Contract, Cost, Covenants, Facility, Flow, Inputs
from neocloud.finance.shocks import NONE, Shocks
from neocloud.units.money import PICO

_MILLION = 10**6 * PICO
_COUNT = 60
_FIRST = date(2026, 1, 1)


def project() -> Inputs:
    value, prepaid = 9_700 * _MILLION, 1_940 * _MILLION
    earned = tuple(value * (n + 1) // _COUNT - value * n // _COUNT for n in range(_COUNT))
    return Inputs(
        name="iren-microsoft",
        currency="USD",
        months=Months(first=_FIRST, count=_COUNT),
        contracts=(
            Contract(
                key="microsoft",
                customer="microsoft",
                first=0,
                last=_COUNT - 1,
                earned=earned,
                committed=earned,
                received=(prepaid, *(0,) * (_COUNT - 1)),
                released=tuple(
                    prepaid * (n + 1) // _COUNT - prepaid * n // _COUNT for n in range(_COUNT)
                ),
                requires=("equipment",),
            ),
        ),
        costs=(
            Cost(
                key="operation",
                kind="other",
                fixed=tuple(month * 15 // 100 for month in earned),
            ),
        ),
        assets=(
            Asset(
                key="equipment",
                kind="accelerators",
                in_service=0,
                life_months=60,
                payments=(Flow(day=_FIRST, amount=5_800 * _MILLION),),
            ),
        ),
        facilities=(
            Facility(
                key="loan",
                kind="delayed_draw",
                commitment=3_600 * _MILLION,
                start=_FIRST,
                maturity=date(2031, 1, 1),
                draws=(Flow(day=_FIRST, amount=3_600 * _MILLION),),
                first_repayment=0,
                base_rate=(Fraction(4, 100),),
                floating_share=Fraction(1),
                margin=(Fraction(2, 100),),
                contracts=("microsoft",),
                collateral=("equipment",),
                covenants=Covenants(min_dscr=Fraction(13, 10)),
            ),
        ),
        equity=(Flow(day=_FIRST, amount=300 * _MILLION),),
    )


def yearly(lines: FacilityLines, definition: Definition) -> float:
    """DSCR of the second year."""
    value = dscr_trailing(Exact(), lines, definition)[23]
    return float(value)


def test_debt_service_is_that_of_an_annuity() -> None:
    lines = run(project(), Exact()).facilities[0]
    year = sum(lines.service[:12]) / _MILLION
    assert year == pytest.approx(-4 * npf.pmt(0.06 / 4, 20, 3600), rel=1e-12)
    assert round(year) == 839


@pytest.mark.parametrize(
    ("definition", "rise", "cover"),
    [
        ("ignored", Fraction(0), 1.97),
        ("credited", Fraction(0), 1.50),
        ("credited", Fraction(2, 100), 1.43),
    ],
)
def test_cover_by_definition(definition: Definition, rise: Fraction, cover: float) -> None:
    """1940 * 85 % = 1649 over 839; less the 388 a year that are credited; at 8 % over 881."""
    shock = Shocks(base_rate=(rise,) * _COUNT) if rise else NONE
    lines = run(project(), Exact(), shock).facilities[0]
    assert round(yearly(lines, definition), 2) == cover
    assert round(float(lowest(dscr_by_period(Exact(), lines, definition))), 2) == cover


def test_the_cash_itself_flatters_the_first_year_alone() -> None:
    """(1649 - 388 + 1940) / 839 = 3.82, then 1.50."""
    lines = run(project(), Exact()).facilities[0]
    trailing = dscr_trailing(Exact(), lines, "received")
    assert round(float(trailing[11]), 2) == 3.82
    assert round(float(trailing[14]), 2) == 1.50


def test_paths_see_the_same() -> None:
    """Both rates as two paths of one run."""
    shock = Shocks(base_rate=[np.array([0.0, 0.02])] * _COUNT)
    inputs, a = project(), Paths(2)
    outcome = run(inputs, a, shock)
    assert dscr_trailing(a, outcome.facilities[0])[23].round(2).tolist() == [1.50, 1.43]
    (test,) = covenant_tests(a, inputs, outcome)
    assert test.tightest.round(2).tolist() == [0.16, 0.10]
    assert np.broadcast_to(test.first_breach, (2,)).tolist() == [_COUNT, _COUNT]


def late(months: int) -> FacilityLines:
    found = project()
    (loan,) = found.facilities
    secured = msgspec.structs.replace(loan, collateral=("equipment",))
    inputs = msgspec.structs.replace(found, facilities=(secured,))
    return run(inputs, Exact(), Shocks(delay={"equipment": months})).facilities[0]


def test_a_quarter_that_begins_before_service_is_not_set_against_a_part_of_its_cash() -> None:
    """In service from the second month of a quarter: two months' cash beside a quarter's debt
    service would be two thirds of 1.5."""
    for months in range(1, 7):
        lines = late(months)
        assert lines.service_from == months
        first, cover = next(
            (m, value) for m, value in enumerate(dscr_trailing(Exact(), lines)) if value is not None
        )
        begin = -(-months // 3) * 3  # the next quarter's first month
        assert first == begin + 2
        quarter = range(begin, first + 1)
        cash = sum(lines.cfads.credited[m] for m in quarter)
        assert cover == Fraction(cash, sum(lines.service_before[m] for m in quarter))
        assert round(float(cover), 2) == 1.50
    both = run(
        msgspec.structs.replace(
            project(),
            facilities=(
                msgspec.structs.replace(project().facilities[0], collateral=("equipment",)),
            ),
        ),
        Paths(3), Shocks(delay={"equipment": np.array([1, 3, 5])}),
    ).facilities[0]  # fmt: skip
    found = dscr_trailing(Paths(3), both)
    for path, months in enumerate((1, 3, 5)):
        alone = dscr_trailing(Exact(), late(months))
        for month, value in enumerate(alone):
            seen = np.broadcast_to(np.nan if found[month] is None else found[month], (3,))[path]
            assert np.isnan(seen) if value is None else seen == pytest.approx(float(value))


def test_loan_life_cover_is_tested_on_payment_days_but_the_last() -> None:
    """Next to a payment some months of its cash are past already: no breach is made of that."""
    found = project()
    demands = Covenants(min_llcr=Fraction(14, 10))
    (loan,) = found.facilities
    inputs = msgspec.structs.replace(
        found, facilities=(msgspec.structs.replace(loan, covenants=demands),)
    )
    (test,) = covenant_tests(Exact(), inputs, run(inputs, Exact()))
    tested = [month for month, value in enumerate(test.values) if value is not None]
    assert tested == list(range(2, _COUNT - 1, 3))
    assert all(round(float(test.values[month]), 2) >= 1.50 for month in tested)
    assert test.first_breach == _COUNT
