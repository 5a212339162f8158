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

    def _begin(self, time_s: float) -> None:
        self._work = self.replica.begin_step()
        self.due = None if self._work is None else time_s + self._work.seconds
