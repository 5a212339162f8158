"""Calendar months, UTC: the periods that are billed."""

from __future__ import annotations

from neocloud.units import Period, format_utc, parse_period


def month_at(time_ns: int) -> str:
    """The month of a moment: `2026-10`."""
    return format_utc(time_ns)[:7]


def month_of(period: Period) -> str | None:
    """The month that a period is, or None if it is not exactly one."""
    month = month_at(period.start_ns)
    return month if parse_period(month) == period else None


def following(month: str) -> str:
    """The next month."""
    return month_at(parse_period(month).end_ns)


def months_between(first: str, last: str) -> tuple[str, ...]:
    """All months from the first to the last, both included; none if the first is later."""
    found = []
    while first <= last:
        found.append(first)
        first = following(first)
    return tuple(found)


def index_of(month: str) -> int:
    """A number that grows by one a month."""
    return int(month[:4]) * 12 + int(month[5:]) - 1
