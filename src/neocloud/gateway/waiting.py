"""Requests that wait because all replicas that may take them are full.

They wait here rather than in an engine: here the next is chosen fairly between tenants, and it goes
to whichever replica has a place first. Nobody who waits was admitted: who waits in vain leaves no
usage event, and what was held of its limits is given back.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from neocloud.gateway.answers import ApiError
from neocloud.gateway.entry import Entry
from neocloud.gateway.fleet import Serving
from neocloud.quotas import Hold
from neocloud.routing import Choice, FairQueue, NoReplica, RouteRequest, choose

if TYPE_CHECKING:
    from neocloud.gateway.gateway import Gateway

LONGEST = 8192
LONGEST_OF_TENANT = 2048
PATIENCE_S = 30.0
"""How long a request may wait for a place. Assumption: longer, and clients have given up."""
_RECHECK_S = 0.25
"""How often places are looked for where none was given back: a breaker closes, a site recovers."""


class Waiter:
    """A request that has no replica yet.

    Attributes:
        entry: who asks what.
        route: what the router is asked.
        hold: of the tenant's limits; None without any.
        metro: where the caller is.
    """

    __slots__ = ("entry", "hold", "metro", "route")

    def __init__(self, entry: Entry, route: RouteRequest, hold: Hold | None, metro: str) -> None:
        self.entry = entry
        self.route = route
        self.hold = hold
        self.metro = metro

    @property
    def tokens(self) -> float:
        """What serving it takes at the most: the measure of fairness."""
        inputs, outputs = self.entry.bounds()
        return float(max(1, inputs // 4 + outputs))


class Waiting:
    """The queues of a gateway, one for each group of replicas."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._queues: dict[Serving, FairQueue[Waiter]] = {}
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return sum(map(len, self._queues.values()))

    def any(self, serving: Serving) -> bool:
        """True if somebody waits for one of these replicas."""
        return serving in self._queues

    def put(self, serving: Serving, waiter: Waiter) -> None:
        """Let a request wait.

        Raises:
            ApiError: 503, too many wait already.
        """
        queue = self._queues.get(serving)
        if queue is None:
            weights = {name: rule.weight for name, rule in self._gateway.rules.tenants.items()}
            queue = FairQueue(LONGEST, LONGEST_OF_TENANT, weights)
        entry = waiter.entry
        deadline_s = time.monotonic() + PATIENCE_S
        if not queue.push(
            waiter, entry.key.tenant, entry.tenant.priority, waiter.tokens, deadline_s
        ):
            raise ApiError(
                503, "all replicas are busy and too many requests wait", "overloaded",
                retry_after_s=5.0,
            )  # fmt: skip
        self._queues[serving] = queue
        entry.exchange.on_disconnect(lambda: self._gone(serving, waiter))
        self._look_again()

    def wake(self, serving: Serving) -> None:
        """Launch those who wait, as far as there are places."""
        queue = self._queues.get(serving)
        if queue is None:
            return
        gateway = self._gateway
        while True:
            now_s = time.monotonic()
            found: list[Choice] = []

            def fits(waiter: Waiter, now_s: float = now_s, found: list[Choice] = found) -> bool:
                choice = choose(serving.group, waiter.route, now_s)
                if isinstance(choice, NoReplica):
                    return False
                found[:] = [choice]
                return True

            waiter = queue.pop(now_s, fits)
            if waiter is None:
                break
            try:
                gateway.launch(serving, waiter, found[0])
            except ApiError as error:
                self._refuse(waiter, error)
        if not len(queue):
            self._queues.pop(serving, None)

    def close(self) -> None:
        """Refuse all who wait: the gateway shuts down."""
        if self._timer is not None:
            self._timer.cancel()
        for serving, queue in list(self._queues.items()):
            for waiter in queue.expired(float("inf")):
                self._refuse(waiter, ApiError(503, "shutting down", "not_ready"))
            self._queues.pop(serving, None)

    def _gone(self, serving: Serving, waiter: Waiter) -> None:
        """A client left that had no replica yet."""
        queue = self._queues.get(serving)
        if queue is not None and queue.cancel(waiter):
            self._gateway.give_back(waiter.hold)
            self._gateway.refused[499] += 1
            if not len(queue):
                self._queues.pop(serving, None)

    def _refuse(self, waiter: Waiter, error: ApiError) -> None:
        self._gateway.give_back(waiter.hold)
        entry = waiter.entry
        self._gateway.refuse(entry.exchange, error, anthropic=entry.api.anthropic)

    def _look_again(self) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_RECHECK_S, self._recheck)

    def _recheck(self) -> None:
        self._timer = None
        now_s = time.monotonic()
        for serving, queue in list(self._queues.items()):
            for waiter in queue.expired(now_s):
                error = ApiError(
                    503, f"no replica had a place within {PATIENCE_S:g} s", "overloaded",
                    retry_after_s=5.0,
                )  # fmt: skip
                self._refuse(waiter, error)
            self.wake(serving)
            if not len(queue):
                self._queues.pop(serving, None)
        if self._queues:
            self._look_again()
