"""What a facility's terms mean by month: when it pays, what part of a year a month is, draws.

Interest runs from the day of a draw to the day before `maturity`. Day counts: `actual/360` and
`actual/365` count the days of the calendar; `30/360` takes each month for 30 days. Principal and
interest are paid on the last day of a month.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction

from neocloud.finance.months import Months
from neocloud.finance.records import Facility, Flow, Inputs

_BASIS = {"actual/360": 360, "actual/365": 365, "30/360": 360}


@dataclass(frozen=True, slots=True)
class Terms:
    """One facility's calendar; tuples have one element a month.

    Attributes:
        facility: the facility.
        start: month of signing.
        last: month of the last payment.
        available: last month in which it may be drawn.
        year: part of a year for which interest on the opening debt runs.
        drawn_year: the same for what is drawn in the month, from its day on.
        fee_year: part of a year in which it may be drawn.
        draws: pico-units drawn on fixed days.
        by_need: drawn as the collateral is paid for, instead.
        due: True where it pays at the end of the month.
        left: payments from this month on, this one included where it pays.
        converts: month of conversion, None if none.
    """

    facility: Facility
    start: int
    last: int
    available: int
    year: tuple[Fraction, ...]
    drawn_year: tuple[Fraction, ...]
    fee_year: tuple[Fraction, ...]
    draws: tuple[int, ...]
    by_need: bool
    due: tuple[bool, ...]
    left: tuple[int, ...]
    converts: int | None

    @property
    def is_lease(self) -> bool:
        """True for a finance lease, which begins and is paid without a draw of cash."""
        return self.facility.kind == "lease"

    @property
    def is_revolver(self) -> bool:
        """True where need alone draws and repays."""
        return self.facility.kind == "revolver"


def terms_of(facility: Facility, inputs: Inputs) -> Terms:
    """A facility's calendar.

    Raises:
        ValueError: maturity is not after the start, or a draw lies outside of its time.
    """
    months = inputs.months
    start = months.index(facility.start)
    last = months.index(facility.maturity - timedelta(days=1))
    if facility.maturity <= facility.start:
        raise ValueError(f"{facility.key}: maturity is not after the start")
    end = facility.available_until or _end(facility)
    by_need = facility.kind == "delayed_draw" and facility.draws is None
    draws = _draws(facility, months, end)
    needs = _needs(facility, inputs, end) if by_need else draws
    period = facility.period_months
    due = [_pays(month, start, last, period) for month in range(months.count)]
    after = _payments(months.count, start, last, period)
    return Terms(
        facility=facility,
        start=start,
        last=last,
        available=months.index(end),
        year=tuple(_year(facility, months, month, last) for month in range(months.count)),
        drawn_year=tuple(
            _weighted(facility, months, month, needs) for month in range(months.count)
        ),
        fee_year=tuple(_open(facility, months, month, end) for month in range(months.count)),
        draws=tuple(
            sum(flow.amount for flow in draws if months.index(flow.day) == month)
            for month in range(months.count)
        ),
        by_need=by_need,
        due=tuple(due),
        left=tuple(
            after + sum(due[month:]) if month <= last else 0 for month in range(months.count)
        ),
        converts=months.index(facility.conversion.day) if facility.conversion else None,
    )


def _end(facility: Facility) -> date:
    """Last day of drawing where the facility does not say."""
    if facility.kind == "revolver":
        return facility.maturity - timedelta(days=1)
    return facility.start


def _pays(month: int, start: int, last: int, period: int) -> bool:
    return start <= month <= last and ((month - start + 1) % period == 0 or month == last)


def _payments(count: int, start: int, last: int, period: int) -> int:
    """Payments after the model's last month."""
    return sum(_pays(month, start, last, period) for month in range(count, last + 1))


def _draws(facility: Facility, months: Months, end: date) -> tuple[Flow, ...]:
    if facility.draws:
        for flow in facility.draws:
            if not facility.start <= flow.day <= end:
                raise ValueError(f"{facility.key}: drawn on {flow.day}, when it may not be")
        return tuple(flow for flow in facility.draws if flow.day >= months.first)
    whole = facility.kind in {"term_loan", "bond", "convertible", "lease"}
    if whole and facility.start >= months.first and facility.commitment > facility.opening:
        return (Flow(day=facility.start, amount=facility.commitment - facility.opening),)
    return ()


def _needs(facility: Facility, inputs: Inputs, end: date) -> tuple[Flow, ...]:
    """Payments that the facility follows, none before its start, for their days alone."""
    paid = [
        flow
        for asset in inputs.assets
        if asset.key in facility.collateral
        for flow in asset.payments
        if flow.day <= end
    ]
    return tuple(
        Flow(day=max(flow.day, facility.start, inputs.months.first), amount=flow.amount)
        for flow in paid
    )


def _year(facility: Facility, months: Months, month: int, last: int) -> Fraction:
    if month > last:
        return Fraction(0)
    whole = 30 if facility.day_count == "30/360" else months.days(month)
    days = whole
    if month == last and facility.maturity <= months.end(month):
        days = facility.maturity.day - 1
        if facility.day_count == "30/360" and facility.maturity == months.end(month):
            days = whole  # the 31st, and the last of February, end a month of 30 days
    return Fraction(days, _BASIS[facility.day_count])


def _rest(facility: Facility, months: Months, day: date) -> Fraction:
    """Part of a year from a day to the end of its month, the day included."""
    if facility.day_count == "30/360":
        return Fraction(31 - min(day.day, 30), 360)
    end = months.end(months.index(day))
    return Fraction(end.day - day.day + 1, _BASIS[facility.day_count])


def _weighted(facility: Facility, months: Months, month: int, flows: tuple[Flow, ...]) -> Fraction:
    """`_rest` of the month's flows, weighted by amount; of the first open day if there are none."""
    own = [flow for flow in flows if months.index(flow.day) == month and flow.amount]
    total = sum(flow.amount for flow in own)
    if total == 0:
        return _rest(facility, months, max(months.start(month), facility.start))
    return (
        sum((_rest(facility, months, flow.day) * flow.amount for flow in own), Fraction(0)) / total
    )


def _open(facility: Facility, months: Months, month: int, end: date) -> Fraction:
    """Part of a year, within a month, in which the facility may be drawn."""
    first = max(months.start(month), facility.start)
    last = min(months.end(month), end)
    if last < first:
        return Fraction(0)
    from_first = _rest(facility, months, first)
    if last == months.end(month):
        return from_first
    return from_first - _rest(facility, months, last + timedelta(days=1))
