"""IREN's loan on its contract with Microsoft: what covers it, by definition and rate.

python tools/public/iren_cover.py
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from figures import PUBLIC

from neocloud.catalog import load_catalog
from neocloud.finance.arithmetic import Exact
from neocloud.finance.inputs import inputs_of
from neocloud.finance.measures import Definition, dscr_trailing
from neocloud.finance.model import run
from neocloud.finance.records import Inputs
from neocloud.finance.shocks import NONE, Shocks
from neocloud.spec import load_cloud

LOAN = "gpu-loan"
_YEAR = 12
_ROWS: Sequence[tuple[str, Definition, Fraction]] = (
    ("forgotten: each invoice counts whole", "ignored", Fraction(0)),
    ("credited evenly over the term", "credited", Fraction(0)),
    ("credited evenly, base rate 2 points higher", "credited", Fraction(2, 100)),
)


@dataclass(frozen=True, slots=True)
class Anchor:
    """A cover of trailing twelve months: of the first full year of service, the least, the most."""

    meaning: str
    first_year: float
    least: float
    most: float


def inputs() -> Inputs:
    """What the model reads of the project."""
    catalog = load_catalog()
    return inputs_of(load_cloud(PUBLIC / "iren-microsoft.yaml", catalog), catalog)


def _shocks(given: Inputs, points: Fraction) -> Shocks:
    return Shocks(base_rate=(points,) * given.months.count) if points else NONE


def anchors() -> Sequence[Anchor]:
    """The three covers that the sources' figures come to."""
    given, arithmetic = inputs(), Exact()
    found = []
    for meaning, definition, points in _ROWS:
        lines = run(given, arithmetic, _shocks(given, points)).facility(LOAN)
        first = lines.service_from + _YEAR - 1
        ratios = [
            float(ratio)
            for month, ratio in enumerate(dscr_trailing(arithmetic, lines, definition))
            if lines.due[month] and month >= first
        ]
        found.append(Anchor(meaning, ratios[0], min(ratios), max(ratios)))
    return found


def main() -> int:
    """Prints them."""
    for one in anchors():
        print(f"{one.meaning:45} {one.first_year:.4f}  {one.least:.4f} to {one.most:.4f}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
