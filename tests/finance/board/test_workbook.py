"""The workbook recalculated by another program's engine, as it stands and after a change."""

from __future__ import annotations

import io
import sys
import warnings
from collections.abc import Iterator
from typing import Any

import openpyxl
import pytest

from neocloud.finance.board.workbook import (
    HEAD,
    MissingXlsxError,
    Places,
    Row,
    sheets_of,
    write_workbook,
)
from neocloud.finance.board.workbook.sheets import FIRST, column_name
from neocloud.finance.outcome import Outcome
from neocloud.finance.records import Inputs
from neocloud.units import PICO

from . import companies

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # its own dependencies', at import
    from pycel import ExcelCompiler

CENT = 0.005
pytestmark = pytest.mark.filterwarnings("ignore")


class Recalculated:
    """A workbook under pycel: cells by row key and month."""

    def __init__(self, inputs: Inputs, outcome: Outcome) -> None:
        written = io.BytesIO()
        write_workbook(inputs, outcome, "", written)
        self.bytes = written.getvalue()
        self.sheets = sheets_of(inputs, outcome)
        self.count = inputs.months.count
        self._places = Places(self.sheets, HEAD)
        book = openpyxl.load_workbook(io.BytesIO(self.bytes))
        self._engine = ExcelCompiler(excel=book)
        sys.setrecursionlimit(max(sys.getrecursionlimit(), 20_000))

    def address(self, key: str, column: int) -> str:
        return self._places.cell(key, column)

    def at(self, key: str, month: int) -> Any:
        return self._engine.evaluate(self.address(key, FIRST + month))

    def before(self, key: str) -> Any:
        return self._engine.evaluate(self.address(key, 1))

    def line(self, key: str) -> list[Any]:
        return [self.at(key, month) for month in range(self.count)]

    def change(self, key: str, month: int, by: float) -> None:
        place = self.address(key, FIRST + month)
        self._engine.set_value(place, self._engine.evaluate(place) + by)

    def rows(self) -> Iterator[Row]:
        for sheet in self.sheets:
            yield from (row for row in sheet.rows if isinstance(row, Row))


def recalculated(name: str) -> Recalculated:
    _, inputs, outcome = companies.company() if name == "company" else companies.example(name)
    return Recalculated(inputs, outcome)


@pytest.mark.parametrize(
    "name",
    ["company", pytest.param("public/iren-microsoft.yaml", marks=pytest.mark.slow)],
)
def test_every_formula_gives_what_the_model_has(name: str) -> None:
    """All cells by formula, to a cent; what the model leaves open is empty here, too."""
    book = recalculated(name)
    checked = 0
    for row in book.rows():
        if row.formula is None:
            continue
        for month, wanted in enumerate(row.values):
            got = book.at(row.key, month)
            if wanted is None:
                assert got in (None, ""), (row.key, month, got)
            else:
                assert got == pytest.approx(wanted, abs=CENT), (row.key, month)
            checked += 1
    assert checked > 40 * book.count
    assert book.before("check.all") == 0


def test_the_statements_hang_together_when_revenue_changes() -> None:
    """A million more in one month: EBITDA, tax, receivables and cash move; the balance holds."""
    book = recalculated("company")
    _, inputs, outcome = companies.company()
    rate = float(inputs.policies.tax_rate)
    month, more = 20, 1_000_000.0
    watched = ("ebitda", "net", "held", "receivables", "total_equity", "cfads", "debt.notes.dscr")
    old = {key: book.line(key) for key in watched}
    book.line("check.balance")
    book.change("in.contract.lab", month, more)
    new = {key: book.line(key) for key in watched}

    moved = {
        key: [b - a for a, b in zip(old[key], new[key], strict=True) if "" not in (a, b)]
        for key in watched
    }
    assert moved["ebitda"][month] == pytest.approx(more, abs=CENT)
    assert sum(moved["ebitda"]) == pytest.approx(more, abs=CENT)
    # The month's invoices are unpaid at its end: all 30 days of September lie within 45.
    assert moved["receivables"][month] == pytest.approx(more, abs=CENT)
    assert moved["held"][month] <= CENT
    # The year makes profit, so that all of it is taxed, losses having been used up to 80 %.
    assert outcome.income.tax[month] > 0
    assert sum(moved["net"]) == pytest.approx(more * (1 - rate), abs=CENT)
    assert moved["held"][-1] == pytest.approx(more * (1 - rate), abs=CENT)
    assert moved["total_equity"][-1] == pytest.approx(more * (1 - rate), abs=CENT)
    assert max(map(abs, book.line("check.balance"))) == 0
    assert book.before("check.all") == 0
    assert max(map(abs, book.line("off.ebitda"))) == pytest.approx(more, abs=CENT)


def test_debt_follows_its_schedule_and_rate() -> None:
    """Less repaid: more is owed, and costs interest, from the next month on."""
    book = recalculated("company")
    month = 12
    book.line("check.balance")
    owed, interest = book.line("debt.loan.closing"), book.line("debt.loan.interest")
    rate, year = book.at("debt.loan.rate", month + 1), book.at("debt.loan.year", month + 1)
    book.change("debt.loan.swept", month, -1_000_000.0)
    assert book.at("debt.loan.closing", month) == pytest.approx(owed[month] + 1e6, abs=CENT)
    assert book.at("debt.loan.interest", month) == pytest.approx(interest[month], abs=CENT)
    cost = 1e6 * rate * year
    assert cost > 0
    assert book.at("debt.loan.interest", month + 1) == pytest.approx(interest[month + 1] + cost)
    assert max(map(abs, book.line("check.balance"))) == 0


def test_inputs_are_numbers_and_the_rest_is_formulas() -> None:
    """No figure of the three statements is typed in."""
    book = recalculated("company")
    read = openpyxl.load_workbook(io.BytesIO(book.bytes))
    assert read.sheetnames == [
        "Inputs", "Income", "Cash flow", "Balance", "Debt", "Covenants", "Checks",
    ]  # fmt: skip
    for name in ("Income", "Cash flow", "Balance"):
        cells = [
            cell.value
            for line in read[name].iter_rows(min_row=HEAD + 1, min_col=FIRST + 1)
            for cell in line
            if cell.value is not None
        ]
        assert len(cells) > 10 * book.count
        assert all(isinstance(value, str) and value.startswith("=") for value in cells)
    comments = [cell.comment for sheet in read for cell in sheet["A"] if cell.comment]
    assert len(comments) > 20


def test_the_same_company_gives_the_same_bytes() -> None:
    assert recalculated("company").bytes == recalculated("company").bytes


def test_cached_values_are_those_of_the_model() -> None:
    """A reader without a formula engine sees the model's figures."""
    book = recalculated("company")
    _, _, outcome = companies.company()
    shown = openpyxl.load_workbook(io.BytesIO(book.bytes), data_only=True)
    sheet, cell = book.address("ebitda", FIRST + 20).split("!")
    assert shown[sheet.strip("'")][cell].value == pytest.approx(outcome.income.ebitda[20] / PICO)
    for key in ("total_assets", "total_liabilities", "total_equity", "held", "receivables"):
        sheet, cell = book.address(key, 1).split("!")
        assert shown[sheet.strip("'")][cell].value == pytest.approx(book.before(key))
        assert book.before(key) > 0


def test_columns_have_letters() -> None:
    assert [column_name(n) for n in (0, 25, 26, 51, 52, 701, 702)] == [
        "A", "Z", "AA", "AZ", "BA", "ZZ", "AAA",
    ]  # fmt: skip


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "xlsxwriter", None)
    _, inputs, outcome = companies.company()
    with pytest.raises(MissingXlsxError, match=r"neocloud\[xlsx\]"):
        write_workbook(inputs, outcome, "", io.BytesIO())
