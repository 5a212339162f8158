"""Requests that wait because all replicas that may take them are full.

They wait here rather than in an engine: here the next is chosen fairly between tenants, and it goes
to whichever replica has a place first. Nobody who waits was admitted: who waits in vain leaves no
usage event, and what was held of its limits is given back.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from neocloud.gateway.apis.refusals import ApiError
from neocloud.gateway.fleet.replicas import Serving
from neocloud.gateway.requests.entry import Entry
from neocloud.routing import Choice, FairQueue, NoReplica, choose

if TYPE_CHECKING:
    from neocloud.gateway.requests.gateway import Gateway

LONGEST = 8192
LONGEST_OF_TENANT = 2048
PATIENCE_S = 30.0
"""How long a request may wait for a place. Assumption: longer, and clients have given up."""
_RECHECK_S = 0.25
"""How often places are looked for where none was given back: a breaker closes, a site recovers."""


class Waiting:
    """The queues of a gateway, one for each group of replicas. True if anybody waits."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._queues: dict[Serving, FairQueue[Entry]] = {}
        self._timer: asyncio.TimerHandle | None = None

    def __bool__(self) -> bool:
        return bool(self._queues)

    def __len__(self) -> int:
        return sum(map(len, list(self._queues.values())))

    def any(self, serving: Serving) -> bool:
        """True if somebody waits for one of these replicas."""
        return serving in self._queues

    def put(self, serving: Serving, entry: Entry) -> None:
        """Let a request wait.

        Raises:
            ApiError: 503, too many wait already.
        """
        queue = self._queues.get(serving)
        if queue is None:
            weights = {name: rule.weight for name, rule in self._gateway.rules.tenants.items()}
            queue = FairQueue(LONGEST, LONGEST_OF_TENANT, weights)
        inputs, outputs = entry.bounds()
        tokens = float(max(1, inputs // 4 + outputs))
        tenant, priority = entry.caller.key.tenant, entry.caller.tenant.priority
        if not queue.push(entry, tenant, priority, tokens, time.monotonic() + PATIENCE_S):
            raise ApiError(
                503, "all replicas are busy and too many requests wait", "overloaded",
                retry_after_s=5.0,
            )  # fmt: skip
        self._queues[serving] = queue
        if not entry.waits_since_ns:
            entry.waits_since_ns = time.time_ns()
        entry.exchange.on_disconnect(lambda: self._gone(serving, entry))
        self._look_again()

    def wake(self, serving: Serving) -> None:
        """Launch those who wait, as far as there are places."""
        queue = self._queues.get(serving)
        if queue is None:
            return
        found: list[Choice] = []

        def fits(entry: Entry) -> bool:
            assert entry.route is not None, "who waits was routed once"
            choice = choose(serving.group, entry.route, time.monotonic())
            if isinstance(choice, NoReplica):
                return False
            found[:] = [choice]
            return True

        while (entry := queue.pop(time.monotonic(), fits)) is not None:
            try:
                self._gateway.launch(serving, entry, found[0])
            except ApiError as error:
                self._refuse(entry, error)
        if not len(queue):
            self._queues.pop(serving, None)

    def move(self) -> None:
        """Let all who wait be judged and placed anew: other rules hold, or other replicas serve."""
        queues, self._queues = self._queues, {}
        for queue in queues.values():
            for entry in queue.expired(float("inf")):
                try:
                    self._gateway.route_again(entry)
                except ApiError as error:
                    self._refuse(entry, error)

    def close(self) -> None:
        """Refuse all who wait: the gateway shuts down."""
        if self._timer is not None:
            self._timer.cancel()
        queues, self._queues = self._queues, {}
        for queue in queues.values():
            for entry in queue.expired(float("inf")):
                self._refuse(entry, ApiError(503, "shutting down", "not_ready"))

    def _gone(self, serving: Serving, entry: Entry) -> None:
        """A client left that had no replica yet."""
        queue = self._queues.get(serving)
        if queue is not None and queue.cancel(entry):
            self._gateway.drop(entry.exchange, entry.hold)
            self._gateway.traffic.refuse(499, "client_gone")
            self._waited(entry)
            if not len(queue):
                self._queues.pop(serving, None)

    def _waited(self, entry: Entry) -> None:
        """Count the time of one that waited in vain."""
        waited_ns = time.time_ns() - entry.waits_since_ns
        self._gateway.traffic.waited(entry.asked.model, waited_ns)

    def _refuse(self, entry: Entry, error: ApiError) -> None:
        self._gateway.give_back(entry.hold)
        self._waited(entry)
        self._gateway.refuse(entry.exchange, error, anthropic=entry.api.anthropic)

    def _look_again(self) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_RECHECK_S, self._recheck)

    def _recheck(self) -> None:
        self._timer = None
        for serving, queue in list(self._queues.items()):
            for entry in queue.expired(time.monotonic()):
                error = ApiError(
                    503, f"no replica had a place within {PATIENCE_S:g} s", "overloaded",
                    retry_after_s=5.0,
                )  # fmt: skip
                self._refuse(entry, error)
            self.wake(serving)
            if not len(queue):
                self._queues.pop(serving, None)
        if self._queues:
            self._look_again()
