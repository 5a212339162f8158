"""The learned part: what measured configurations nearby say about the physics' error.

A Gaussian process over the fit's residuals. Near a measured configuration it corrects by what was
found there; far from all of them it says nothing and the physics stands alone. Two corrections are
learned: a factor on the time of steps, and one on the time to the first token.

What is shipped is not the rows but, for each configuration that was measured, its weight in the
correction; measured values cannot be read off it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

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
    likeness,
    load_likeness,
    prior_variance,
)

Vector = NDArray[np.float64]
KNOTS = np.arange(-7.0, 13.0)
"""Logarithms of loads at which a configuration's correction is kept; straight between them."""
NEIGHBOURS = 24
"""Measured configurations nearest to a case that decide how sure its correction is."""


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
        point = self.codes.points([features])
        step_knots, first_knots = self._knots
        found = []
        for scales, knots, weights in (
            (self.table.step, step_knots, self._step),
            (self.table.first, first_knots, self._first),
        ):
            with_load, without = likeness(point, self.points, scales)
            found.append(knots @ with_load[0] + float(without[0] @ weights))
        return Correction(*found)

    def explained(self, features: list[Features]) -> Vector:
        """Share of the physics' variance that measured neighbours explain: 0 far from all.

        From the nearest few alone, so that no large matrix needs to be kept.
        """
        scales = self.table.step
        prior = prior_variance(scales)
        points = self.codes.points(features)
        shares = []
        for start in range(0, len(features), 256):
            some = points.take(np.arange(start, min(start + 256, len(features))))
            with_load, without = likeness(some, self.points, scales)
            near = with_load * load_likeness(some.load, self.points.load, scales) + without
            count = min(NEIGHBOURS, near.shape[1])
            best = np.argpartition(-near, count - 1, axis=1)[:, :count]
            for row, index in enumerate(best):
                around = self.points.take(index)
                inside, alone = likeness(around, around, scales)
                matrix = inside * load_likeness(around.load, around.load, scales) + alone
                matrix[np.diag_indices_from(matrix)] += scales.noise**2
                k = near[row, index]
                shares.append(float(k @ np.linalg.solve(matrix, k)) / prior)
        found: Vector = np.clip(np.array(shares), 0.0, 1.0)
        return found
