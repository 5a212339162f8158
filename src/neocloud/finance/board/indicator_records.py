"""What `neocloud report` says of the indicators, as records that are published as JSON.

Values of series are the nearest floats of exact fractions; money is exact.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """What one cause added to the change of an indicator."""

    name: str
    value: float


class IndicatorPoint(msgspec.Struct, frozen=True, kw_only=True):
    """An indicator in a month; as `Point`, with the nearest floats of its fractions."""

    month: str
    origin: str
    value: float | None
    unknown: str = ""
    change: float | None = None
    parts: tuple[Part, ...] = ()
    trend: float | None = None


class Indicator(msgspec.Struct, frozen=True, kw_only=True):
    """An indicator by month; as `Series`."""

    key: str
    name: str
    unit: str
    points: tuple[IndicatorPoint, ...]


class Holder(msgspec.Struct, frozen=True, kw_only=True):
    """An amount by name, and its share of the whole."""

    name: str
    amount: Decimal
    share: Decimal


class Dependence(msgspec.Struct, frozen=True, kw_only=True):
    """Whom a whole depends on in the month in which it is largest.

    Attributes:
        key: `revenue`, `backlog` or `cfads.FACILITY`.
        name: in words.
        month: that month.
        whole: its size.
        customers: named ones, the largest first.
        anchors: those above a tenth.
        by_credit: by class of credit; so the next two.
        by_model: by model.
        by_lab: by who made the models.
        hhi: Herfindahl-Hirschman index, 0 to 1.
        effective: effective number of customers.
        notes: what the reader should know.
    """

    key: str
    name: str
    month: str
    whole: Decimal
    customers: tuple[Holder, ...]
    anchors: tuple[str, ...]
    by_credit: tuple[Holder, ...]
    by_model: tuple[Holder, ...]
    by_lab: tuple[Holder, ...]
    hhi: Decimal | None
    effective: Decimal | None
    notes: tuple[str, ...]


class CohortReport(msgspec.Struct, frozen=True, kw_only=True):
    """Customers whose first training fell into one month.

    Attributes:
        month: that month.
        customers: by name.
        still: share that buys inference after 3, 6 and 12 months, in words.
    """

    month: str
    customers: tuple[str, ...]
    still: tuple[str, ...]


class IndicatorReport(msgspec.Struct, frozen=True, kw_only=True):
    """The indicators part.

    Attributes:
        at: month that the text shows: the first in which revenue is earned.
        series: all of them.
        dependences: revenue, backlog, each facility's cash.
        cohorts: in the order of months.
        notes: what the reader should know.
    """

    at: str
    series: tuple[Indicator, ...]
    dependences: tuple[Dependence, ...]
    cohorts: tuple[CohortReport, ...]
    notes: tuple[str, ...]
