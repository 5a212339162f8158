"""Spans of held accelerators as steps over time: joined, never counted twice."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from heapq import heappop, heappush
from itertools import pairwise

import msgspec

from neocloud.ledger import AllocationEvent

Step = tuple[int, int, int]
"""Start and end, ns, and how many accelerators are held from the one to the other."""


class Holder(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """Who holds accelerators, where and what for."""

    holder: str
    site: str
    pool: str
    accelerator: str
    model: str
    tenant: str
    purpose: str

    @property
    def contract(self) -> str:
        """Name of the contract that it is held under, by the holder's name; else empty."""
        return self.holder.partition("/contract/")[2]


def joined(
    events: Iterable[AllocationEvent], start_ns: int, end_ns: int
) -> dict[Holder, tuple[Step, ...]]:
    """What each holder held within a span of time, as disjoint steps in order.

    Where spans of one holder overlap, the larger one counts, so that a span that is written twice,
    in other pieces or in another order changes nothing.
    """
    spans: dict[Holder, list[Step]] = {}
    for e in events:
        start, end = max(e.start_ns, start_ns), min(e.end_ns, end_ns)
        if start < end and e.accelerators > 0:
            holder = Holder(
                holder=e.holder, site=e.site, pool=e.pool, accelerator=e.accelerator,
                model=e.model, tenant=e.tenant, purpose=e.purpose,
            )  # fmt: skip
            _append(spans.setdefault(holder, []), (start, end, e.accelerators))
    return {holder: disjoint(spans[holder]) for holder in sorted(spans)}


def _append(steps: list[Step], step: Step) -> None:
    """Add a step; one that goes on from the last becomes part of it, as most do in a ledger."""
    if steps and steps[-1][1:] == (step[0], step[2]):
        steps[-1] = (steps[-1][0], *step[1:])
    else:
        steps.append(step)


def disjoint(spans: Sequence[Step]) -> tuple[Step, ...]:
    """Steps of the largest count at each moment; neighbours of the same count are one."""
    cuts = sorted({time for start, end, _ in spans for time in (start, end)})
    waiting = sorted(spans)
    open_: list[tuple[int, int]] = []
    found: list[Step] = []
    number = 0
    for at, until in pairwise(cuts):
        while number < len(waiting) and waiting[number][0] <= at:
            _, end, count = waiting[number]
            heappush(open_, (-count, end))
            number += 1
        while open_ and open_[0][1] <= at:
            heappop(open_)
        if not open_:
            continue
        count = -open_[0][0]
        if found and found[-1][1] == at and found[-1][2] == count:
            found[-1] = (found[-1][0], until, count)
        else:
            found.append((at, until, count))
    return tuple(found)


def held_time(steps: Iterable[Step], start_ns: int, end_ns: int) -> int:
    """Accelerator-nanoseconds of the steps within a span of time."""
    return sum(
        count * (min(end, end_ns) - max(start, start_ns))
        for start, end, count in steps
        if start < end_ns and end > start_ns
    )
