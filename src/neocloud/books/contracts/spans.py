"""Who held what over a span of time, and how long."""

from __future__ import annotations

from collections.abc import Iterable

from neocloud.books.rating import Holder, Step, add_step, disjoint, holder_of
from neocloud.ledger import AllocationEvent


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
            add_step(spans.setdefault(holder_of(e), []), (start, end, e.accelerators))
    return {holder: disjoint(spans[holder]) for holder in sorted(spans)}


def held_time(steps: Iterable[Step], start_ns: int, end_ns: int) -> int:
    """Accelerator-nanoseconds of the steps within a span of time."""
    return sum(
        count * (min(end, end_ns) - max(start, start_ns))
        for start, end, count in steps
        if start < end_ns and end > start_ns
    )
