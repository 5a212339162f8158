"""The model at levels of levers: one path a row of levels."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from neocloud.finance.arithmetic import Array, Paths
from neocloud.finance.model import run
from neocloud.finance.records import Inputs
from neocloud.finance.shocks import Shocks
from neocloud.finance.stress.combine import all_combined
from neocloud.finance.stress.levers import Lever
from neocloud.finance.stress.readings import lowest_dscr


def shocks_at(inputs: Inputs, levers: Sequence[Lever], levels: Array) -> Shocks:
    """Shocks of many paths.

    Args:
        inputs: the base case.
        levers: what is turned.
        levels: of shape (levers, paths).
    """
    return all_combined(
        lever.shocks(inputs, np.rint(row).astype(np.int64) if lever.whole else row)
        for lever, row in zip(levers, levels, strict=True)
        if row.any()
    )


def exact_shocks(inputs: Inputs, levers: Sequence[Lever], levels: Sequence[float]) -> Shocks:
    """The same for one path in whole numbers, at the decimal numbers that the levels print as."""
    return all_combined(
        lever.shocks(inputs, round(level) if lever.whole else Fraction(repr(float(level))))
        for lever, level in zip(levers, levels, strict=True)
        if level
    )


def dscr_at(inputs: Inputs, levers: Sequence[Lever], levels: Array) -> Array:
    """The least DSCR on each path; NaN where none is tested."""
    paths = Paths(levels.shape[1])
    outcome = run(inputs, paths, shocks_at(inputs, levers, levels))
    return lowest_dscr(paths, inputs, outcome, paths.count)
