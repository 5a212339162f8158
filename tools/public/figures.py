"""Public figures by id: what was published, by whom, when, and how sure it is."""

from __future__ import annotations

import csv
import re
from calendar import monthrange
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PUBLIC = ROOT / "examples" / "public"
MILLION = Decimal(1_000_000)
_RANGE = re.compile(r"(\d+(?:\.\d+)?)-(\d+(?:\.\d+)?)")


@dataclass(frozen=True, slots=True)
class Figure:
    """One published number. `public_since` is the day it first was, where the source is later."""

    key: str
    company: str
    metric: str
    period: str
    text: str
    unit: str
    source: str
    source_date: str
    quality: str
    public_since: str

    @property
    def number(self) -> Decimal:
        """Its value; of a range such as `9-10` the middle."""
        if found := _RANGE.fullmatch(self.text):
            low, high = (Decimal(part) for part in found.groups())
            return (low + high) / 2
        return Decimal(self.text)

    @property
    def about(self) -> date | None:
        """Last day of what it is about; none where the period is no calendar's."""
        return last_day(self.period)

    @property
    def known(self) -> date | None:
        """Day from which on anybody could know it, as far as it can be told."""
        return last_day(self.public_since or self.source_date)

    @property
    def outlook(self) -> bool:
        """Whether it speaks of what was still to come when it was published."""
        return "(as of " in self.period or "guidance" in self.metric or "target" in self.metric


def last_day(period: str) -> date | None:
    """Last day of `Q2 2025`, `H1 2025`, `9M 2025`, `FY2025`, `2025`, `2025-06`, `2025-06-30`.

    Fiscal years other than the calendar's are not told apart: only figures of companies whose year
    is the calendar's are asked for theirs.
    """
    text = period.partition(" (")[0].strip()
    if found := re.fullmatch(r"(\d{4})-(\d\d)-(\d\d)", text):
        return date(*(int(part) for part in found.groups()))
    if found := re.fullmatch(r"(\d{4})-(\d\d)", text):
        return _end(int(found[1]), int(found[2]))
    if found := re.fullmatch(r"Q([1-4]) (\d{4})", text):
        return _end(int(found[2]), 3 * int(found[1]))
    if found := re.fullmatch(r"(?:H1 (\d{4})|9M (\d{4})|(?:FY)?(\d{4}))", text):
        month = 6 if found[1] else 9 if found[2] else 12
        return _end(int(found[1] or found[2] or found[3]), month)
    return None


def _end(year: int, month: int) -> date:
    return date(year, month, monthrange(year, month)[1])


def read_figures(path: Path = PUBLIC / "figures.csv") -> Mapping[str, Figure]:
    """All figures by id, in the order of the table."""
    return {figure.key: figure for figure in _rows(path)}


def _rows(path: Path) -> Iterator[Figure]:
    with path.open(newline="") as table:
        for row in csv.DictReader(table):
            yield Figure(
                key=row["id"],
                company=row["company"],
                metric=row["metric"],
                period=row["period"],
                text=row["value"],
                unit=row["unit"],
                source=row["source"],
                source_date=row["source_date"],
                quality=row["quality"],
                public_since=row["public_since"],
            )
