"""Do they come back: a table by hand from a real ledger of fourteen months."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.books.priced import book
from tests.finance.model.cases import company, money, sale

from neocloud.books.rating import rate
from neocloud.finance.arithmetic import Exact
from neocloud.finance.indicators import (
    Activity,
    Cohorts,
    Record,
    Sale,
    cohorts_of,
    metered_record,
    planned_record,
    rated_sales,
)
from neocloud.finance.model import run
from neocloud.finance.records import Merchant

from .ledgers import EVENTS, SPANS, metered, request, training

HALF = Fraction(1, 2)


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Cohorts:
    """Each request costs 10 cents a token in and nothing out, and training 1 USD an hour."""
    hours = "pricing: {accelerator_hours: [{accelerator: h100-sxm, price: 1}]}\n"
    prices = book("{input: 100000, cached_input: 0, output: 0}", hours)
    sales = rated_sales(rate(prices, EVENTS, SPANS).lines, {"USD": Fraction(1)})
    read = metered(tmp_path_factory.mktemp("ledger"), EVENTS, SPANS)
    return cohorts_of(metered_record(read), sales)


def test_a_cohort_is_who_trained_first_in_a_month(found: Cohorts):
    assert [(c.month, c.customers) for c in found.cohorts] == [
        ("2024-01", ("anna", "bert")),
        ("2024-03", ("carl",)),
    ]
    assert found.origin == "metered"


def test_who_still_buys_after_three_six_and_twelve_months(found: Cohorts):
    january, march = found.cohorts
    # April: both. July: anna pauses, bert's request had no answer. January 2025: anna is back.
    assert [january.still(after) for after in (3, 6, 12)] == [1, 0, HALF]
    # June: an hour before midnight is enough. September: a day. March 2025 is not over.
    assert [march.still(after) for after in (3, 6, 12)] == [1, 1, None]
    assert march.still_in_words(12) == "not known before the end of 2025-03"
    assert january.still_in_words(12) == "50 %"


def test_a_request_without_tokens_is_no_purchase(tmp_path):
    read = metered(tmp_path, EVENTS, SPANS)
    assert [t.month for t in read.tenants if t.tenant == "bert"] == [
        "2024-01",
        "2024-02",
        "2024-04",
    ]
    april = next(t for t in read.tenants if (t.tenant, t.month) == ("anna", "2024-04"))
    assert (april.requests, april.tokens, april.training) == (1, 1100, 0)


def test_tokens_and_revenue_of_a_cohort(found: Cohorts):
    january = found.cohorts[0]
    assert [age.tokens for age in january.ages[:5]] == [0, 1100, 1100, 2200, 0]
    # 8 accelerators for 48 hours of anna, 36 of bert, whose other 12 fall into February.
    hours = [8 * (48 + 36), 8 * 12, 0, 0, 0]
    paid = [0, 100, 100, 200, 0]
    assert [age.revenue for age in january.ages[:5]] == [
        money(h + p) for h, p in zip(hours, paid, strict=True)
    ]
    assert january.ages[3].retention == Fraction(200, 96 + 100)
    assert january.ages[0].retention is None
    assert january.ages[-1].month == "2025-02"


def test_of_all_who_began_so_long_ago(found: Cohorts):
    after_three = found.still[0]
    # In June anna and bert are old, neither buys; carl's is the third month, and he does.
    assert after_three.at("2024-06").value == Fraction(1, 3)
    assert after_three.at("2024-04").value == 1
    assert after_three.at("2024-03").value is None
    assert "began to train 3 months before" in after_three.at("2024-03").unknown
    change = after_three.at("2024-06")
    assert sum(part.value for part in change.parts) == change.change


def test_net_revenue_retention_of_a_year(found: Cohorts):
    # Who paid in January 2024: anna 384, dora 100, bert 288; in January 2025 anna alone, 100.
    assert found.retention.at("2025-01").value == Fraction(100, 384 + 100 + 288)
    assert found.retention.at("2024-06").unknown == "nothing is known of 2023-06"


def test_what_is_not_known_is_said(found: Cohorts):
    assert "Not over yet, so not counted: 2025-03." in found.notes
    assert "The ledger begins in 2024-01: anna, bert may have trained before." in found.notes


def test_without_revenue_it_says_so(tmp_path):
    found = cohorts_of(metered_record(metered(tmp_path, EVENTS, SPANS)), ())
    assert "Revenue: not known, no documents or rated use were given." in found.notes
    assert found.cohorts[0].ages[3].revenue is None
    assert found.cohorts[0].ages[3].retention is None
    assert found.retention.points == ()


def test_nobody_trains(tmp_path):
    events = (request("2024-01-05", "anna"), request("2024-05-05", "anna", number=1))
    found = cohorts_of(metered_record(metered(tmp_path, events, ())), ())
    assert found.cohorts == ()
    assert "No customer has reserved accelerators for training." in found.notes
    assert {point.value for point in found.still[0].points} == {None}


def test_a_ledger_of_a_few_days_knows_no_month(tmp_path):
    spans = (training("2024-01-15", "anna"),)
    found = cohorts_of(metered_record(metered(tmp_path, (), spans)), ())
    assert found.cohorts == ()
    assert "Not over yet, so not counted: 2024-01." in found.notes


def test_without_a_ledger_contracts_say_it():
    inputs = company(
        9,
        contracts=(
            sale(9, 0, key="train", customer="anna", earned=(money(5),) * 3 + (0,) * 6,
                 committed=(0,) * 9),
            sale(9, 0, key="serve", customer="anna", purpose="inference",
                 earned=(0,) * 3 + (money(10),) * 4 + (0,) * 2, committed=(0,) * 9),
            sale(9, money(1), key="maybe", customer="bert", weight=Fraction(0),
                 probability=HALF),
        ),
        merchant=(
            Merchant(key="m", source="tokens", customer="anna", earned=(0,) * 8 + (money(2),)),
        ),
    )  # fmt: skip
    outcome = run(inputs, Exact())
    sales = [Sale(month="2026-02", customer="anna", pico=5, origin="planned")]
    found = cohorts_of(planned_record(inputs, outcome), sales)
    (only,) = found.cohorts
    assert (only.month, only.customers) == ("2026-01", ("anna",))
    bought = ["2026-04", "2026-05", "2026-06", "2026-07", "2026-09"]
    assert [age.month for age in only.ages if age.share] == bought
    assert (only.still(3), only.still(6), only.still(12)) == (1, 1, None)
    assert {age.tokens for age in only.ages} == {None}
    assert "Tokens: not known, contracts do not say them." in found.notes


@dataclass(frozen=True)
class Life:
    """What a customer does, month by month."""

    trains: tuple[bool, ...]
    buys: tuple[bool, ...]


_MONTHS = tuple(f"2024-{month:02d}" for month in range(1, 13))
_YEAR = st.lists(st.booleans(), min_size=12, max_size=12).map(tuple)
_LIVES = st.dictionaries(st.sampled_from("abcd"), st.builds(Life, _YEAR, _YEAR))


@given(_LIVES)
def test_each_who_trains_is_in_one_cohort_whatever_the_order(lives: dict[str, Life]):
    activities = [
        Activity(month=month, customer=name, trains=life.trains[at], buys=life.buys[at], tokens=1)
        for name, life in lives.items()
        for at, month in enumerate(_MONTHS)
    ]
    found = cohorts_of(Record(origin="metered", months=_MONTHS, activities=tuple(activities)), ())
    turned = Record(origin="metered", months=_MONTHS, activities=tuple(reversed(activities)))
    assert cohorts_of(turned, ()) == found
    members = [name for cohort in found.cohorts for name in cohort.customers]
    assert sorted(members) == sorted(name for name, life in lives.items() if any(life.trains))
    for cohort in found.cohorts:
        for age in cohort.ages:
            at = _MONTHS.index(age.month)
            assert set(age.buying) == {n for n in cohort.customers if lives[n].buys[at]}
    for one in found.still:
        for before, after in pairwise(one.points):
            if after.change is not None:
                assert sum(part.value for part in after.parts) == after.value - before.value
