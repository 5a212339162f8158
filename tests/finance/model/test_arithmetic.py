"""The two arithmetics give the same, and round as they say."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neocloud.finance.arithmetic import Exact, Paths

_MONEY = st.integers(-(10**22), 10**22)
_RATES = st.fractions(-3, 3, max_denominator=1000)


def close(exact: Any, floats: Any) -> None:
    for value in np.atleast_1d(floats):
        assert float(value) == pytest.approx(float(exact), rel=1e-12, abs=1.0)


@given(_MONEY, _RATES)
def test_a_product_is_rounded_once_halves_to_even(value: int, rate: Fraction) -> None:
    product = Exact().times(value, rate)
    assert product == round(value * rate)
    close(product, Paths(2).times(float(value), rate))
    close(product, Paths(2).times(float(value), np.array([float(rate)] * 2)))


@given(_MONEY, _MONEY, _MONEY)
def test_a_part_is_rounded_once_and_of_nothing_is_nothing(v: int, over: int, under: int) -> None:
    assert Exact().part(v, over, 0) == 0
    assert Paths(2).part(float(v), float(over), 0.0) == 0
    part = Exact().part(v, over, under)
    assert part == (round(Fraction(v * over, under)) if under else 0)
    if under:
        floats = Paths(2).part(float(v), float(over), np.array([float(under), 0.0]))
        assert floats[0] == pytest.approx(part, rel=1e-12, abs=2.0)
        assert floats[1] == 0


@given(st.fractions(0, Fraction(1, 2), max_denominator=10_000), st.integers(0, 200))
def test_an_annuity_repays_all(rate: Fraction, periods: int) -> None:
    """Repaying the share of what is left in each period leaves nothing after the last."""
    share = Exact().annuity(rate, periods)
    floats = Paths(2)
    close(share * 10**12, float(floats.annuity(float(rate), periods)) * 1e12)
    close(share * 10**12, floats.annuity(np.array([float(rate)] * 2), periods) * 1e12)
    if periods < 40:
        left = Fraction(1)
        for period in range(periods, 0, -1):
            left -= left * Exact().annuity(rate, period)
        assert left == (0 if periods else 1)


@given(_MONEY, _MONEY)
def test_a_tie_is_a_tie_in_both(one: int, other: int) -> None:
    for a, b in ((one, other), (one, one)):
        exact = Exact().below(a, b)
        assert Paths(2).below(float(a), float(b)) == exact or abs(a - b) < 1e-8 * abs(a)
    assert not Exact().below(10**18 - 1, 10**18)
    assert not Paths(1).below(1e18 - 1, 1e18)


def test_a_series_is_zero_outside_and_rates_go_on() -> None:
    series = (1, 2, 3)
    rates = (Fraction(1, 2), Fraction(1, 4))
    months = np.array([-5, 0, 2, 3])
    assert [Exact().at(series, int(month)) for month in months] == [0, 1, 3, 0]
    assert Paths(4).at(series, months).tolist() == [0, 1, 3, 0]
    assert [Exact().rate_at(rates, int(m)) for m in months] == [0.5, 0.5, 0.25, 0.25]
    assert Paths(4).rate_at(rates, months).tolist() == [0.5, 0.5, 0.25, 0.25]


def test_a_float_counts_as_the_number_it_prints() -> None:
    assert Exact().rate(0.1) == Fraction(1, 10)
    assert Exact().times(10, 0.1) == 1
