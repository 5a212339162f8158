"""The calendar of the finance model: whole months, counted from 0."""

from __future__ import annotations

from datetime import date, timedelta
from functools import cached_property

import msgspec


class Months(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """The months of a model. A month's flows without a day of their own fall on its last day.

    Attributes:
        first: first day of the first month.
        count: how many months.
    """

    first: date
    count: int

    def __post_init__(self) -> None:
        if self.first.day != 1:
            raise ValueError(f"the model begins on the first of a month, not on {self.first}")
        if self.count < 1:
            raise ValueError("a model has at least one month")

    def start(self, month: int) -> date:
        """First day of a month; also of months before the first and after the last."""
        years, place = divmod(self.first.month - 1 + month, 12)
        return date(self.first.year + years, place + 1, 1)

    def end(self, month: int) -> date:
        """Last day of a month."""
        return self.start(month + 1) - timedelta(days=1)

    def days(self, month: int) -> int:
        """Days in a month."""
        return (self.start(month + 1) - self.start(month)).days

    def index(self, day: date) -> int:
        """Month of a day: negative before the first, `count` or more after the last."""
        return (day.year - self.first.year) * 12 + day.month - self.first.month

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """The months as `2026-01`."""
        return tuple(f"{self.start(month):%Y-%m}" for month in range(self.count))
