"""What one emulated replica counts around its scheduler."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

# vLLM's own bounds, seconds.
_TTFT_BOUNDS = (
    0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
    20.0, 40.0, 80.0, 160.0, 640.0, 2560.0,
)  # fmt: skip
_ITL_BOUNDS = (
    0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
    20.0, 40.0, 80.0,
)  # fmt: skip
_E2E_BOUNDS = (
    0.3, 0.5, 0.8, 1.0, 1.5, 2.0, 2.5, 5.0, 10.0, 15.0, 20.0, 30.0, 40.0, 50.0, 60.0, 120.0,
    240.0, 480.0, 960.0, 1920.0, 7680.0,
)  # fmt: skip
_STEP_BOUNDS = (1, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384)
"""Tokens of a step."""

FINISHED_REASONS = ("stop", "length", "abort")


class Histogram:
    """Counts of observations up to each bound, and their sum."""

    __slots__ = ("_bounds", "_counts", "_sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0

    def observe(self, value: float) -> None:
        """Count one observation."""
        self._counts[bisect_left(self._bounds, value)] += 1
        self._sum += value

    def lines(self, name: str, labels: str) -> list[str]:
        """Samples of the histogram; `labels` without braces."""
        told, total = [], 0
        for bound, count in zip((*self._bounds, None), self._counts, strict=True):
            total += count
            text = "+Inf" if bound is None else f"{bound}"
            told.append(f'{name}_bucket{{{labels},le="{text}"}} {total}')
        told.append(f"{name}_count{{{labels}}} {total}")
        told.append(f"{name}_sum{{{labels}}} {self._sum!r}")
        return told


class Counters:
    """What a replica's own counters do not hold."""

    __slots__ = (
        "cached_tokens",
        "e2e",
        "finished",
        "iteration",
        "itl",
        "pooled",
        "rejections",
        "ttft",
    )

    def __init__(self) -> None:
        self.cached_tokens = 0
        """Prompt tokens from the prefix cache, of requests that got their first token."""
        self.pooled = 0
        """Tokens that the scheduler counts as generated, but were the end of an embedding."""
        self.rejections = 0
        """Requests refused because the queue was full."""
        self.finished = dict.fromkeys(FINISHED_REASONS, 0)
        self.ttft = Histogram(_TTFT_BOUNDS)
        self.itl = Histogram(_ITL_BOUNDS)
        self.e2e = Histogram(_E2E_BOUNDS)
        self.iteration = Histogram(_STEP_BOUNDS)
