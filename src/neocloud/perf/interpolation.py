"""Look-ups on axes and in flat tables: plain functions that a compiler takes unchanged."""

from __future__ import annotations

from typing import Any


def cell(axis: Any, count: int, value: float) -> tuple[int, float]:
    """Lower index and fraction of `value` on an ascending axis.

    Below the first point the fraction is 0; above the last it exceeds 1, so that a straight line
    continues the last cell. Works on lists and arrays; compiles unchanged.
    """
    if value <= axis[0]:
        return 0, 0.0
    low, high = 0, count - 1
    while high - low > 1:
        middle = (low + high) // 2
        if axis[middle] <= value:
            low = middle
        else:
            high = middle
    return low, (value - axis[low]) / (axis[low + 1] - axis[low])


def interpolate(
    values: Any, sizes: tuple[int, int], at: tuple[int, int, int], by: tuple[float, float, float]
) -> float:
    """Trilinear interpolation in a flat table of shape (.., sizes[0], sizes[1]).

    Args:
        values: the table, row-major.
        sizes: lengths of its second and third axis.
        at: lower corner of the cell.
        by: fraction within it along each axis.
    """
    u, v, w = by
    row = (at[0] * sizes[0] + at[1]) * sizes[1] + at[2]
    next_row = row + sizes[1]
    next_plane = row + sizes[0] * sizes[1]
    next_both = next_plane + sizes[1]
    near = (1.0 - v) * ((1.0 - w) * values[row] + w * values[row + 1]) + v * (
        (1.0 - w) * values[next_row] + w * values[next_row + 1]
    )
    far = (1.0 - v) * ((1.0 - w) * values[next_plane] + w * values[next_plane + 1]) + v * (
        (1.0 - w) * values[next_both] + w * values[next_both + 1]
    )
    return float((1.0 - u) * near + u * far)
