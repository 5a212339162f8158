"""What the finance part says beside what the model gave."""

from __future__ import annotations

import csv
import io
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neocloud.finance.board import (
    Document,
    FinanceReport,
    finance_csv,
    finance_text,
    indicator_csv,
    indicator_report,
    indicator_text,
    page_of,
)
from neocloud.finance.board.figures import GRAINS, scale_of, spans, total
from neocloud.finance.board.text import headline_figures, wrapped
from neocloud.finance.indicators import summary
from neocloud.units import PICO

from . import companies

IREN = "public/iren-microsoft.yaml"


@pytest.fixture(scope="module")
def report() -> FinanceReport:
    return companies.report_of(companies.company())


@pytest.fixture(scope="module")
def iren() -> FinanceReport:
    return companies.report_of(companies.example(IREN))


def test_sums_are_those_of_their_lines(report: FinanceReport) -> None:
    """Each sum of a statement from its parts, exactly, in each month."""
    income, cash, balance = report.income, report.cash, report.balance

    def of(statement, *keys: str) -> list[Decimal]:
        lines = [line.amounts for line in statement.lines if line.key in keys]
        return [total(values) for values in zip(*lines, strict=True)]

    costs = [line.key for line in income.lines if line.key.startswith("cost.")]
    assert of(income, "contracted", "tokens", "hours") == of(income, "revenue")
    assert of(income, *costs) == of(income, "operating_cost")
    sides = zip(of(income, "revenue"), of(income, "operating_cost"), strict=True)
    assert [total((a, -b)) for a, b in sides] == of(income, "ebitda")
    assert of(cash, "operating", "investing", "financing") == of(cash, "change")
    assert of(balance, "total_assets") == of(balance, "total_liabilities", "total_equity")
    assert {check.difference for check in report.checks} == {Decimal(0)}
    sources = [line.key for line in report.revenue.lines if not line.whole]
    assert of(report.revenue, *sources) == of(income, "revenue")


def test_sources_are_uses(report: FinanceReport, iren: FinanceReport) -> None:
    for each in (report, iren, companies.report_of(companies.example("reference/cloud.yaml"))):
        both = each.sources_and_uses
        assert total(part.amount for part in both.sources) == both.total
        assert total(part.amount for part in both.uses) == both.total
        assert all(part.amount > 0 for part in (*both.sources, *both.uses))


def test_the_three_ways_of_counting_a_prepayment(iren: FinanceReport) -> None:
    """IREN and Microsoft: 1.50 with the prepayment credited evenly, 1.97 with it forgotten."""
    (loan,) = iren.facilities
    ways = {cover.definition: cover for cover in loan.cover}
    assert list(ways) == ["credited", "received", "ignored"]
    year = spans(iren.months, "year")[1]
    shown = {name: round(year.latest(way.trailing), 2) for name, way in ways.items()}
    assert shown["credited"] == Decimal("1.50")
    assert shown["ignored"] == Decimal("1.97")
    text = finance_text(iren, Document(cloud="iren", currency="USD"))
    assert "DSCR, prepayments credited" in text
    assert "DSCR, forgotten" in text
    assert "1.97x" in text


def test_without_prepayments_there_is_one_cover() -> None:
    report = companies.report_of(companies.example("public/coreweave-like.yaml"))
    assert {len(facility.cover) for facility in report.facilities} == {1}


def test_the_headline_is_of_the_statements(report: FinanceReport) -> None:
    head = report.headline
    assert head.revenue_year == total(report.income.line("revenue").amounts[:12])
    assert head.ebitda == total(report.income.line("ebitda").amounts)
    known = [
        (value, month, facility.key)
        for facility in report.facilities
        for month, value in zip(report.months, facility.cover[0].trailing, strict=True)
        if value is not None
    ]
    assert (head.min_dscr, head.min_dscr_month, head.min_dscr_facility) == min(known)
    broken = [
        covenant.first_breach
        for covenant in report.covenants
        if covenant.first_breach and covenant.measure != "lock_up"
    ]
    assert head.first_breach == min(broken)
    assert head.breached.split(": ")[0] in {"loan", "notes"}


def test_a_breach_is_bad_and_its_absence_is_not(report: FinanceReport, iren: FinanceReport) -> None:
    for each, bad in ((report, True), (iren, False)):
        figures = headline_figures(each.headline, scale_of(each, "USD"))
        assert next(f for f in figures if f.name == "first covenant breach").bad is bad


@pytest.mark.parametrize("grain", GRAINS)
def test_text_fits_a_hundred_columns(report: FinanceReport, grain) -> None:
    text = finance_text(report, Document(cloud="company", currency="USD"), grain)
    assert max(map(len, text.splitlines())) <= 100
    for part in (
        "revenue, first 12 months", "minimum DSCR", "first covenant breach", "Cash flow, USD k",
        "Sources and uses", "loan, USD k", "Covenants", "difference 0 in all 33 months",
        "Contracts that are not signed count nothing here: other.",
    ):  # fmt: skip
        assert part in text


@pytest.mark.parametrize("grain", GRAINS)
def test_spans_are_all_months_once(report: FinanceReport, grain) -> None:
    found = spans(report.months, grain)
    places = [place for span in found for place in range(span.first, span.last + 1)]
    assert places == list(range(len(report.months)))
    revenue = report.income.line("revenue")
    assert total(span.amount(revenue) for span in found) == total(revenue.amounts)
    assert found[-1].amount(report.balance.line("cash")) == report.balance.line("cash").amounts[-1]


def test_csv_is_exact_and_has_a_line_a_month(report: FinanceReport) -> None:
    rows = list(csv.DictReader(io.StringIO(finance_csv(report, ""))))
    assert list(rows[0]) == ["month", "statement", "line", "amount"]
    _, _, outcome = companies.company()
    ebitda = [r for r in rows if (r["statement"], r["line"]) == ("income", "ebitda")]
    assert [row["month"] for row in ebitda] == list(report.months)
    assert [int(Decimal(row["amount"]) * PICO) for row in ebitda] == list(outcome.income.ebitda)
    places = {(r["statement"], r["line"], r["month"]) for r in rows}
    assert len(places) == len(rows)
    assert ("covenant.loan", "ltv.headroom", "2027-01") in places
    assert ("cover.loan", "trailing.ignored", "2027-01") in places


def test_a_reconstruction_says_so_everywhere(iren: FinanceReport) -> None:
    cloud, inputs, outcome = companies.example(IREN)
    indicators = indicator_report(summary(inputs, outcome))
    mark = "A reconstruction of nobody."
    document = Document(
        cloud=cloud.name, currency="USD", reconstruction=mark, finance=iren, indicators=indicators
    )
    assert f"RECONSTRUCTION: {mark}" in page_of(document)
    assert mark in finance_csv(iren, mark).splitlines()[1]
    assert mark in indicator_csv(indicators, mark).splitlines()[1]


def test_indicators_say_what_moved_them() -> None:
    cloud, inputs, outcome = companies.company()
    text = indicator_text(indicator_report(summary(inputs, outcome)), cloud.name)
    assert max(map(len, text.splitlines())) <= 100
    for part in ("landed cost of a megawatt", "moved within the year by", "Customers in revenue",
                 "HHI", "Customers by the month of their first training"):  # fmt: skip
        assert part in text


def test_the_page_needs_nothing_else(report: FinanceReport) -> None:
    cloud, inputs, outcome = companies.company()
    document = Document(
        cloud=cloud.name, currency="USD", finance=report,
        indicators=indicator_report(summary(inputs, outcome)),
    )  # fmt: skip
    page = page_of(document)
    assert page == page_of(document)
    for alien in ("<script", "http://", "https://", "url(", "<link", ">nan", ">inf"):
        assert alien not in page.replace("http://www.w3.org", "")
    for title in (
        "Revenue by source, and EBITDA", "Debt service of all facilities", "DSCR, trailing",
        "Debt by facility", "Cash, end of period", "Backlog, end of period", "Covenants",
        "Whom it depends on", "Component cost and use", "covenant 1.20x",
    ):  # fmt: skip
        assert title in page
    assert page.count('<svg class="chart"') >= 6


@given(st.text(alphabet="ab ", max_size=300), st.integers(10, 100))
@settings(max_examples=50)
def test_wrapped_text_keeps_its_words(text: str, width: int) -> None:
    lines = wrapped(text, width)
    assert " ".join(lines).split() == text.split()
    longest = max(map(len, text.split()), default=0)
    assert all(len(line) <= max(width, longest + 2) + 300 * text.startswith(" ") for line in lines)
