"""Facilities, worked by hand; the arithmetic stands beside each case."""

from __future__ import annotations

from datetime import date
from fractions import Fraction

import numpy_financial as npf
import pytest

from neocloud.finance.arithmetic import Exact
from neocloud.finance.model import run
from neocloud.finance.outcome import FacilityLines
from neocloud.finance.records import (
    Asset,
    Conversion,
    Covenants,
    Facility,
    Flow,
    Inputs,
    Opening,
    Policies,
)
from neocloud.finance.shocks import Shocks

from .cases import company, loan, money, sale


def lines_of(facility: Facility, count: int = 12, **parts: object) -> FacilityLines:
    return run(company(count, facilities=(facility,), **parts), Exact()).facilities[0]


def units(pico: int) -> float:
    return pico / money(1)


def test_an_annuity_as_another_library_has_it() -> None:
    """A million at 1 % a month over 12 months: 1e6 * 0.01 / (1 - 1.01^-12) = 88 848.79 a month."""
    lines = lines_of(loan())
    assert [round(units(paid), 2) for paid in lines.service] == [88848.79] * 12
    periods = range(1, 13)
    interest = [-npf.ipmt(0.01, n, 12, 1_000_000) for n in periods]
    principal = [-npf.ppmt(0.01, n, 12, 1_000_000) for n in periods]
    assert [units(value) for value in lines.interest_paid] == pytest.approx(interest, rel=1e-12)
    assert [units(value) for value in lines.scheduled] == pytest.approx(principal, rel=1e-12)
    assert lines.closing[-1] == 0


def test_a_quarterly_annuity_compounds_by_quarter() -> None:
    """3 % a quarter, four quarters: 1e6 * 0.03 / (1 - 1.03^-4) = 269 027.05."""
    lines = lines_of(loan(period_months=3))
    assert [round(units(paid), 2) for paid in lines.service] == [0, 0, 269027.05] * 4
    assert list(lines.due) == [False, False, True] * 4
    assert -npf.pmt(0.03, 4, 1_000_000) == pytest.approx(units(lines.service[2]), rel=1e-12)


def test_equal_principal() -> None:
    """1e6 / 4 a quarter; interest 3 % of 1e6, 0.75e6, 0.5e6, 0.25e6."""
    lines = lines_of(loan(period_months=3, amortisation="straight"))
    assert [units(value) for value in lines.scheduled[2::3]] == [250_000] * 4
    assert [units(value) for value in lines.interest_paid[2::3]] == [30_000, 22_500, 15_000, 7_500]


def test_a_bond_pays_at_its_end() -> None:
    lines = lines_of(loan(kind="bond", period_months=6, amortisation="bullet"))
    assert [units(value) for value in lines.service] == [0] * 5 + [60_000] + [0] * 5 + [1_060_000]


def test_a_sculpted_loan_has_the_same_cover_in_every_year() -> None:
    """Cash of 132, 121, 133.1 in three years, at 10 %: 132/1.1 + 121/1.21 + 133.1/1.331 = 320.

    A loan of 240 has a DSCR of 320/240 = 4/3, so it pays 99, 90.75 and 99.825:
    interest 24, principal 75, owed 165; interest 16.5, principal 74.25, owed 90.75;
    interest 9.075, principal 90.75, owed 0.
    """
    earned = tuple(money({11: "132", 23: "121", 35: "133.1"}.get(month, 0)) for month in range(36))
    facility = loan(
        commitment=money(240),
        margin=(Fraction(1, 10),),
        maturity=date(2029, 1, 1),
        period_months=12,
        amortisation="sculpted",
        contracts=("sale",),
    )
    contract = sale(36, 0, earned=earned, committed=earned)
    lines = lines_of(facility, 36, contracts=(contract,))
    assert lines.scheduled[11::12] == (money(75), money("74.25"), money("90.75"))
    assert lines.service[11::12] == (money(99), money("90.75"), money("99.825"))


def test_a_sculpted_loan_to_a_given_cover_leaves_the_rest_to_the_end() -> None:
    """DSCR 1.6: 132/1.6 = 82.5, interest 24, principal 58.5, owed 181.5;
    121/1.6 = 75.625, interest 18.15, principal 57.475, owed 124.025, which is the last principal.
    """
    earned = tuple(money({11: 132, 23: 121, 35: 133}.get(month, 0)) for month in range(36))
    facility = loan(
        commitment=money(240),
        margin=(Fraction(1, 10),),
        maturity=date(2029, 1, 1),
        period_months=12,
        amortisation="sculpted",
        sculpted_dscr=Fraction(16, 10),
        contracts=("sale",),
    )
    contract = sale(36, 0, earned=earned, committed=earned)
    lines = lines_of(facility, 36, contracts=(contract,))
    assert lines.scheduled[11::12] == (money("58.5"), money("57.475"), money("124.025"))
    harsh = Shocks(delivered=(Fraction(1, 2),) * 36)
    inputs = company(36, facilities=(facility,), contracts=(contract,))
    assert run(inputs, Exact(), harsh).facilities[0].scheduled == lines.scheduled


def delayed(**parts: object) -> tuple[Facility, Asset]:
    """Half of an asset of 2000 that is paid on 16 January and 1 February; in service in March."""
    asset = Asset(
        key="gpu",
        kind="accelerators",
        in_service=2,
        life_months=10,
        payments=(
            Flow(day=date(2026, 1, 16), amount=money(1000)),
            Flow(day=date(2026, 2, 1), amount=money(1000)),
        ),
    )
    given = {
        "kind": "delayed_draw",
        "commitment": money(1200),
        "available_until": date(2026, 2, 28),
        "draws": None,
        "advance_rate": Fraction(1, 2),
        "base_rate": (Fraction(4, 100),),
        "floor": Fraction(5, 100),
        "floating_share": Fraction(1),
        "margin": (Fraction(5, 100),),
        "step_up": Fraction(2, 100),
        "commitment_fee": Fraction(1, 100),
        "day_count": "actual/360",
        "amortisation": "straight",
        "contracts": ("sale",),
        "collateral": ("gpu",),
        "maturity": date(2027, 1, 1),
    }
    return loan(**given | parts), asset


def test_a_delayed_draw_loan_with_step_up_and_sweep() -> None:
    """Floor 5 % + margin 5 % = 10 %, and 2 % more until it is in service in March.

    January: 500 from the 16th, 16 days: 500 * 0.12 * 16/360 = 8/3.
    February: 500 and 500 from the 1st, 28 days: 1000 * 0.12 * 28/360 = 28/3.
    March: 1000 * 0.10 * 31/360 = 155/18; principal 1000/10 = 100.
    Fee, 1 % of 1200 and not of what is drawn: January 1200 * 31/36000 - 500 * 16/36000 = 29200/36000;
    February (1200 - 500) * 28/36000 - 500 * 28/36000 = 5600/36000; none after availability ends.
    Sweep of half of what 400 leaves: (400 - 155/18 - 100) / 2.
    """  # noqa: E501
    facility, asset = delayed(sweep_share=Fraction(1, 2))
    earned = tuple(money(400) if month >= 2 else 0 for month in range(12))
    contract = sale(12, 0, first=2, earned=earned, committed=earned, requires=("gpu",))
    lines = lines_of(facility, assets=(asset,), contracts=(contract,))
    exact = [Fraction(8, 3), Fraction(28, 3), Fraction(155, 18)]
    assert [units(value) for value in lines.interest_paid[:3]] == pytest.approx(
        [float(value) for value in exact], rel=1e-12
    )
    assert [units(value) for value in lines.fee_paid[:3]] == pytest.approx(
        [29200 / 36000, 5600 / 36000, 0], rel=1e-12
    )
    assert lines.drawn[:3] == (money(500), money(500), 0)
    assert [units(value) for value in lines.scheduled[:3]] == [0, 0, 100]
    swept = (400 - exact[2] - 100) / 2
    assert units(lines.swept[2]) == pytest.approx(float(swept), rel=1e-12)
    # April: a ninth of what the sweep left.
    left = 900 - swept
    assert units(lines.scheduled[3]) == pytest.approx(float(left / 9), rel=1e-12)
    assert lines.closing[-1] == 0


def test_a_delay_makes_the_step_up_and_the_wait_for_principal_longer() -> None:
    facility, asset = delayed()
    inputs = company(12, facilities=(facility,), assets=(asset,), contracts=(sale(12, 0),))
    late = run(inputs, Exact(), Shocks(delay={"gpu": 3})).facilities[0]
    assert [float(rate) for rate in late.rate[:7]] == pytest.approx([0.12] * 5 + [0.10] * 2)
    assert [units(value) for value in late.scheduled[:7]] == pytest.approx([0] * 5 + [1000 / 7] * 2)


def test_lenders_that_shut_leave_the_draw_to_owners() -> None:
    facility, asset = delayed()
    inputs = company(12, facilities=(facility,), assets=(asset,), contracts=(sale(12, 0),))
    shut = Shocks(refinancing=(Fraction(1),) + (Fraction(0),) * 11)
    lines = run(inputs, Exact(), shut).facilities[0]
    assert lines.drawn[:3] == (money(500), 0, 0)


def test_interest_until_service_is_cost_of_the_asset() -> None:
    """8/3 + 28/3 = 12 are capitalised and worn off over the asset's ten months, 1.2 a month."""
    for policy in ("capitalised", "rolled_up"):
        facility, asset = delayed(construction_interest=policy, commitment_fee=Fraction(0))
        inputs = company(12, facilities=(facility,), assets=(asset,), contracts=(sale(12, 0),))
        outcome = run(inputs, Exact())
        assert units(sum(outcome.facilities[0].capitalised)) == pytest.approx(
            12 if policy == "capitalised" else 12 + 8 / 3 * 0.12 * 28 / 360
        )
        assert outcome.income.interest[:2] == (0, 0)
        added = sum(outcome.facilities[0].capitalised)
        assert units(outcome.balance.construction[1]) == pytest.approx(2000 + units(added))
        assert units(outcome.income.depreciation[5]) == pytest.approx(200 + units(added) / 10)
        paid = sum(outcome.cash.capitalised_interest)
        assert paid == (-added if policy == "capitalised" else 0)


def test_a_lease_begins_without_cash() -> None:
    """1200 at 1 % a month over 12: 106.62 a month; the right of use wears off by 100 a month."""
    facility = loan(kind="lease", commitment=money(1200), amortisation="annuity")
    inputs = company(12, facilities=(facility,))
    outcome = run(inputs, Exact())
    assert outcome.cash.drawn == (0,) * 12
    assert outcome.income.depreciation == (money(100),) * 12
    assert outcome.balance.right_of_use == tuple(money(1200 - 100 * n) for n in range(1, 13))
    payment = units(outcome.facilities[0].service[0])
    assert payment == pytest.approx(-npf.pmt(0.01, 12, 1200), rel=1e-12)
    # The first year's cost is more than its cash in the first month: 12 + 100 against 106.62.
    assert units(outcome.income.net[0]) == pytest.approx(-112)
    assert units(-outcome.cash.change[0]) == pytest.approx(payment)
    assert outcome.balance.leases[-1] == outcome.balance.debt[-1] == 0


def test_days_of_a_leap_year_and_of_month_ends() -> None:
    """36 000 at 10 % cost 10 a day of 360. February 2028 has 29 days; the first draw one of January.

    30/360 takes the 31st for the 30th: one day; then 30 days a month.
    """  # noqa: E501
    given = {
        "commitment": money(36_000),
        "start": date(2028, 1, 31),
        "maturity": date(2028, 6, 30),
        "margin": (Fraction(1, 10),),
        "amortisation": "bullet",
    }
    actual = lines_of(loan(**given, day_count="actual/360"), 6, first=date(2028, 1, 1))
    # To the 30th of June, which is not counted: 29 days of it.
    assert [units(value) for value in actual.interest] == [10, 290, 310, 300, 310, 290]
    thirty = lines_of(loan(**given, day_count="30/360"), 6, first=date(2028, 1, 1))
    assert [units(value) for value in thirty.interest] == [10, 300, 300, 300, 300, 300]
    year = loan(**given | {"commitment": money(36_500)}, day_count="actual/365")
    assert units(lines_of(year, 6, first=date(2028, 1, 1)).interest[1]) == 290
    assert thirty.due == (True,) * 6


def test_a_maturity_on_the_first_is_paid_on_the_day_before() -> None:
    early = lines_of(loan(maturity=date(2026, 7, 1)))
    assert early.closing[5] == 0
    assert early.due == (True,) * 6 + (False,) * 6
    middle = lines_of(loan(maturity=date(2026, 7, 16), day_count="actual/360"))
    assert middle.closing[5] > 0
    assert middle.closing[6] == 0
    # July's interest runs for 15 days.
    assert units(middle.interest[6]) == pytest.approx(units(middle.opening[6]) * 0.12 * 15 / 360)


def test_a_convertible_becomes_equity() -> None:
    """A quarter of a million turns in June; the rest carries 1 % a month and is paid at the end."""
    facility = loan(
        kind="convertible",
        amortisation="bullet",
        conversion=Conversion(day=date(2026, 6, 30), share=Fraction(1, 4)),
    )
    inputs = company(12, facilities=(facility,))
    outcome = run(inputs, Exact())
    lines = outcome.facilities[0]
    assert lines.converted[5] == money(250_000)
    assert outcome.balance.paid_in[5] - outcome.balance.paid_in[4] == money(250_000)
    assert units(lines.interest[6]) == 7500
    assert units(lines.scheduled[11]) == 750_000


def test_a_revolver_keeps_the_minimum_and_is_repaid_first() -> None:
    """Cash 100, minimum 50; 30 a month go out for three months, then 100 come in a month.

    End of January 70; February 40, so 10 are drawn; March 50 - 30 - interest 0.1: 30.1 are drawn;
    April 100 - 0.401 come, of which 40.1 repay.
    """
    from neocloud.finance.records import Cost

    earned = (0, 0, 0, *(money(100),) * 9)
    inputs = company(
        12,
        contracts=(sale(12, 0, earned=earned, committed=earned),),
        costs=(Cost(key="k", kind="staff", fixed=(money(30),) * 3 + (0,) * 9),),
        facilities=(loan(key="r", kind="revolver", commitment=money(1000)),),
        opening=Opening(cash=money(100), paid_in=money(100)),
        policies=Policies(minimum_cash=money(50)),
    )
    outcome = run(inputs, Exact())
    lines = outcome.facilities[0]
    assert lines.drawn[:4] == (0, money(10), money("30.1"), 0)
    assert lines.swept[:4] == (0, 0, 0, money("40.1"))
    assert lines.closing[3] == 0
    assert outcome.balance.cash[:4] == (
        money(70), money(50), money(50), money("109.499"),
    )  # fmt: skip


def test_what_cannot_be_paid_is_a_shortfall_and_its_month_is_told() -> None:
    """40 in cash, 88.8 to pay a month: short from the first; 1000 of equity in March make good."""
    inputs = company(
        12,
        facilities=(loan(commitment=money(1000), opening=money(1000)),),
        equity=(Flow(day=date(2026, 3, 10), amount=money(1000)),),
        opening=Opening(cash=money(40)),
    )
    outcome = run(inputs, Exact())
    payment = units(outcome.facilities[0].service[0])
    assert outcome.short_from == 0
    assert units(outcome.balance.shortfall[0]) == pytest.approx(payment - 40)
    assert units(outcome.balance.shortfall[1]) == pytest.approx(2 * payment - 40)
    assert outcome.balance.shortfall[2] == 0
    assert units(outcome.balance.cash[2]) == pytest.approx(1040 - 3 * payment)
    assert outcome.cash.shortfall[2] == -outcome.balance.shortfall[1]


def test_a_reserve_is_filled_pays_and_is_given_back() -> None:
    """Three months of 88 848.79 are put aside; when cash is gone they pay, and no shortfall is told.

    Cash 400 000 against payments of 88 848.79: one payment and 266 546.36 of reserve leave
    44 604.85. The second payment lacks 44 243.94, which the reserve gives; so with the third, whole.
    """  # noqa: E501
    inputs = company(
        12,
        facilities=(loan(dsra_months=3, opening=money(1_000_000)),),
        opening=Opening(cash=money(400_000)),
    )
    outcome = run(inputs, Exact())
    lines = outcome.facilities[0]
    payment = units(lines.service[0])
    assert units(lines.reserve[0]) == pytest.approx(3 * payment, rel=1e-9)
    assert units(outcome.balance.cash[0]) == pytest.approx(400_000 - 4 * payment)
    assert units(lines.reserve[1]) == pytest.approx(400_000 - 2 * payment)
    assert outcome.balance.cash[1] == 0
    assert units(lines.reserve[3]) == pytest.approx(400_000 - 4 * payment)
    assert outcome.short_from == 4
    rich = run(company(12, facilities=(loan(dsra_months=3),)), Exact()).facilities[0]
    # With three, two, one payments left the reserve is what they need, then nothing.
    ratio = [units(value) / payment for value in rich.reserve[8:]]
    assert ratio[0] == pytest.approx(3)
    assert ratio[1] == pytest.approx(2, abs=0.02)
    assert rich.reserve[11] == 0


def test_a_lock_up_stops_what_owners_are_paid() -> None:
    """Cash of 100 000 a month is 1.1255 times the payment: above a lock-up of 1.1, below 1.2."""

    def paid(level: Fraction) -> tuple[int, ...]:
        inputs = company(
            12,
            contracts=(sale(12, money(100_000)),),
            facilities=(loan(covenants=Covenants(lock_up_dscr=level)),),
            policies=Policies(distribution_share=Fraction(1)),
        )
        outcome = run(inputs, Exact())
        assert outcome.facilities[0].locked == (level > Fraction(11, 10),) * 12
        return outcome.cash.distributions

    free = paid(Fraction(11, 10))
    assert units(free[1]) == pytest.approx(-(100_000 - 88848.78867834167))
    assert paid(Fraction(12, 10)) == (0,) * 12


@pytest.mark.parametrize(
    ("parts", "told"),
    [
        ({"facilities": (loan(maturity=date(2025, 1, 1)),)}, "maturity is not after"),
        ({"facilities": (loan(collateral=("gone",)),)}, "gone, which is not there"),
        ({"facilities": (loan(), loan())}, "there twice: loan"),
        ({"facilities": (loan(period_months=5),)}, "every 5 months"),
        ({"contracts": (sale(11, 1),)}, "11 months where the model has 12"),
        (
            {"facilities": (loan(draws=(Flow(day=date(2026, 2, 1), amount=1),)),)},
            "when it may not be",
        ),
    ],
)
def test_inputs_that_contradict_themselves_are_refused(parts: dict[str, object], told: str) -> None:
    inputs: Inputs = company(12, **parts)
    with pytest.raises(ValueError, match=told):
        run(inputs, Exact())
