"""Days and hours of the model's months. Months are UTC: no clock changes, so a day has 24 hours."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from itertools import pairwise

from neocloud.finance.months import Months
from neocloud.units import SECOND_NS, Period

HOURS = 24
"""Hours of a day."""
NEVER = date.max
"""The day of what does not happen."""

Span = tuple[date, date]
"""First day, and the day after the last."""


def days_within(months: Months, month: int, start: date, end: date) -> int:
    """Days of a month from `start` on and before `end`."""
    first = max(months.start(month), start)
    after = min(months.start(month + 1), end)
    return max(0, (after - first).days)


def share_of_month(months: Months, month: int, start: date, end: date) -> Fraction:
    """The same as a part of the month."""
    return Fraction(days_within(months, month, start, end), months.days(month))


def period_of(months: Months, month: int) -> Period:
    """A month in nanoseconds."""
    return Period(_midnight(months.start(month)), _midnight(months.start(month + 1)))


def end_of(months: Months) -> date:
    """The day after the last month."""
    return months.start(months.count)


def pieces(start: date, end: date, cuts: Sequence[date]) -> Iterator[Span]:
    """A span of days in pieces that begin at its start and at each cut inside."""
    bounds = [start, *sorted({cut for cut in cuts if start < cut < end}), end]
    yield from pairwise(bounds)


def years_since(months: Months, month: int, since: date) -> float:
    """Years from a day to a month's first day; 0 before it. Whole months of a twelfth count."""
    return max(0, months.index(months.start(month)) - months.index(since)) / 12


def grown(rate: float, years: float) -> Fraction:
    """What 1 becomes at a yearly rate, compounded; exactly 1 where nothing moves."""
    return Fraction(1) if not rate or not years else Fraction((1.0 + rate) ** years)


def month_length(day: date) -> int:
    """Days of the month that a day lies in."""
    return monthrange(day.year, day.month)[1]


def day_before(day: date) -> date:
    """The day before."""
    return day - timedelta(days=1)


def _midnight(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * SECOND_NS
