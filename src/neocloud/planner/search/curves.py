"""States as operating points and curves, in a user's units."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from neocloud.planner.records import OperatingPoint
from neocloud.planner.search.states import States

SHARES = (0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.65, 0.8, 0.9)
"""Shares of the operating batch at which a curve is kept."""
_MS = 1e3


class Curves:
    """Operating points of all states: unpacked once, since many are read."""

    def __init__(self, found: States) -> None:
        steady, shape = found.steady, found.rate.shape
        fields: tuple[tuple[NDArray[np.float64], float], ...] = (
            (steady.requests_per_s, 1.0),
            (steady.decode_batch, 1.0),
            (steady.ttft_s, _MS),
            (steady.ttft_s_at_percentile, _MS),
            (steady.tpot_s, _MS),
            (steady.tpot_s_at_percentile, _MS),
            (steady.busy, 1.0),
            (steady.watts, 1.0),
        )
        self._values = np.stack([np.broadcast_to(v, shape) * unit for v, unit in fields], axis=-1)

    def point(self, row: int, column: int) -> OperatingPoint:
        """One state."""
        return _point(self._values[row, column].tolist())

    def curve(self, row: int, idle_watts: float) -> tuple[OperatingPoint, ...]:
        """The states of one row from idle to its last, by load.

        Left out are those that give as much as a larger batch: a curve is read by its rate. Idle
        has the latencies of the least load.
        """
        points = [_point(values) for values in self._values[row].tolist()]
        kept = points[-1:]
        for p in reversed(points[:-1]):
            if p.requests_per_s < kept[0].requests_per_s:
                kept.insert(0, p)
        least = kept[0]
        idle = OperatingPoint(
            requests_per_s=0.0,
            decode_batch=0.0,
            ttft_ms=least.ttft_ms,
            ttft_ms_at_percentile=least.ttft_ms_at_percentile,
            tpot_ms=least.tpot_ms,
            tpot_ms_at_percentile=least.tpot_ms_at_percentile,
            busy=0.0,
            watts=idle_watts,
        )
        return (idle, *kept)


def _point(values: list[float]) -> OperatingPoint:
    rate, batch, ttft, late, tpot, slow, busy, watts = values
    return OperatingPoint(
        requests_per_s=rate,
        decode_batch=batch,
        ttft_ms=ttft,
        ttft_ms_at_percentile=late,
        tpot_ms=tpot,
        tpot_ms_at_percentile=slow,
        busy=busy,
        watts=watts,
    )
