"""A replica on a time line: steps end when they are due and the next begins at that very moment.

The owner says what time it is. In virtual time that is the next event; against a wall clock it is
whenever the owner wakes: being late moves no step, the steps that are due by then have ended and
begun when they should have. So the same arrivals give the same steps at the same times, whoever
drives (R16).
"""

from __future__ import annotations

import msgspec

from neocloud.replica.records import StepResult, StepWork
from neocloud.replica.replica import Replica


class StepEnd(msgspec.Struct, frozen=True, kw_only=True):
    """A step that ended at `time_s` seconds of the time line."""

    time_s: float
    work: StepWork
    result: StepResult


class Timeline:
    """Runs one replica's steps back to back while there is work.

    Submit to and abort in `replica` itself, after `advance` to the present; then `start`.
    """

    __slots__ = ("_work", "due", "replica")

    def __init__(self, replica: Replica) -> None:
        self.replica = replica
        self.due: float | None = None
        """When the step that runs ends; None while the replica is idle."""
        self._work: StepWork | None = None

    def start(self, now: float) -> None:
        """If the replica is idle and has work, begin a step at `now`."""
        if self._work is None:
            self._begin(now)

    def advance(self, now: float) -> list[StepEnd]:
        """End every step that is due at `now` or before, and begin those that follow."""
        ended: list[StepEnd] = []
        while self.due is not None and self.due <= now:
            work, time_s = self._work, self.due
            assert work is not None
            result = self.replica.end_step()
            ended.append(StepEnd(time_s=time_s, work=work, result=result))
            self._begin(time_s)
        return ended

    def spent(self, now: float) -> tuple[float, float]:
        """Seconds in which steps ran, and joules they took, from the start until `now`.

        Of the step that runs, the part that has passed; its energy is spread evenly over it.
        """
        counts = self.replica.snapshot()
        busy_s, joules = counts.busy_s, counts.joules
        if self._work is not None and self.due is not None and self._work.seconds > 0:
            part = 1.0 - (self.due - now) / self._work.seconds
            part = min(max(part, 0.0), 1.0)
            busy_s += part * self._work.seconds
            joules += part * self._work.joules
        return busy_s, joules

    def _begin(self, time_s: float) -> None:
        self._work = self.replica.begin_step()
        self.due = None if self._work is None else time_s + self._work.seconds
