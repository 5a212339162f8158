"""One emulated replica: the scheduler on a time line that follows the wall clock."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass

from neocloud.engines.emulated.counters import Counters
from neocloud.engines.emulated.delivery import Delivery
from neocloud.engines.emulated.pace import IdlingCost
from neocloud.engines.emulated.pages import sglang_page, vllm_page
from neocloud.replica import Limits, Refusal, RefusalReason, Replica, Request, StepEnd, Timeline

_TIMER_S = 0.001
"""Resolution of the loop's timers: uvloop counts whole milliseconds and rounds."""


@dataclass(slots=True)
class _Served:
    """A sequence under way: one of those that its delivery waits for."""

    delivery: Delivery
    index: int
    arrival_s: float
    last_s: float
    """When its last token came."""


class ClockedReplica:
    """Runs a replica's steps at the times at which they are due.

    Steps follow each other on an absolute schedule: a step begins when the one before it was due,
    not when this process got round to telling so. Being late therefore delays a token by some
    milliseconds, and never the tokens after it.

    Attributes:
        model: name of its model.
        limits: of its scheduler.
    """

    def __init__(self, model: str, limits: Limits, table: IdlingCost) -> None:
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
        self._idle = asyncio.Event()
        self._idle.set()
        self._started_s = time.monotonic()

    async def until_idle(self) -> None:
        """Wait until nothing waits or runs."""
        await self._idle.wait()

    @property
    def open_requests(self) -> int:
        """Sequences that wait or run."""
        return len(self._served)

    def submit(self, sequences: Sequence[Request], delivery: Delivery) -> Refusal | None:
        """Queue the sequences of one request, whose tokens go to `delivery`; or why not.

        All are taken or none. Their client's going away ends them.
        """
        now = self._now()
        replica = self._timeline.replica
        handles: list[int] = []
        for sequence in sequences:
            handle = replica.submit(sequence)
            if isinstance(handle, Refusal):
                for taken in handles:
                    replica.abort(taken)
                if handle.reason == RefusalReason.QUEUE_FULL:
                    self._counters.rejections += 1
                return handle
            handles.append(handle)
        for index, handle in enumerate(handles):
            self._served[handle] = _Served(delivery, index, now, now)
        self._idle.clear()
        delivery.abandon = lambda: self._forget(handles)
        delivery.exchange.on_disconnect(lambda: self._abort(handles))
        delivery.begin()
        self._timeline.start(now)
        self._arm()
        return None

    def fail(self) -> None:
        """End all that waits or runs; its clients are told so."""
        self._now()
        deliveries = {id(served.delivery): served.delivery for served in self._served.values()}
        self._forget(list(self._served))
        for delivery in deliveries.values():
            delivery.fail()
        self._arm()

    def metrics(self, family: str = "vllm") -> bytes:
        """Its Prometheus page up to this moment, in the names of `vllm` or `sglang`."""
        now = self._now()
        self._arm()
        busy_s, joules = self._timeline.spent(now)
        idle_s = max(0.0, now - self._started_s - busy_s)
        page = sglang_page if family == "sglang" else vllm_page
        return page(
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
        counters.iteration.observe(ended.work.decodes + ended.work.prefill_tokens)
        # A fault may end a request while its tokens are told: then it is served no more.
        for handle, cached in zip(result.started, result.cached_tokens, strict=True):
            counters.cached_tokens += cached
            if (first := served.get(handle)) is not None:
                counters.ttft.observe(now - first.arrival_s)
                first.delivery.found(first.index, cached)
        started = frozenset(result.started)
        for handle in result.emitted:
            if (one := served.get(handle)) is not None:
                if handle not in started:
                    counters.itl.observe(ended.time_s - one.last_s)
                one.last_s = ended.time_s
                counters.pooled += not one.delivery.generates
                one.delivery.token(one.index)
        for handle in result.finished:
            if (done := served.pop(handle, None)) is not None:
                counters.finished[done.delivery.reason(done.index)] += 1
                counters.e2e.observe(now - done.arrival_s)
        if not served:
            self._idle.set()

    def _abort(self, handles: Sequence[int]) -> None:
        now = self._now()
        self._forget(handles)
        self._timeline.start(now)
        self._arm()

    def _forget(self, handles: Sequence[int]) -> None:
        for handle in handles:
            if self._served.pop(handle, None) is not None:
                self._timeline.replica.abort(handle)
                self._counters.finished["abort"] += 1
        if not self._served:
            self._idle.set()

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
