"""All indicators together: from a file alone, and with ledger and books beside it."""

from __future__ import annotations

import json
from datetime import date
from fractions import Fraction
from itertools import pairwise

from tests.finance.model.cases import company, loan, money, sale

from neocloud.finance.arithmetic import Exact
from neocloud.finance.indicators import Evidence, Sale, indicators_csv, plain, summary
from neocloud.finance.model import run
from neocloud.finance.records import Asset, Flow, Inputs, Merchant

from .ledgers import EVENTS, SPANS, metered


def case() -> Inputs:
    """Two customers, tokens for many, a loan and new capacity, from January 2025 on."""
    nodes = Asset(
        key="nodes", kind="accelerators", in_service=1, life_months=48, accelerators=10,
        megawatts=Fraction(1, 40), next_unit="an accelerator", next_price=(money(30_000),) * 6,
        payments=(Flow(day=date(2025, 2, 1), amount=money(300_000)),),
    )  # fmt: skip
    return company(
        6,
        first=date(2025, 1, 1),
        contracts=(
            sale(6, money(700), key="one", customer="anna", credit="A"),
            sale(6, money(200), key="two", customer="carl", credit="BB", purpose="inference"),
        ),
        merchant=(Merchant(key="t", source="tokens", earned=(money(100),) * 6, model="llama"),),
        assets=(nodes,),
        facilities=(
            loan(start=date(2025, 1, 1), maturity=date(2026, 1, 1), opening=money(1000),
                 contracts=("one",)),
        ),
    )  # fmt: skip


def test_the_file_alone():
    inputs = case()
    found = summary(inputs, run(inputs, Exact()))
    assert found.revenue.hhi.points[0].value == Fraction(53, 100)
    assert found.revenue.months[0].hhi_most == Fraction(54, 100)
    assert [whole.key for whole in found.cash] == ["cfads.loan"]
    assert found.cash[0].hhi.points[0].value == 1
    assert found.cohorts.origin == "planned"
    assert {p.origin for series in found.series() for p in series.points} == {"planned"}


def test_ledger_and_books_stand_before_the_file(tmp_path):
    inputs = case()
    sales = (Sale(month="2024-12", customer="anna", pico=money(5), origin="invoiced"),)
    evidence = Evidence(metered=metered(tmp_path, EVENTS, SPANS), sales=sales)
    found = summary(inputs, run(inputs, Exact()), evidence)
    assert found.cohorts.origin == "metered"
    assert found.revenue.hhi.points[0].month == "2024-12"
    assert [p.origin for p in found.revenue.hhi.points[:2]] == ["invoiced", "planned"]
    assert found.inference.of_used.points[0].month == "2024-01"
    assert found.inference.of_used.points[-1].origin == "planned"


def test_a_booked_month_without_sales_is_no_planned_one():
    inputs = case()
    evidence = Evidence(booked=frozenset({"2025-01"}))
    point = summary(inputs, run(inputs, Exact()), evidence).revenue.hhi.points[0]
    assert (point.value, point.unknown) == (None, "nothing was sold")


def test_series_have_names_of_their_own_and_changes_that_add_up(tmp_path):
    inputs = case()
    evidence = Evidence(metered=metered(tmp_path, EVENTS, SPANS))
    found = summary(inputs, run(inputs, Exact()), evidence)
    keys = [series.key for series in found.series()]
    assert len(set(keys)) == len(keys)
    for series in found.series():
        for before, after in pairwise(series.points):
            assert before.month < after.month
            assert bool(after.unknown) == (after.value is None), series.key
            if after.change is not None:
                assert sum(part.value for part in after.parts) == after.value - before.value


def test_it_is_ready_for_json_and_csv(tmp_path):
    inputs = case()
    evidence = Evidence(metered=metered(tmp_path, EVENTS, SPANS))
    found = summary(inputs, run(inputs, Exact()), evidence)
    back = json.loads(json.dumps(plain(found)))
    assert back["schema"] == "neocloud.indicators/1"
    assert back["revenue"]["hhi"]["points"][0]["value"] == 0.53
    assert back["revenue"]["months"][0]["whole"] == money(1000)
    rows = indicators_csv(found.series()).splitlines()
    assert rows[0] == "series,month,origin,unit,value,change,unknown"
    assert "diversification.revenue.hhi,2025-01,planned,of 1,0.53,," in rows
    assert len(rows) == 1 + sum(len(series.points) for series in found.series())
