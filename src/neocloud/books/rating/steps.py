"""Spans of held accelerators as steps over time: joined, never counted twice."""

from __future__ import annotations

from collections.abc import Sequence
from heapq import heappop, heappush
from itertools import pairwise

import msgspec

from neocloud.ledger import AllocationEvent

Step = tuple[int, int, int]
"""Start and end, ns, and how many accelerators are held from the one to the other."""
_MOST = 1024
"""Steps of a holder that are kept before they are joined anew."""


class Holder(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """Who holds accelerators, where and what for."""

    holder: str
    site: str
    pool: str
    accelerator: str
    model: str
    tenant: str
    purpose: str
    emulated: bool

    @property
    def contract(self) -> str:
        """Name of the contract that it is held under, by the holder's name; else empty."""
        return self.holder.partition("/contract/")[2]


def holder_of(event: AllocationEvent) -> Holder:
    """Who holds the accelerators of a span."""
    return Holder(
        holder=event.holder, site=event.site, pool=event.pool, accelerator=event.accelerator,
        model=event.model, tenant=event.tenant, purpose=event.purpose, emulated=event.emulated,
    )  # fmt: skip


def add_step(steps: list[Step], step: Step) -> None:
    """Add a step; one that goes on from the last becomes part of it, as most do in a ledger.

    Steps that overlap, as those of several gateways that tell of one holder, are joined before they
    become too many.
    """
    if steps and steps[-1][1:] == (step[0], step[2]):
        steps[-1] = (steps[-1][0], *step[1:])
        return
    steps.append(step)
    if len(steps) % _MOST == 0:
        steps[:] = disjoint(steps)


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
