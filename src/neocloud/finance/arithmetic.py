# ruff: noqa: D102  (what the methods do stands once, in `Arithmetic`)
"""Two arithmetics for one model: exact whole numbers, and arrays of paths.

Money is counted in pico-units, 1e-12 of the cloud's currency. `Exact` keeps it as `int` and rounds
each product with a rate once, halves to even, so that statements balance to zero. `Paths` keeps it
as `float64`: an array with one element a path, or a plain `float` where all paths are alike, which
costs nothing. What is written over `Arithmetic` runs in both.

Sums and differences are written with `+` and `-`. Everything else goes through the arithmetic, and
no branch of a model may depend on a value but through `where`, `least` and `most`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[np.float64]

Value: TypeAlias = Any
"""Money in pico-units: `int` in `Exact`; `float`, or an array of shape (paths,), in `Paths`."""

Rate: TypeAlias = Any
"""A number without unit or a yearly rate, and a quotient of two amounts: `Fraction` (or `int`) in
`Exact`; `float`, or an array of shape (paths,), in `Paths`. What enters may be any of them."""

Condition: TypeAlias = Any
"""`bool`, or an array of them of shape (paths,)."""

Index: TypeAlias = Any
"""A month or a number of months: `int`, or an integer array of shape (paths,)."""

TOLERANCE = Fraction(1, 10**9)
"""`below` wants a difference of more than this part of the larger side. A comparison that is a tie
in whole numbers must not be decided by the last bit of a float, in neither arithmetic."""


class Arithmetic(Protocol):
    """What a model may do with money and rates beside adding and subtracting."""

    @property
    def zero(self) -> Value:
        """No money."""

    def money(self, pico: int) -> Value:
        """An amount of `Inputs`."""

    def rate(self, number: Rate) -> Rate:
        """A rate of `Inputs` or of a shock: a `Fraction`, `float`, `int` or array."""

    def times(self, value: Value, rate: Rate) -> Value:
        """Money times a rate, rounded once."""

    def part(self, value: Value, over: Value, under: Value) -> Value:
        """`value * over / under`, rounded once; 0 where `under` is 0.

        Both are amounts, or both are rates or numbers of months.
        """

    def ratio(self, over: Value, under: Value) -> Rate:
        """`over / under`; 0 where `under` is 0."""

    def whole(self, number: Rate) -> Index:
        """The nearest whole number, halves to even."""

    def annuity(self, rate: Rate, periods: Index) -> Rate:
        """Share of a debt repaid in the next of `periods` equal payments, `i / ((1 + i)^n - 1)`.

        1 where one period (or none) is left; `1 / n` where the rate is 0. Source: the present value
        of an ordinary annuity, solved for the payment, less the interest.
        """

    def least(self, one: Value, other: Value) -> Value:
        """The smaller one; for rates and indices too."""

    def most(self, one: Value, other: Value) -> Value:
        """The larger one; for rates and indices too."""

    def positive(self, value: Value) -> Value:
        """The value, or 0 if it is negative."""

    def below(self, one: Value, other: Value) -> Condition:
        """True where `one` is less than `other` by more than `TOLERANCE` of the larger."""

    def where(self, condition: Condition, one: Value, other: Value) -> Value:
        """`one` where the condition holds, else `other`."""

    def both(self, one: Condition, other: Condition) -> Condition:
        """True where both hold."""

    def at(self, series: Sequence[int], month: Index) -> Value:
        """Money of a series of `Inputs` at a month; 0 outside of it."""

    def rate_at(self, series: Sequence[Fraction], month: Index) -> Rate:
        """The same for rates, whose first and last ones hold outside of the series."""


class Exact:
    """Whole numbers. See `Arithmetic`, whose only exact form this is."""

    zero = 0

    def money(self, pico: int) -> int:
        return pico

    def rate(self, number: Rate) -> Fraction:
        """Return a `Fraction`; floats are taken for the decimal number that they print as."""
        if isinstance(number, float):
            return Fraction(repr(float(number)))
        return Fraction(number)

    def times(self, value: int, rate: Rate) -> int:
        if not isinstance(rate, Fraction):
            rate = self.rate(rate)
        return _divided(value * rate.numerator, rate.denominator)

    def part(self, value: int, over: int, under: int) -> int:
        if under == 0:
            return 0
        return _divided(value * over, under) if under > 0 else _divided(-value * over, -under)

    def ratio(self, over: int, under: int) -> Fraction:
        return Fraction(over, under) if under else Fraction(0)

    def whole(self, number: Fraction) -> int:
        return round(number)

    def annuity(self, rate: Fraction, periods: int) -> Fraction:
        if periods <= 1:
            return Fraction(1)
        if rate == 0:
            return Fraction(1, periods)
        return rate / ((1 + rate) ** periods - 1)

    def least(self, one: Any, other: Any) -> Any:
        return min(one, other)

    def most(self, one: Any, other: Any) -> Any:
        return max(one, other)

    def positive(self, value: int) -> int:
        return max(value, 0)

    def below(self, one: Any, other: Any) -> bool:
        return bool((other - one) > TOLERANCE * max(abs(one), abs(other)))

    def where(self, condition: bool, one: Any, other: Any) -> Any:
        return one if condition else other

    def both(self, one: bool, other: bool) -> bool:
        return one and other

    def at(self, series: Sequence[int], month: int) -> int:
        return series[month] if 0 <= month < len(series) else 0

    def rate_at(self, series: Sequence[Fraction], month: int) -> Fraction:
        return series[min(max(month, 0), len(series) - 1)]


class Paths:
    """Arrays of `count` paths. See `Arithmetic`.

    A few hundred to two thousand paths a run stay in the processor's cache; more are run in parts.

    Attributes:
        count: paths in a run.
    """

    zero = 0.0

    def __init__(self, count: int) -> None:
        self.count = count
        self._series: dict[int, tuple[Sequence[Any], Array]] = {}

    def money(self, pico: int) -> float:
        return float(pico)

    def rate(self, number: Rate) -> Rate:
        return number if isinstance(number, np.ndarray) else float(number)

    def times(self, value: Value, rate: Rate) -> Value:
        return value * self.rate(rate)

    def part(self, value: Value, over: Value, under: Value) -> Value:
        return value * self.ratio(over, under)

    def ratio(self, over: Value, under: Value) -> Rate:
        if not isinstance(under, np.ndarray):
            return over / under if under else over * 0.0
        full = np.broadcast_to(np.asarray(over, dtype=np.float64), under.shape)
        return np.divide(full, under, out=np.zeros(under.shape), where=under != 0)

    def whole(self, number: Rate) -> Index:
        return np.rint(number).astype(np.int64) if isinstance(number, np.ndarray) else round(number)

    def annuity(self, rate: Rate, periods: Index) -> Rate:
        if isinstance(rate, np.ndarray) or isinstance(periods, np.ndarray):
            count = np.maximum(periods, 1)
            small = np.abs(rate) < 1e-12
            safe = np.where(small, 1.0, rate)
            share = safe / np.expm1(count * np.log1p(safe))
            return np.where(count == 1, 1.0, np.where(small, 1.0 / count, share))
        if periods <= 1:
            return 1.0
        return rate / math.expm1(periods * math.log1p(rate)) if abs(rate) > 1e-12 else 1.0 / periods

    def least(self, one: Any, other: Any) -> Any:
        return np.minimum(one, other) if _many(one, other) else min(one, other)

    def most(self, one: Any, other: Any) -> Any:
        return np.maximum(one, other) if _many(one, other) else max(one, other)

    def positive(self, value: Value) -> Value:
        return np.maximum(value, 0.0) if isinstance(value, np.ndarray) else max(value, 0.0)

    def below(self, one: Any, other: Any) -> Condition:
        if not _many(one, other):
            return (other - one) > 1e-9 * max(abs(one), abs(other))
        return (other - one) > 1e-9 * np.maximum(np.abs(one), np.abs(other))

    def where(self, condition: Condition, one: Any, other: Any) -> Any:
        if isinstance(condition, np.ndarray):
            return np.where(condition, one, other)
        return one if condition else other

    def both(self, one: Condition, other: Condition) -> Condition:
        return np.logical_and(one, other) if _many(one, other) else one and other

    def at(self, series: Sequence[int], month: Index) -> Value:
        if not isinstance(month, np.ndarray):
            return float(series[month]) if 0 <= month < len(series) else 0.0
        padded = self._padded(series)
        return padded[np.clip(month, -1, len(series)) + 1]

    def rate_at(self, series: Sequence[Fraction], month: Index) -> Rate:
        if not isinstance(month, np.ndarray):
            return float(series[min(max(month, 0), len(series) - 1)])
        return self._padded(series)[np.clip(month, 0, len(series) - 1) + 1]

    def spread(self, value: Value) -> Array:
        """The value of each path, shape (count,), where it may be one for all."""
        return np.broadcast_to(np.asarray(value, dtype=np.float64), (self.count,))

    def _padded(self, series: Sequence[Any]) -> Array:
        """The series as floats between two zeros; kept, and its source too, so that ids hold."""
        known = self._series.get(id(series))
        if known is None:
            known = (series, np.array([0.0, *(float(item) for item in series), 0.0]))
            self._series[id(series)] = known
        return known[1]


def _many(one: Any, other: Any) -> bool:
    return isinstance(one, np.ndarray) or isinstance(other, np.ndarray)


def _divided(over: int, under: int) -> int:
    """The quotient, halves to even; `under` is positive."""
    quotient, rest = divmod(over, under)
    if 2 * rest > under or (2 * rest == under and quotient % 2):
        return quotient + 1
    return quotient
