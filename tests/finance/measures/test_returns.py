"""Returns beside two other libraries, and by hand."""

from __future__ import annotations

import math
from datetime import date, timedelta
from fractions import Fraction

import numpy as np
import numpy_financial as npf
import pytest
import pyxirr
from hypothesis import assume, given
from hypothesis import strategies as st
from msgspec.structs import replace

from neocloud.finance.arithmetic import Exact
from neocloud.finance.measures import Stream, equity_stream, project_stream, returns_of
from neocloud.finance.model import run
from neocloud.finance.records import Flow, Policies
from neocloud.units.money import PICO

from .test_cover import plant

_DAYS = st.integers(1, 4000)


@given(
    st.lists(st.tuples(_DAYS, st.integers(1, 10**6)), min_size=1, max_size=20),
    st.integers(1, 10**6),
)
def test_irr_is_that_of_another_library(flows: list[tuple[int, int]], paid: int) -> None:
    """One payment, then what comes in: there is one rate, and both find it."""
    first = date(2026, 1, 1)
    days = (first, *(first + timedelta(days=day) for day, _ in flows))
    amounts = (-paid, *(amount for _, amount in flows))
    found = returns_of(Stream(days=days, amounts=amounts), 0.1)
    other = pyxirr.xirr(days, amounts)
    assume(other is not None and -0.99 < other < 1000)
    assert found.irr == pytest.approx(other, rel=1e-6, abs=1e-6)
    assert found.npv == pytest.approx(pyxirr.xnpv(0.1, days, amounts), rel=1e-9, abs=1e-6)


def test_whole_years_as_a_third_has_it() -> None:
    """Years of 365 days, none of them a leap year."""
    days = tuple(date(2025, 1, 1) + timedelta(days=365 * year) for year in range(4))
    amounts = (-100, 30, 40, 60)
    found = returns_of(Stream(days=days, amounts=amounts), 0.08)
    assert found.irr == pytest.approx(npf.irr(amounts), rel=1e-9)
    assert found.npv == pytest.approx(npf.npv(0.08, amounts), rel=1e-12)
    assert found.payback_years == 3
    assert found.multiple == pytest.approx(1.3)


def test_what_never_changes_sign_has_no_rate() -> None:
    days = (date(2025, 1, 1), date(2026, 1, 1))
    gain = returns_of(Stream(days=days, amounts=(1, 1)), 0.1)
    assert math.isnan(gain.irr)
    assert math.isnan(gain.multiple)
    assert gain.payback_years == 0
    loss = returns_of(Stream(days=days, amounts=(-2, 1)), 0.1)
    assert loss.irr == pytest.approx(-0.5)
    assert math.isnan(loss.payback_years)


def test_each_path_has_its_own() -> None:
    days = (date(2025, 1, 1), date(2026, 1, 1))
    found = returns_of(Stream(days=days, amounts=(-100.0, np.array([110.0, 90.0, -1.0]))), 0.0)
    assert found.irr[:2] == pytest.approx([0.1, -0.1])
    assert math.isnan(found.irr[2])
    assert found.npv == pytest.approx([10, -10, -101])


def test_owners_get_what_is_paid_out_and_what_is_left() -> None:
    """The plant opens with 50 in cash and 1800 in assets: 1850 are in it; 500 come in February."""
    inputs = replace(
        plant(),
        equity=(Flow(day=date(2026, 2, 3), amount=500 * PICO),),
        policies=Policies(distribution_share=Fraction(1, 2), distributions_from=3),
    )
    outcome = run(inputs, Exact())
    stream = equity_stream(Exact(), inputs, outcome)
    assert stream.amounts[:2] == (-1850 * PICO, -500 * PICO)
    assert stream.days[1] == date(2026, 2, 3)
    # All that came in over the months is profit or was paid in: nothing is lost on the way.
    assert sum(stream.amounts) == sum(outcome.income.net)
    found = returns_of(stream, Fraction(1, 10))
    assert found.irr == pytest.approx(pyxirr.xirr(stream.days, [a / PICO for a in stream.amounts]))
    half = equity_stream(Exact(), inputs, outcome, Fraction(1, 2))
    assert sum(half.amounts) == sum(stream.amounts) - outcome.balance.assets[-1] // 2


def test_the_project_is_the_same_however_it_is_paid_for() -> None:
    inputs = plant()
    with_debt = project_stream(Exact(), inputs, run(inputs, Exact()))
    bare = replace(inputs, facilities=())
    assert with_debt == project_stream(Exact(), bare, run(bare, Exact()))
    # 1800 go in; 150 a month come out.
    assert with_debt.amounts[0] == -1800 * PICO
    assert sum(with_debt.amounts) == (18 * 150 - 1800) * PICO
