"""Contracts by month, by hand: calendars, price steps, prepayments, waiting for assets."""

from __future__ import annotations

from fractions import Fraction

import pytest

from neocloud.finance.inputs import backlog_of, expected, inputs_of
from neocloud.spec import parse_cloud

from .clouds import CATALOG, COMPANY, contract, made, money, read

FINANCE = "finance: {start: 2028-01-01, months: 12}\n"


def sold(terms: str, finance: str = FINANCE) -> str:
    return f"{COMPANY}contracts:\n  - {{name: a, tenant: lab, {terms}}}\n{finance}"


TEN = "accelerators: 10, price: 2"


def test_hours_are_those_of_the_days() -> None:
    """Ten accelerators at 2 from 10 January 2028: 22 days, a leap February, a whole March."""
    found = contract(made(sold(f"{TEN}, start: 2028-01-10, term_months: 3")), "a")
    assert found.hours[:5] == (10 * 24 * 22, 10 * 24 * 29, 10 * 24 * 31, 10 * 24 * 9, 0)
    assert found.earned[:5] == tuple(money(2 * hours) for hours in found.hours[:5])
    assert found.committed == found.earned, "reservations are paid whole"
    assert (found.first, found.last, found.signed) == (0, 3, 0)
    assert found.accelerators[:5] == (10, 10, 10, 10, 0)
    assert (found.customer, found.credit, found.lab) == ("lab", "A", "lab")


@pytest.mark.parametrize(
    ("start", "days"),
    [
        ("2028-01-31", (1, 28, 0)),  # a month later is 29 February, the last day, not in the term
        ("2028-01-01", (31, 0, 0)),
        ("2027-12-31", (30, 0, 0)),  # to 31 January
        ("2028-02-29", (0, 1, 28)),
    ],
)
def test_a_term_ends_on_its_day_or_the_months_last(start: str, days: tuple[int, ...]) -> None:
    found = contract(made(sold(f"{TEN}, start: {start}, term_months: 1")), "a")
    assert tuple(hours / 240 for hours in found.hours[:3]) == days


def test_a_price_changes_within_a_month() -> None:
    """2 to 15 March, 1.5 from 16 March on: 15 and 16 days."""
    steps = "price_steps: [{date: 2028-03-16, price: 1.5}]"
    found = contract(made(sold(f"{TEN}, start: 2028-03-01, term_months: 2, {steps}")), "a")
    assert found.earned[2:4] == (money(240 * 30 + 240 * 24), money(240 * 45))
    assert found.price[2:4] == (money("1.5"), money("1.5"))
    assert found.price[1] == 0


def test_clock_changes_take_no_hour() -> None:
    """March has 31 days of 24 hours, whatever the clocks of a site's country do."""
    text = sold(f"{TEN}, start: 2028-03-01, term_months: 12")
    found = contract(made(text), "a")
    assert (found.hours[2], found.hours[9]) == (7440, 7440)


def test_what_is_committed_and_what_is_expected() -> None:
    terms = "start: 2028-01-01, term_months: 1, take_or_pay: 0.4"
    careful = contract(made(sold(f"{TEN}, {terms}")), "a")
    assert careful.earned[0] == careful.committed[0] == money("0.4") * 240 * 62
    used = contract(made(sold(f"{TEN}, {terms}, expected_use: 0.9")), "a")
    assert (used.earned[0], used.committed[0]) == (money("0.9") * 14880, money("0.4") * 14880)
    less = contract(made(sold(f"{TEN}, {terms}, expected_use: 0.1")), "a")
    assert less.earned == less.committed
    late = contract(made(sold(f"{TEN}, {terms}, expected_delivery: 0.5")), "a")
    assert late.committed[0] == money("0.2") * 14880
    assert late.hours[0] == 3720


def test_money_of_other_countries_is_changed_once() -> None:
    text = sold("accelerators: 1, price: 0.0000000001, currency: EUR, start: 2028-01-01, "
                "term_months: 1")  # fmt: skip
    found = contract(made(text), "a")
    assert found.earned[0] == 744 * 125
    assert found.price[0] == 125


PROVISIONED = (
    "kind: provisioned, model: small, tokens_per_s: 1000, price: 0.08, start: 2028-02-01, "
    "term_months: 1"
)


def test_a_rate_of_tokens() -> None:
    """1,000 tokens a second for 29 days at 0.08 a million: 2505.6 million tokens."""
    models = """\
sites: {ashburn: {metro: washington}}
models:
  small: {config: meta-llama/Meta-Llama-3.1-8B, objective: {ttft_ms: 1000, tpot_ms: 40},
          price_per_mtok: {input: 0.20, output: 0.60}}
"""
    found = contract(made(sold(PROVISIONED) + models), "a")
    assert found.earned[1] == money("0.08") * 25056 // 10
    assert (found.hours[1], found.accelerators[1], found.price[1]) == (0, 0, money("0.08"))
    assert (found.model, found.lab, found.purpose) == ("small", "meta-llama", "inference")


def test_prepayments_come_on_their_day_and_are_credited_evenly() -> None:
    """A fifth of 10 x 24 x 366 days x 2 on 15 January, credited day by day from 1 March on."""
    paid = "prepayments: [{date: 2028-01-15, share: 0.2}]"
    text = sold(f"{TEN}, start: 2028-03-01, term_months: 12, {paid}", FINANCE.replace("12", "24"))
    found = contract(made(text), "a")
    total = money(480) * 365 // 5
    assert found.received[0] == total == sum(found.received)
    assert sum(found.released) == total
    assert found.released[:4] == (0, 0, total * 31 // 365, total * 30 // 365)
    assert found.opening_prepaid == 0


def test_what_was_paid_before_the_first_month_is_owed() -> None:
    """Half of the term of 731 days from 2027 on is 365 days; the rest is credited in 2028."""
    paid = "prepayments: [{date: 2026-12-01, amount: 7310}]"
    found = contract(made(sold(f"{TEN}, start: 2027-01-01, term_months: 24, {paid}")), "a")
    assert found.opening_prepaid == money(3660)
    assert found.released[:2] == (money(310), money(290))
    assert sum(found.released) == money(3660)
    assert not any(found.received)


def test_no_more_is_credited_than_is_earned() -> None:
    """All is paid ahead and the first months are cheap: the rest is credited once it can be."""
    steps = (
        "price_steps: [{date: 2028-02-01, price: 20}], prepayments: [{date: 2028-01-01, share: 1}]"
    )
    found = contract(made(sold(f"{TEN}, start: 2028-01-01, term_months: 2, {steps}")), "a")
    assert found.released[:2] == found.earned[:2]
    assert sum(found.released) == sum(found.received)


WAITS = """\
finance:
  start: 2028-01-01
  months: 12
  assets:
    - {name: nodes, kind: accelerators, price: 900, in_service: 2028-02-01, needs: [hall]}
    - {name: hall, kind: shell, price: 100, in_service: 2028-03-20}
"""


def test_a_contract_waits_for_the_latest_of_its_assets() -> None:
    paid = "prepayments: [{date: 2028-01-15, amount: 600}]"
    steps = "price_steps: [{date: 2028-02-01, price: 1}]"
    terms = f"{TEN}, start: 2028-01-10, term_months: 2, requires: [nodes], {paid}, {steps}"
    found = contract(made(sold(terms, WAITS)), "a")
    assert found.requires == ("nodes", "hall")
    assert found.first == 2, "it begins on 20 March, and its term ends on 10 May as a whole"
    assert found.hours[:6] == (0, 0, 240 * 12, 240 * 30, 240 * 9, 0)
    assert found.earned[2:5] == (money(480 * 12), money(240 * 30), money(240 * 9))
    assert found.received[2] == money(600) == sum(found.released)
    ready = made(sold(f"{TEN}, start: 2028-03-25, term_months: 2, requires: [nodes]", WAITS))
    assert contract(ready, "a").hours[2] == 240 * 7


def test_no_power_means_no_delivery() -> None:
    text = sold(f"{TEN}, start: 2028-02-01, term_months: 2, requires: [nodes]", """\
finance:
  start: 2028-01-01
  months: 12
  assets:
    - {name: nodes, kind: accelerators, site: here, accelerator: h100-sxm, accelerators: 16,
       megawatts: 1, price: 900, in_service: 2028-02-01}
sites:
  here: {metro: dallas, pue: 1.25, power_ladder: [{date: 2028-01-01, active_mw: 1.2}]}
""")  # fmt: skip
    inputs = made(text)
    assert not any(contract(inputs, "a").earned)
    assert inputs.assets[0].in_service > inputs.months.count
    more = "power_ladder: [{date: 2028-01-01, active_mw: 1.2}, {date: 2028-04-15, active_mw: 1.25}]"
    powered = made(text.replace(text[text.index("power_ladder") : -2], more))
    assert powered.assets[0].in_service == 3
    assert contract(powered, "a").hours[3] == 240 * 16


def test_how_it_may_be_left() -> None:
    terms = "termination: {after_months: 2, notice_months: 1, fee_share: 0.5}"
    found = contract(made(sold(f"{TEN}, start: 2028-02-10, term_months: 9, {terms}")), "a")
    assert found.leaving is not None
    assert (found.leaving.earliest, found.leaving.notice_months) == (3, 1)
    assert found.leaving.fee_share == Fraction(1, 2)
    assert contract(made(sold(f"{TEN}, start: 2028-02-10, term_months: 9")), "a").leaving is None


PIPELINE = f"""\
{COMPANY}contracts:
  - {{name: signed, tenant: lab, {TEN}, start: 2028-03-01, term_months: 4, signed: 2028-02-10,
     extensions: [{{months: 2, probability: 0.5, price: 1}}, {{months: 1, probability: 0.5}}]}}
  - {{name: hoped, tenant: other, {TEN}, start: 2028-06-01, term_months: 1, probability: 0.25,
     signed: 2028-05-01}}
{FINANCE}"""


def test_pipeline_is_kept_apart() -> None:
    inputs = made(PIPELINE)
    weights = {c.key: (c.weight, c.probability) for c in inputs.contracts}
    assert weights == {
        "signed": (1, 1),
        "signed/extension-1": (0, Fraction(1, 2)),
        "signed/extension-2": (0, Fraction(1, 4)),
        "hoped": (0, Fraction(1, 4)),
    }
    assert [c.weight for c in expected(inputs).contracts] == [
        1, Fraction(1, 2), Fraction(1, 4), Fraction(1, 4),
    ]  # fmt: skip
    first, second = (contract(inputs, f"signed/extension-{n}") for n in (1, 2))
    assert (first.first, first.last, first.signed) == (6, 7, 5)
    assert (first.earned[6], second.earned[8]) == (money(240 * 31), money(240 * 30))


def test_bookings_and_backlog() -> None:
    """Signed in February for March to June: 31, 30, 31 and 30 days at 480."""
    inputs = made(PIPELINE)
    found = backlog_of(inputs)
    value = money(480 * 122)
    assert found.booked == (0, value, *(0,) * 10)
    assert found.firm[:7] == (
        0, value, money(480 * 91), money(480 * 61), money(480 * 30), 0, 0,
    )  # fmt: skip
    assert found.expected == found.firm
    assert found.annualised[1:5] == (
        value * 3,
        round(Fraction(money(480 * 91) * 12, 3)),
        money(480 * 61) * 6,
        money(480 * 30) * 12,
    )
    hoped = money(480 * 30) // 4
    options = money(240 * 62) // 2 + money(240 * 30) // 4
    assert found.pipeline[:9] == (
        *(hoped + options,) * 4, options, money(240 * 30) // 4, money(240 * 30) // 4, 0, 0,
    )  # fmt: skip


OWED = """\
finance:
  start: 2028-01-01
  months: 12
  opening: {contract_liabilities: 3000, contract_liability_months: 6}
"""


def test_money_owed_to_customers_is_shared_by_what_they_still_pay() -> None:
    text = f"""{COMPANY}contracts:
  - {{name: large, tenant: lab, accelerators: 20, price: 2, start: 2027-01-01, term_months: 24}}
  - {{name: small, tenant: lab, accelerators: 10, price: 2, start: 2027-01-01, term_months: 24}}
  - {{name: hoped, tenant: lab, accelerators: 10, price: 2, start: 2028-01-01, term_months: 12,
     probability: 0.5}}
{OWED}"""
    inputs = made(text)
    large, small, hoped = inputs.contracts
    assert (large.opening_prepaid, small.opening_prepaid) == (money(2000), money(1000))
    assert sum(large.released) == money(2000)
    assert [round(v / money(1)) for v in small.released[:7]] == [167] * 6 + [0]
    assert hoped.opening_prepaid == 0


def test_the_same_file_gives_the_same_inputs() -> None:
    cloud = read(PIPELINE)
    again = parse_cloud(PIPELINE, "other.yaml", CATALOG)
    assert inputs_of(cloud, CATALOG) == inputs_of(again, CATALOG)
