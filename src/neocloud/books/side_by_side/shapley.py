"""A difference split by cause, so that the parts add up and no order of the causes matters.

A cause's part is its Shapley value (L. S. Shapley, A value for n-person games, 1953): what it adds
when it is put in place after some of the others, averaged over all orders in which they can come.
Exact fractions are averaged. The two ends are rounded to whole pico-units, halves up, and so are
the parts, by largest remainder: rounded down, and what is left to the difference of the ends goes,
one each, to those that lost most. A part of exactly zero stays zero.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from fractions import Fraction
from itertools import combinations

import msgspec

from neocloud.units import PICO

Level = Callable[[frozenset[str]], Fraction]
"""What is reached when some causes are in place."""


class Split(msgspec.Struct, frozen=True, kw_only=True):
    """A difference in whole pico-units: `after` less `before` is the sum of `parts`."""

    before: int
    after: int
    parts: dict[str, int]


def shapley(causes: Collection[str], level: Level) -> dict[str, Fraction]:
    """Each cause's part of `level(all)` less `level(none)`, exact.

    Args:
        causes: names, each once; 2 to the power of their number levels are asked for.
        level: must give the same for the same set.
    """
    count = len(causes)
    levels = {
        chosen: level(chosen)
        for size in range(count + 1)
        for chosen in map(frozenset, combinations(sorted(causes), size))
    }
    orders = math.factorial(count)
    found = {}
    for cause in causes:
        whole = Fraction(0)
        for chosen, reached in levels.items():
            if cause not in chosen:
                weight = math.factorial(len(chosen)) * math.factorial(count - len(chosen) - 1)
                whole += weight * (levels[chosen | {cause}] - reached)
        found[cause] = whole / orders
    return found


def split(causes: Collection[str], level: Level) -> Split:
    """Split the difference in whole pico-units.

    Of parts that lost equally much the larger one is rounded up, of equal parts the one whose name
    comes first: the one thing that a name can change, by one pico-unit.
    """
    parts = {cause: part * PICO for cause, part in shapley(causes, level).items()}
    before = _rounded(level(frozenset()) * PICO)
    after = _rounded(level(frozenset(causes)) * PICO)
    whole = {cause: math.floor(part) for cause, part in parts.items()}
    lost = {cause: parts[cause] - whole[cause] for cause in parts}
    order = sorted(parts, key=lambda cause: (-lost[cause], -parts[cause], cause))
    for cause in order[: after - before - sum(whole.values())]:
        whole[cause] += 1
    return Split(before=before, after=after, parts=whole)


def _rounded(value: Fraction) -> int:
    """To the nearest whole number, halves up: the roundings of two ends move apart by under one."""
    return math.floor(value + Fraction(1, 2))
