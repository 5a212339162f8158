"""Calendar months in UTC, by which budgets run."""

from __future__ import annotations

from datetime import UTC, datetime

from neocloud.units import SECOND_NS, Period, parse_period


def month_of(time_ns: int) -> str:
    """The month of a time, as `2026-10`."""
    return datetime.fromtimestamp(time_ns // SECOND_NS, UTC).strftime("%Y-%m")


def span_of(month: str) -> Period:
    """From the first midnight of a month to that of the next."""
    return parse_period(month)


def before(month: str) -> str:
    """The month before."""
    return month_of(span_of(month).start_ns - 1)
