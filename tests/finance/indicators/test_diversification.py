"""Whom a whole depends on: by hand, and whatever the customers."""

from __future__ import annotations

from datetime import date
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.finance.model.cases import company, loan, money, sale

from neocloud.finance.arithmetic import Exact
from neocloud.finance.indicators import (
    Evidence,
    MonthOfStakes,
    Sale,
    Stake,
    concentration,
    dependence,
    directory_of,
    summary,
)
from neocloud.finance.indicators.dependences import backlog_dependence, cash_dependence
from neocloud.finance.model import run
from neocloud.finance.records import Cost, Inputs, Merchant


def month(*stakes: Stake, name: str = "2026-01") -> MonthOfStakes:
    return MonthOfStakes(month=name, origin="planned", stakes=stakes)


def stakes(**amounts: int) -> tuple[Stake, ...]:
    return tuple(Stake(customer=name, pico=pico) for name, pico in amounts.items())


def test_sixty_fifteen_and_a_rest_is_at_least_3825():
    found = concentration(month(*stakes(a=60, b=15), Stake(customer="", pico=25)))
    assert found.hhi == Fraction(3825, 10_000)
    assert found.hhi_most == Fraction(3825 + 625, 10_000)
    assert found.effective == Fraction(10_000, 3825)
    assert [(s.name, s.share) for s in found.customers] == [
        ("a", Fraction(3, 5)),
        ("b", Fraction(3, 20)),
    ]
    assert found.anchors == ("a", "b")
    assert found.unnamed == 25


def test_an_anchor_is_above_ten_per_cent():
    assert concentration(month(*stakes(a=10, b=11, c=79))).anchors == ("c", "b")


def test_the_largest_are_counted_together():
    found = dependence("x", "x", [month(*stakes(a=40, b=30, c=10, d=10, e=6, f=4))])
    assert [series.points[0].value for series in found.top] == [
        Fraction(40, 100),
        Fraction(80, 100),
        Fraction(96, 100),
    ]


def test_groups_are_of_the_whole():
    found = concentration(
        month(
            Stake(customer="a", pico=6, credit="AAA", model="llama", lab="meta"),
            Stake(customer="a", pico=2, credit="AAA", lab="a"),
            Stake(customer="b", pico=2, credit="BB", model="qwen", lab="alibaba"),
        )
    )
    assert [(s.name, s.share) for s in found.by_credit] == [
        ("AAA", Fraction(8, 10)),
        ("BB", Fraction(2, 10)),
    ]
    assert [s.name for s in found.by_model] == ["llama", "accelerators", "qwen"]
    assert [(s.name, s.pico) for s in found.by_lab] == [("meta", 6), ("a", 2), ("alibaba", 2)]


def test_who_got_more_back_than_charged_holds_nothing():
    found = concentration(month(*stakes(a=60, b=-10)))
    assert found.whole == 60
    assert [share.name for share in found.customers] == ["a"]


def test_what_is_not_there_is_told_in_words():
    nothing = concentration(month())
    assert (nothing.hhi, nothing.effective) == (None, None)
    assert nothing.unknown == "nobody holds anything of it"
    many = dependence("x", "x", [month(Stake(customer="", pico=5))])
    assert many.effective.points[0].value is None
    assert many.effective.points[0].unknown == "none of the customers is named"


HALF = Fraction(1, 2)
CUSTOMERS = st.dictionaries(st.sampled_from("abcdefgh"), st.integers(1, 10**15), min_size=1)


@given(CUSTOMERS, st.data())
def test_a_customer_in_two_lines_is_one_customer(amounts, data):
    name = data.draw(st.sampled_from(sorted(amounts)))
    cut = data.draw(st.integers(0, amounts[name]))
    rest = {other: pico for other, pico in amounts.items() if other != name}
    in_two = (*stakes(**rest), *stakes(**{name: cut}), *stakes(**{name: amounts[name] - cut}))
    assert concentration(month(*in_two)) == concentration(month(*stakes(**amounts)))


@given(CUSTOMERS, st.randoms(use_true_random=False))
def test_order_and_unit_change_nothing(amounts, chance):
    whole = stakes(**amounts)
    shuffled = list(whole)
    chance.shuffle(shuffled)
    assert concentration(month(*shuffled)) == concentration(month(*whole))
    dearer = concentration(month(*stakes(**{name: 7 * pico for name, pico in amounts.items()})))
    assert dearer.hhi == concentration(month(*whole)).hhi
    assert Fraction(1, len(amounts)) <= dearer.hhi <= 1
    assert 1 <= dearer.effective <= len(amounts)


@given(st.lists(CUSTOMERS, min_size=2, max_size=4))
def test_what_moved_each_series_adds_up(months):
    found = dependence(
        "x",
        "x",
        [month(*stakes(**m), name=f"2026-{at + 1:02d}") for at, m in enumerate(months)],
    )
    for series in (*found.top, found.hhi, found.effective):
        for before, after in zip(series.points, series.points[1:], strict=False):
            assert sum(part.value for part in after.parts) == after.value - before.value


def two_customers(**parts: object) -> Inputs:
    small = money(100)
    return company(
        4,
        contracts=(
            sale(4, money(300), key="one", customer="a", credit="AA", lab="maker"),
            sale(4, small, key="two", customer="b", committed=(small // 2,) * 4, signed=2),
            sale(4, small, key="maybe", customer="c", probability=HALF, weight=Fraction(0)),
        ),
        merchant=(Merchant(key="tokens", source="tokens", earned=(money(100),) * 4, model="m"),),
        **parts,
    )  # fmt: skip


def test_backlog_is_what_is_signed_and_paid_in_any_case():
    inputs = two_customers()
    found = backlog_dependence(inputs, run(inputs, Exact()), directory_of(inputs))
    held = [{s.name: s.pico for s in item.customers} for item in found.months]
    assert held == [
        {"a": money(900)},
        {"a": money(600)},
        {"a": money(300), "b": money(50)},
        {},
    ]
    assert found.hhi.points[2].value == Fraction(300**2 + 50**2, 350**2)
    assert found.hhi.points[3].unknown == "no signed contract has anything left"
    assert found.months[0].by_credit[0].name == "AA"
    assert found.months[0].by_lab[0].name == "maker"


def test_a_contract_that_goes_on_after_the_model_is_told():
    inputs = company(4, contracts=(sale(4, money(1), last=9),))
    found = backlog_dependence(inputs, run(inputs, Exact()), directory_of(inputs))
    assert found.notes == ("Only what falls within the model, of contracts that go on: sale.",)


def test_cash_of_a_facility_is_of_the_contracts_behind_it():
    cost = Cost(key="extra", kind="staff", fixed=(money(100),) * 4, contracts=("one",))
    debt = loan(contracts=("one", "two"), maturity=date(2026, 5, 1), commitment=money(10),
                opening=money(10))  # fmt: skip
    inputs = two_customers(costs=(cost,), facilities=(debt,))
    outcome = run(inputs, Exact())
    found = cash_dependence(inputs, outcome, debt, directory_of(inputs))
    assert {s.name: s.share for s in found.months[0].customers} == {
        "a": Fraction(2, 3),
        "b": Fraction(1, 3),
    }
    assert found.key == "cfads.loan"


def test_a_prepaid_month_brings_less_cash():
    inputs = company(
        2,
        contracts=(
            sale(2, money(100), key="one", customer="a", received=(money(50), 0),
                 released=(money(50), 0)),
            sale(2, money(100), key="two", customer="b"),
        ),
        facilities=(loan(opening=money(10), commitment=money(10), maturity=date(2026, 3, 1)),),
    )  # fmt: skip
    outcome = run(inputs, Exact())
    found = cash_dependence(inputs, outcome, inputs.facilities[0], directory_of(inputs))
    assert [s.share for s in found.months[0].customers] == [Fraction(2, 3), Fraction(1, 3)]
    assert [s.share for s in found.months[1].customers] == [Fraction(1, 2), Fraction(1, 2)]


def test_booked_months_stand_in_place_of_planned_ones():
    inputs = two_customers()
    booked = (Sale(month="2026-01", customer="z", pico=5, origin="invoiced"),)
    found = summary(inputs, run(inputs, Exact()), Evidence(sales=booked)).revenue
    assert [item.origin for item in found.months] == ["invoiced", *["planned"] * 3]
    assert [s.name for s in found.months[0].customers] == ["z"]
    assert found.months[1].unnamed == money(100)
    assert found.months[1].customers[0].share == Fraction(3, 5)
    assert {s.name for s in found.months[1].by_model} == {"accelerators", "m"}


def test_a_month_of_several_origins_tells_the_least_certain():
    inputs = two_customers()
    both = (
        Sale(month="2026-01", customer="z", pico=5, origin="invoiced"),
        Sale(month="2026-01", customer="y", pico=5, origin="rated"),
    )
    found = summary(inputs, run(inputs, Exact()), Evidence(sales=both)).revenue
    assert found.months[0].origin == "rated"


@pytest.mark.parametrize("count", [1, 2, 7])
def test_equal_customers_are_as_many_as_they_are(count: int):
    found = concentration(month(*(Stake(customer=f"c{n}", pico=3) for n in range(count))))
    assert found.effective == count
