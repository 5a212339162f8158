"""Requests that wait for a place: by priority, and fair between tenants by tokens.

Within a priority each tenant has a virtual time, the tokens it was served over its weight. The
tenant that is furthest behind is next; one that comes (back) starts where the last that was served
started, so that nobody saves up. This is start-time fair queueing (Goyal, Vin, Cheng 1996) with
tokens for bytes, as in the virtual token counter for LLM serving (Sheng et al. 2024).

Between priorities the higher goes first, and a lower one that waits is owed a share of what is
served before it (`OWED`), so it advances however long the rush.
"""

from __future__ import annotations

import heapq
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from typing import Generic, TypeVar

from neocloud.routing.records import Priority

T = TypeVar("T", bound=Hashable)

OWED = {Priority.HIGH: 0.0, Priority.NORMAL: 0.1, Priority.LOW: 0.05}
"""Tokens that a priority which waits is owed for each token served to a higher one. Assumption."""
_SLACK = 64
"""Entries that were overtaken are swept out of a heap once they are more than the live and this."""


class _Waiting(Generic[T]):
    """One request in the queue."""

    __slots__ = ("deadline_s", "flow", "item", "number", "tokens")

    def __init__(
        self, item: T, flow: _Flow[T], tokens: float, deadline_s: float, number: int
    ) -> None:
        self.item = item
        self.flow = flow
        self.tokens = tokens
        self.deadline_s = deadline_s
        self.number = number


class _Flow(Generic[T]):
    """One tenant in one priority: its requests in order, and its virtual time."""

    __slots__ = ("band", "tenant", "version", "virtual", "waiting")

    def __init__(self, band: _Band[T], tenant: str, virtual: float) -> None:
        self.band = band
        self.tenant = tenant
        self.virtual = virtual
        self.waiting: OrderedDict[T, _Waiting[T]] = OrderedDict()
        self.version = 0
        """Number of its newest entry in the heap; older ones count nothing."""


class _Band(Generic[T]):
    """One priority: its tenants, those that wait in a heap by virtual time."""

    __slots__ = ("flows", "heap", "owed", "virtual", "waiting")

    def __init__(self) -> None:
        self.flows: dict[str, _Flow[T]] = {}
        self.heap: list[tuple[float, int, _Flow[T]]] = []
        self.virtual = 0.0
        self.owed = 0.0
        self.waiting = 0


class FairQueue(Generic[T]):
    """Requests that wait, at most `longest` in all and `longest_of_tenant` of one tenant.

    `push`, `pop`, `cancel` and `expired` take O(log n) for each request. `now_s` is the owner's.
    """

    __slots__ = ("_bands", "_by_tenant", "_deadlines", "_items", "_limits", "_number", "_weights")

    def __init__(
        self, longest: int, longest_of_tenant: int, weights: Mapping[str, float] | None = None
    ) -> None:
        """Make an empty queue.

        Args:
            longest: requests that wait at the most.
            longest_of_tenant: requests of one tenant, of all its priorities, at the most.
            weights: by tenant, above 0; 1 where missing. The owner's own mapping.
        """
        self._limits = (longest, longest_of_tenant)
        self._weights = weights if weights is not None else {}
        self._bands = {priority: _Band[T]() for priority in Priority}
        self._items: dict[T, _Waiting[T]] = {}
        self._by_tenant: dict[str, int] = {}
        self._deadlines: list[tuple[float, int, _Waiting[T]]] = []
        self._number = 0

    def __len__(self) -> int:
        return len(self._items)

    def waiting(self, priority: Priority) -> int:
        """Requests of one priority that wait."""
        return self._bands[priority].waiting

    def waiting_of(self, tenant: str) -> int:
        """Requests of one tenant that wait."""
        return self._by_tenant.get(tenant, 0)

    def push(
        self, item: T, tenant: str, priority: Priority, tokens: float, deadline_s: float
    ) -> bool:
        """Let `item` wait. False if the queue is full, or full for this tenant.

        Args:
            item: what waits; each once.
            tenant: whose it is.
            priority: how urgent it is.
            tokens: what serving it takes, above 0; see `correct`.
            deadline_s: when it has waited too long.
        """
        assert item not in self._items, "an item waits once"
        assert tokens > 0.0, "serving takes something"
        known = self._by_tenant.get(tenant, 0)
        if len(self._items) >= self._limits[0] or known >= self._limits[1]:
            return False
        band = self._bands[priority]
        flow = band.flows.get(tenant)
        if flow is None:
            self._sweep(band)
            flow = band.flows[tenant] = _Flow(band, tenant, band.virtual)
        waiting = _Waiting(item, flow, tokens, deadline_s, self._next())
        if not flow.waiting:
            flow.virtual = max(flow.virtual, band.virtual)
            self._line_up(flow)
        flow.waiting[item] = self._items[item] = waiting
        band.waiting += 1
        self._by_tenant[tenant] = known + 1
        heapq.heappush(self._deadlines, (deadline_s, waiting.number, waiting))
        return True

    def pop(self, now_s: float, fits: Callable[[T], bool] | None = None) -> T | None:
        """Take the next request; None if none waits within its deadline (and fits).

        Args:
            now_s: what is past its deadline is left to `expired`.
            fits: asked of the first request of one tenant after the other; one that may not go
                where there is a place lets others by, and keeps its turn.
        """
        for band in self._in_turn():
            waiting = self._first(band, now_s, fits)
            if waiting is not None:
                self._serve(band, waiting)
                return waiting.item
        return None

    def cancel(self, item: T) -> bool:
        """Take `item` out unserved; False if it does not wait."""
        waiting = self._items.get(item)
        if waiting is None:
            return False
        self._remove(waiting)
        return True

    def expired(self, now_s: float) -> list[T]:
        """Take out all that have waited past their deadline, the longest overdue first."""
        found: list[T] = []
        heap = self._deadlines
        while heap and heap[0][0] <= now_s:
            waiting = heapq.heappop(heap)[2]
            if self._items.get(waiting.item) is waiting:
                self._remove(waiting)
                found.append(waiting.item)
        return found

    def next_deadline_s(self) -> float | None:
        """When `expired` may find something next; None if nothing waits."""
        heap = self._deadlines
        while heap and self._items.get(heap[0][2].item) is not heap[0][2]:
            heapq.heappop(heap)
        return heap[0][0] if heap else None

    def correct(self, tenant: str, priority: Priority, tokens: float) -> None:
        """Charge a tenant `tokens` more (or less, below 0) than its request was pushed with.

        Forgotten once nobody of that priority waits: then there is nothing to be fair about.
        """
        flow = self._bands[priority].flows.get(tenant)
        if flow is None:
            return
        flow.virtual += tokens / self._weights.get(tenant, 1.0)
        if flow.waiting:
            self._line_up(flow)

    # own

    def _next(self) -> int:
        self._number += 1
        return self._number

    def _in_turn(self) -> list[_Band[T]]:
        """Priorities with requests: those that are owed a whole one, then the higher first."""
        live = [band for band in self._bands.values() if band.waiting]
        if len(live) < 2:
            return live
        owed = [band for band in live[1:] if band.owed >= self._head(band).tokens]
        return [*owed, *(band for band in live if band not in owed)]

    def _head(self, band: _Band[T]) -> _Waiting[T]:
        """The first request of the tenant that is furthest behind."""
        heap = band.heap
        while heap[0][1] != heap[0][2].version:
            heapq.heappop(heap)
        return next(iter(heap[0][2].waiting.values()))

    def _first(
        self, band: _Band[T], now_s: float, fits: Callable[[T], bool] | None
    ) -> _Waiting[T] | None:
        """The first request within its deadline that fits, tenants in the order of their turn."""
        heap, passed, found = band.heap, [], None
        while heap and found is None:
            entry = heapq.heappop(heap)
            flow = entry[2]
            if entry[1] != flow.version:
                continue
            passed.append(entry)
            for waiting in flow.waiting.values():
                if waiting.deadline_s > now_s:
                    if fits is None or fits(waiting.item):
                        found = waiting
                    break
        for entry in passed:
            heapq.heappush(heap, entry)
        return found

    def _serve(self, band: _Band[T], waiting: _Waiting[T]) -> None:
        flow = waiting.flow
        band.virtual = max(band.virtual, flow.virtual)
        flow.virtual += waiting.tokens / self._weights.get(flow.tenant, 1.0)
        below = False
        for priority, other in self._bands.items():
            if other is band:
                below = True
                band.owed = max(0.0, band.owed - waiting.tokens)
            elif below and other.waiting and other.owed < self._head(other).tokens:
                other.owed += OWED[priority] * waiting.tokens  # its next request, not a burst
        self._remove(waiting)
        if flow.waiting:
            self._line_up(flow)

    def _sweep(self, band: _Band[T]) -> None:
        """Forget tenants of which nothing waits and that are not ahead of the others."""
        if len(band.flows) > 2 * band.waiting + _SLACK:
            band.flows = {
                tenant: flow
                for tenant, flow in band.flows.items()
                if flow.waiting or flow.virtual > band.virtual
            }

    def _line_up(self, flow: _Flow[T]) -> None:
        """Give a tenant its place in the heap anew."""
        flow.version = self._next()
        heap = flow.band.heap
        heapq.heappush(heap, (flow.virtual, flow.version, flow))
        if len(heap) > 2 * len(flow.band.flows) + _SLACK:
            heap[:] = [entry for entry in heap if entry[1] == entry[2].version]
            heapq.heapify(heap)

    def _remove(self, waiting: _Waiting[T]) -> None:
        flow = waiting.flow
        band = flow.band
        del self._items[waiting.item]
        del flow.waiting[waiting.item]
        band.waiting -= 1
        left = self._by_tenant[flow.tenant] - 1
        if left:
            self._by_tenant[flow.tenant] = left
        else:
            del self._by_tenant[flow.tenant]
        if not flow.waiting:
            flow.version = 0
        if not band.waiting:
            band.flows.clear()
            band.heap.clear()
            band.virtual = band.owed = 0.0
        deadlines = self._deadlines
        if len(deadlines) > 2 * len(self._items) + _SLACK:
            deadlines[:] = [e for e in deadlines if self._items.get(e[2].item) is e[2]]
            heapq.heapify(deadlines)
