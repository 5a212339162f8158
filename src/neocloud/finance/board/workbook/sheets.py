"""Rows of a workbook that know each other by name, and their formulas.

A column is a month; column B holds what stands before the first month, or a figure that holds for
all months. A formula names other rows in braces: `{revenue}` is the cell of the same month,
`{cash-}` that of the month before (before the first month: column B), `{worth+}` that of the month
after, `{sales@2}` that of two months before, `{ebitda~12}` the last twelve months that there are,
`{rate$}` column B, `{shortfall:}` all months.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Literal

import msgspec

Style = Literal["money", "rate", "ratio", "plain"]
FIRST = 2
"""Column of the first month, from 0."""
_NAME = re.compile(r"\{([^{}]+?)(-|\+|\$|:|~\d+|@\d+)?\}")

Formula = str | Callable[[int], str]
"""Of a month; the same text for all, or one text each. Empty: the cell stays empty."""


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """A row.

    Attributes:
        key: unique in the workbook.
        name: in column A.
        formula: of its months; None where `values` are inputs.
        values: by month: inputs, or what the formula gives in the model. None: empty.
        before: column B: a number, a formula, or None.
        style: how numbers are written.
        comment: the definition, on the name.
        whole: a sum, in bold.
    """

    key: str
    name: str
    values: tuple[float | str | None, ...] = ()
    formula: Formula | None = None
    before: float | str | None = None
    style: Style = "money"
    comment: str = ""
    whole: bool = False


class Heading(msgspec.Struct, frozen=True):
    """A line with a title."""

    title: str


class Sheet(msgspec.Struct, frozen=True, kw_only=True):
    """A sheet: its name, what it is, and its rows and headings from above."""

    name: str
    about: str
    rows: tuple[Row | Heading, ...]


class Places:
    """Where each row of a workbook stands."""

    def __init__(self, sheets: Sequence[Sheet], head: int) -> None:
        """Lay the sheets out.

        Args:
            sheets: all of them.
            head: rows above the first of each.
        """
        self._place: dict[str, tuple[str, int]] = {}
        for sheet in sheets:
            for number, row in enumerate(sheet.rows):
                if isinstance(row, Row):
                    assert row.key not in self._place, f"two rows are named {row.key}"
                    self._place[row.key] = (sheet.name, head + number)

    def cell(self, key: str, column: int) -> str:
        """The address of a cell with its sheet."""
        sheet, row = self._place[key]
        return f"'{sheet}'!{column_name(column)}{row + 1}"

    def formula(self, text: str, month: int, count: int) -> str:
        """A formula with addresses in place of names.

        Args:
            text: see the module.
            month: the month; -1 for column B.
            count: months there are.
        """

        def address(found: re.Match[str]) -> str:
            key, how = found[1], found[2] or ""
            column = FIRST + month
            if how == "$":
                return self.cell(key, 1)
            if how == "-":
                return self.cell(key, max(column - 1, 1))
            if how == "+":
                return self.cell(key, column + 1)
            if how == ":":
                return self._range(key, FIRST, FIRST + count - 1)
            if how.startswith("@"):
                return self.cell(key, column - int(how[1:]))
            if how.startswith("~"):
                return self._range(key, max(FIRST, column - int(how[1:]) + 1), column)
            return self.cell(key, max(column, 1))

        return "=" + _NAME.sub(address, text)

    def _range(self, key: str, first: int, last: int) -> str:
        row = self._place[key][1] + 1
        return f"{self.cell(key, first)}:{column_name(last)}{row}"


def column_name(column: int) -> str:
    """The letters of a column, from 0: `A`, `Z`, `AA`."""
    name = ""
    column += 1
    while column:
        column, rest = divmod(column - 1, 26)
        name = chr(ord("A") + rest) + name
    return name


def summed(keys: Sequence[str], sign: str = "") -> str:
    """A formula that adds cells of the same month."""
    return f"{sign}({'+'.join(f'{{{key}}}' for key in keys)})" if keys else "0"
