"""The tables of docs/public-examples.md: `python tools/public/public_page.py` makes them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

from figures import ROOT, Figure, read_figures
from forecasts import MEASURES, Forecast, forecasts, mean_error
from iren_cover import Anchor, anchors
from relations import Checked, check, derived, numbers, published

PAGE = ROOT / "docs" / "public-examples.md"
JUDGED = MEASURES[:3]


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown."""
    parts = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in parts) + "\n"


def _per_cent(value: Decimal | None) -> str:
    return "" if value is None else f"{value:+.1f}"


def _sum(value: Decimal | None) -> str:
    return "not found" if value is None else f"{value:,.1f}"


def forecast_table(found: Sequence[Forecast]) -> str:
    """Forecast beside published, quarter by quarter."""
    head = (
        "company", "quarter", "measure", "forecast", "published", "error %",
        "company's outlook", "its error %", "unchanged, error %",
    )  # fmt: skip
    rows = [
        (
            one.quarter.company,
            one.quarter.name,
            one.measure.replace("ebitda", "EBITDA"),
            _sum(one.forecast),
            _sum(one.published),
            _per_cent(one.error),
            "" if one.outlook is None else _sum(one.outlook),
            _per_cent(one.outlook_error),
            _per_cent(one.unchanged_error),
        )
        for one in found
    ]
    return table(head, rows)


def error_table(found: Sequence[Forecast]) -> str:
    """Mean errors by measure, where something was published."""
    rows = []
    for measure in MEASURES:
        judged = [one for one in found if one.measure == measure and one.error is not None]
        if not judged:
            continue
        unchanged = [abs(e) for one in judged if (e := one.unchanged_error) is not None]
        worst = max(judged, key=lambda one: abs(one.error or Decimal(0)))
        rows.append(
            (
                measure.replace("ebitda", "EBITDA"),
                str(len(judged)),
                f"{mean_error(found, measure):.1f}",
                f"{_per_cent(worst.error)} ({worst.quarter.company}, {worst.quarter.name})",
                f"{sum(unchanged) / len(unchanged):.1f}",
            )
        )
    head = ("measure", "quarters", "mean error %", "largest", "unchanged, mean error %")
    return table(head, rows)


def anchor_table(found: Sequence[Anchor]) -> str:
    """What IREN's loan is covered by, by definition."""
    rows = [
        (one.meaning, f"{one.first_year:.2f}", f"{one.least:.3f} to {one.most:.3f}")
        for one in found
    ]
    return table(("prepayment and rate", "first year", "all years"), rows)


def relation_table(found: Sequence[Checked]) -> str:
    """Relations that were published."""
    rows = []
    for one in found:
        value = "as reported" if one.value is None else f"{one.value:,.2f}"
        relation = one.relation
        rows.append(
            (
                relation.key,
                f"`{relation.company}`",
                f"`{relation.meaning}`",
                value,
                f"{relation.reported} ± {relation.tolerance}",
                f"`{relation.unit}`",
                "yes" if one.holds else "**no**",
            )
        )
    head = ("id", "company", "relation", "from the figures", "reported", "unit", "holds")
    return table(head, rows)


def derived_table(found: Sequence[Checked]) -> str:
    """What else follows."""
    rows = [
        (
            one.relation.key,
            f"`{one.relation.company}`",
            f"`{one.relation.meaning}`",
            "" if one.value is None else f"{one.value:,.2f}",
            f"`{one.relation.unit}`",
        )
        for one in found
    ]
    return table(("id", "company", "what", "value", "unit"), rows)


def tables(figures: Mapping[str, Figure]) -> Mapping[str, str]:
    """The tables by the name of their marks."""
    found = forecasts(figures)
    values = numbers(figures)
    return {
        "errors": error_table(found),
        "forecasts": forecast_table(found),
        "project": anchor_table(anchors()),
        "relations": relation_table(check(published(), values)),
        "derived": derived_table(check(derived(), values)),
    }


def placed(text: str, made: Mapping[str, str]) -> str:
    """The page with its tables.

    Raises:
        ValueError: a mark is not on the page.
    """
    for name, content in made.items():
        begin, end = f"<!-- {name}: begin -->\n", f"<!-- {name}: end -->"
        if begin not in text or end not in text:
            raise ValueError(f"the page has no marks for {name}")
        before, _, rest = text.partition(begin)
        text = f"{before}{begin}{content}{end}{rest.partition(end)[2]}"
    return text


def main() -> int:
    """Writes the page."""
    PAGE.write_text(placed(PAGE.read_text(), tables(read_figures())))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
