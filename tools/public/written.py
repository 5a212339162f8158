"""Lines of a cloud file whose every number says where it is from, and the reading of them back.

A number's line ends with `# = FORMULA` over ids of public figures and names of the file, or with
`# assumption: WHY`. A name is given at the head of the file by `# let NAME = FORMULA`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_EVEN, Decimal

from figure_formulas import evaluate
from figures import Figure

_LET = re.compile(r"# let ([a-z_]+) = (.+)")
_VALUE = re.compile(
    r"^(?P<indent>[ -]*)(?P<key>[a-z_]+): (?P<text>[^#{\[]+?)\s*(?:# (?P<why>.*))?$"
)
_NUMERIC = re.compile(r"-?\d[\d.]*|\d{4}-\d\d-\d\d")


@dataclass(frozen=True, slots=True)
class Stated:
    """A number or day of a file with its line, and the formula or the assumption behind it."""

    line: int
    key: str
    text: str
    formula: str
    assumption: str


def rounded(value: Decimal, places: int) -> str:
    """A number as the files write it: half to even, without zeros at its end."""
    text = f"{value.quantize(Decimal(1).scaleb(-places), ROUND_HALF_EVEN):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


class Writer:
    """Gathers lines; evaluates formulas as they come, and remembers the figures that they use."""

    def __init__(self, figures: Mapping[str, Figure]) -> None:
        self.figures = figures
        self.values: dict[str, Decimal] = {key: one.number for key, one in figures.items()}
        self.lines: list[str] = []
        self.names: list[str] = []
        self.used: dict[str, None] = {}

    def evaluate(self, formula: str) -> Decimal:
        value, ids = evaluate(formula, self.values)
        self.used.update((name, None) for name in ids if name in self.figures)
        return value

    def let(self, name: str, formula: str) -> Decimal:
        """Gives a name to a formula."""
        value = self.evaluate(formula)
        self.values[name] = value
        self.names.append(f"# let {name} = {formula}")
        return value

    def plain(self, text: str) -> None:
        self.lines.append(text)

    def number(self, indent: str, key: str, formula: str, places: int = 0) -> None:
        """A line whose value is a formula's."""
        text = rounded(self.evaluate(formula), places)
        self.lines.append(f"{indent}{key}: {text}  # = {formula}")

    def assumed(self, indent: str, key: str, value: object, why: str) -> None:
        """A line whose value nobody published, or is a day; `why` says more."""
        self.lines.append(f"{indent}{key}: {value}  # assumption: {why}")

    def sources(self) -> Iterator[str]:
        """A comment for each figure that is used."""
        for key in sorted(self.used):
            one = self.figures[key]
            since = f", public since {one.public_since}" if one.public_since else ""
            yield (
                f"#   {key}: {one.metric}, {one.period}: {one.text} {one.unit}. "
                f"{one.source}, {one.source_date}{since}; {one.quality}"
            )


def stated(text: str) -> Sequence[Stated]:
    """The numbers and days of a file."""
    found = []
    for place, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith("#") or not (match := _VALUE.match(line)):
            continue
        if not _NUMERIC.fullmatch(match["text"]):
            continue
        why = match["why"] or ""
        found.append(
            Stated(
                line=place,
                key=match["key"],
                text=match["text"],
                formula=why[2:] if why.startswith("= ") else "",
                assumption=why[12:].strip() if why.startswith("assumption: ") else "",
            )
        )
    return found


def names(text: str) -> Mapping[str, str]:
    """Names of a file with their formulas, in the order in which they are given."""
    return {found[1]: found[2] for line in text.splitlines() if (found := _LET.fullmatch(line))}


def days_between(first: date, last: date) -> int:
    """Days from one day on to another, which is not counted."""
    return (last - first).days


def months_later(day: date, months: int) -> date:
    """The first of a month some months later."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, 1)
