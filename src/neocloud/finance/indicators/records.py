"""Indicators as series by month: value, trend, and what moved it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Literal, Protocol

import msgspec

from neocloud.units import Period, format_utc, parse_period

Origin = Literal["metered", "rated", "invoiced", "planned"]
"""Where a number comes from: the ledger, the ledger at its prices, documents, or the model."""

TREND_MONTHS = 12
"""Months that a trend looks back."""


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """What one cause added to a change, in the unit of the series."""

    name: str
    value: Fraction


class Point(msgspec.Struct, frozen=True, kw_only=True):
    """A month of a series.

    Attributes:
        month: `2026-10`.
        origin: where the value comes from.
        value: None where it cannot be known.
        unknown: why not, in words; empty where it is known.
        change: from the month before; None where one of the two is not known.
        parts: what the change is made of: their sum is the change, exactly.
        trend: slope a month of the straight line of least squares through the known values of this
            and the `TREND_MONTHS - 1` months before; None of fewer than two.
    """

    month: str
    origin: Origin
    value: Fraction | None
    unknown: str = ""
    change: Fraction | None = None
    parts: tuple[Part, ...] = ()
    trend: Fraction | None = None


class Series(msgspec.Struct, frozen=True, kw_only=True):
    """An indicator by month.

    Attributes:
        key: short name, unique in a summary.
        name: what it is, in words.
        unit: of its values; `share` is of 1.
        points: in the order of months.
    """

    key: str
    name: str
    unit: str
    points: tuple[Point, ...]

    def at(self, month: str) -> Point:
        """The point of a month.

        Raises:
            KeyError: the series has none.
        """
        for point in self.points:
            if point.month == month:
                return point
        raise KeyError(month)


class Measure(Protocol):
    """A value that knows what moves it."""

    @property
    def value(self) -> Fraction | None:
        """The value; None where there is nothing to divide by."""

    def since(self, before: Measure) -> dict[str, Fraction]:
        """What moved it from an earlier one of the same kind, both known; sums to the change."""


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """What a series is made of: a month's measure, or why there is none."""

    month: str
    origin: Origin
    measure: Measure | None
    unknown: str = ""


class Named(msgspec.Struct, frozen=True, kw_only=True):
    """What a series is called. Fields as in `Series`."""

    key: str
    name: str
    unit: str


def series_of(named: Named, readings: Sequence[Reading]) -> Series:
    """A series with changes, their parts and its trend.

    A month whose measure has no value must say in `unknown` what is missing.
    """
    points: list[Point] = []
    values: list[Fraction | None] = []
    before: Measure | None = None
    for reading in readings:
        measure = reading.measure
        value = None if measure is None else measure.value
        change, parts = None, {}
        if measure is not None and value is not None and before is not None:
            assert before.value is not None
            change, parts = value - before.value, measure.since(before)
        values.append(value)
        points.append(
            Point(
                month=reading.month,
                origin=reading.origin,
                value=value,
                unknown="" if value is not None else reading.unknown,
                change=change,
                parts=tuple(
                    Part(name=name, value=part) for name, part in sorted(parts.items()) if part
                ),
                trend=trend_of(values[-TREND_MONTHS:]),
            )
        )
        before = measure if value is not None else None
    return Series(key=named.key, name=named.name, unit=named.unit, points=tuple(points))


def trend_of(values: Sequence[Fraction | None]) -> Fraction | None:
    """Slope of the straight line of least squares; None of fewer than two known values."""
    known = [(at, value) for at, value in enumerate(values) if value is not None]
    if len(known) < 2:
        return None
    middle = Fraction(sum(at for at, _ in known), len(known))
    spread = sum(((at - middle) ** 2 for at, _ in known), Fraction(0))
    return sum(((at - middle) * value for at, value in known), Fraction(0)) / spread


def month_period(month: str) -> Period:
    """The span of a month named `2026-10`, UTC."""
    return parse_period(month)


def month_after(month: str, count: int) -> str:
    """The month so many months later."""
    years, place = divmod(int(month[:4]) * 12 + int(month[5:]) - 1 + count, 12)
    return f"{years:04d}-{place + 1:02d}"


def months_from(first: str, last: str) -> tuple[str, ...]:
    """All months from the first to the last, both included; none if the first is later."""
    found = []
    while first <= last:
        found.append(first)
        first = month_after(first, 1)
    return tuple(found)


def month_namer() -> Callable[[int], str]:
    """A function from nanoseconds to the name of their month, which remembers days."""
    day_ns = 86_400 * 10**9
    known: dict[int, str] = {}

    def named(time_ns: int) -> str:
        day = time_ns // day_ns
        name = known.get(day)
        if name is None:
            name = known[day] = format_utc(time_ns)[:7]
        return name

    return named
