"""Amounts, ratios and spans of months as people read them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Context, Decimal
from typing import Literal, get_args

import msgspec

from neocloud.books.side_by_side.figures import figure
from neocloud.books.tiers.exact import from_pico
from neocloud.finance.board.records import FinanceReport, Line, Ratios

Grain = Literal["year", "quarter", "month"]
GRAINS: tuple[Grain, ...] = get_args(Grain)
"""What statements may be told by."""
_SCALES = (
    (Decimal(10) ** 10, "m", Decimal(10) ** 6, 0),
    (Decimal(10) ** 8, "m", Decimal(10) ** 6, 1),
    (Decimal(10) ** 4, "k", Decimal(10) ** 3, 1),
)
"""Largest amount from which on, letter, size, decimals."""


_WIDE = Context(prec=60)
"""The usual context keeps 28 digits, and rounds in silence."""


class Scale(msgspec.Struct, frozen=True, kw_only=True):
    """How amounts are written.

    Attributes:
        unit: `USD m`.
        size: units of the currency in one of it.
        decimals: that are shown.
    """

    unit: str
    size: Decimal
    decimals: int

    def of(self, amount: Decimal) -> str:
        """An amount; nothing is a dash."""
        return f"{amount / self.size:,.{self.decimals}f}" if amount else "-"

    def told(self, amount: Decimal) -> str:
        """An amount with its unit."""
        return f"{amount / self.size:,.{self.decimals}f} {self.unit}"


def scale_of(report: FinanceReport, currency: str) -> Scale:
    """The scale for a report: by its largest amount on a balance or in a year."""
    years = spans(report.months, "year")
    sums = [abs(amount) for amount in report.balance.line("total_assets").amounts]
    sums += [abs(span.amount(report.income.line("revenue"))) for span in years]
    most = max(sums)
    for least, letter, size, decimals in _SCALES:
        if most >= least:
            return Scale(unit=f"{currency} {letter}", size=size, decimals=decimals)
    return Scale(unit=currency, size=Decimal(1), decimals=2)


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """Months that are told together.

    Attributes:
        label: `2026`, `2026-Q3` or `2026-07`.
        first: place of the first month.
        last: place of the last.
    """

    label: str
    first: int
    last: int

    def amount(self, line: Line) -> Decimal:
        """What a line says of them: the end of a level, the sum of all else."""
        if line.level:
            return line.amounts[self.last]
        return total(line.amounts[self.first : self.last + 1])

    def latest(self, ratios: Ratios) -> Decimal | None:
        """The last ratio that is known of them."""
        known = [value for value in ratios[self.first : self.last + 1] if value is not None]
        return known[-1] if known else None

    def at_end(self, ratios: Ratios) -> Decimal | None:
        """The ratio at their end."""
        return ratios[self.last]


def total(amounts: Iterable[Decimal]) -> Decimal:
    """The exact sum, which the usual context would round to 28 digits."""
    return from_pico(sum(int(value.scaleb(12, _WIDE)) for value in amounts))


def spans(labels: Sequence[str], grain: Grain) -> tuple[Span, ...]:
    """The months in order, together by year, quarter or each alone."""
    found: list[Span] = []
    for place, label in enumerate(labels):
        name = _name(label, grain)
        if found and found[-1].label == name:
            found[-1] = msgspec.structs.replace(found[-1], last=place)
        else:
            found.append(Span(label=name, first=place, last=place))
    return tuple(found)


def _name(label: str, grain: Grain) -> str:
    if grain == "month":
        return label
    if grain == "year":
        return label[:4]
    return f"{label[:4]}-Q{(int(label[5:]) + 2) // 3}"


def times(value: Decimal | None) -> str:
    """A cover or multiple: `1.50x`."""
    return "-" if value is None else f"{value:,.2f}x"


def percent(value: Decimal | None, decimals: int = 1) -> str:
    """A share in per cent."""
    return "-" if value is None else f"{100 * value:,.{decimals}f} %"


def quantity(value: float | None, unit: str) -> str:
    """A value of an indicator: shares in per cent, large sums without decimals."""
    if value is None:
        return "-"
    if unit == "share":
        return f"{100 * value:,.1f} %"
    return figure(value, 3)
