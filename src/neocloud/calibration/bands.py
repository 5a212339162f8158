"""Intervals from rows that were left out, and how many of other such rows they hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from neocloud.calibration.model import Predicted
from neocloud.calibration.records import Case, Measured, Mode
from neocloud.perf.intervals import LEVELS, Band, Bands

Vector = NDArray[np.float64]
_FEWEST = 60
"""Rows that a quantile needs at least; with fewer, neighbours in the explained share join."""
_KNOTS = 7
OUTPUTS = ("throughput", "tpot", "ttft")


@dataclass(frozen=True, slots=True)
class Errors:
    """Rows left out: measured over predicted as logarithms (nan where not measured).

    Attributes:
        mode: mode of each row's load.
        explained: share that measured neighbours explained.
        by_output: logarithms by output.
        weight: of each row.
    """

    mode: NDArray[np.str_]
    explained: Vector
    by_output: dict[str, Vector]
    weight: Vector

    def joined(self, other: Errors) -> Errors:
        """Both."""
        return Errors(
            np.concatenate([self.mode, other.mode]),
            np.concatenate([self.explained, other.explained]),
            {
                name: np.concatenate([self.by_output[name], other.by_output[name]])
                for name in OUTPUTS
            },
            np.concatenate([self.weight, other.weight]),
        )

    def take(self, mask: NDArray[np.bool_]) -> Errors:
        """Some of the rows."""
        return Errors(
            self.mode[mask],
            self.explained[mask],
            {name: values[mask] for name, values in self.by_output.items()},
            self.weight[mask],
        )


def errors_of(
    pairs: Sequence[tuple[Case, Measured]], predicted: Predicted, weight: float = 1.0
) -> Errors:
    """Errors of rows. Latencies of offline rows are nobody's objective and left out."""

    def log(name: str, values: Vector) -> Vector:
        measured = np.array([getattr(m, name) or np.nan for _, m in pairs], dtype=np.float64)
        found: Vector = np.log(measured / values)
        return found

    offline = np.array([case.mode is Mode.OFFLINE for case, _ in pairs])
    return Errors(
        mode=np.array([str(case.mode) for case, _ in pairs]),
        explained=predicted.explained,
        by_output={
            "throughput": log("throughput", predicted.throughput),
            "tpot": np.where(offline, np.nan, log("tpot_s", predicted.tpot_s)),
            "ttft": np.where(offline, np.nan, log("ttft_s", predicted.ttft_s)),
        },
        weight=np.full(len(pairs), weight),
    )


def bands_of(errors: Errors) -> Bands:
    """Bands by output and mode."""
    by_output = {}
    for output in OUTPUTS:
        modes = {}
        for mode in Mode:
            some = (errors.mode == str(mode)) & ~np.isnan(errors.by_output[output])
            # Loads of a kind with too few rows take the bands of a closed loop.
            if some.sum() >= _FEWEST or (mode is Mode.CLOSED and some.any()):
                modes[str(mode)] = _band(errors.take(some), output)
        by_output[output] = modes
    return Bands(by_output=by_output)


def _band(errors: Errors, output: str) -> Band:
    """Quantiles in slices of equal weight by explained share, widths made monotone.

    Better explained rows cannot be less sure: where a slice says so, by chance, it joins others.
    """
    order = np.argsort(errors.explained)
    values, explained = errors.by_output[output][order], errors.explained[order]
    weight = errors.weight[order]
    slices = max(1, min(_KNOTS, len(values) // _FEWEST))
    place = np.minimum((np.cumsum(weight) / weight.sum() * slices).astype(int), slices - 1)
    knots, table = [], []
    for part in range(slices):
        inside = place == part
        knots.append(float(np.average(explained[inside], weights=weight[inside])))
        table.append(_quantiles(values[inside], weight[inside]))
    quantiles = np.array(table).T
    centre = (quantiles[1] + quantiles[2]) / 2.0
    for row, sign in ((0, -1), (1, -1), (2, 1), (3, 1)):
        width = np.maximum(sign * (quantiles[row] - centre), 0.0)
        # From the best explained to the least: never narrower.
        quantiles[row] = centre + sign * np.maximum.accumulate(width[::-1])[::-1]
    return Band(
        explained=[round(k, 4) for k in knots],
        quantiles=[[round(float(v), 4) for v in row] for row in quantiles],
    )


def _quantiles(values: Vector, weight: Vector) -> list[float]:
    order = np.argsort(values)
    share = (np.cumsum(weight[order]) - 0.5 * weight[order]) / weight.sum()
    return [float(np.interp(level, share, values[order])) for level in LEVELS]


class Coverage(msgspec.Struct, frozen=True, kw_only=True):
    """Share of rows inside their interval."""

    output: str
    mode: str
    rows: int
    inside_50: float
    inside_90: float


def coverage(bands: Bands, errors: Errors) -> list[Coverage]:
    """How many of the rows the bands hold, by output and mode."""
    found = []
    for output in OUTPUTS:
        for mode in sorted(set(errors.mode.tolist())):
            some = errors.take((errors.mode == mode) & ~np.isnan(errors.by_output[output]))
            if not len(some.mode):
                continue
            low_90, low_50, high_50, high_90 = np.log(
                bands.band(output, mode).factors(some.explained)
            )
            value = some.by_output[output]
            found.append(
                Coverage(
                    output=output,
                    mode=mode,
                    rows=len(value),
                    inside_50=float(np.mean((value >= low_50) & (value <= high_50))),
                    inside_90=float(np.mean((value >= low_90) & (value <= high_90))),
                )
            )
    return found
