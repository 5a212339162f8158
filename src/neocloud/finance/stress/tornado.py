"""Each factor alone, down and up by its range, against cover and owners' return."""

from __future__ import annotations

import numpy as np

from neocloud.finance.records import Inputs
from neocloud.finance.stress.comparing import number_or_none, readings_by_paths
from neocloud.finance.stress.levers import LEVERS, Lever
from neocloud.finance.stress.readings import Readings
from neocloud.finance.stress.records import Swing
from neocloud.finance.stress.turning import shocks_at


def tornado_of(inputs: Inputs) -> tuple[Swing, ...]:
    """One bar a factor, the widest in DSCR first, then in owners' return."""
    count = len(LEVERS)
    levels = np.zeros((count, 2 * count))
    for place, lever in enumerate(LEVERS):
        levels[place, 2 * place : 2 * place + 2] = lever.low, lever.high
    readings = readings_by_paths(inputs, shocks_at(inputs, LEVERS, levels), 2 * count)
    bars = [_bar(lever, readings, 2 * place) for place, lever in enumerate(LEVERS)]
    return tuple(sorted(bars, key=lambda bar: (-width(bar), -_return_width(bar))))


def _bar(lever: Lever, readings: Readings, case: int) -> Swing:
    """The bar of a lever whose good end is a case, and whose bad end is the next."""
    low, high = lever.low, lever.high
    cases = (case, case + 1)
    if lever.falls:
        low, high, cases = -high, -low, (case + 1, case)
    dscr = [number_or_none(readings.min_dscr[place]) for place in cases]
    irr = [number_or_none(readings.equity_irr[place]) for place in cases]
    return Swing(
        factor=lever.name,
        title=lever.label,
        unit=lever.unit,
        low=low,
        high=high,
        min_dscr_low=dscr[0],
        min_dscr_high=dscr[1],
        equity_irr_low=irr[0],
        equity_irr_high=irr[1],
        source=lever.source,
    )


def width(bar: Swing) -> float:
    """How far a bar reaches in DSCR; 0 where there is none."""
    return _distance(bar.min_dscr_low, bar.min_dscr_high)


def _return_width(bar: Swing) -> float:
    return _distance(bar.equity_irr_low, bar.equity_irr_high)


def _distance(one: float | None, other: float | None) -> float:
    return 0.0 if one is None or other is None else abs(one - other)
