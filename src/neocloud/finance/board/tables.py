"""The finance and indicators parts as tables for other programs."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from decimal import Decimal
from itertools import chain

from neocloud.finance.board.indicator_records import IndicatorReport
from neocloud.finance.board.records import FinanceReport, Ratios


def finance_csv(report: FinanceReport, reconstruction: str) -> str:
    """One line a month, statement and line; amounts exact in units of the currency.

    Ratios, covenants, backlog and power are statements of their own. The first line of a
    reconstruction has the statement `reconstruction`, and says it in place of a line's name.
    """
    mark = [("", "reconstruction", reconstruction, "")] if reconstruction else []
    return _csv(("month", "statement", "line", "amount"), chain(mark, _finance_rows(report)))


def _finance_rows(report: FinanceReport) -> Iterable[Sequence[str]]:
    for statement in report.statements:
        for line in statement.lines:
            yield from _monthly(report, statement.key, line.key, line.amounts)
    for facility in report.facilities:
        place = f"cover.{facility.key}"
        for cover in facility.cover:
            for name in ("by_period", "trailing", "llcr", "plcr"):
                ratios: Ratios = getattr(cover, name)
                yield from _monthly(report, place, f"{name}.{cover.definition}", ratios)
        yield from _monthly(report, place, "loan_to_value", facility.loan_to_value)
    for covenant in report.covenants:
        place = f"covenant.{covenant.facility}"
        yield from _monthly(report, place, covenant.measure, covenant.values)
        yield from _monthly(report, place, f"{covenant.measure}.headroom", covenant.headroom)
    for name in ("interest_cover", "leverage", "contracted_cover"):
        yield from _monthly(report, "company", name, getattr(report.company, name))
    for name in ("booked", "firm", "expected", "annualised", "pipeline"):
        yield from _monthly(report, "backlog", name, getattr(report.backlog, name))
    for item in report.capacity:
        yield from _monthly(report, "owed", item.name, item.owed)
        if item.deliverable:
            yield from _monthly(report, "deliverable", item.name, item.deliverable)
    for rung in report.power:
        yield from _monthly(report, "megawatts", rung.name, rung.megawatts)


def _monthly(
    report: FinanceReport, statement: str, line: str, amounts: Ratios
) -> Iterable[Sequence[str]]:
    for month, amount in zip(report.months, amounts, strict=True):
        yield (month, statement, line, _cell(amount))


def _cell(amount: Decimal | None) -> str:
    return "" if amount is None else f"{amount:f}"


def indicator_csv(report: IndicatorReport, reconstruction: str) -> str:
    """One line a series and month; what is not known is empty, with the reason beside it.

    The first line of a reconstruction has the series `reconstruction`, and says it in `unknown`.
    """
    mark = [("reconstruction", *[""] * 6, reconstruction)] if reconstruction else []
    rows = (
        (
            one.key, point.month, point.origin, one.unit, _float(point.value),
            _float(point.change), _float(point.trend), point.unknown,
        )
        for one in report.series
        for point in one.points
    )  # fmt: skip
    head = ("series", "month", "origin", "unit", "value", "change", "trend", "unknown")
    return _csv(head, chain(mark, rows))


def _float(value: float | None) -> str:
    return "" if value is None else repr(value)


def _csv(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    text = _Text()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(head)
    writer.writerows(rows)
    return "".join(text.pieces)


class _Text:
    """What `csv` writes into, for nothing here touches a file."""

    def __init__(self) -> None:
        self.pieces: list[str] = []

    def write(self, piece: str) -> None:
        self.pieces.append(piece)
