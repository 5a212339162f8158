"""A stress test as one HTML file: no script, no other file, no network."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from neocloud.finance.stress.charts import fan_svg, tornado_svg
from neocloud.finance.stress.records import MonteCarlo, Parameter, Reverse, StressReport
from neocloud.finance.stress.text import (
    COLUMNS,
    breach_rows,
    change_rows,
    distribution_rows,
    figure_row,
    first_text,
    scale,
    smallest_row,
    tail_rows,
    together_text,
    tornado_rows,
    unpriced,
)

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 75rem; margin: 2rem auto; padding: 0 1rem;
  color: #1c2126; background: #fff; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.2rem; margin-top: 2.2rem; }
.soft { color: #5a6b7b; } .wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: 13px; font-variant-numeric: tabular-nums; }
th, td { padding: 3px 10px; border-bottom: 1px solid #d8dee4; text-align: right; }
th:first-child, td:first-child, .prose th, .prose td { text-align: left; }
td { vertical-align: top; } .prose td:first-child { white-space: nowrap; }
.chart { width: 100%; height: auto; }
@media (prefers-color-scheme: dark) { body { color: #e6e9ec; background: #15181b; }
  .chart text { fill: #e6e9ec; } th, td { border-color: #394048; } .soft { color: #9aa7b3; } }
"""
_KEY = "Dark band: half of all paths; light band: nine tenths; line: median; dashed: base case."


def stress_page(report: StressReport) -> str:
    """The page; the same report gives the same bytes."""
    title = escape(f"{report.cloud}: stress test")
    unit, size = scale(report)
    span = f"{report.months[0]} to {report.months[-1]}"
    cases = [("base", report.base), *((item.name, item.figures) for item in report.scenarios)]
    rows = [COLUMNS, *(figure_row(name, figures, size) for name, figures in cases)]
    parts = [
        f"<h1>{title}</h1>",
        _note(f"RECONSTRUCTION: {report.reconstruction}" if report.reconstruction else ""),
        f'<p class="soft">{span}; money in {escape(unit)}, over all months.</p>',
        "<h2>Scenarios</h2>",
        table_of(rows),
        "<h3>Less the base case</h3>",
        table_of(change_rows(report)),
        _note(unpriced(report)),
        "<h3>What happens</h3>",
        _what_happens(report),
        "<h2>Each factor alone</h2>",
        tornado_svg(report.tornado, report.base.min_dscr),
        table_of(tornado_rows(report.tornado)),
    ]
    if report.monte_carlo is not None:
        parts += _paths(report.monte_carlo, report)
    if report.reverse is not None:
        parts += _reverse(report.reverse)
    inside = "\n".join(part for part in parts if part)
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{_STYLE}</style>
</head>
<body>
{inside}
</body>
</html>
"""


def table_of(rows: Sequence[Sequence[str]], style: str = "figures") -> str:
    """A table whose first row is its head; its style is `figures` or `prose`."""
    head = "".join(f"<th>{escape(cell)}</th>" for cell in rows[0])
    body = "\n".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows[1:]
    )
    return f'<div class="wide"><table class="{style}">\n<tr>{head}</tr>\n{body}\n</table></div>'


def _note(text: str) -> str:
    return f"<p>{escape(text)}</p>" if text else ""


def _what_happens(report: StressReport) -> str:
    rows = [("scenario", "what happens", "parameters")]
    for item in report.scenarios:
        still = "" if item.moves else " It changes nothing here."
        told = "; ".join(f"{p.name} {p.value:g} {p.unit} ({p.source})" for p in item.parameters)
        rows.append((item.name, item.sentence + still, told))
    return table_of(rows, "prose")


def _paths(found: MonteCarlo, report: StressReport) -> list[str]:
    unit, size = scale(report)
    names = {
        "dscr": ("DSCR of trailing twelve months", 1.0),
        "cash": (f"Cash, {unit}", size),
        "revenue": (f"Revenue of a month, {unit}", size),
    }
    parts = [
        "<h2>Paths of chance</h2>",
        f"<p>{found.paths:,} paths of seed {found.seed}. {escape(first_text(found, report))}</p>",
        table_of(distribution_rows(found)),
        table_of(tail_rows(found, unit, size)),
    ]
    for fan in found.fans:
        title, each = names[fan.measure]
        picture = fan_svg(fan, report.months, title, each)
        if picture:
            parts += [f"<h3>{escape(title)}</h3>", picture, f'<p class="soft">{_KEY}</p>']
    parts += ["<h3>Chance of breach</h3>", table_of(breach_rows(found, report))]
    head = ("", *found.factors)
    rows = [
        (name, *(f"{value:.2f}" for value in row))
        for name, row in zip(found.factors, found.correlations, strict=True)
    ]
    parts += ["<h3>Correlations of the monthly innovations</h3>", table_of([head, *rows])]
    return [*parts, "<h3>Parameters</h3>", _parameters(found.parameters)]


def _parameters(parameters: Sequence[Parameter]) -> str:
    head = ("parameter", "value", "unit", "source")
    rows = [(p.name, f"{p.value:.4g}", p.unit, p.source) for p in parameters]
    return table_of([head, *rows], "prose")


def _reverse(found: Reverse) -> list[str]:
    head = ("shock", "level", "times the scenario's", "least DSCR")
    return [
        f"<h2>Smallest shock that takes the least DSCR to {found.target:.2f}x</h2>",
        table_of([head, *(smallest_row(item) for item in found.alone)]),
        f"<p>{escape(together_text(found))}</p>",
    ]
