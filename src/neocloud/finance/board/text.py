"""The finance part as text of a hundred columns."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from itertools import zip_longest

import msgspec

from neocloud.books.side_by_side.figures import figure
from neocloud.finance.board.document import Document
from neocloud.finance.board.figures import Grain, Scale, Span, percent, scale_of, spans, times
from neocloud.finance.board.records import (
    Amount,
    CovenantReport,
    Cover,
    FacilityReport,
    FinanceReport,
    Headline,
    Statement,
)

WIDTH = 100
_NAME = 30
_COLUMN = 10
_COLUMNS = (WIDTH - _NAME) // _COLUMN
MEASURES = {
    "dscr": "DSCR", "llcr": "LLCR", "ltv": "LTV", "lock_up": "DSCR, lock-up",
    "interest_cover": "interest cover", "leverage": "leverage", "liquidity": "liquidity",
}  # fmt: skip
"""Covenants in words."""
CREDITED = (
    "DSCR is CFADS over interest, fees and scheduled principal of the last twelve months. CFADS is "
    "cash of operations after cost and tax; prepayments are credited to invoices over the term "
    "unless it says otherwise, which covenants are tested on."
)
"""Which definition of cover stands where none is named."""
MARK = "RECONSTRUCTION"


def reconstruction_lines(document: Document) -> list[str]:
    """The mark of a reconstruction, in lines that fit; nothing of any other file."""
    if not document.reconstruction:
        return []
    return [*wrapped(f"{MARK}: {document.reconstruction}", WIDTH), ""]


def finance_text(report: FinanceReport, document: Document, grain: Grain = "year") -> str:
    """Lay the finance part out."""
    scale = scale_of(report, document.currency)
    periods = spans(report.months, grain)
    count = len(report.months)
    when = f"{report.months[0]} to {report.months[-1]} ({count} months)"
    lines = [
        f"{document.cloud}: finance, {when}, {scale.unit}",
        *wrapped(report.from_plan, WIDTH),
        "",
        *headline_lines(report.headline, scale),
    ]
    for statement in (report.income, report.cash, report.balance):
        lines += ["", *statement_lines(statement, periods, scale)]
    lines += ["", *_sources_lines(report, scale)]
    if report.facilities:
        lines += ["", *_debt_lines(report, periods, scale)]
    lines += ["", *_capacity_lines(report, periods, scale)]
    lines += ["", *check_lines(report)]
    for note in report.notes:
        lines += wrapped(f"Note: {note}", WIDTH)
    return "\n".join(line.rstrip() for line in lines) + "\n"


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """A headline figure: name, value, what else there is to say.

    Attributes:
        money: True of an amount in the report's unit.
        bad: True where a reader should stop.
    """

    name: str
    value: str
    more: str = ""
    money: bool = False
    bad: bool = False


def headline_lines(h: Headline, scale: Scale) -> list[str]:
    """The figures that are asked for first."""
    return [f"  {f.name:32}{f.value:>13}  {f.more}" for f in headline_figures(h, scale)]


def headline_figures(h: Headline, scale: Scale) -> tuple[Figure, ...]:
    """The figures that are asked for first, for text and page."""

    def money(name: str, amount: Decimal, more: str = "") -> Figure:
        return Figure(name=name, value=scale.of(amount), more=more, money=bool(amount))

    margin = f"{h.ebitda_year / h.revenue_year:.0%} of it, " if h.revenue_year else ""
    since = "nothing is signed"
    if h.backlog:
        since = f"signed and owed, used or not, start of {h.backlog_month}"
    owed = f"end of {h.peak_debt_month}, leases included" if h.peak_debt_month else "none"
    back = "not paid back in these months"
    if h.equity_payback_years is not None:
        back = f"paid back after {h.equity_payback_years:.1f} years"
    return (
        money("revenue, first 12 months", h.revenue_year, f"all months {scale.of(h.revenue)}"),
        money("EBITDA, first 12 months", h.ebitda_year, f"{margin}all months {scale.of(h.ebitda)}"),
        money("backlog (RPO)", h.backlog, since),
        money("most debt", h.peak_debt, owed),
        *_risks(h),
        Figure(name="equity IRR", value=percent(h.equity_irr),
               more="book value counts as paid in first and out last"),
        Figure(name="equity multiple (MOIC)", value=times(h.equity_multiple), more=back),
        money(f"equity NPV at {percent(h.discount_rate)}", h.equity_npv),
        Figure(name="project IRR", value=percent(h.project_irr),
               more="before debt" if h.project_irr is not None else "cash has no single rate"),
    )  # fmt: skip


def _risks(h: Headline) -> tuple[Figure, ...]:
    """Least cover, first breach, runway."""
    facility, _, measure = h.breached.partition(": ")
    cover = f"{h.min_dscr_facility}, {h.min_dscr_month}; prepayments credited"
    ends = h.runway_months is not None
    runway = "cash stays above the minimum, all bills are paid"
    if ends:
        runway = f"bills unpaid from {h.short_from}" if h.short_from else "until cash is too low"
    return (
        Figure(name="minimum DSCR", value=times(h.min_dscr), bad=(h.min_dscr or 1) < 1,
               more="no debt service" if h.min_dscr is None else cover),
        Figure(name="first covenant breach", value=h.first_breach or "none",
               bad=bool(h.first_breach),
               more=f"{facility}: {MEASURES[measure]}" if h.first_breach else "in these months"),
        Figure(name="runway", value=f"{h.runway_months} months" if ends else "all months",
               more=runway, bad=ends),
    )  # fmt: skip


def statement_lines(statement: Statement, periods: Sequence[Span], scale: Scale) -> list[str]:
    """A statement by period; of many periods block after block."""
    flows = not all(line.level for line in statement.lines)
    rows = []
    for line in statement.lines:
        cells = [scale.of(span.amount(line)) for span in periods]
        if flows and len(periods) > 1:
            whole = Span(label="all", first=0, last=periods[-1].last)
            cells.append("" if line.level else scale.of(whole.amount(line)))
        rows.append((line.name if line.whole else f"  {line.name}", cells))
    heads = [span.label for span in periods]
    if flows and len(periods) > 1:
        heads.append("all")
    return table(f"{statement.name}, {scale.unit}", heads, rows)


def table(title: str, heads: Sequence[str], rows: Sequence[tuple[str, Sequence[str]]]) -> list[str]:
    """Columns of one width, in as many blocks as fit beside each other."""
    lines: list[str] = []
    for start in range(0, max(len(heads), 1), _COLUMNS):
        shown = slice(start, start + _COLUMNS)
        if start:
            lines.append("")
        lines.append(f"{title[:_NAME]:{_NAME}}" + "".join(f"{h:>{_COLUMN}}" for h in heads[shown]))
        lines += [
            f"{name[:_NAME]:{_NAME}}" + "".join(f"{cell:>{_COLUMN}}" for cell in cells[shown])
            for name, cells in rows
        ]
    return lines


def _sources_lines(report: FinanceReport, scale: Scale) -> list[str]:
    both = report.sources_and_uses
    whole = Amount(name="sources", amount=both.total), Amount(name="uses", amount=both.total)
    pairs = [*zip_longest(both.sources, both.uses), whole]
    title = f"Sources and uses until {both.until}, {scale.unit}"
    return [title, *("".join(_half(side, scale) for side in pair) for pair in pairs)]


def _half(side: Amount | None, scale: Scale) -> str:
    """A source or a use, half as wide as the page."""
    if side is None:
        return " " * (WIDTH // 2)
    return f"  {side.name:35.35}{scale.of(side.amount):>11}  "


def _debt_lines(report: FinanceReport, periods: Sequence[Span], scale: Scale) -> list[str]:
    lines = wrapped(CREDITED, WIDTH)
    for facility in report.facilities:
        lines += ["", *_facility_lines(facility, periods, scale)]
    company = [
        ("  interest cover", [times(s.latest(report.company.interest_cover)) for s in periods]),
        ("  net debt over EBITDA", [times(s.latest(report.company.leverage)) for s in periods]),
        ("  contracted cover", [times(s.latest(report.company.contracted_cover)) for s in periods]),
    ]
    lines += ["", *table("The company at the end", [s.label for s in periods], company)]
    if report.covenants:
        lines += ["", *covenant_lines(report.covenants, scale)]
    return lines


def _facility_lines(facility: FacilityReport, periods: Sequence[Span], scale: Scale) -> list[str]:
    kind = facility.kind.replace("_", " ")
    title = f"{facility.key}, {scale.unit}"
    shown = ("drawn", "rolled_up", "converted", "scheduled", "swept", "closing", "interest_paid",
             "fee_paid", "reserve")  # fmt: skip
    account = {line.key: line for line in facility.account.lines}
    rows = [
        (f"  {account[key].name}", [scale.of(span.amount(account[key])) for span in periods])
        for key in shown
        if key in account
    ]
    rows += [
        (f"  DSCR, {_way(cover)}", [times(span.latest(cover.trailing)) for span in periods])
        for cover in facility.cover
    ]
    owed = [bool(account["closing"].amounts[span.last]) for span in periods]
    first = facility.cover[0]
    for name, ratios, written in (
        ("LLCR", first.llcr, times), ("PLCR", first.plcr, times),
        ("LTV", facility.loan_to_value, percent),
    ):  # fmt: skip
        pairs = zip(periods, owed, strict=True)
        cells = [written(span.at_end(ratios)) if owes else "-" for span, owes in pairs]
        if any(cell != "-" for cell in cells):
            rows.append((f"  {name}", cells))
    said = f"  {kind}, {scale.told(facility.commitment)}, matures {facility.maturity}; least DSCR "
    said += (
        "; ".join(
            f"{_way(cover)} {times(cover.least)} ({cover.least_month})"
            for cover in facility.cover
            if cover.least is not None
        )
        or "never tested"
    )
    return [*table(title, [span.label for span in periods], rows), *wrapped(said, WIDTH)]


def _way(cover: Cover) -> str:
    return {
        "credited": "prepayments credited", "received": "as received", "ignored": "forgotten",
    }[cover.definition]  # fmt: skip


def covenant_lines(covenants: Iterable[CovenantReport], scale: Scale) -> list[str]:
    """All covenants with what is demanded, the tightest month, headroom and breach."""
    head = ("Covenants", "measure", "demand", "tightest", "when", "headroom", "first breach")
    lines = ["{:26}{:16}{:>13}{:>10}{:>10}{:>11}{:>14}".format(*head)]
    form = "  {:24.24}{:16}{:>13}{:>10}{:>10}{:>11}{:>14}"
    return lines + [form.format(*covenant_cells(covenant, scale)) for covenant in covenants]


def covenant_cells(covenant: CovenantReport, scale: Scale) -> tuple[str, ...]:
    """Facility, measure, demand, tightest value, when, headroom, first breach."""

    def written(value: Decimal | None) -> str:
        if value is None:
            return "endless" if covenant.tightest_month else "-"
        if covenant.measure == "liquidity":
            return scale.of(value)
        return percent(value) if covenant.measure == "ltv" else times(value)

    sign = ">=" if covenant.demand == "at least" else "<="
    return (
        covenant.facility,
        MEASURES[covenant.measure],
        f"{sign} {written(covenant.level)}",
        written(covenant.value),
        covenant.tightest_month or "-",
        percent(covenant.tightest),
        covenant.first_breach or "none",
    )


def _capacity_lines(report: FinanceReport, periods: Sequence[Span], scale: Scale) -> list[str]:
    backlog = report.backlog
    rows = [
        (f"  {name}", [scale.of(amounts[span.last]) for span in periods])
        for name, amounts in (
            ("backlog (RPO)", backlog.firm),
            ("at the expected use", backlog.expected),
            ("  of it a year", backlog.annualised),
            ("pipeline, weighted", backlog.pipeline),
        )
        if any(amounts)
    ]
    for item in report.capacity:
        rows.append((f"  {item.name} owed", [_count(item.owed[s.last]) for s in periods]))
        if item.deliverable:
            there = [_count(item.deliverable[span.last]) for span in periods]
            rows.append((f"  {item.name} deliverable", there))
    for rung in report.power:
        megawatts = [_count(rung.megawatts[span.last]) for span in periods]
        rows.append((f"  MW {rung.name}", megawatts))
    if not rows:
        return ["Nothing is under contract, and no site tells of its power by month."]
    lines = table(f"At the end, {scale.unit}", [span.label for span in periods], rows)
    for item in report.capacity:
        if item.most_short:
            lines.append(
                f"  SHORT of {item.most_short:,.0f} {item.name} under contract, {item.short_month}"
            )
    return lines


def _count(number: Decimal) -> str:
    """A number of accelerators or megawatts: whole where it is, or large."""
    return f"{number:,.0f}" if number == int(number) or number >= 1000 else figure(float(number))


def check_lines(report: FinanceReport) -> list[str]:
    """What must be zero, in a line each."""
    count = len(report.months)
    off = [check for check in report.checks if check.difference]
    if not off:
        names = "; ".join(check.name for check in report.checks)
        return wrapped(f"Checks: difference 0 in all {count} months: {names}.", WIDTH)
    return [f"CHECK FAILED: {check.name}: {check.difference}" for check in off]


def wrapped(text: str, width: int) -> list[str]:
    """Lines of so many columns at most; those after the first are set in by two."""
    lines, indent = [""], len(text) - len(text.lstrip())
    for word in text.split():
        start = not lines[-1].strip()
        if not start and len(lines[-1]) + 1 + len(word) > width:
            lines.append(" " * (indent + 2) + word)
        else:
            lines[-1] = " " * indent + word if start else f"{lines[-1]} {word}"
    return lines
