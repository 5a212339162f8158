"""Quantiles and bad ends of samples."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np

from neocloud.finance.arithmetic import Array
from neocloud.finance.stress.records import Distribution, Quantile, Tail

WORST: Final = 0.05
"""Share of paths that count as the bad end."""

SHARES: Final = (0.01, 0.05, 0.25, 0.50, 0.75, 0.95, 0.99)
"""Quantiles that are told."""


def known(sample: Array) -> Array:
    """The values that there are."""
    return sample[np.isfinite(sample)]


def worst_of(sample: Array, share: float = WORST) -> Array:
    """The lowest values, so many that they are at least the share of all; from low to high."""
    ordered: Array = np.sort(known(sample))
    return ordered[: math.ceil(share * len(ordered) - 1e-9)]


def tail_of(measure: str, sample: Array, share: float = WORST) -> Tail:
    """Value at risk and expected shortfall: the best of the worst, and their mean."""
    worst = worst_of(sample, share)
    return Tail(
        measure=measure,
        share=share,
        value_at_risk=float(worst[-1]) if len(worst) else None,
        expected_shortfall=float(worst.mean()) if len(worst) else None,
        paths=len(known(sample)),
    )


def distribution_of(measure: str, sample: Array) -> Distribution:
    """Mean and quantiles of what there is."""
    there = known(sample)
    return Distribution(
        measure=measure,
        mean=float(there.mean()) if len(there) else None,
        quantiles=tuple(
            Quantile(share=share, value=value)
            for share, value in zip(SHARES, quantiles_of(there, SHARES), strict=True)
        ),
        paths=len(there),
    )


def quantiles_of(sample: Array, shares: Sequence[float]) -> tuple[float | None, ...]:
    """Quantiles, between two values in a straight line; None where there are no values."""
    there = known(sample)
    if not len(there):
        return (None,) * len(shares)
    return tuple(float(value) for value in np.quantile(there, shares))
