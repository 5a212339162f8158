"""What the page draws of finance: earnings, debt, cover, cash, backlog, power, component cost."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal

from neocloud.finance.board.charts import BAD, GOOD, LEVEL, Trace, chart, traces
from neocloud.finance.board.figures import Scale, Span
from neocloud.finance.board.indicator_records import Indicator, IndicatorReport
from neocloud.finance.board.indicator_text import alike, names_of
from neocloud.finance.board.records import FinanceReport, Line, Ratios, Statement

_MOST = 8
"""Series that are told apart; the rest are one."""
_HIGHEST = Decimal(10)
"""Covers above this say no more than "ample", and would flatten the rest."""


def merged(named: Sequence[tuple[str, Sequence[float | None]]]) -> list[Trace]:
    """Lines that lie on each other are one, under all their names."""
    groups: dict[tuple[float | None, ...], list[str]] = {}
    for name, values in named:
        groups.setdefault(tuple(values), []).append(name)
    return traces([(", ".join(names), values) for values, names in groups.items()])


def _labels(periods: Sequence[Span]) -> list[str]:
    return [span.label for span in periods]


def _sums(line: Line, periods: Sequence[Span], scale: Scale, sign: int = 1) -> list[float]:
    return [float(sign * span.amount(line) / scale.size) for span in periods]


def _most(lines: Iterable[Line]) -> list[list[Line]]:
    """Lines one by one, the largest first; those beyond `_MOST` together."""
    order = sorted(lines, key=lambda line: -sum(map(abs, line.amounts)))
    groups = [[line] for line in order[:_MOST]]
    return groups if len(order) <= _MOST else [*groups, order[_MOST:]]


def _stacked(lines: Iterable[Line], periods: Sequence[Span], scale: Scale) -> list[Trace]:
    named = []
    for group in _most(lines):
        columns = zip(*(_sums(line, periods, scale) for line in group), strict=True)
        name = group[0].name if len(group) == 1 else f"{len(group)} more"
        named.append((name, [sum(column) for column in columns]))
    return traces(named)


def revenue_picture(report: FinanceReport, periods: Sequence[Span], scale: Scale) -> str:
    """Revenue by source, and EBITDA."""
    sources = [line for line in report.revenue.lines if not line.whole]
    ebitda = tuple(_sums(report.income.line("ebitda"), periods, scale))
    over = [Trace(name="EBITDA", colour=LEVEL, values=ebitda)]
    stacked = _stacked(sources, periods, scale)
    return chart(_labels(periods), "Revenue by source, and EBITDA", scale.unit, stacked, over)


def service_picture(report: FinanceReport, periods: Sequence[Span], scale: Scale) -> str:
    """Interest and principal beside EBITDA."""
    paid: list[tuple[str, list[float]]] = [("interest and fees", []), ("principal", [])]
    for span in periods:
        interest = principal = Decimal(0)
        for facility in report.facilities:
            interest += _of(facility.account, ("interest_paid", "fee_paid"), span)
            principal += _of(facility.account, ("scheduled",), span)
        paid[0][1].append(float(interest / scale.size))
        paid[1][1].append(float(principal / scale.size))
    ebitda = tuple(_sums(report.income.line("ebitda"), periods, scale))
    over = [Trace(name="EBITDA", colour=GOOD, values=ebitda)]
    title = "Debt service of all facilities beside EBITDA"
    return chart(_labels(periods), title, scale.unit, traces(paid), over)


def _of(statement: Statement, keys: Sequence[str], span: Span) -> Decimal:
    return sum((span.amount(li) for li in statement.lines if li.key in keys), Decimal(0))


def debt_picture(report: FinanceReport, periods: Sequence[Span], scale: Scale) -> str:
    """What is owed, by facility."""
    lines = []
    for facility in report.facilities:
        line = facility.account.line("closing")
        lines.append(Line(key=facility.key, name=facility.key, level=True, amounts=line.amounts))
    stacked = _stacked(lines, periods, scale)
    return chart(_labels(periods), "Debt by facility, end of period", scale.unit, stacked)


def cover_picture(report: FinanceReport, periods: Sequence[Span]) -> str:
    """DSCR of trailing twelve months by facility, and what covenants demand."""
    over: list[Trace] = []
    for number, facility in enumerate(report.facilities[:_MOST]):
        colour = traces([("", [])] * (number + 1))[-1].colour
        cover = facility.cover[0]
        if any(value is not None for value in cover.trailing):
            over.append(_ratios(facility.key, colour, cover.trailing, periods))
    levels = sorted({c.level for c in report.covenants if c.measure == "dscr"})
    for level in levels:
        values = (float(level),) * len(periods)
        name = f"covenant {level:.2f}x"
        over.append(Trace(name=name, colour=BAD, values=values, dashed=True))
    if not over:
        return ""
    title = "DSCR, trailing twelve months, prepayments credited"
    return chart(_labels(periods), f"{title} (shown up to {_HIGHEST}x)", "times", (), over)


def _ratios(name: str, colour: str, ratios: Ratios, periods: Sequence[Span]) -> Trace:
    values = tuple(span.latest(ratios) for span in periods)
    shown = tuple(None if v is None else float(max(-_HIGHEST, min(v, _HIGHEST))) for v in values)
    return Trace(name=name, colour=colour, values=shown)


def cash_picture(report: FinanceReport, periods: Sequence[Span], scale: Scale) -> str:
    """Cash and reserves, and bills that are left unpaid."""
    kept = [line for line in report.balance.lines if line.key in {"cash", "reserves"}]
    stacked = _stacked(kept, periods, scale)
    unpaid = [line for line in report.balance.lines if line.key == "shortfall"]
    stacked += [
        Trace(name=line.name, colour=BAD, values=tuple(_sums(line, periods, scale, -1)))
        for line in unpaid
    ]
    return chart(_labels(periods), "Cash, end of period", scale.unit, stacked)


def backlog_picture(report: FinanceReport, periods: Sequence[Span], scale: Scale) -> str:
    """Backlog that is owed whatever is used, the rest of it, and the pipeline."""
    backlog = report.backlog
    rest = [a - b for a, b in zip(backlog.expected, backlog.firm, strict=True)]

    def values(amounts: Sequence[Decimal]) -> list[float]:
        return [float(amounts[span.last] / scale.size) for span in periods]

    named = [
        ("owed whether used or not", values(backlog.firm)),
        ("more at the expected use", values(rest)),
        ("pipeline, weighted", values(backlog.pipeline)),
    ]
    kept = [(name, line) for name, line in named if any(line)]
    if not kept:
        return ""
    return chart(_labels(periods), "Backlog, end of period", scale.unit, traces(kept))


def power_picture(report: FinanceReport, periods: Sequence[Span]) -> str:
    """The power ladder, and what contracts need of it."""
    over = merged([
        (rung.name, [float(rung.megawatts[span.last]) for span in periods])
        for rung in report.power
    ])  # fmt: skip
    for item in report.capacity:
        if item.name == "MW":
            owed = tuple(float(item.owed[span.last]) for span in periods)
            name = "needed by contracts"
            over.append(Trace(name=name, colour=LEVEL, values=owed, dashed=True))
    if not report.power:
        return ""
    return chart(_labels(periods), "Power ladder of all sites, end of period", "MW", (), over)


def cost_picture(indicators: IndicatorReport, periods: Sequence[Span]) -> str:
    """Price index of each component."""
    found = [one for one in indicators.series if one.key.startswith("cost.index.")]
    found = found[1:] if len(found) == 2 else found  # one component is all of them
    return _indicators(
        found, periods, "Price of what is built next, by component", "first month = 100"
    )


def use_picture(indicators: IndicatorReport, periods: Sequence[Span]) -> str:
    """How much of the accelerators' time serves models."""
    found = [one for one in indicators.series if one.key.startswith("inference.")]
    return _indicators(found, periods, "Inference over accelerator-hours", "%", 100.0)


def _indicators(
    found: Sequence[Indicator], periods: Sequence[Span], title: str, unit: str, size: float = 1.0
) -> str:
    """Series of the model's own months, which a ledger's may stand before; none if none moves."""
    named = []
    for one in found:
        values = [point.value for point in one.points][-(periods[-1].last + 1) :]
        if any(value is not None for value in values) and len(values) == periods[-1].last + 1:
            shown = [values[span.last] for span in periods]
            named.append((one.name, [None if v is None else v * size for v in shown]))
    told = any(len({value for value in values if value is not None}) > 1 for _, values in named)
    return chart(_labels(periods), title, unit, (), merged(named)) if told else ""


def top_picture(indicators: IndicatorReport, periods: Sequence[Span]) -> str:
    """Share of the largest customers in revenue."""
    found = [o for o in indicators.series if o.key.startswith("diversification.revenue.top_")]
    return _indicators(found, periods, "Largest customers' share of revenue", "%", 100.0)


def dependence_rows(
    indicators: IndicatorReport, written: Callable[[Decimal | None], str]
) -> list[tuple[bool, tuple[str, ...]]]:
    """A row a whole: month, largest customers, shares of top 1, 3 and 5, HHI, effective number."""
    rows = []
    for wholes in alike(indicators.dependences):
        whole = wholes[0]
        tops = [
            sum((h.share for h in whole.customers[:n]), Decimal(0)) if whole.customers else None
            for n in (1, 3, 5)
        ]
        largest = ", ".join(f"{h.name} {written(h.share)}" for h in whole.customers[:3])
        index = "-" if whole.hhi is None else f"{whole.hhi:.2f}"
        effective = "-" if whole.effective is None else f"{whole.effective:.1f}"
        cells = (*(written(top) for top in tops), index, effective, largest or "-")
        rows.append((False, (names_of(wholes), whole.month, *cells)))
    return rows
