"""Forecasts of the reconstructed companies: by the model, held to sums done another way."""

from __future__ import annotations

import sys
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
sys.path.append(str(ROOT / "tools" / "public"))

from figure_formulas import evaluate  # noqa: E402
from figures import PUBLIC, read_figures  # noqa: E402
from forecasts import Forecast, forecast, outcome_of  # noqa: E402
from iren_cover import anchors  # noqa: E402
from public_page import PAGE, placed, tables  # noqa: E402
from quarter import Quarter  # noqa: E402
from quarters import QUARTERS  # noqa: E402
from relations import numbers  # noqa: E402
from written import months_later, names  # noqa: E402

from neocloud.catalog import load_catalog  # noqa: E402
from neocloud.finance.inputs import backlog_of, inputs_of  # noqa: E402
from neocloud.spec import load_cloud  # noqa: E402

FIGURES = read_figures()
VALUES = numbers(FIGURES)
FOUND = {quarter.file: forecast(quarter, FIGURES) for quarter in QUARTERS}
quarters = pytest.mark.parametrize("quarter", QUARTERS, ids=lambda quarter: quarter.file)
FILES = sorted(path.name for path in PUBLIC.glob("*.yaml"))


def reckoned(quarter: Quarter) -> dict[str, Decimal]:
    """Figures and the names of a quarter's file."""
    values = dict(VALUES)
    for name, formula in names((PUBLIC / quarter.file).read_text()).items():
        values[name] = evaluate(formula, values)[0]
    return values


def of(quarter: Quarter, measure: str) -> Forecast | None:
    return next((one for one in FOUND[quarter.file] if one.measure == measure), None)


def days(first: date, months: int) -> int:
    return (months_later(first, months) - first).days


def near(value: Decimal, expected: Decimal, share: str = "0.0001") -> bool:
    return abs(value - expected) <= abs(expected) * Decimal(share)


@quarters
def test_revenue_follows_power_by_the_hour(quarter: Quarter) -> None:
    values = reckoned(quarter)
    before = months_later(quarter.first, -3)
    grown = values["power_now"] / values["power_before"]
    hours = Decimal(days(quarter.first, 3)) / days(before, 3)
    found = of(quarter, "revenue")
    assert found is not None
    assert near(found.forecast, values["revenue"] * grown * hours)


@quarters
def test_depreciation_follows_power(quarter: Quarter) -> None:
    found = of(quarter, "depreciation")
    if not quarter.depreciation:
        assert found is None
        return
    values = reckoned(quarter)
    worn = evaluate(quarter.depreciation, VALUES)[0]
    assert found is not None
    assert near(found.forecast, worn * values["power_now"] / values["power_before"])


@quarters
def test_ebitda_is_revenue_less_what_grows_and_what_stays(quarter: Quarter) -> None:
    found, revenue = of(quarter, "ebitda"), of(quarter, "revenue")
    if not quarter.ebitda:
        assert found is None
        return
    values = reckoned(quarter)
    grows = values["running"] * values["power_now"] / values["power_before"]
    stays = values["revenue"] - values["ebitda"] - values["running"]
    assert found is not None
    assert revenue is not None
    assert near(found.forecast, revenue.forecast - grows - stays)


@quarters
def test_interest_lies_between_no_draw_and_all_drawn_at_once(quarter: Quarter) -> None:
    found = of(quarter, "interest")
    if not quarter.owed:
        assert found is None
        return
    assert found is not None
    values = reckoned(quarter)
    least = most = Decimal(0)
    for one in quarter.owed:
        owed = evaluate(one.principal, values)[0]
        rate = evaluate(one.rate, values)[0] / 100
        begins = 0 if one.first_day is None else (one.first_day - quarter.first).days
        share = Decimal(days(quarter.first, 3) - begins) / 365
        most += owed * rate * share * Decimal("1.02")  # 30/360 and a leap year at most
        # A tenth may be repaid within the quarter: straight repayment over 2.5 years or more.
        least += owed * rate * share * Decimal("0.88")
    drawn = values["capex"] + sum(evaluate(one.principal, values)[0] for one in quarter.owed) / 10
    most += drawn * evaluate(quarter.new_rate, values)[0] / 100 / 4 * Decimal("1.02")
    assert least < found.forecast < most


@quarters
def test_the_model_says_more_than_that_nothing_changes(quarter: Quarter) -> None:
    found = of(quarter, "revenue")
    assert found is not None
    assert found.error is not None, "revenue was published for each quarter that is forecast"
    assert found.unchanged_error is not None
    assert abs(found.error) < abs(found.unchanged_error)


def test_three_measures_of_a_company_were_judged() -> None:
    judged = {
        (one.quarter.name, one.measure)
        for found in FOUND.values()
        for one in found
        if one.quarter.company == "CoreWeave" and one.error is not None
    }
    for name in ("Q2 2025", "Q3 2025"):
        assert {(name, m) for m in ("revenue", "interest", "depreciation")} <= judged


@quarters
def test_the_backlog_is_the_published_one(quarter: Quarter) -> None:
    if not quarter.backlog:
        return
    catalog = load_catalog()
    inputs = inputs_of(load_cloud(PUBLIC / quarter.file, catalog), catalog)
    left = backlog_of(inputs).firm[0] + sum(contract.earned[0] for contract in inputs.contracts)
    assert near(Decimal(left).scaleb(-18), evaluate(quarter.backlog, VALUES)[0])


@pytest.mark.parametrize("name", FILES)
def test_the_statements_balance_to_zero(name: str) -> None:
    outcome = outcome_of(PUBLIC / name)
    checks = outcome.checks
    lines = (checks.balance, checks.cash, checks.debt, checks.prepaid, checks.retained)
    assert all(value == 0 for line in lines for value in line)
    assert outcome.short_from == outcome.months.count, "a bill could not be paid"


def test_property_that_depreciation_stands_for_is_near_what_the_filing_says() -> None:
    """Nothing of the file is taken from that figure of the filing."""
    assert "cw_infra_h1" not in (PUBLIC / "coreweave-like.yaml").read_text()
    (quarter,) = [one for one in QUARTERS if one.file == "coreweave-like.yaml"]
    values = reckoned(quarter)
    implied = values["power_now"] * values["cost_mw"]
    assert near(implied, values["cw_infra_h1"], "0.05")


def test_a_third_of_the_cover_is_a_prepayment() -> None:
    """By hand, in years of 365 days: EBITDA less a fifth of revenue over four equal payments."""
    value = float(VALUES["ir_tcv"] / VALUES["ir_term"])
    loan = float(VALUES["ir_ddtl"])
    earned = value * float(VALUES["ir_ebm"]) / 100
    paid_before = value * float(VALUES["ir_prepct"]) / 100

    def service(rate: float) -> float:
        """Of a year: an annuity of twenty quarters."""
        quarter = rate / 4
        return 4 * loan * quarter / (1 - (1 + quarter) ** -20)

    expected = (
        earned / service(0.06),
        (earned - paid_before) / service(0.06),
        (earned - paid_before) / service(0.08),
    )
    found = [one.first_year for one in anchors()]
    assert found == pytest.approx(expected, rel=5e-4)
    assert [round(one, 2) for one in found] == [1.97, 1.50, 1.43]
    assert found[0] / found[1] == pytest.approx(1.31, abs=0.01)


def test_the_page_shows_what_the_tools_give() -> None:
    text = PAGE.read_text()
    assert placed(text, tables(FIGURES)) == text, "run python tools/public/public_page.py"


def test_a_page_without_its_marks_is_told() -> None:
    with pytest.raises(ValueError, match="no marks for errors"):
        placed("# a page\n", {"errors": "| a |\n"})
