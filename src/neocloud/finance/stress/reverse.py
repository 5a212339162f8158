"""Reverse stress: the smallest shocks that take the least DSCR to a target.

A ray is a direction in the space of levels, each in units of its size. Along each ray a grid finds
the first step at which DSCR is at or below the target, and grids within that step narrow it down,
all rays at once, one path a point. Finer than bisection, and it does not need DSCR to fall all the
way: the first crossing that the grid sees counts.

The smallest combination is searched over directions: from each kind alone, all alike and the
steepest descent, the best direction is turned towards and away from each kind, by ever smaller
angles, while that makes it shorter. It is the shortest near where it ends; a shorter one in quite
another direction is not excluded.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from neocloud.finance.arithmetic import Array, Exact
from neocloud.finance.model import run
from neocloud.finance.records import Inputs
from neocloud.finance.stress.levers import LEVERS, Lever
from neocloud.finance.stress.readings import lowest_dscr
from neocloud.finance.stress.records import Parameter, Reverse, Smallest, Verdict
from neocloud.finance.stress.turning import dscr_at, exact_shocks

TARGET: Final = 1.0
NORM: Final = (
    "root of the sum of squares of the levels, each divided by the size of the scenario of its kind"
)
_FOUND = "found by the search"
_FIRST_GRID = 64
_GRID = 16
_ROUNDS = 9
"""Grids of 16 within a step of 1/64: 64 x 16^9 is beyond the last bit of a float."""
_SEARCH_ROUNDS = 3
_TURNS: Final = (0.6, 0.3, 0.15, 0.07, 0.03, 0.015, 0.007, 0.003)
_SLOPE_STEP = 1e-4


def reverse_of(inputs: Inputs, target: float = TARGET) -> Reverse:
    """The smallest shock of each kind, and of all kinds together."""
    base = float(dscr_at(inputs, LEVERS, np.zeros((len(LEVERS), 1)))[0])
    if np.isnan(base) or base <= target:
        return _without_search(base, target)
    alone = _alone(inputs, target)
    smooth = [lever for lever in LEVERS if not lever.whole]
    sizes = np.array([lever.size for lever in smooth])
    rows = [item for item in alone if item.lever in {lever.name for lever in smooth}]
    direction = _shortest_direction(inputs, smooth, target, rows)
    if direction is None:
        return _result(target, alone, (), None, "never")
    radius = _crossings(inputs, smooth, direction[:, None], target, _ROUNDS)[0]
    levels = direction * radius * sizes
    together = tuple(
        Parameter(name=lever.title, value=float(level), unit=lever.unit, source=_FOUND)
        for lever, level in zip(smooth, levels, strict=True)
        if level > 1e-12
    )
    reached = _exact_dscr(inputs, smooth, levels)
    return _result(target, alone, together, reached, "found", float(radius))


def _without_search(base: float, target: float) -> Reverse:
    verdict: Verdict = "nothing" if np.isnan(base) else "already"
    dscr = None if np.isnan(base) else base
    level = None if np.isnan(base) else 0.0
    alone = tuple(_smallest(lever, level, dscr, verdict) for lever in LEVERS)
    return _result(target, alone, (), dscr, verdict, level)


def _result(
    target: float,
    alone: tuple[Smallest, ...],
    together: tuple[Parameter, ...],
    dscr: float | None,
    verdict: Verdict,
    norm: float | None = None,
) -> Reverse:
    return Reverse(
        target=target,
        alone=alone,
        together=together,
        norm=norm,
        norm_text=NORM,
        dscr=dscr,
        outcome=verdict,
    )


def _alone(inputs: Inputs, target: float) -> tuple[Smallest, ...]:
    smooth = [lever for lever in LEVERS if not lever.whole]
    radii = _crossings(inputs, smooth, np.eye(len(smooth)), target, _ROUNDS)
    found = {}
    for lever, radius in zip(smooth, radii, strict=True):
        found[lever.name] = None if np.isnan(radius) else float(radius) * lever.size
    for lever in LEVERS:
        if lever.whole:
            found[lever.name] = _whole_level(inputs, lever, target)
    rows = []
    for lever in LEVERS:
        level = found[lever.name]
        dscr = None if level is None else _exact_dscr(inputs, [lever], [level])
        rows.append(_smallest(lever, level, dscr, "never" if level is None else "found"))
    return tuple(rows)


def _smallest(lever: Lever, level: float | None, dscr: float | None, verdict: Verdict) -> Smallest:
    return Smallest(
        lever=lever.name,
        title=lever.title,
        unit=lever.unit,
        size=lever.size,
        bound=lever.bound,
        level=level,
        sizes=None if level is None else level / lever.size,
        dscr=dscr,
        outcome=verdict,
    )


def _exact_dscr(inputs: Inputs, levers: Sequence[Lever], levels: Sequence[float] | Array) -> float:
    """The least DSCR of the exact model at these levels."""
    shocks = exact_shocks(inputs, levers, [float(level) for level in levels])
    return float(lowest_dscr(Exact(), inputs, run(inputs, Exact(), shocks), 1)[0])


def _whole_level(inputs: Inputs, lever: Lever, target: float) -> float | None:
    levels = np.arange(1.0, lever.bound + 1)
    hit = np.flatnonzero(dscr_at(inputs, [lever], levels[None, :]) <= target)
    return float(levels[hit[0]]) if len(hit) else None


def _crossings(
    inputs: Inputs, levers: Sequence[Lever], directions: Array, target: float, rounds: int
) -> Array:
    """Radius at which each ray first reaches the target; NaN where it does not within bounds.

    Args:
        inputs: the base case.
        levers: what is turned.
        directions: of length 1 and not negative, shape (levers, rays), in sizes.
        target: of the least DSCR.
        rounds: how often the step is narrowed down.
    """
    sizes = np.array([lever.size for lever in levers])
    bounds = np.array([lever.bound for lever in levers]) / sizes
    with np.errstate(divide="ignore"):
        longest = (bounds[:, None] / directions).min(axis=0)
    low, step = np.zeros_like(longest), longest / _FIRST_GRID
    crosses = np.ones(longest.shape, dtype=bool)
    points = _FIRST_GRID
    for _ in range(rounds + 1):
        radii = low[:, None] + step[:, None] * np.arange(1, points + 1)
        radii = np.minimum(radii, longest[:, None])
        levels = directions[:, :, None] * radii[None, :, :] * sizes[:, None, None]
        flat = dscr_at(inputs, levers, levels.reshape(len(levers), -1))
        below = flat.reshape(radii.shape) <= target
        crosses &= below.any(axis=1)
        first = np.argmax(below, axis=1)
        low, step = low + step * first, step / _GRID
        points = _GRID
    high = low + step * _GRID
    return np.where(crosses, np.minimum(high, longest), np.nan)


def _shortest_direction(
    inputs: Inputs, levers: Sequence[Lever], target: float, alone: Sequence[Smallest]
) -> Array | None:
    """The direction of the shortest way found to the target; None where none leads there."""
    count = len(levers)
    starts = [np.ones(count), _steepest(inputs, levers)]
    starts += [np.eye(count)[place] for place, row in enumerate(alone) if row.level is not None]
    rays = np.stack([_unit(start) for start in starts if start.any()], axis=1)
    best, radius = _best(inputs, levers, rays, target)
    if np.isnan(radius):
        return None
    for turn in _TURNS:
        while True:
            pushes = np.concatenate([np.eye(count), -np.eye(count)], axis=1) * turn
            turned = np.maximum(best[:, None] + pushes, 0.0)
            rays = turned[:, turned.any(axis=0)]
            rays = rays / np.linalg.norm(rays, axis=0)
            candidate, shorter = _best(inputs, levers, rays, target)
            if np.isnan(shorter) or shorter >= radius * (1 - 1e-6):
                break
            best, radius = candidate, shorter
    return best


def _best(
    inputs: Inputs, levers: Sequence[Lever], rays: Array, target: float
) -> tuple[Array, float]:
    radii = _crossings(inputs, levers, rays, target, _SEARCH_ROUNDS)
    if np.isnan(radii).all():
        return rays[:, 0], float("nan")
    place = int(np.nanargmin(radii))
    return rays[:, place], float(radii[place])


def _steepest(inputs: Inputs, levers: Sequence[Lever]) -> Array:
    """How fast DSCR falls with each lever, from the base case; 0 where it does not."""
    sizes = np.array([lever.size for lever in levers])
    levels = np.concatenate([np.zeros((len(levers), 1)), np.diag(sizes * _SLOPE_STEP)], axis=1)
    dscr = dscr_at(inputs, levers, levels)
    slopes: Array = np.maximum(dscr[0] - dscr[1:], 0.0) / _SLOPE_STEP
    return slopes


def _unit(direction: Array) -> Array:
    unit: Array = direction / np.linalg.norm(direction)
    return unit
