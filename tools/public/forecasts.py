"""What the reconstructed companies forecast for their next quarter, beside what was published.

python tools/public/forecasts.py
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from statistics import mean

from figure_formulas import evaluate
from figures import PUBLIC, Figure, read_figures
from quarter import Quarter
from quarters import QUARTERS
from relations import numbers

from neocloud.catalog import load_catalog
from neocloud.finance.arithmetic import Exact
from neocloud.finance.inputs import inputs_of
from neocloud.finance.model import run
from neocloud.finance.outcome import Line, Outcome
from neocloud.spec import load_cloud

MONTHS = 3
MEASURES = ("revenue", "interest", "depreciation", "ebitda")
"""The first three are judged; EBITDA is shown as well."""
_PICO_MILLION = Decimal(10) ** 18


@dataclass(frozen=True, slots=True)
class Forecast:
    """A measure of a quarter, in millions of dollars: forecast, published, the company's outlook.

    `before` is what it was in the quarter before.
    """

    quarter: Quarter
    measure: str
    forecast: Decimal
    published: Decimal | None
    outlook: Decimal | None
    before: Decimal

    @property
    def error(self) -> Decimal | None:
        """Forecast over published less one, per cent."""
        return _off(self.forecast, self.published)

    @property
    def outlook_error(self) -> Decimal | None:
        """The same of the company's own outlook."""
        return None if self.outlook is None else _off(self.outlook, self.published)

    @property
    def unchanged_error(self) -> Decimal | None:
        """The same of the quarter before, taken as it was."""
        return _off(self.before, self.published)


def _off(value: Decimal, published: Decimal | None) -> Decimal | None:
    return None if published is None else 100 * (value / published - 1)


def outcome_of(path: Path) -> Outcome:
    """A cloud file's base case by the exact model."""
    catalog = load_catalog()
    return run(inputs_of(load_cloud(path, catalog), catalog), Exact())


def forecast(quarter: Quarter, figures: Mapping[str, Figure]) -> Sequence[Forecast]:
    """What the model says of a quarter; measures of which nothing went in are left out."""
    outcome = outcome_of(PUBLIC / quarter.file)
    income = outcome.income
    lines = {"revenue": income.revenue}
    if quarter.owed:
        lines["interest"] = tuple(a + b for a, b in zip(income.interest, income.fees, strict=True))
    if quarter.depreciation:
        lines["depreciation"] = income.depreciation
    if quarter.ebitda:
        lines["ebitda"] = income.ebitda
    values = numbers(figures)
    return [
        Forecast(
            quarter=quarter,
            measure=measure,
            forecast=_millions(line),
            published=_value(quarter.published.get(measure), values),
            outlook=_value(quarter.outlook.get(measure), values),
            before=_value(getattr(quarter, measure), values) or Decimal(0),
        )
        for measure, line in lines.items()
    ]


def _millions(line: Line) -> Decimal:
    return sum((Decimal(int(month)) for month in line[:MONTHS]), Decimal(0)) / _PICO_MILLION


def _value(formula: str | None, values: Mapping[str, Decimal]) -> Decimal | None:
    return evaluate(formula, values)[0] if formula else None


def forecasts(figures: Mapping[str, Figure]) -> Sequence[Forecast]:
    """All of them, in the order of the quarters."""
    return [one for quarter in QUARTERS for one in forecast(quarter, figures)]


def mean_error(found: Sequence[Forecast], measure: str) -> Decimal | None:
    """Mean of the errors without their signs, per cent."""
    errors = [abs(one.error) for one in found if one.measure == measure and one.error is not None]
    return mean(errors) if errors else None


def main() -> int:
    """Prints them."""
    for one in forecasts(read_figures()):
        parts = [f"{one.quarter.company:10} {one.quarter.name} {one.measure:13}"]
        parts.append(f"forecast {one.forecast:9.1f}")
        for name, value, error in (
            ("published", one.published, one.error),
            ("outlook", one.outlook, one.outlook_error),
        ):
            if value is not None:
                parts.append(f"{name} {value:9.1f}" + (f" {error:+6.1f} %" if error else ""))
        print("  ".join(parts))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
