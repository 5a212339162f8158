"""How many requests may be tried again: a share of all, so that retries never feed an outage."""

from __future__ import annotations

SHARE = 0.2
"""Retries for each request, over time. As in Finagle's and Linkerd's retry budgets."""
FLOOR_PER_S = 1.0
"""Retries a second that are there without any traffic, so that a rare request is tried again."""
START = 10.0
"""Retries that are there at the beginning, before any traffic could earn them."""
MOST = 100.0
"""Retries saved up at the most."""


class RetryBudget:
    """A bucket that requests and time fill and retries empty. `now_s` never goes back.

    Over any span, retries <= `MOST` + `SHARE` * requests + `FLOOR_PER_S` * seconds.
    """

    __slots__ = ("_at_s", "_saved")

    def __init__(self, now_s: float) -> None:
        """Begin with `START`."""
        self._saved = START
        self._at_s = now_s

    def request(self) -> None:
        """A request was sent for the first time."""
        saved = self._saved + SHARE
        self._saved = min(MOST, saved)

    def take(self, now_s: float) -> bool:
        """Take one retry; False if there is none, and the request is to fail as it did."""
        saved = min(MOST, self._saved + FLOOR_PER_S * (now_s - self._at_s))
        self._at_s = now_s
        if saved < 1.0:
            self._saved = saved
            return False
        self._saved = saved - 1.0
        return True
