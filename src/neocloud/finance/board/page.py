"""The finance part as sections of the report's page, and the whole page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from html import escape

from neocloud.books.board import frame, sections
from neocloud.finance.board.document import Document
from neocloud.finance.board.figures import (
    Scale,
    Span,
    percent,
    quantity,
    scale_of,
    spans,
    times,
)
from neocloud.finance.board.indicator_records import IndicatorReport
from neocloud.finance.board.indicator_text import months_shown, moved
from neocloud.finance.board.pictures import (
    backlog_picture,
    cash_picture,
    cost_picture,
    cover_picture,
    debt_picture,
    dependence_rows,
    power_picture,
    revenue_picture,
    service_picture,
    top_picture,
    use_picture,
)
from neocloud.finance.board.records import FacilityReport, FinanceReport, Headline, Statement
from neocloud.finance.board.text import (
    CREDITED,
    MARK,
    check_lines,
    covenant_cells,
    headline_figures,
)

Row = tuple[bool, Sequence[str]]
"""Whether it is a sum, and its cells."""
_SHORT = 30
"""Months up to which charts are by month; beyond, by quarter."""


def page_of(document: Document) -> str:
    """The page as text; the same document gives the same bytes."""
    names = {"finance": document.finance, "cost and margin": document.tiers}
    told = " and ".join(name for name, part in names.items() if part is not None) or "indicators"
    title = f"{document.cloud}: {told}"
    parts = [f"<h1>{escape(title)}</h1>"]
    if document.reconstruction:
        parts.append(f'<p class="warn">{MARK}: {escape(document.reconstruction)}</p>')
    if document.finance is not None:
        parts.append(_finance(document.finance, document))
    elif document.indicators is not None:
        parts.append(_indicators_alone(document.indicators))
    if document.tiers is not None:
        if document.finance is not None:
            parts.append("<h2>Cost and margin by tier</h2>")
        parts.append(sections(document.tiers))
    parts += [
        f'<p class="soft">Left out: {escape(item.part)}: {escape(item.reason)}</p>'
        for item in document.left_out
    ]
    return frame(title, "\n".join(parts))


def _finance(report: FinanceReport, document: Document) -> str:
    scale = scale_of(report, document.currency)
    count = len(report.months)
    drawn = spans(report.months, "month" if count <= _SHORT else "quarter")
    years = spans(report.months, "year")
    when = f"{report.months[0]} to {report.months[-1]}, {count} months, {scale.unit}"
    notes = "\n".join(f"<li>{escape(note)}</li>" for note in report.notes)
    parts = [
        f"<p>{escape(when)}. {escape(report.from_plan.replace('`', ''))}</p>",
        _figures(report.headline, scale),
        f'<ul class="soft">\n{notes}\n</ul>' if notes else "",
        "<h2>Earnings</h2>",
        revenue_picture(report, drawn, scale),
        statement_table(report.income, years, scale),
        *(_debt(report, (drawn, years), scale) if report.facilities else ()),
        "<h2>Cash and runway</h2>",
        f"<p>{escape(_runway(report.headline))}</p>",
        cash_picture(report, drawn, scale),
        statement_table(report.cash, years, scale),
        f"<h3>Sources and uses until {report.sources_and_uses.until}, {escape(scale.unit)}</h3>",
        _sources(report, scale),
        "<h2>Backlog and capacity</h2>",
        backlog_picture(report, drawn, scale) or "<p>Nothing is under contract.</p>",
        power_picture(report, drawn),
        _owed(report, years),
    ]
    if document.indicators is not None:
        parts += _indicators(document.indicators, drawn)
    parts += [
        "<h2>Balance</h2>",
        statement_table(report.balance, years, scale),
        f"<p>{escape(' '.join(' '.join(check_lines(report)).split()))}</p>",
    ]
    return "\n".join(part for part in parts if part)


def _figures(h: Headline, scale: Scale) -> str:
    items = "\n".join(
        f'<li class="{"lost" if shown.bad else ""}">'
        f"<b>{escape(shown.value)}{f' {scale.unit}' if shown.money else ''}</b>"
        f"{escape(shown.name)}<small>{escape(shown.more)}</small></li>"
        for shown in headline_figures(h, scale)
    )
    return f'<ul class="figures">\n{items}\n</ul>'


def _debt(
    report: FinanceReport, periods: tuple[Sequence[Span], Sequence[Span]], scale: Scale
) -> Iterable[str]:
    drawn, years = periods
    yield "<h2>Debt and cover</h2>"
    yield f'<p class="soft">{escape(CREDITED)}</p>'
    yield service_picture(report, drawn, scale)
    yield cover_picture(report, drawn)
    yield debt_picture(report, drawn, scale)
    yield _facilities(report, scale)
    yield _covenants(report, scale)
    ratios = [
        (False, (name, *(times(span.latest(values)) for span in years)))
        for name, values in (
            ("interest cover", report.company.interest_cover),
            ("net debt over EBITDA", report.company.leverage),
            ("contracted cover", report.company.contracted_cover),
        )
    ]
    yield "<h3>The company at the end of each year</h3>"
    yield table(("", *(span.label for span in years)), ratios)


def _facilities(report: FinanceReport, scale: Scale) -> str:
    heads = [f"facility, {scale.unit}", "kind", "commitment", "most owed", "matures", "interest",
             "least DSCR", "when"]  # fmt: skip
    if any(len(facility.cover) > 1 for facility in report.facilities):
        heads += ["as received", "forgotten"]
    rows = [_facility_cells(item, scale)[: len(heads)] for item in report.facilities]
    return table(heads, [(False, row) for row in rows])


def _covenants(report: FinanceReport, scale: Scale) -> str:
    if not report.covenants:
        return "<p>The file names no covenants.</p>"
    heads = ("facility", "measure", "demand", "tightest", "when", "headroom", "first breach")
    rows = [(False, covenant_cells(covenant, scale)) for covenant in report.covenants]
    return f"<h3>Covenants</h3>\n{table(heads, rows)}"


def _facility_cells(facility: FacilityReport, scale: Scale) -> tuple[str, ...]:
    lines = {line.key: line for line in facility.account.lines}
    least = {cover.definition: cover.least for cover in facility.cover}
    own = facility.cover[0]
    paid = sum(lines["interest_paid"].amounts, Decimal(0))
    other = (least.get("received"), least.get("ignored"))
    return (
        facility.key, facility.kind.replace("_", " "), scale.of(facility.commitment),
        scale.of(max(lines["closing"].amounts)), facility.maturity, scale.of(paid),
        times(own.least), own.least_month or "-",
        *("the same" if own.least is not None and v is None else times(v) for v in other),
    )  # fmt: skip


def _runway(h: Headline) -> str:
    if h.runway_months is None:
        return "Cash stays above the minimum and all bills are paid in all these months."
    short = f" Bills are left unpaid from {h.short_from}." if h.short_from else ""
    return f"Cash is above the minimum for {h.runway_months} months.{short}"


def _sources(report: FinanceReport, scale: Scale) -> str:
    both = report.sources_and_uses
    rows: list[Row] = []
    for at in range(max(len(both.sources), len(both.uses))):
        cells: list[str] = []
        for side in (both.sources, both.uses):
            there = at < len(side)
            cells += [side[at].name, scale.of(side[at].amount)] if there else ["", ""]
        rows.append((False, cells))
    whole = scale.of(both.total)
    return table(("sources", "", "uses", ""), [*rows, (True, ("sources", whole, "uses", whole))])


def _owed(report: FinanceReport, years: Sequence[Span]) -> str:
    rows: list[Row] = []
    for item in report.capacity:
        rows.append((False, (f"{item.name} owed", *_whole(item.owed, years))))
        if item.deliverable:
            rows.append((False, (f"{item.name} deliverable", *_whole(item.deliverable, years))))
    if not rows:
        return ""
    short = [
        f'<p class="warn">Short of {item.most_short:,.0f} {escape(item.name)} under contract in '
        f"{item.short_month}.</p>"
        for item in report.capacity
        if item.most_short
    ]
    heads = ("under contract, end of year", *(span.label for span in years))
    return table(heads, rows) + "".join(short)


def _whole(values: Sequence[Decimal], years: Sequence[Span]) -> list[str]:
    return [f"{values[span.last]:,.0f}" for span in years]


def _indicators(indicators: IndicatorReport, drawn: Sequence[Span]) -> Iterable[str]:
    yield "<h2>Whom it depends on</h2>"
    yield top_picture(indicators, drawn)
    yield _dependences(indicators)
    pictures = [cost_picture(indicators, drawn), use_picture(indicators, drawn)]
    yield "<h2>Component cost and use</h2>"
    yield _now(indicators)
    yield from pictures
    notes = "\n".join(f"<li>{escape(note)}</li>" for note in indicators.notes)
    yield f'<ul class="soft">\n{notes}\n</ul>' if notes else ""


def _now(indicators: IndicatorReport) -> str:
    """Indicators when revenue begins, a year later, and at the end."""
    rows: list[Row] = []
    for one in indicators.series:
        if one.key.startswith(("diversification.", "cost.index.")):
            continue
        if not any(point.value for point in one.points):
            continue
        places = months_shown(one, indicators.at)
        cells = [quantity(one.points[place].value, one.unit) for place in places]
        causes = moved(one, places[0], places[1])[:1]
        rows.append((False, (one.name, one.unit, *cells, causes[0][0] if causes else "-")))
    heads = ("indicator", "unit", indicators.at, "a year later", "at the end", "moved most by")
    return table(heads, rows) if rows else "<p>Nothing of it is known.</p>"


def _dependences(indicators: IndicatorReport) -> str:
    heads = ("of", "month", "top 1", "top 3", "top 5", "HHI", "as many equal ones", "largest")
    return table(heads, dependence_rows(indicators, percent))


def _indicators_alone(indicators: IndicatorReport) -> str:
    months = [point.month for point in indicators.series[0].points]
    return "\n".join(_indicators(indicators, spans(months, "quarter")))


def statement_table(statement: Statement, years: Sequence[Span], scale: Scale) -> str:
    """A statement by year, flows with a column of all years."""
    flows = not all(line.level for line in statement.lines)
    shown = list(years)
    if flows and len(years) > 1:
        shown.append(Span(label="all", first=0, last=years[-1].last))
    rows = [
        (line.whole, (line.name, *(scale.of(span.amount(line)) for span in shown)))
        for line in statement.lines
    ]
    return table((f"{statement.name}, {scale.unit}", *(span.label for span in shown)), rows)


def table(head: Sequence[str], rows: Iterable[Row]) -> str:
    """A table; of a row, whether it is a sum, and its cells."""
    top = "".join(f'<th scope="col">{escape(name)}</th>' for name in head)
    body = "\n".join(
        f"<tr{' class=whole' if whole else ''}>"
        + "".join(f"<td>{escape(cell)}</td>" for cell in cells)
        + "</tr>"
        for whole, cells in rows
    )
    return (
        f'<div class="scroll"><table>\n<thead><tr>{top}</tr></thead>\n<tbody>\n{body}\n</tbody>\n'
        "</table></div>"
    )
