"""A lender's pack: by hand to the last digit, and whatever the company."""

from __future__ import annotations

import csv
import io
import json
from datetime import date
from decimal import Decimal
from fractions import Fraction

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.finance.model.cases import company, loan, money, sale

from neocloud.finance.arithmetic import Exact
from neocloud.finance.lender import (
    LenderPack,
    Terms,
    borrowing_base_csv,
    certificate_csv,
    lender_pack,
    pack_text,
    summary,
    tape_csv,
)
from neocloud.finance.measures import covenant_tests, dscr_trailing
from neocloud.finance.model import run
from neocloud.finance.records import Asset, Contract, Covenants, Facility, Flow, Inputs

NODES = Asset(key="nodes", kind="accelerators", site="east", in_service=0, life_months=40,
              standing=True, opening_cost=money(1_000_000), accelerators=100,
              accelerator="h100-sxm", megawatts=Fraction(1, 4))  # fmt: skip
SHELL = Asset(key="shell", kind="shell", site="east", in_service=0, life_months=240,
              standing=True, opening_cost=money(240_000))  # fmt: skip
ONE = sale(12, money(50_000), key="one", customer="a", credit="A", accelerators=(60,) * 12,
           requires=("nodes",))  # fmt: skip
TWO = sale(12, money(20_000), key="two", customer="b", credit="BB", accelerators=(20,) * 12,
           requires=("nodes",))  # fmt: skip
DEBT = loan(opening=money(500_000), commitment=money(600_000), amortisation="bullet",
            kind="delayed_draw", draws=(),
            maturity=date(2027, 7, 1), collateral=("nodes", "shell"))  # fmt: skip


def case(**parts: object) -> Inputs:
    given: dict[str, object] = {
        "assets": (NODES, SHELL), "contracts": (ONE, TWO), "facilities": (DEBT,),
    }  # fmt: skip
    return company(12, **given | parts)


def pack_of(inputs: Inputs, month: str = "2026-01", **terms: object) -> LenderPack:
    facility = inputs.facilities[0].key
    return lender_pack(inputs, run(inputs, Exact()), facility, month, Terms(**terms))


def test_a_borrowing_base_by_hand():
    base = pack_of(case()).base
    # 1,000,000 * (0.32 + 0.68 * 0.974) after a month; the shell is worth its book value.
    rows = [(x.asset, x.credit, x.customers, x.value, x.available) for x in base.lines]
    assert rows == [
        ("nodes", "A", ("a",), Decimal(589392), Decimal("471513.6")),
        ("nodes", "BB", ("b",), Decimal(196464), Decimal("127701.6")),
        ("nodes", "", (), Decimal(196464), Decimal(0)),
        ("shell", "A", ("a",), Decimal(143400), Decimal(114720)),
        ("shell", "BB", ("b",), Decimal(47800), Decimal(31070)),
        ("shell", "", (), Decimal(47800), Decimal(0)),
    ]
    assert base.lines[2].reason == "under no contract"
    assert (base.value, base.eligible) == (Decimal(982_320 + 239_000), Decimal(977_056))
    assert base.base == Decimal("745005.2")
    assert (base.drawn, base.availability) == (Decimal(500_000), Decimal("245005.2"))
    # A hundred thousand of the commitment is left.
    assert (base.undrawn, base.can_be_drawn) == (Decimal(100_000), Decimal(100_000))
    assert base.loan_to_value == Decimal("0.409393")


def test_a_facility_that_lends_less_lends_less():
    low = replace(DEBT, advance_rate=Fraction(1, 2))
    base = pack_of(case(facilities=(low,))).base
    assert base.base == Decimal(977056) / 2
    assert base.availability == Decimal(-11472)
    assert base.can_be_drawn == 0
    # One that lends more goes by the credit of the customers all the same.
    high = replace(DEBT, advance_rate=Fraction(9, 10))
    assert pack_of(case(facilities=(high,))).base == pack_of(case()).base


def test_age_and_credit_can_make_collateral_ineligible():
    old = pack_of(case(), "2026-03", oldest_months=3).base
    assert {line.reason for line in old.lines} == {"3 months or older", "under no contract"}
    assert old.base == 0
    young = pack_of(case(), "2026-02", oldest_months=3).base
    assert young.base > 0
    unknown = pack_of(case(contracts=(replace(ONE, credit="C"),))).base
    assert unknown.lines[0].reason == "nothing is lent on credit C"


def test_what_is_drawn_on_the_same_assets_counts():
    second = replace(DEBT, key="second", opening=money(300_000))
    base = pack_of(case(facilities=(DEBT, second))).base
    assert base.drawn_by_others == Decimal(300_000)
    assert base.availability == Decimal("-54994.8")


def test_after_the_last_day_nothing_can_be_drawn():
    until = replace(DEBT, available_until=date(2026, 2, 28))
    inputs = case(facilities=(until,))
    assert pack_of(inputs, "2026-01").base.undrawn == Decimal(100_000)
    assert pack_of(inputs, "2026-02").base.undrawn == 0
    longer = case(facilities=(replace(DEBT, available_until=date(2026, 3, 1)),))
    assert pack_of(longer, "2026-02").base.undrawn == Decimal(100_000)


def test_a_contract_that_ended_or_is_not_signed_holds_nothing():
    ended = replace(ONE, last=1, accelerators=(60, 60, *(0,) * 10))
    later = replace(TWO, signed=3)
    maybe = replace(TWO, key="maybe", probability=Fraction(1, 2), weight=Fraction(0))
    inputs = case(contracts=(ended, later, maybe))
    held = [pack_of(inputs, f"2026-{m:02d}").tape[0].contracts for m in (1, 2, 3, 4)]
    assert held == [("one",), ("one",), (), ("two",)]


def test_without_accelerators_contracts_that_run_have_equal_shares():
    ended = replace(ONE, last=1, accelerators=(60, 60, *(0,) * 10))
    debt = replace(DEBT, collateral=("shell",))
    inputs = case(contracts=(ended, TWO), facilities=(debt,))
    assert [pack_of(inputs, f"2026-0{m}").tape[0].contracts for m in (2, 3)] == [
        ("one", "two"),
        ("two",),
    ]
    assert [line.value for line in pack_of(inputs).base.lines] == [Decimal(119_500)] * 2


def test_what_stands_beside_accelerators_serves_what_they_serve():
    west = replace(NODES, key="more", site="west")
    hall = replace(SHELL, key="hall", site="west")
    far = replace(SHELL, key="line", site=None)
    inputs = case(
        assets=(NODES, SHELL, west, hall, far),
        contracts=(ONE, replace(TWO, requires=("more",))),
        facilities=(replace(DEBT, collateral=("nodes", "shell", "more", "hall", "line")),),
    )
    held = {line.asset: (line.contracts, line.contracted) for line in pack_of(inputs).tape}
    assert held["shell"] == (("one",), Decimal("0.6"))
    assert held["hall"] == (("two",), Decimal("0.2"))
    assert held["line"] == (("one", "two"), Decimal("0.4"))


def test_what_a_contract_requires_serves_it_alone():
    inputs = case(contracts=(replace(ONE, requires=("nodes", "shell")), TWO))
    assert pack_of(inputs).tape[1].contracts == ("one",)


def test_one_contract_over_two_assets_lies_in_both():
    more = replace(NODES, key="more", accelerators=300, site="west")
    wide = replace(ONE, requires=("nodes", "more"), accelerators=(200,) * 12)
    debt = replace(DEBT, collateral=("nodes", "more", "shell"))
    tape = pack_of(case(assets=(NODES, more, SHELL), contracts=(wide,), facilities=(debt,))).tape
    # Half of each; the shell stands beside the nodes of its own site.
    assert [line.contracted for line in tape] == [Decimal("0.5")] * 3


def test_more_than_there_is_cannot_be_held():
    both = (replace(ONE, accelerators=(150,) * 12), replace(TWO, accelerators=(50,) * 12))
    pack = pack_of(case(contracts=both))
    assert pack.tape[0].contracted == 1
    assert [line.value for line in pack.base.lines if line.asset == "nodes"] == [
        Decimal(736740),
        Decimal(245580),
    ]


def test_a_tape_by_hand():
    coming = replace(
        NODES, key="coming", standing=False, in_service=2, opening_cost=money(100),
        payments=(Flow(day=date(2026, 2, 10), amount=money(900)),),
    )  # fmt: skip
    inputs = case(
        assets=(NODES, coming), facilities=(replace(DEBT, collateral=("nodes", "coming")),)
    )
    first, second, third = (pack_of(inputs, f"2026-0{m}").tape[1] for m in (1, 2, 3))
    assert (first.status, first.cost, first.appraised) == ("in construction", 100, 100)
    assert (second.cost, second.age_months, second.in_service) == (1000, 0, "2026-03")
    assert (third.status, third.age_months) == ("in service", 1)
    assert third.appraised == Decimal("982.32")
    nodes = pack_of(inputs).tape[0]
    assert (nodes.cost, nodes.book) == (1_000_000, 975_000)
    assert (nodes.customers, nodes.credits) == (("a", "b"), ("A", "BB"))
    assert nodes.appraisal == "less 2.6 % a month, not below 32 % of cost"


def test_what_is_sold_is_gone():
    short = replace(NODES, life_months=2, residual_share=Fraction(1, 10))
    for asset in (short, replace(short, residual_share=Fraction(0))):
        inputs = case(assets=(asset, SHELL))
        assert pack_of(inputs, "2026-02").tape[0].status == "in service"
        tape = pack_of(inputs, "2026-03").tape
        assert (tape[0].status, tape[0].appraised) == ("gone", 0)


DEMANDS = Covenants(min_dscr=Fraction(2), max_ltv=Fraction(1, 2), lock_up_dscr=Fraction(20),
                    min_liquidity=money(1_000))  # fmt: skip


def test_a_certificate_by_hand():
    # 70,000 a month, paid at once, over 5,000 of interest: 14.
    inputs = case(facilities=(replace(DEBT, covenants=DEMANDS),))
    lines = {line.measure: line for line in pack_of(inputs).certificate.lines}
    cover = lines["dscr"]
    assert (cover.level, cover.value, cover.headroom) == (2, 14, 6)
    assert (cover.result, cover.first_breach) == ("pass", "")
    assert "prepayments as credited to invoices" in cover.definition
    # Below the lock-up nothing is paid out, and that is no breach.
    locked = lines["lock_up"]
    assert (locked.result, locked.headroom, locked.first_breach) == (
        "lock-up",
        Decimal("-0.3"),
        "2026-01",
    )
    # 500,000 over 975,000 + 239,000 of book value; above a half once these are below a million.
    value = lines["ltv"]
    assert (value.value, value.result) == (Decimal("0.411862"), "pass")
    assert value.first_breach == "2026-10"
    assert pack_of(inputs, "2026-09").certificate.complies
    assert not pack_of(inputs, "2026-10").certificate.complies
    assert lines["liquidity"].level == 1000


def test_why_a_covenant_is_not_tested():
    quarterly = replace(DEBT, covenants=DEMANDS, period_months=3)
    inputs = case(facilities=(quarterly,))
    reasons = [pack_of(inputs, f"2026-{m:02d}").certificate.lines[0].reason for m in (1, 3)]
    assert reasons == ["no payment period ends in the month", ""]
    later = replace(quarterly, opening=0)
    line = pack_of(case(facilities=(later,))).certificate.lines[0]
    assert (line.result, line.reason) == ("not tested", "nothing is owed")


def test_leverage_without_earnings_is_a_breach_in_words():
    owing = replace(DEBT, opening=money(30_000_000), commitment=money(30_000_000),
                    covenants=Covenants(max_leverage=Fraction(5)))  # fmt: skip
    line = pack_of(case(contracts=(), facilities=(owing,))).certificate.lines[0]
    assert (line.result, line.value) == ("fail", None)
    assert line.reason == "EBITDA of the last twelve months is not above nothing"


def test_a_facility_without_collateral_or_demands_says_so():
    pack = pack_of(case(facilities=(replace(DEBT, collateral=()),)))
    assert pack.certificate.complies
    assert pack.certificate.note == "The facility demands nothing."
    assert pack.base.note.startswith("The facility names no collateral")
    assert pack.base.loan_to_value is None
    text = pack_text(pack)
    assert "names no collateral" in text
    assert "nothing to comply with" in text
    assert "availability" not in text


def test_what_no_collateral_limits_can_be_drawn_up_to_the_commitment():
    facility = replace(DEBT, kind="revolver", collateral=(), commitment=money(70_000_000),
                       opening=money(30_000_000), maturity=date(2040, 1, 1),
                       available_until=None, draws=())  # fmt: skip
    base = pack_of(case(facilities=(facility,))).base
    assert base.drawn + base.undrawn == 70_000_000
    assert base.undrawn > 0
    assert base.can_be_drawn == base.availability == base.undrawn


def test_unknown_names_are_refused():
    inputs = case()
    outcome = run(inputs, Exact())
    with pytest.raises(KeyError):
        lender_pack(inputs, outcome, "other", "2026-01")
    with pytest.raises(KeyError):
        lender_pack(inputs, outcome, "loan", "2025-12")


def test_all_packs_are_the_single_ones():
    inputs = case(facilities=(replace(DEBT, covenants=DEMANDS), replace(DEBT, key="second")))
    outcome = run(inputs, Exact())
    found = summary(inputs, outcome)
    assert len(found.packs) == 24
    assert found.pack("second", "2026-05") == lender_pack(inputs, outcome, "second", "2026-05")


def test_tables_hold_what_the_pack_holds():
    inputs = case(facilities=(replace(DEBT, covenants=DEMANDS),))
    packs = summary(inputs, run(inputs, Exact())).packs
    bases = list(csv.DictReader(io.StringIO(borrowing_base_csv(packs))))
    assert sum(Decimal(row["available"]) for row in bases) == sum(p.base.base for p in packs)
    tape = list(csv.DictReader(io.StringIO(tape_csv(packs))))
    assert tape[0]["customers"] == "a b"
    assert len(tape) == 24
    lines = list(csv.DictReader(io.StringIO(certificate_csv(packs))))
    assert [line["measure"] for line in lines[:4]] == ["dscr", "lock_up", "liquidity", "ltv"]
    back = msgspec.json.decode(msgspec.json.encode(packs[0]), type=LenderPack)
    assert back == packs[0]
    assert json.loads(msgspec.json.encode(packs[0]))["base"]["base"] == "745005.200000000000"
    text = pack_text(packs[9])
    assert "BREACH" in text
    assert "2026-10" in text.splitlines()[0]
    assert any("a (A), b (BB)" in line for line in text.splitlines())


SIZES = st.integers(0, 120)
CREDITS = st.sampled_from(["AAA", "BBB", "BB", "CCC", "unrated", "", "odd"])


@st.composite
def contracts(draw: st.DrawFn, key: str) -> Contract:
    size = draw(SIZES)
    return replace(
        ONE, key=key, customer=draw(st.sampled_from("xyz")), credit=draw(CREDITS),
        accelerators=(size,) * 12, requires=draw(st.sampled_from([(), ("nodes",)])),
    )  # fmt: skip


@given(st.lists(st.sampled_from("abc"), unique=True).flatmap(
    lambda keys: st.tuples(*(contracts(key) for key in keys))
), st.sampled_from(["2026-01", "2026-06", "2026-12"]))  # fmt: skip
def test_a_base_is_whole_and_never_above_its_value(signed, month):
    base = pack_of(case(contracts=signed), month).base
    assert sum(line.value for line in base.lines) == base.value
    assert sum(line.available for line in base.lines) == base.base
    assert 0 <= base.base <= base.eligible <= base.value
    assert base.availability == base.base - base.drawn
    assert all(line.value >= 0 for line in base.lines)


@given(st.integers(0, 60))
def test_a_contract_in_two_parts_changes_no_base(cut):
    parts = (
        replace(ONE, key="p", accelerators=(cut,) * 12),
        replace(ONE, key="q", accelerators=(60 - cut,) * 12),
    )
    assert pack_of(case(contracts=(*parts, TWO))).base == pack_of(case()).base


@given(st.fractions(Fraction(1, 2), 30, max_denominator=50))
def test_a_certificate_says_what_the_measures_say(level):
    debt: Facility = replace(DEBT, covenants=Covenants(min_dscr=level))
    inputs = case(facilities=(debt,))
    outcome = run(inputs, Exact())
    cover = dscr_trailing(Exact(), outcome.facilities[0], "credited")
    (test,) = covenant_tests(Exact(), inputs, outcome)
    for month, value in zip(inputs.months.labels, cover, strict=True):
        line = lender_pack(inputs, outcome, "loan", month).certificate.lines[0]
        assert (line.result == "pass") == (value >= level * (1 - Fraction(1, 10**9)))
        assert bool(line.first_breach) == (test.first_breach < 12)
