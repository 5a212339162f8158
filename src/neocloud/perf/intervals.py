"""How far off predictions are: shares of cross-validated rows by how well neighbours explain them.

For each output and kind of load: quantiles of measured over predicted (logarithms), at several
values of the explained share, straight between these. See `Learned.explained`.
"""

from __future__ import annotations

from collections.abc import Mapping
from statistics import NormalDist

import msgspec
import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]
LEVELS = (0.05, 0.25, 0.75, 0.95)
"""Quantiles kept: ends of the 90 % and the 50 % interval."""


class Interval(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds of one prediction, in its own unit."""

    low_90: float
    low_50: float
    high_50: float
    high_90: float


class Band(msgspec.Struct, frozen=True, kw_only=True):
    """Quantiles of one output under one kind of load."""

    explained: list[float]
    quantiles: list[list[float]]
    """For each of `LEVELS`, a logarithm at each of `explained`."""

    def factors(self, explained: Vector | float) -> Vector:
        """Measured over predicted at each of `LEVELS`; shape (4, n)."""
        found: Vector = np.exp(
            [np.interp(explained, self.explained, values) for values in self.quantiles]
        )
        return found

    def factor(self, explained: Vector | float, level: float) -> Vector:
        """Measured over predicted at one level: what a share `level` of rows stays below.

        The prediction itself stands for the median, so the factor at 0.5 is 1. Between the levels
        kept the logarithm goes straight with the level's normal score, as errors near to normal
        ones do. A kept quantile on the wrong side of the prediction counts as the prediction.

        Args:
            explained: share that neighbours explain, of any shape, which the result has too.
            level: 0.05 to 0.95.

        Raises:
            ValueError: a level outside of those kept.
        """
        if not LEVELS[0] <= level <= LEVELS[-1]:
            raise ValueError(f"level {level} is not between {LEVELS[0]} and {LEVELS[-1]}")
        low_90, low_50, high_50, high_90 = (
            np.interp(explained, self.explained, values) for values in self.quantiles
        )
        low_50, high_50 = np.minimum(low_50, 0.0), np.maximum(high_50, 0.0)
        kept = (
            np.minimum(low_90, low_50),
            low_50,
            np.zeros_like(low_50),
            high_50,
            np.maximum(high_90, high_50),
        )
        score = NormalDist().inv_cdf
        scores = [score(known) for known in (*LEVELS[:2], 0.5, *LEVELS[2:])]
        at = min(max(float(np.interp(score(level), scores, range(5))), 0.0), 4.0)
        below = min(int(at), 3)
        found: Vector = np.exp(kept[below] + (at - below) * (kept[below + 1] - kept[below]))
        return found


class Bands(msgspec.Struct, frozen=True, kw_only=True):
    """All bands: by output (`throughput`, `tpot`, `ttft`), then by mode of the load."""

    by_output: Mapping[str, Mapping[str, Band]]

    def band(self, output: str, mode: str) -> Band:
        """The band of an output; loads of a kind never judged take those of a closed loop."""
        modes = self.by_output[output]
        return modes.get(mode) or modes["closed"]

    def interval(self, output: str, mode: str, value: float, explained: float) -> Interval:
        """Interval around one predicted value."""
        low_90, low_50, high_50, high_90 = (
            float(f) * value for f in self.band(output, mode).factors(explained)
        )
        return Interval(low_90=low_90, low_50=low_50, high_50=high_50, high_90=high_90)
