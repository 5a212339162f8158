"""Working capital: what is invoiced and not yet paid.

A month's invoices accrue evenly over its days, and those of the last `days` days are outstanding.
What was outstanding before the first month had accrued evenly over the `days` days before it.
"""

from __future__ import annotations

from fractions import Fraction

from neocloud.finance.arithmetic import Arithmetic
from neocloud.finance.months import Months
from neocloud.finance.outcome import Line


def paid_later(
    a: Arithmetic, months: Months, invoiced: Line, days: int, opening: int = 0
) -> tuple[Line, Line]:
    """What is paid in each month, and what is outstanding at its end.

    Args:
        a: the arithmetic.
        months: the calendar.
        invoiced: by month.
        days: days until an invoice is paid.
        opening: outstanding before the first month, pico-units.
    """
    before = a.money(opening)
    outstanding, paid = [], []
    for month in range(months.count):
        owed = a.zero
        left, back = days, month
        while left > 0 and back >= 0:
            length = months.days(back)
            owed = owed + a.times(invoiced[back], Fraction(min(left, length), length))
            left -= length
            back -= 1
        if left > 0 and opening:
            owed = owed + a.times(a.money(opening), Fraction(left, days))
        paid.append(invoiced[month] + before - owed)
        outstanding.append(owed)
        before = owed
    return tuple(paid), tuple(outstanding)
