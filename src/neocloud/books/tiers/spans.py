"""Parts of a period in UTC: hours, and its share of calendar months and years.

A month's rent is a month's rent however long the month is, and a year's depreciation a year's: a
part of one counts by its hours over all hours of that month or year. All calendars are UTC, so no
hour is lost or counted twice where clocks change.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterator
from datetime import UTC, date, datetime
from enum import StrEnum
from fractions import Fraction
from functools import lru_cache

import msgspec

from neocloud.units import HOUR_NS, SECOND_NS, Period, format_utc, hour_floor

DAY_NS = 24 * HOUR_NS


class Grain(StrEnum):
    """How finely time is told apart; the name of an hour begins with its day's and its month's."""

    MONTH = "month"
    DAY = "day"
    HOUR = "hour"

    @property
    def letters(self) -> int:
        """How long its names are: 2026-10, 2026-10-05, 2026-10-05T13."""
        return {Grain.MONTH: 7, Grain.DAY: 10, Grain.HOUR: 13}[self]

    def named(self, time_ns: int) -> str:
        """What the month, day or hour of a moment is called, UTC."""
        return _hour_name(time_ns // HOUR_NS)[: self.letters]


@lru_cache(maxsize=1 << 16)
def _hour_name(hour: int) -> str:
    return format_utc(hour * HOUR_NS)[: Grain.HOUR.letters]


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """What a period has of one calendar month or year; `whole_ns` is the length of that."""

    name: str
    period: Period
    whole_ns: int

    @property
    def share(self) -> Fraction:
        """The part over the whole."""
        return Fraction(self.period.end_ns - self.period.start_ns, self.whole_ns)


def midnight_ns(day: date) -> int:
    """Start of a day, UTC."""
    moment = datetime(day.year, day.month, day.day, tzinfo=UTC)
    return int(moment.timestamp()) * SECOND_NS


def day_of(time_ns: int) -> date:
    """The day that a moment falls in, UTC."""
    return datetime.fromtimestamp(time_ns // SECOND_NS, UTC).date()


def is_representative(period: Period) -> bool:
    """True of the day 1970-01-01, whose hours stand for those of any day in plans."""
    return period.start_ns >= 0 and period.end_ns <= DAY_NS


def supply_day(period: Period, hour_ns: int, planned: date | None) -> date | None:
    """The day by which contracts and pools count in an hour.

    In a representative day it is the plan's; None is a day when all that the file declares is
    there.
    """
    return planned if is_representative(period) else day_of(hour_ns)


def months_after(day: date, months: int) -> date:
    """The same day so many months later; the month's last if it has no such day."""
    years, month = divmod(day.month - 1 + months, 12)
    year, month = day.year + years, month + 1
    return date(year, month, min(day.day, monthrange(year, month)[1]))


def clipped(period: Period, start: date | None, end: date | None) -> Period | None:
    """The part of a period from a day on and before another; None where nothing is left."""
    first = period.start_ns if start is None else max(period.start_ns, midnight_ns(start))
    last = period.end_ns if end is None else min(period.end_ns, midnight_ns(end))
    return Period(first, last) if first < last else None


def months_of(period: Period) -> tuple[Part, ...]:
    """The period by calendar month."""
    return _parts(period, 1)


def years_of(period: Period) -> tuple[Part, ...]:
    """The period by calendar year."""
    return _parts(period, 12)


def share_of_months(period: Period) -> Fraction:
    """Calendar months that the period comes to."""
    return sum((part.share for part in months_of(period)), Fraction(0))


def share_of_years(period: Period) -> Fraction:
    """Calendar years that the period comes to."""
    return sum((part.share for part in years_of(period)), Fraction(0))


def times_of(period: Period, grain: Grain) -> Iterator[tuple[str, Period]]:
    """The months, days or hours that the period touches: name, and the part that is inside."""
    if grain is Grain.MONTH:
        yield from ((part.name, part.period) for part in months_of(period))
        return
    length = DAY_NS if grain is Grain.DAY else HOUR_NS
    start = period.start_ns - period.start_ns % length
    while start < period.end_ns:
        inside = Period(max(start, period.start_ns), min(start + length, period.end_ns))
        yield grain.named(start), inside
        start += length


def hours_of(period: Period) -> Iterator[tuple[int, float]]:
    """Each UTC hour that the period touches: its start, and the hours of it that are inside."""
    hour = hour_floor(period.start_ns)
    while hour < period.end_ns:
        inside = min(period.end_ns, hour + HOUR_NS) - max(period.start_ns, hour)
        yield hour, inside / HOUR_NS
        hour += HOUR_NS


def _parts(period: Period, months: int) -> tuple[Part, ...]:
    found = []
    day = day_of(period.start_ns)
    start = date(day.year, day.month if months == 1 else 1, 1)
    while midnight_ns(start) < period.end_ns:
        after = months_after(start, months)
        inside = clipped(period, start, after)
        assert inside is not None, "the first part holds the period's start"
        whole_ns = midnight_ns(after) - midnight_ns(start)
        name = start.isoformat()[: 7 if months == 1 else 4]
        found.append(Part(name=name, period=inside, whole_ns=whole_ns))
        start = after
    return tuple(found)
