"""One emulated replica: the scheduler on a time line that follows the wall clock."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

from neocloud.engines.emulated.counters import Counters, metrics_page
from neocloud.engines.emulated.delivery import Delivery
from neocloud.perf import StepTable
from neocloud.replica import Limits, Refusal, Replica, Request, StepEnd, Timeline

_TIMER_S = 0.001
"""Resolution of the loop's timers: uvloop counts whole milliseconds and rounds."""


@dataclass(slots=True)
class _Served:
    delivery: Delivery
    arrival_s: float


class ClockedReplica:
    """Runs a replica's steps at the times at which they are due.

    Steps follow each other on an absolute schedule: a step begins when the one before it was due,
    not when this process got round to telling so. Being late therefore delays a token by some
    milliseconds, and never the tokens after it.

    Attributes:
        model: name of its model.
        limits: of its scheduler.
    """

    def __init__(self, model: str, limits: Limits, table: StepTable) -> None:
        self.model = model
        self.limits = limits
        self._loop = asyncio.get_running_loop()
        self._idle_watts = table.idle_watts
        self._timeline = Timeline(Replica(limits, table))
        self._served: dict[int, _Served] = {}
        self._counters = Counters()
        self._timer: asyncio.TimerHandle | None = None
        self._armed_for: float | None = None
        self._lag_s = 0.0
        self._started_s = time.monotonic()

    def submit(self, request: Request, delivery: Delivery) -> Refusal | None:
        """Queue a request whose tokens go to `delivery`; or why it is not taken.

        Its client's going away ends it.
        """
        now = self._now()
        handle = self._timeline.replica.submit(request)
        if isinstance(handle, Refusal):
            return handle
        self._served[handle] = _Served(delivery, now)
        delivery.exchange.on_disconnect(lambda: self._abort(handle))
        delivery.begin()
        self._timeline.start(now)
        self._arm()
        return None

    def metrics(self) -> bytes:
        """Its Prometheus page, up to this moment."""
        now = self._now()
        self._arm()
        busy_s, joules = self._timeline.spent(now)
        idle_s = max(0.0, now - self._started_s - busy_s)
        return metrics_page(
            self.model,
            self.limits,
            self._timeline.replica.snapshot(),
            self._counters,
            busy_s=busy_s,
            joules=joules + self._idle_watts * idle_s,
            lag_s=self._lag_s,
        )

    def close(self) -> None:
        """Run no more steps."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _now(self) -> float:
        """The present, with all steps told that have ended by then.

        It is `loop.time()` read afresh: uvloop's own reading is as old as this turn of the loop,
        and in whole milliseconds.
        """
        now = time.monotonic()
        for ended in self._timeline.advance(now):
            self._tell(ended, now)
        return now

    def _tell(self, ended: StepEnd, now: float) -> None:
        result, served, counters = ended.result, self._served, self._counters
        for handle, cached in zip(result.started, result.cached_tokens, strict=True):
            counters.cached_tokens += cached
            counters.ttft.observe(now - served[handle].arrival_s)
            served[handle].delivery.wording.cached_tokens = cached
        for handle in result.emitted:
            served[handle].delivery.token()
        for handle in result.finished:
            done = served.pop(handle)
            counters.finished[done.delivery.wording.finish_reason.decode()] += 1
            counters.e2e.observe(now - done.arrival_s)

    def _abort(self, handle: int) -> None:
        now = self._now()
        if self._served.pop(handle, None) is not None:
            self._timeline.replica.abort(handle)
            self._counters.finished["abort"] += 1
        self._timeline.start(now)
        self._arm()

    def _arm(self) -> None:
        """Wake when the step that runs is due."""
        due = self._timeline.due
        if due == self._armed_for:
            return
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._armed_for = due
        if due is not None:
            # Half a tick more, so that rounding never wakes it before the step is due.
            self._timer = self._loop.call_at(due + _TIMER_S / 2, self._wake)

    def _wake(self) -> None:
        self._timer = None
        due, self._armed_for = self._armed_for, None
        now = self._now()
        if due is not None:
            self._lag_s = max(0.0, now - due)
        self._arm()
