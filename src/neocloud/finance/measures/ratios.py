"""Quotients of amounts, where there may be nothing to divide by; and sums over months."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any, TypeAlias

import numpy as np

from neocloud.finance.arithmetic import Arithmetic, Condition, Exact, Index, Value
from neocloud.units.money import PICO

Ratio: TypeAlias = Any
"""A quotient: `Fraction`, or None where there is nothing to divide by, in `Exact`; in `Paths` a
`float` or an array of them, NaN there."""

NOTHING = PICO
"""What is no more than one unit of the currency is nothing to divide by: a float's last bits."""


def quotient(a: Arithmetic, over: Value, under: Value) -> Ratio:
    """`over / under`; nothing where `under` is not above `NOTHING`."""
    if isinstance(a, Exact):
        return Fraction(over, under) if under > NOTHING else None
    if isinstance(over, np.ndarray) or isinstance(under, np.ndarray):
        whole = np.broadcast_arrays(np.asarray(over, float), np.asarray(under, float))
        none = np.full(whole[0].shape, np.nan)
        return np.divide(whole[0], whole[1], out=none, where=whole[1] > NOTHING)
    return over / under if under > NOTHING else float("nan")


def trailing(
    a: Arithmetic, line: Sequence[Value], month: int, months: int, since: Index = 0
) -> Value:
    """The sum of the last `months` months, this one included, without those before `since`."""
    total = a.zero
    for past in range(max(0, month - months + 1), month + 1):
        total = total + a.where(past >= since, line[past], a.zero)
    return total


def lowest(ratios: Sequence[Ratio]) -> Ratio:
    """The least of ratios by month; None, or NaN on a path, where no month has one."""
    known = [ratio for ratio in ratios if ratio is not None]
    if not known:
        return None
    least = known[0]
    for ratio in known[1:]:
        least = np.fmin(least, ratio) if not isinstance(least, Fraction) else min(least, ratio)
    return least


def lowest_month(ratios: Sequence[Ratio], count: int) -> Index:
    """The first month that has the least ratio; `count` where none has one."""
    least = lowest(ratios)
    return first_month(count, lambda month: _is(ratios[month], least))


def _is(ratio: Ratio, least: Ratio) -> Condition:
    return False if ratio is None or least is None else ratio == least


def first_month(count: int, holds: Callable[[int], Condition]) -> Index:
    """The first month in which something holds; `count` where it never does."""
    first: Index = count
    for month in reversed(range(count)):
        condition = holds(month)
        if isinstance(condition, np.ndarray):
            first = np.where(condition, month, first)
        elif condition:
            first = month
    return first
