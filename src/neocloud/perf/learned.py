"""The learned part: what measured configurations nearby say about the physics' error.

A Gaussian process over the fit's residuals. Near a measured configuration it corrects by what was
found there; far from all of them it says nothing and the physics stands alone. Two corrections are
learned: a factor on the time of steps, and one on the time to the first token.

What is shipped is not the rows but, for each configuration that was measured, its weight in the
correction; measured values cannot be read off it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from operator import attrgetter

import msgspec
import numpy as np
from numpy.typing import NDArray

from neocloud.perf.features import (
    NAMES,
    SIZES,
    Codes,
    Features,
    Points,
    Scales,
    layout_likeness,
    likeness,
    load_likeness,
    parts_of_likeness,
    prior_variance,
)

Vector = NDArray[np.float64]
KNOTS = np.arange(-7.0, 13.0)
"""Logarithms of loads at which a configuration's correction is kept; straight between them."""
NEIGHBOURS = 24
"""Measured configurations nearest to a case that decide how sure its correction is."""
_LAYOUT = ("tp", "ranks", "stages", "expert_parallel")
_CHUNK = 128
"""Configurations compared at once: their arrays fit a core's cache."""


class LearnedTable(msgspec.Struct, frozen=True, kw_only=True):
    """What `make fit` lays down."""

    names: dict[str, list[str]]
    """Known names by kind of feature."""
    codes: dict[str, list[int]]
    """Of each measured configuration, by kind."""
    sizes: dict[str, list[float]]
    step: Scales
    step_weights: list[float]
    first: Scales
    first_weights: list[float]


@dataclass(frozen=True, slots=True)
class Correction:
    """Logarithms to subtract from the physics' logarithms, at `KNOTS`.

    Attributes:
        step: of step times.
        first: of the time to the first token.
    """

    step: Vector
    first: Vector

    def step_factor(self, load: Vector | float) -> Vector:
        """Factor on step times at `load` requests in flight for each accelerator."""
        found: Vector = np.exp(-np.interp(np.log2(np.maximum(load, 1e-3)), KNOTS, self.step))
        return found

    def first_factor(self, load: Vector | float) -> Vector:
        """Factor on the time to the first token."""
        found: Vector = np.exp(-np.interp(np.log2(np.maximum(load, 1e-3)), KNOTS, self.first))
        return found


class Learned:
    """The correction of any configuration."""

    def __init__(self, table: LearnedTable) -> None:
        self.table = table
        self.codes = Codes(table.names)
        arrays: dict[str, NDArray[np.int32] | Vector] = {}
        for kind in NAMES:
            arrays[kind] = np.array(table.codes[kind], dtype=np.int32)
        for size in SIZES:
            arrays[size] = np.array(table.sizes[size])
        self.points = Points(**arrays)  # type: ignore[arg-type]
        self._step = np.array(table.step_weights)
        self._first = np.array(table.first_weights)

    def errors(self, features: list[Features]) -> tuple[Vector, Vector]:
        """Expected errors of the physics (logarithms): of step times, of the first token."""
        points = self.codes.points(features)
        found = []
        for scales, weights in ((self.table.step, self._step), (self.table.first, self._first)):
            parts = []
            for start in range(0, len(features), 512):
                some = points.take(np.arange(start, min(start + 512, len(features))))
                with_load, without = likeness(some, self.points, scales)
                loads = load_likeness(some.load, self.points.load, scales)
                parts.append((with_load * loads + without) @ weights)
            found.append(np.concatenate(parts) if parts else np.zeros(0))
        return found[0], found[1]

    @cached_property
    def _knots(self) -> tuple[Vector, Vector]:
        """Weights times the likeness of loads, (knots, rows): shared by all configurations."""
        loads = self.points.load
        return (
            load_likeness(KNOTS, loads, self.table.step) * self._step,
            load_likeness(KNOTS, loads, self.table.first) * self._first,
        )

    def correction(self, features: Features) -> Correction:
        """Correction of one configuration at any load."""
        return self.corrections([features])[0]

    def corrections(self, features: Sequence[Features]) -> list[Correction]:
        """Corrections of many configurations at any load, in the order asked.

        Loads of the features play no part. Configurations that differ in their layout alone share
        most of the work, those of one layout a matrix product.
        """
        asked = _Grouped.of(features, (*_LAYOUT, "load"))
        points = self.codes.points(asked.groups)
        step = self._at_knots(asked, points, self.table.step, self._knots[0], self._step)
        first = self._at_knots(asked, points, self.table.first, self._knots[1], self._first)
        made = [Correction(step=s, first=f) for s, f in zip(step, first, strict=True)]
        return [made[place] for place in asked.place]

    def _at_knots(
        self, asked: _Grouped, points: Points, scales: Scales, knots: Vector, weights: Vector
    ) -> Vector:
        """Corrections of the distinct configurations, shape (distinct, knots)."""
        layouts = layout_likeness(self.codes.points(asked.layouts), self.points, scales)
        found = np.empty((len(asked.group), len(KNOTS)))
        for start in range(0, len(asked.groups), _CHUNK):
            some = np.arange(start, min(start + _CHUNK, len(asked.groups)))
            parts = parts_of_likeness(points.take(some), self.points, scales)
            common = parts.anywhere @ knots.T + (parts.whatever_the_load @ weights)[:, None]
            inside = (asked.group >= start) & (asked.group < start + _CHUNK)
            for number, layout in enumerate(layouts):
                rows = np.flatnonzero(inside & (asked.layout == number))
                group = asked.group[rows] - start
                alike = parts.laid_out_alike[group] @ (knots * layout).T
                found[rows] = common[group] + alike
        return found

    def explained(self, features: Sequence[Features]) -> Vector:
        """Share of the physics' variance that measured neighbours explain: 0 far from all.

        From the nearest few alone, so that no large matrix needs to be kept.
        """
        scales = self.table.step
        asked = _Grouped.of(features, _LAYOUT)
        points, layouts = self.codes.points(asked.groups), self.codes.points(asked.layouts)
        of_layout = layout_likeness(layouts, self.points, scales)
        shares = np.empty(len(asked.group))
        for start in range(0, len(asked.groups), _CHUNK):
            group = points.take(np.arange(start, min(start + _CHUNK, len(asked.groups))))
            parts = parts_of_likeness(group, self.points, scales)
            loads = load_likeness(group.load, self.points.load, scales)
            inside = (asked.group >= start) & (asked.group < start + _CHUNK)
            for rows in _pieces(np.flatnonzero(inside)):
                at = asked.group[rows] - start
                near = parts.anywhere[at] + parts.laid_out_alike[at] * of_layout[asked.layout[rows]]
                near = near * loads[at] + parts.whatever_the_load[at]
                shares[rows] = self._share(near)
        found: Vector = np.clip(shares / prior_variance(scales), 0.0, 1.0)
        return found[asked.place]

    def _share(self, near: Vector) -> Vector:
        """Variance that the nearest of the measured configurations explain, shape (n,)."""
        scales = self.table.step
        count = min(NEIGHBOURS, near.shape[1])
        best = np.argpartition(-near, count - 1, axis=1)[:, :count]
        around = self.points.take(best)
        inside, alone = likeness(around, around, scales)
        matrix = inside * load_likeness(around.load, around.load, scales) + alone
        matrix += np.eye(count) * scales.noise**2
        k = np.take_along_axis(near, best, axis=1)
        solved = np.linalg.solve(matrix, k[:, :, None])[:, :, 0]
        found: Vector = np.sum(k * solved, axis=1)
        return found


@dataclass(frozen=True, slots=True)
class _Grouped:
    """Configurations told apart, and of these, what those with another layout share.

    Attributes:
        place: of each that was asked, its place among the distinct.
        group: of each distinct one, the place of its group in `groups`.
        layout: the same in `layouts`.
        groups: one of each group: all that is alike in everything but `left_out`.
        layouts: one of each layout.
    """

    place: list[int]
    group: NDArray[np.int64]
    layout: NDArray[np.int64]
    groups: list[Features]
    layouts: list[Features]

    @classmethod
    def of(cls, features: Sequence[Features], left_out: tuple[str, ...]) -> _Grouped:
        kept = attrgetter(*(name for name in (*NAMES, *SIZES) if name not in left_out))
        laid = attrgetter(*_LAYOUT)
        places: dict[tuple[object, ...], int] = {}
        groups: dict[object, int] = {}
        layouts: dict[object, int] = {}
        one_of_groups, one_of_layouts, place, group, layout = [], [], [], [], []
        for f in features:
            key = (kept(f), laid(f))
            if key not in places:
                places[key] = len(places)
                if key[0] not in groups:
                    groups[key[0]] = len(groups)
                    one_of_groups.append(f)
                if key[1] not in layouts:
                    layouts[key[1]] = len(layouts)
                    one_of_layouts.append(f)
                group.append(groups[key[0]])
                layout.append(layouts[key[1]])
            place.append(places[key])
        return cls(
            place, np.array(group, int), np.array(layout, int), one_of_groups, one_of_layouts
        )


def _pieces(rows: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    for start in range(0, len(rows), _CHUNK):
        yield rows[start : start + _CHUNK]
