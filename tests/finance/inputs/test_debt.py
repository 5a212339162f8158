"""Facilities, assets and the opening balance, by hand."""

from __future__ import annotations

import re
from datetime import date
from fractions import Fraction

import pytest

from neocloud.finance.facility import Flow
from neocloud.finance.records import Inputs

from .clouds import COMPANY, asset, facility, made, money

HEAD = f"""{COMPANY}contracts:
  - {{name: good, tenant: lab, accelerators: 30, price: 1, start: 2028-01-01, term_months: 12}}
  - {{name: bad, tenant: other, accelerators: 10, price: 1, start: 2028-01-01, term_months: 24}}
finance:
  start: 2028-01-01
  months: 24
"""


def company(finance: str) -> Inputs:
    return made(HEAD + finance)


def debt(terms: str, more: str = "") -> str:
    return f"""\
  assets: [{{name: nodes, kind: accelerators, price: 9000, in_service: 2028-03-01}}]
  base_rates: [{{name: sofr, rates: [{{date: 2028-01-01, rate: 0.04}},
    {{date: 2028-02-16, rate: 0.03}}, {{date: 2028-05-01, rate: 0.02}}]}}]
  debt:
    - {{name: loan, margin: 0.02, maturity: 2031-01-01, {terms}}}
{more}"""


def test_a_curve_by_month() -> None:
    """February 2028 has 29 days: 15 at 4 %, 14 at 3 %."""
    terms = "kind: term_loan, start: 2028-01-01, commitment: 500"
    found = facility(company(debt(f"{terms}, base_rate: sofr, hedged_share: 0.25")), "loan")
    assert found.base_rate[:5] == (
        Fraction(4, 100), Fraction(15 * 4 + 14 * 3, 2900), Fraction(3, 100), Fraction(3, 100),
        Fraction(2, 100),
    )  # fmt: skip
    assert (len(found.base_rate), found.base_rate[23]) == (24, Fraction(2, 100))
    assert (found.floating_share, found.day_count) == (Fraction(3, 4), "actual/360")
    fixed = facility(company(debt(f"{terms}, base_rate: sofr, interest: fixed")), "loan")
    assert (fixed.base_rate, fixed.floating_share) == ((Fraction(4, 100),), 0)
    plain = facility(company(debt(f"{terms}, base_rate: 0.05")), "loan")
    assert (plain.base_rate, plain.floating_share) == ((Fraction(5, 100),), 1)


def test_a_margin_follows_the_credit_behind_it() -> None:
    """Three quarters of the first month's remainder are of credit A, then ever less; at last BB."""
    terms = (
        "kind: term_loan, start: 2028-01-01, commitment: 500, contracts: [good, bad], "
        "margin_by_credit: {A: 0.02, BB: 0.06}"
    )
    found = facility(company(debt(terms)), "loan")
    good, bad = 30 * 366, 10 * (366 + 365)
    assert float(found.margin[0]) == pytest.approx((0.02 * good + 0.06 * bad) / (good + bad), 1e-9)
    assert list(found.margin[:12]) == sorted(found.margin[:12])
    assert found.margin[12] == found.margin[23] == Fraction(6, 100)
    other = facility(company(debt(terms.replace(", BB: 0.06", ""))), "loan")
    assert other.margin[12] == Fraction(2, 100), "a class that is left out has the margin"


DRAWN = """\
kind: delayed_draw, start: 2027-12-15, available_until: 2028-06-01,
       draws: [{date: 2027-12-20, amount: 80}, {date: 2028-02-03, amount: 90}]"""


@pytest.mark.parametrize(
    ("terms", "opening", "draws"),
    [
        (
            "kind: term_loan, start: 2028-01-15",
            0,
            (Flow(day=date(2028, 1, 15), amount=money(500)),),
        ),
        ("kind: term_loan, start: 2027-12-15", money(500), ()),
        ("kind: term_loan, start: 2027-12-15, outstanding: 320", money(320), ()),
        ("kind: revolver, start: 2027-12-15", 0, ()),
        ("kind: delayed_draw, start: 2027-12-15, collateral: [nodes]", 0, None),
        ("kind: delayed_draw, start: 2027-12-15, outstanding: 10", money(10), ()),
        (
            DRAWN,
            money(80),
            (Flow(day=date(2028, 2, 3), amount=money(90)),),
        ),
    ],
)
def test_what_was_drawn_before_and_what_is_still_drawn(
    terms: str, opening: int, draws: tuple[Flow, ...] | None
) -> None:
    found = facility(company(debt(f"{terms}, commitment: 500")), "loan")
    assert (found.opening, found.draws, found.commitment) == (opening, draws, money(500))


def test_what_matured_before_the_first_month_is_owed_no_more() -> None:
    text = debt("kind: term_loan, start: 2027-01-15, commitment: 500")
    days = re.findall(r"maturity: ([0-9-]+)", text)
    assert facility(company(text), "loan").opening == money(500)
    for day in ("2027-12-31", "2028-01-01"):
        assert facility(company(text.replace(days[0], day)), "loan").opening == 0
    assert facility(company(text.replace(days[0], "2028-01-02")), "loan").opening == money(500)


def test_terms_become_months() -> None:
    terms = (
        "kind: convertible, start: 2027-11-20, commitment: 400, currency: EUR, grace_months: 6, "
        "conversion: {date: 2029-06-01, share: 0.25}, covenants: {min_dscr: 1.3, min_liquidity: 8}"
    )
    found = facility(company(debt(terms)), "loan")
    assert (found.first_repayment, found.period_months, found.amortisation) == (4, 6, "bullet")
    assert (found.commitment, found.opening) == (money(500), money(500))
    assert found.conversion is not None
    assert (found.conversion.day, found.conversion.share) == (date(2029, 6, 1), Fraction(1, 4))
    assert (found.covenants.min_dscr, found.covenants.max_ltv) == (Fraction(13, 10), None)
    assert found.covenants.min_liquidity == money(10)


ASSETS = """\
  assets:
    - {name: old, kind: accelerators, price: 1200, currency: EUR, in_service: 2027-07-10,
       life_years: 5, residual_share: 0.1, accelerator: h100-sxm, accelerators: 8}
    - {name: next, kind: cooling, price: 100, in_service: 2028-03-31, life_years: 10, megawatts: 2,
       ordered: 2027-01-01, price_change_per_year: 0.21,
       payments: [{months_before_service: 0, share: 0.5}, {months_before_service: 4, share: 0.3},
                  {months_before_service: 1, share: 0.2}]}
    - {name: ground, kind: land, price: 70, in_service: 2029-12-01}
    - {name: far, kind: shell, price: 30, in_service: 2030-12-01}
  opening: {property_cost: 600, property_net: 250, property_months: 25, receivables: 11,
            payables: 12, tax_losses: 13, paid_in: 14}
  opening_cash: 15
  equity: [{date: 2027-05-01, amount: 5}, {date: 2028-05-01, amount: 6}]
  dividend_share: 0.5
  dividends_from: 2028-07-01
"""


def test_assets_from_before_are_paid_and_worn() -> None:
    """1,500 less a tenth over 60 months: six of them before January."""
    inputs = company(ASSETS)
    old = asset(inputs, "old")
    assert (old.in_service, old.standing, old.payments) == (-6, True, ())
    assert (old.opening_cost, old.opening_depreciation) == (money(1500), money(135))
    assert (old.life_months, old.accelerators, old.megawatts) == (60, 8, Fraction(102, 10000))
    assert old.next_price[0] == money(1500) // 8
    before = asset(inputs, "opening/property")
    assert (before.opening_cost, before.opening_depreciation) == (money(600), money(350))
    left = before.life_months - max(0, -before.in_service)
    assert left == 25


def test_assets_are_paid_on_their_days() -> None:
    """Four months before 31 March is 30 November, before the first month; one is 29 February."""
    found = asset(company(ASSETS), "next")
    assert (found.in_service, found.standing, found.ordered) == (2, False, -12)
    assert found.opening_cost == money(30)
    assert found.payments == (
        Flow(day=date(2028, 2, 29), amount=money(20)),
        Flow(day=date(2028, 3, 31), amount=money(50)),
    )
    assert (found.next_unit, found.megawatts) == ("a megawatt", 2)
    assert found.next_price[12] == pytest.approx(money(50) * 1.21**2, rel=1e-12)


def test_land_is_never_worn_and_what_is_far_is_not_paid() -> None:
    inputs = company(ASSETS)
    assert asset(inputs, "ground").life_months == 0
    far = asset(inputs, "far")
    assert (far.payments, far.in_service) == ((), 35)


def test_shares_of_a_price_leave_no_rest() -> None:
    third = (
        "{months_before_service: 2, share: 0.333333}, {months_before_service: 1, share: 0.333333}"
    )
    inputs = company(f"""\
  assets:
    - {{name: odd, kind: other, price: 0.00000000001, in_service: 2028-06-01,
       payments: [{third}, {{months_before_service: 0, share: 0.333334}}]}}
""")
    assert [flow.amount for flow in asset(inputs, "odd").payments] == [3, 4, 3]


def test_the_opening_balance_and_policies() -> None:
    inputs = company(ASSETS)
    opening, policies = inputs.opening, inputs.policies
    assert (opening.cash, opening.receivables, opening.payables) == (
        money(15),
        money(11),
        money(12),
    )
    assert (opening.paid_in, opening.tax_losses) == (money(19), money(13))
    assert inputs.equity == (Flow(day=date(2028, 5, 1), amount=money(6)),)
    assert (policies.distribution_share, policies.distributions_from) == (Fraction(1, 2), 6)
    assert policies.discount_rate == Fraction(1, 10)
