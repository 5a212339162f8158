"""Which of many points are beaten by none: the front."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def undominated(points: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Rows that no other row beats or equals in every column; smaller is better.

    Of equal rows the first stays. Each round takes the row with the least sum of ranks among those
    left, which nothing can beat, and drops all that it beats.

    Args:
        points: shape (n, d), finite.
    """
    count = len(points)
    kept = np.zeros(count, dtype=bool)
    if count == 0:
        return kept
    # Ranks put columns of any unit on one scale; sums of ranks fall under domination.
    ranks = np.stack([_rank(points[:, d]) for d in range(points.shape[1])], axis=1)
    order = np.argsort(ranks.sum(axis=1), kind="stable")
    left = points[order]
    index = order
    while len(index):
        best = left[0]
        kept[index[0]] = True
        stays = (left < best).any(axis=1)
        left, index = left[stays], index[stays]
    return kept


def _rank(column: NDArray[np.float64]) -> NDArray[np.int64]:
    """Place of each value among the distinct ones."""
    found: Any = np.unique(column, return_inverse=True)[1]
    ranks: NDArray[np.int64] = found.reshape(-1)
    return ranks
