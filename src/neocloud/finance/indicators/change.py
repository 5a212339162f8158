"""Measures and what moved them, exact and in no order.

The change of a quotient has two causes, what stands over the line and what stands under it. Each
one's part is its Shapley value: what it adds before the other has moved and after, averaged,

    over:   (n1 - n0) * (1/d0 + 1/d1) / 2        under:  -(d1 - d0) * (n0 + n1) / 2 / (d0 * d1)

Both are linear in what moved, so that each is shared out among its summands in proportion to their
own changes; a summand that stands over and under has both parts. The parts sum to the change, a
summand that did not move has none, and to cut a summand in two changes nobody else's part.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

import msgspec

from neocloud.finance.indicators.records import Measure

Amounts = Mapping[str, Fraction]
"""Summands by name."""


def moved(before: Amounts, after: Amounts) -> dict[str, Fraction]:
    """The change of each summand; one that is not there is 0."""
    names = dict.fromkeys([*before, *after])
    none = Fraction(0)
    return {name: after.get(name, none) - before.get(name, none) for name in names}


def quotient_parts(
    levels: tuple[tuple[Fraction, Fraction], tuple[Fraction, Fraction]],
    over: Amounts,
    under: Amounts,
) -> dict[str, Fraction]:
    """Parts of the change of a quotient. See the module.

    Args:
        levels: (over, under) before and after.
        over: changes of the summands over the line.
        under: changes of the summands under it.
    """
    (n0, d0), (n1, d1) = levels
    up = (1 / d0 + 1 / d1) / 2
    down = (n0 + n1) / 2 / (d0 * d1)
    parts = {name: change * up for name, change in over.items()}
    for name, change in under.items():
        parts[name] = parts.get(name, Fraction(0)) - change * down
    return parts


class Total(msgspec.Struct, frozen=True, kw_only=True):
    """A sum."""

    amounts: Amounts

    @property
    def value(self) -> Fraction:
        """The sum."""
        return sum(self.amounts.values(), Fraction(0))

    def since(self, before: Measure) -> dict[str, Fraction]:
        """Each summand's own change."""
        assert isinstance(before, Total)
        return moved(before.amounts, self.amounts)


class Quotient(msgspec.Struct, frozen=True, kw_only=True):
    """A sum over a sum, times `scale`."""

    over: Amounts
    under: Amounts
    scale: int = 1

    @property
    def levels(self) -> tuple[Fraction, Fraction]:
        """Both sums, the upper one times `scale`."""
        whole = sum(self.over.values(), Fraction(0)) * self.scale
        return whole, sum(self.under.values(), Fraction(0))

    @property
    def value(self) -> Fraction | None:
        """The quotient; None where there is nothing to divide by."""
        over, under = self.levels
        return over / under if under > 0 else None

    def since(self, before: Measure) -> dict[str, Fraction]:
        """Parts by summand."""
        assert isinstance(before, Quotient)
        over = {k: v * self.scale for k, v in moved(before.over, self.over).items()}
        return quotient_parts((before.levels, self.levels), over, moved(before.under, self.under))


class Herfindahl(msgspec.Struct, frozen=True, kw_only=True):
    """The Herfindahl-Hirschman index (HHI): the sum of squared shares.

    Attributes:
        amounts: by name, none negative.
        rest: what belongs to nobody who is named: it is part of the whole, and its own square
            counts as 0, as if it were spread over very many. The index is then a lower bound.
        inverted: 1 / HHI instead: as many equal ones would have the same index.
    """

    amounts: Amounts
    rest: Fraction = Fraction(0)
    inverted: bool = False

    @property
    def squares(self) -> Fraction:
        """Sum of squared amounts."""
        return sum((amount**2 for amount in self.amounts.values()), Fraction(0))

    @property
    def whole(self) -> Fraction:
        """Sum of amounts, the rest included."""
        return sum(self.amounts.values(), self.rest)

    @property
    def value(self) -> Fraction | None:
        """The index or its inverse; None where there is nothing to divide by."""
        over, under = self.levels
        return over / under if under > 0 else None

    def since(self, before: Measure) -> dict[str, Fraction]:
        """Parts by name, `the rest` among them."""
        assert isinstance(before, Herfindahl)
        own = dict(self.amounts) | {"the rest": self.rest}
        old = dict(before.amounts) | {"the rest": before.rest}
        both = before.whole + self.whole
        wholes = {name: change * both for name, change in moved(old, own).items()}
        squares = moved(_squared(before.amounts), _squared(self.amounts))
        levels = (before.levels, self.levels)
        if self.inverted:
            return quotient_parts(levels, wholes, squares)
        return quotient_parts(levels, squares, wholes)

    @property
    def levels(self) -> tuple[Fraction, Fraction]:
        """What stands over the line and under it."""
        pair = self.squares, self.whole**2
        return (pair[1], pair[0]) if self.inverted else pair


def _squared(amounts: Amounts) -> dict[str, Fraction]:
    return {name: amount**2 for name, amount in amounts.items()}
