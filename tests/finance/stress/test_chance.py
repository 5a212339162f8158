"""Paths of chance: the same for the same seed, true to their parameters, the base case if quiet."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from statistics import NormalDist

import numpy as np
import pytest
from msgspec.structs import replace

from neocloud.finance.arithmetic import Paths
from neocloud.finance.model import run
from neocloud.finance.stress import history
from neocloud.finance.stress.comparing import exact_readings
from neocloud.finance.stress.drawing import (
    defaults,
    delays,
    drawn,
    innovations,
    normal_share,
    rental_logs,
    use_factors,
)
from neocloud.finance.stress.monte_carlo import (
    PART,
    Part,
    base_difference,
    monte_carlo,
    moving,
    parts_of,
    run_part,
)
from neocloud.finance.stress.processes import (
    DEFAULT_RATES,
    FACTORS,
    STANDARD,
    parameters_of,
    quiet,
)
from neocloud.finance.stress.readings import readings_of
from neocloud.finance.stress.tails import distribution_of, tail_of, worst_of

from .cases import COUNT, chances, simple, ten_contracts

TEN = ten_contracts()
SIZES = parts_of(1200)


@pytest.fixture(scope="module")
def parts() -> list[Part]:
    return [run_part(TEN, chances(1), number, size) for number, size in enumerate(SIZES)]


def test_a_path_on_which_nothing_happens_is_the_exact_model():
    assert base_difference(TEN, chances(5)) < 1e-9
    found = drawn(quiet(), TEN, chances(5)(0), 3)
    paths = Paths(3)
    readings = readings_of(paths, TEN, run(TEN, paths, found.shocks), 3)
    exact = exact_readings(TEN)
    for name in ("min_dscr", "min_llcr", "max_ltv", "equity_irr", "equity_cash", "revenue"):
        expected = np.repeat(getattr(exact, name), 3)
        np.testing.assert_allclose(getattr(readings, name), expected, rtol=1e-9, err_msg=name)


def test_the_same_seed_gives_the_same_whoever_runs_a_part(parts: list[Part]):
    def one(number: int) -> Part:
        return run_part(TEN, chances(1), number, SIZES[number])

    with ThreadPoolExecutor(2) as workers:
        backwards = list(workers.map(one, reversed(range(len(SIZES)))))
    again = monte_carlo(TEN, list(reversed(backwards)), 1, 0.0)
    assert again == monte_carlo(TEN, parts, 1, 0.0)


def test_another_seed_gives_others(parts: list[Part]):
    other = run_part(TEN, chances(2), 0, PART)
    assert not np.array_equal(other.readings.min_dscr, parts[0].readings.min_dscr)
    beside = parts[1].readings.min_dscr
    assert not np.array_equal(parts[0].readings.min_dscr, beside), "parts differ from each other"


def test_more_paths_begin_with_the_same_ones(parts: list[Part]):
    assert parts_of(1200) == (500, 500, 200)
    whole = run_part(TEN, chances(1), 0, PART)
    np.testing.assert_array_equal(whole.readings.equity_cash, parts[0].readings.equity_cash)


def test_innovations_correlate_as_their_loadings_say():
    """Of 72,000 numbers; the error of a correlation is at most one over the root of that."""
    sample = innovations(STANDARD, chances(3)(0), 72, 1000).reshape(len(FACTORS), -1)
    found = np.corrcoef(sample)
    error = np.abs(found - STANDARD.correlations()).max()
    assert error < 4.0 / np.sqrt(sample.shape[1])
    assert np.abs(sample.std(axis=1) - 1.0).max() < 4.0 / np.sqrt(2.0 * sample.shape[1])


def test_regimes_pass_through_the_quotes():
    regimes = history.fitted(24.0)
    level = np.sqrt(history.FALL_FROM * history.FALL_TO)
    x = np.log(history.FALL_FROM / level)
    steps = 10_000
    for drift, months, price in (
        (regimes.falling, history.FALL_MONTHS, history.FALL_TO),
        (regimes.rising, history.RISE_MONTHS, history.RISE_TO),
    ):
        for _ in range(steps):
            x += (drift - regimes.reversion * x) * months / steps
        assert level * np.exp(x) == pytest.approx(price, rel=1e-3)
    assert 5.0 < regimes.rising_months < 11.0, "between what was seen and what list prices say"


def test_rents_go_both_ways_and_have_no_drift():
    """Over ten years the mean of the logarithm stays near 0, beside a spread of some tenths."""
    moves = innovations(STANDARD, chances(4)(0), 120, 4000)[0]
    logs = rental_logs(STANDARD.regimes, STANDARD.rental_noise, moves, chances(4)(1))
    spread = logs[-1].std()
    assert 0.3 < spread < 0.9
    assert abs(logs[-1].mean()) < 4.0 * spread / np.sqrt(4000)
    assert 0.35 < (logs[24] > 0).mean() < 0.65
    steps = np.diff(logs, axis=0)
    assert (steps < -0.25).any()
    assert (steps > 0.25).any()


def test_rents_fall_and_rise_as_long_as_was_fitted():
    """Regimes alone, without noise: share of rising months as their lengths say."""
    regimes = replace(STANDARD.regimes, jumps_a_month=0.0)
    moves = innovations(STANDARD, chances(6)(0), 400, 400)[0]
    logs = rental_logs(regimes, 0.0, moves, chances(6)(1))
    keep = np.exp(-regimes.reversion)
    rising = (logs[1:] - keep * logs[:-1] > 0).mean()
    expected = regimes.rising_months / (regimes.rising_months + regimes.falling_months)
    assert rising == pytest.approx(expected, abs=0.02)


@pytest.mark.parametrize("credit", ["CCC", "B", "unrated"])
def test_defaults_within_a_year_are_as_rated(credit: str):
    contract = replace(simple().contracts[0], credit=credit)
    paths = 20_000
    moves = innovations(STANDARD, chances(7)(0), 12, paths)[FACTORS.index("credit")]
    found = defaults(STANDARD, [contract], moves, chances(7)(1))["acme"]
    rate = DEFAULT_RATES[credit]
    # Months of a path share a level of customers' worth, so that some cluster: the share within a
    # year is at most as rated, and not far below.
    share = (found < 12).mean()
    error = 4.0 * np.sqrt(rate * (1.0 - rate) / paths)
    assert share <= rate + error
    assert share >= 0.85 * rate - error
    first = (found == 0).mean()
    monthly = 1.0 - (1.0 - rate) ** (1.0 / 12.0)
    assert first == pytest.approx(monthly, abs=4.0 * np.sqrt(monthly / paths))


def test_defaults_come_together_in_bad_times():
    contracts = [replace(simple().contracts[0], key=k, customer=k, credit="B") for k in "ab"]
    paths = 20_000
    moves = innovations(STANDARD, chances(8)(0), 36, paths)[FACTORS.index("credit")]
    found = defaults(STANDARD, contracts, moves, chances(8)(1))
    both = ((found["a"] < 36) & (found["b"] < 36)).mean()
    apart = (found["a"] < 36).mean() * (found["b"] < 36).mean()
    assert both > 1.3 * apart


def test_nobody_rated_safe_defaults_and_who_does_is_let_again_after_the_gap():
    found = drawn(STANDARD, TEN, chances(9)(0), 2000).shocks
    assert found.fee_collected == 0
    assert found.alive
    for key, alive in found.alive.items():
        running, again = np.array(alive), np.array(found.relet[key])
        assert (np.diff(running, axis=0) <= 0).all(), "who is gone stays away"
        gone = (running == 0).sum(axis=0)
        waiting = (again > 0).sum(axis=0)
        np.testing.assert_array_equal(waiting, np.maximum(gone - STANDARD.gap_months, 0))
    aaa = replace(TEN.contracts[0], credit="AAA")
    assert not drawn(STANDARD, replace(TEN, contracts=(aaa,)), chances(9)(0), 2000).shocks.alive


def test_what_stands_is_not_late_and_nothing_is_early():
    moves = innovations(STANDARD, chances(10)(0), COUNT, 2000)[FACTORS.index("build")]
    found = delays(STANDARD, TEN, moves, chances(10)(1))
    assert set(found) == {"late", "switches"}
    late, switches = found["late"], found["switches"]
    assert late.min() == 0
    assert late.max() > 0
    assert 0.3 < np.corrcoef(late, switches)[0, 1] < 0.7


def test_use_moves_around_the_base_case_and_stays_within_all():
    moves = np.array([[-3.0, 0.0, 3.0]] * 12)
    factors = use_factors(simple(), moves)
    assert factors[0, 1] == pytest.approx(1.0, rel=1e-12)
    assert 0 < factors[0, 0] < 0.2
    assert 1.8 < factors[0, 2] < 2.0, "half is used, so that at most twice that is"


def test_the_share_of_a_normal_number():
    values = np.linspace(-6.0, 6.0, 241)
    expected = np.array([NormalDist().cdf(value) for value in values])
    np.testing.assert_allclose(normal_share(values), expected, atol=7.5e-8)


def test_expected_shortfall_by_hand():
    sample = np.array([*range(40, 0, -1), np.nan])
    tail = tail_of("x", sample)
    assert (tail.value_at_risk, tail.expected_shortfall, tail.paths) == (2.0, 1.5, 40)
    assert list(worst_of(np.arange(21.0))) == [0.0, 1.0], "at least a twentieth"
    empty = tail_of("x", np.array([np.nan]))
    assert (empty.value_at_risk, empty.expected_shortfall, empty.paths) == (None, None, 0)


def test_quantiles_by_hand():
    found = distribution_of("x", np.arange(101.0))
    assert [quantile.value for quantile in found.quantiles] == [1, 5, 25, 50, 75, 95, 99]
    assert found.mean == 50


def test_chances_of_breach_add_up(parts: list[Part]):
    found = monte_carlo(TEN, parts, 1, 0.0)
    month = np.concatenate([part.readings.first_breach()[0] for part in parts])
    assert found.first.share == (month < COUNT).mean()
    assert sum(found.first.by_month) == pytest.approx(found.first.share)
    assert sum(item.first for item in found.breaches) == pytest.approx(found.first.share)
    assert sum(found.first.by_factor.values()) == pytest.approx(1.0)
    for item in found.breaches:
        assert list(item.by_month) == sorted(item.by_month)
        rows = np.concatenate(
            [p.readings.breaches[p.readings.tests.index((item.facility, item.measure))]
             for p in parts]
        )  # fmt: skip
        assert item.by_month[-1] == pytest.approx((rows < COUNT).mean())


def test_the_worst_factor_is_the_one_that_was_bad(parts: list[Part]):
    """Were tokens alone bad on the paths that break, tokens are named."""
    part = parts[0]
    broken = part.readings.first_breach()[0] < COUNT
    assert broken.any()
    assert not broken.all()
    badness = np.zeros_like(part.badness)
    badness[FACTORS.index("token")] = broken.astype(float)
    found = monte_carlo(TEN, [Part(readings=part.readings, badness=badness)], 1, 0.0)
    assert found.first.by_factor["token"] == 1.0


def test_factors_that_move_nothing_are_not_blamed():
    assert moving(TEN) == FACTORS
    assert moving(simple(costs=())) == ("rental", "credit")
    assert moving(simple(contracts=())) == ()
    safe = replace(simple().contracts[0], credit="AAA")
    assert moving(simple(costs=(), contracts=(safe,))) == ()


def test_fans_widen_and_hold_the_base_case(parts: list[Part]):
    found = monte_carlo(TEN, parts, 1, 0.0)
    revenue = next(fan for fan in found.fans if fan.measure == "revenue")
    widths = [row[-1] - row[0] for row in revenue.by_month if None not in row]  # type: ignore[operator]
    assert widths[40] > 2 * widths[2]
    np.testing.assert_allclose(np.array(revenue.base), exact_readings(TEN).revenue_line[:, 0])


def test_every_number_of_chance_has_a_source():
    assert all(parameter.source for parameter in parameters_of(STANDARD))
    rates = list(DEFAULT_RATES.values())[:-1]
    assert rates == sorted(rates)
    assert Fraction(str(DEFAULT_RATES["BB"])) == Fraction(97, 10_000)
