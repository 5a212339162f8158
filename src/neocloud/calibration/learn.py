"""Teaching the learned part: a Gaussian process over the physics' residuals.

Rows that differ in nothing but their date by less than a month count as one, at the mean of their
residuals: repeats would otherwise outweigh configurations measured once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

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
)
from neocloud.perf.learned import Learned, LearnedTable

Vector = NDArray[np.float64]
_MOST_STEP, _MOST_FIRST = 0.6, 1.8
"""Residuals beyond count as these: some rows are wrong, and one should not pull its neighbours."""
_MONTH = 1.0 / 12.0


@dataclass(frozen=True, slots=True)
class Lesson:
    """What was found at one configuration: residuals of the physics, or nan."""

    features: Features
    step: float
    first: float


def step_residual(tpot: Vector, rate: Vector) -> Vector:
    """Error of step times: the mean of those of time per token and (inverted) throughput."""
    both: Vector = np.where(
        np.isnan(tpot), -rate, np.where(np.isnan(rate), tpot, (tpot - rate) / 2.0)
    )
    return both


def merge(lessons: Sequence[Lesson]) -> tuple[list[Lesson], Vector]:
    """Repeats joined; how many rows each stands for."""
    groups: dict[tuple[object, ...], list[Lesson]] = {}
    for lesson in lessons:
        f = lesson.features
        key = (
            *(getattr(f, kind) for kind in NAMES),
            *(round(getattr(f, size), 2) for size in SIZES if size != "year"),
            round(f.year / _MONTH),
        )
        groups.setdefault(key, []).append(lesson)
    merged, counts = [], []
    for same in groups.values():
        step = [x.step for x in same if not np.isnan(x.step)]
        first = [x.first for x in same if not np.isnan(x.first)]
        merged.append(
            Lesson(
                features=same[0].features,
                step=float(np.mean(step)) if step else np.nan,
                first=float(np.mean(first)) if first else np.nan,
            )
        )
        counts.append(float(len(same)))
    return merged, np.array(counts)


def names_of(features: Sequence[Features]) -> dict[str, list[str]]:
    """Names of each kind, sorted."""
    return {kind: sorted({getattr(f, kind) for f in features}) for kind in NAMES}


def weights(points: Points, residuals: Vector, counts: Vector, scales: Scales) -> Vector:
    """Weights of the process: (K + noise)^-1 residuals; 0 where there is no residual."""
    known = np.flatnonzero(~np.isnan(residuals))
    found = np.zeros(len(residuals))
    if not len(known):
        return found
    some = points.take(known)
    with_load, without = likeness(some, some, scales)
    matrix = with_load * load_likeness(some.load, some.load, scales) + without
    matrix[np.diag_indices_from(matrix)] += scales.noise**2 / np.sqrt(counts[known])
    found[known] = np.linalg.solve(matrix, residuals[known])
    return found


def teach(lessons: Sequence[Lesson], step: Scales, first: Scales) -> Learned:
    """Make the learned part from residuals."""
    merged, counts = merge(lessons)
    features = [lesson.features for lesson in merged]
    names = names_of(features)
    points = Codes(names).points(features)
    steps = np.clip([lesson.step for lesson in merged], -_MOST_STEP, _MOST_STEP)
    firsts = np.clip([lesson.first for lesson in merged], -_MOST_FIRST, _MOST_FIRST)
    return Learned(
        LearnedTable(
            names=names,
            codes={kind: getattr(points, kind).tolist() for kind in NAMES},
            sizes={size: np.round(getattr(points, size), 3).tolist() for size in SIZES},
            step=step,
            step_weights=np.round(weights(points, steps, counts, step), 5).tolist(),
            first=first,
            first_weights=np.round(weights(points, firsts, counts, first), 5).tolist(),
        )
    )
