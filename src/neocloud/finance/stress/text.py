"""A stress test as text, and as comma-separated values."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence

from neocloud.finance.stress.records import (
    Breach,
    Figures,
    MonteCarlo,
    Parameter,
    Reverse,
    Smallest,
    StressReport,
    Swing,
)

NONE = "-"
_TITLES = {
    "min_dscr": "least DSCR", "equity_irr": "equity IRR", "runway_months": "runway, months",
    "equity_cash": "owners' cash",
}  # fmt: skip

COLUMNS = (
    "scenario", "revenue", "EBITDA", "CFADS", "least DSCR", "when", "least LLCR", "most LTV",
    "first breach", "runway", "equity IRR",
)  # fmt: skip


def stress_text(report: StressReport) -> str:
    """The report for a terminal."""
    parts = [
        _head(report),
        _covered(report),
        table([COLUMNS, *_rows(report)]),
        *_changes(report),
        _untouched(report),
        unpriced(report),
        *(["Tornado: each factor alone, over its range", table(tornado_rows(report.tornado))]),
    ]
    if report.monte_carlo is not None:
        parts += _monte_carlo(report.monte_carlo, report)
    if report.reverse is not None:
        parts += _reverse(report.reverse)
    return "\n\n".join(part for part in parts if part) + "\n"


def _head(report: StressReport) -> str:
    span = f"{report.months[0]} to {report.months[-1]}"
    marked = f"RECONSTRUCTION: {report.reconstruction}\n\n" if report.reconstruction else ""
    return f"{marked}{report.cloud}: stress over {len(report.months)} months, {span}"


def _covered(report: StressReport) -> str:
    unit, _ = scale(report)
    who = ", ".join(report.dscr_facilities)
    covers = f"DSCR of trailing twelve months: {who}." if who else "No debt."
    return f"Money in {unit}, over all months. {covers}"


def scale(report: StressReport) -> tuple[str, float]:
    """A unit in which revenue has few digits, and how much it is."""
    most = max(abs(report.base.revenue), abs(report.base.ebitda), 1.0)
    for least, name, size in (
        (1e10, "billion", 1e9),
        (1e7, "million", 1e6),
        (1e4, "thousand", 1e3),
    ):
        if most >= least:
            return f"{name} {report.currency}", size
    return report.currency, 1.0


def _rows(report: StressReport) -> list[tuple[str, ...]]:
    _, size = scale(report)
    return [
        figure_row("base", report.base, size),
        *(figure_row(item.name, item.figures, size) for item in report.scenarios),
    ]


def figure_row(name: str, figures: Figures, size: float) -> tuple[str, ...]:
    """One case in words, in the order of `COLUMNS`."""
    runway = NONE if figures.runway_months is None else f"{figures.runway_months} months"
    return (
        name,
        f"{figures.revenue / size:,.2f}",
        f"{figures.ebitda / size:,.2f}",
        f"{figures.cfads / size:,.2f}",
        times(figures.min_dscr),
        figures.min_dscr_month or NONE,
        times(figures.min_llcr),
        percent(figures.max_ltv),
        breach_text(figures.first_breach),
        runway,
        percent(figures.equity_irr),
    )


def _changes(report: StressReport) -> list[str]:
    rows = change_rows(report)
    return ["Less the base case", table(rows)] if len(rows) > 1 else []


def change_rows(report: StressReport) -> list[tuple[str, ...]]:
    """Scenarios that change anything, less the base case, as a table."""
    _, size = scale(report)
    head = ("scenario", "revenue", "EBITDA", "CFADS", "least DSCR", "least LLCR", "most LTV",
            "equity IRR", "owners' cash")  # fmt: skip
    rows: list[tuple[str, ...]] = [head]
    for item in report.scenarios:
        change = item.change
        if item.moves:
            money = [f"{m / size:+,.2f}" for m in (change.revenue, change.ebitda, change.cfads)]
            ratios = [
                NONE if r is None else f"{r:+.2f}x" for r in (change.min_dscr, change.min_llcr)
            ]
            rows.append(
                (item.name, *money, *ratios, _points(change.max_ltv), _points(change.equity_irr),
                 f"{change.equity_cash / size:+,.2f}")
            )  # fmt: skip
    return rows


def _points(value: float | None) -> str:
    return NONE if value is None else f"{value * 100:+.1f} points"


def times(value: float | None) -> str:
    """A ratio as `1.30x`."""
    return NONE if value is None else f"{value:.2f}x"


def percent(value: float | None) -> str:
    """A share as `12.3 %`."""
    return NONE if value is None else f"{value:.1%}".replace("%", " %")


def breach_text(breach: Breach | None) -> str:
    """What breaks and when."""
    if breach is None:
        return NONE
    return f"{breach.month} {test_name(breach.facility, breach.measure)}"


def test_name(facility: str, measure: str) -> str:
    """A covenant's name."""
    return f"{facility} {measure}" if facility else "bills unpaid"


def unpriced(report: StressReport) -> str:
    """Contracts of which nothing can be let again, with the remedy; empty without any."""
    if not report.without_market:
        return ""
    return (
        f"No market price is known for what these contracts hold, so nothing of it is let again: "
        f"{', '.join(report.without_market)}. Give them an accelerator of the catalog that is "
        f"rented by the hour, or a price under finance.merchant."
    )


def _untouched(report: StressReport) -> str:
    still = [item.name for item in report.scenarios if not item.moves]
    return f"These change nothing here: {', '.join(still)}." if still else ""


def tornado_rows(tornado: Sequence[Swing]) -> list[tuple[str, ...]]:
    """The tornado as a table."""
    head = ("factor", "from", "to", "DSCR at from", "DSCR at to", "IRR at from", "IRR at to")
    return [
        head,
        *(
            (
                bar.title,
                level_text(bar.low, bar.unit),
                level_text(bar.high, bar.unit),
                times(bar.min_dscr_low),
                times(bar.min_dscr_high),
                percent(bar.equity_irr_low),
                percent(bar.equity_irr_high),
            )
            for bar in tornado
        ),
    ]


def level_text(level: float, unit: str) -> str:
    """A level of a shock with its unit."""
    if unit == "months":
        return f"{level:g} months"
    if unit == "1/year":
        return f"{level * 100:.2f} points"
    return f"{level:.1%}".replace("%", " %")


def _monte_carlo(found: MonteCarlo, report: StressReport) -> list[str]:
    unit, size = scale(report)
    head = f"{found.paths:,} paths of seed {found.seed}"
    parts = [
        f"{head}; without chance they are the exact model but for {found.base_difference:.0e}",
        table(distribution_rows(found)),
        table(tail_rows(found, unit, size)),
    ]
    broken = breach_rows(found, report)
    if len(broken) > 1:
        parts.append(table(broken))
    parts.append(first_text(found, report))
    return parts


def distribution_rows(found: MonteCarlo) -> list[tuple[str, ...]]:
    """Distributions as a table."""
    shares = [f"{item.share:.0%}" for item in found.distributions[0].quantiles]
    shown = {"min_dscr": times, "equity_irr": percent, "runway_months": _whole}
    return [
        ("paths at or below", "mean", *shares),
        *(
            (
                _TITLES[item.measure],
                shown[item.measure](item.mean),
                *(shown[item.measure](quantile.value) for quantile in item.quantiles),
            )
            for item in found.distributions
        ),
    ]


def _whole(value: float | None) -> str:
    return NONE if value is None else f"{value:.0f}"


def tail_rows(found: MonteCarlo, unit: str, size: float) -> list[tuple[str, ...]]:
    """Value at risk and expected shortfall as a table."""
    rows: list[tuple[str, ...]] = [("worst 5 % of paths", "value at risk", "expected shortfall")]
    for tail in found.tails:
        values = (tail.value_at_risk, tail.expected_shortfall)
        if tail.measure == "min_dscr":
            rows.append((_TITLES[tail.measure], times(values[0]), times(values[1])))
        else:
            shown = [NONE if value is None else f"{value / size:,.2f}" for value in values]
            rows.append((f"{_TITLES[tail.measure]}, {unit}", shown[0], shown[1]))
    return rows


def breach_rows(found: MonteCarlo, report: StressReport) -> list[tuple[str, ...]]:
    """Chances of breach as a table: by the end of each year, and as the first."""
    count = len(report.months)
    ends = list(range(11, count, 12))
    if not ends or ends[-1] != count - 1:
        ends.append(count - 1)
    return [
        ("broken by", *(report.months[month] for month in ends), "breaks first"),
        *(
            (
                test_name(item.facility, item.measure),
                *(percent(item.by_month[month]) for month in ends),
                NONE if item.measure == "lock_up" else percent(item.first),
            )
            for item in found.breaches
        ),
    ]


def first_text(found: MonteCarlo, report: StressReport) -> str:
    """What breaks first, when and beside which factor."""
    if not found.first.share:
        return "Nothing breaks on any path."
    likely = max(range(len(report.months)), key=lambda month: found.first.by_month[month])
    ranked = sorted(found.first.by_factor.items(), key=lambda item: -item[1])
    factors = ", ".join(f"{name} {percent(share)}" for name, share in ranked if share)
    return (
        f"Something breaks on {percent(found.first.share)} of paths, most often first in "
        f"{report.months[likely]}. The most extreme factor until then: {factors}."
    )


def _reverse(found: Reverse) -> list[str]:
    return [
        f"Smallest shock that takes the least DSCR to {found.target:.2f}x",
        table([
            ("shock", "level", "times the scenario's", "least DSCR"),
            *(smallest_row(item) for item in found.alone),
        ]),
        together_text(found),
    ]  # fmt: skip


def smallest_row(item: Smallest) -> tuple[str, str, str, str]:
    """A smallest shock, or that there is none."""
    if item.outcome == "never":
        limit = level_text(item.bound, item.unit)
        return (item.title, f"none up to {limit}", NONE, NONE)
    if item.level is None:
        return (item.title, "no DSCR is tested", NONE, NONE)
    if item.outcome == "already":
        return (item.title, "none needed", NONE, times(item.dscr))
    return (item.title, level_text(item.level, item.unit), f"{item.sizes:.3f}", times(item.dscr))


def together_text(found: Reverse) -> str:
    """The smallest combination in words."""
    if found.outcome == "already":
        return f"The base case is at {times(found.dscr)} already."
    if found.outcome != "found":
        return "No combination within bounds does."
    parts = "; ".join(_told(item) for item in found.together)
    return (
        f"Smallest combination: {parts}. The least DSCR is then {times(found.dscr)}. Its norm is "
        f"{found.norm:.3f}: the {found.norm_text}."
    )


def _told(item: Parameter) -> str:
    return f"{item.name}: {level_text(item.value, item.unit)}"


def table(rows: Sequence[Sequence[str]]) -> str:
    """Columns side by side: the first to the left, the others to the right."""
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if place == 0 else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )


class _Lines:
    """What the writer of comma-separated values writes to."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def write(self, line: str) -> None:
        self.lines.append(line)


def stress_csv(report: StressReport) -> str:
    """Base case and scenarios, one a line, in units of the currency; empty: there is none."""
    out = _Lines()
    writer = csv.writer(out, lineterminator="\n")
    names = [name for name in Figures.__struct_fields__ if name != "first_breach"]
    writer.writerow(["scenario", *names, "breach_month", "breach_facility", "breach_measure"])
    cases = [("base", report.base), *((item.name, item.figures) for item in report.scenarios)]
    for name, figures in cases:
        writer.writerow([name, *_cells(figures, names), *_breach_cells(figures.first_breach)])
    return "".join(out.lines)


def _cells(figures: Figures, names: Iterable[str]) -> list[object]:
    values = (getattr(figures, name) for name in names)
    return ["" if value is None else value for value in values]


def _breach_cells(breach: Breach | None) -> tuple[str, str, str]:
    return ("", "", "") if breach is None else (breach.month, breach.facility, breach.measure)
