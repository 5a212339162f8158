"""The workbook as a file: seven sheets, inputs blue, formulas live, definitions as comments."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import IO, Any

from neocloud.finance.board.text import MARK
from neocloud.finance.board.workbook.debts import debt_sheet
from neocloud.finance.board.workbook.drivers import inputs_sheet
from neocloud.finance.board.workbook.judging import check_sheet, covenant_sheet
from neocloud.finance.board.workbook.sheets import FIRST, Heading, Places, Row, Sheet
from neocloud.finance.board.workbook.statements import balance_sheet, cash_sheet, income_sheet
from neocloud.finance.outcome import Outcome
from neocloud.finance.records import Inputs

HEAD = 3
"""Rows above the first of a sheet: title, what it is, months."""
_FORMS = {"money": "#,##0.00;[Red]-#,##0.00;-", "rate": "0.00%", "ratio": '0.00"x"', "plain": "0"}
_INPUT = "#1f4e9e"


class MissingXlsxError(RuntimeError):
    """xlsxwriter is not installed."""

    def __init__(self) -> None:
        super().__init__("A workbook needs xlsxwriter: pip install 'neocloud[xlsx]'")


def sheets_of(inputs: Inputs, outcome: Outcome) -> tuple[Sheet, ...]:
    """The sheets in their order.

    Args:
        inputs: what was run.
        outcome: of an exact run of it without shocks.
    """
    return (
        inputs_sheet(inputs, outcome),
        income_sheet(inputs, outcome),
        cash_sheet(inputs, outcome),
        balance_sheet(inputs, outcome),
        debt_sheet(inputs, outcome),
        covenant_sheet(inputs, outcome),
        check_sheet(inputs, outcome),
    )


def write_workbook(inputs: Inputs, outcome: Outcome, reconstruction: str, file: IO[bytes]) -> None:
    """Write the workbook; the same arguments give the same bytes.

    Args:
        inputs: what was run.
        outcome: of an exact run of it without shocks.
        reconstruction: what to say on each sheet of a reconstruction; empty.
        file: open for writing bytes.

    Raises:
        MissingXlsxError: the extra `xlsx` is not installed.
    """
    try:
        import xlsxwriter
    except ImportError:
        raise MissingXlsxError from None
    start = inputs.months.first
    book = xlsxwriter.Workbook(file, {"in_memory": True})
    book.set_properties(
        {
            "title": f"{inputs.name}: finance",
            "created": datetime(start.year, start.month, 1, tzinfo=UTC).replace(tzinfo=None),
        }
    )
    sheets = sheets_of(inputs, outcome)
    writer = _Writer(book, sheets, outcome.months.labels)
    mark = f" {MARK}: {reconstruction}" if reconstruction else ""
    for sheet in sheets:
        writer.write(sheet, f"{inputs.name}: {sheet.name}, {inputs.currency}.{mark}")
    book.close()


class _Writer:
    """Writes sheets into a workbook."""

    def __init__(self, book: Any, sheets: Sequence[Sheet], labels: tuple[str, ...]) -> None:
        self._book = book
        self._places = Places(sheets, HEAD)
        self._before = {
            row.key: row.before for sheet in sheets for row in sheet.rows if isinstance(row, Row)
        }
        self._labels = labels
        self._formats: dict[tuple[str, bool, bool], Any] = {}
        self._bold = book.add_format({"bold": True})
        self._soft = book.add_format({"italic": True, "font_color": "#666666"})
        self._months = book.add_format({"bold": True, "align": "right", "bottom": 1})

    def write(self, sheet: Sheet, title: str) -> None:
        """Write one sheet."""
        page = self._book.add_worksheet(sheet.name)
        page.write_string(0, 0, title, self._bold)
        page.write_string(1, 0, sheet.about, self._soft)
        page.write_string(HEAD - 1, 1, "before / all", self._months)
        for place, label in enumerate(self._labels):
            page.write_string(HEAD - 1, FIRST + place, label, self._months)
        page.freeze_panes(HEAD, FIRST)
        page.set_column(0, 0, 46)
        page.set_column(1, FIRST + len(self._labels), 17)
        page.set_landscape()
        page.fit_to_pages(1, 0)
        for number, row in enumerate(sheet.rows):
            if isinstance(row, Heading):
                page.write_string(HEAD + number, 0, row.title, self._bold)
            else:
                self._row(page, HEAD + number, row)

    def _row(self, page: Any, number: int, row: Row) -> None:
        page.write_string(number, 0, row.name, self._bold if row.whole else None)
        if row.comment:
            page.write_comment(number, 0, row.comment, {"x_scale": 2})
        if isinstance(row.before, str):
            text = self._places.formula(row.before, -1, len(self._labels))
            page.write_formula(number, 1, text, self._format(row, given=False), self._at(row.key))
        elif row.before is not None:
            page.write_number(number, 1, row.before, self._format(row, given=True))
        given = row.formula is None
        form = self._format(row, given=given)
        for month, value in enumerate(row.values):
            if given:
                if value is not None:
                    page.write_number(number, FIRST + month, value, form)
                continue
            assert row.formula is not None
            own = row.formula if isinstance(row.formula, str) else row.formula(month)
            if own:
                text = self._places.formula(own, month, len(self._labels))
                shown: Any = "" if value is None else value
                page.write_formula(number, FIRST + month, text, form, shown)

    def _at(self, key: str) -> float:
        """What column B of a row holds: sums are added up, checks are 0."""
        before = self._before[key]
        if isinstance(before, str):
            names = before.strip("{}").split("+") if "(" not in before else []
            return sum(self._at(name.strip("{}$")) for name in names)
        return before or 0.0

    def _format(self, row: Row, *, given: bool) -> Any:
        key = (row.style, given, row.whole)
        if key not in self._formats:
            wanted = {"num_format": _FORMS[row.style], "bold": row.whole}
            if given:
                wanted["font_color"] = _INPUT
            self._formats[key] = self._book.add_format(wanted)
        return self._formats[key]
