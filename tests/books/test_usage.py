"""Sums of usage: the obvious ones for any grouping, in memory that events do not fill."""

from __future__ import annotations

import tracemalloc
from collections import Counter
from datetime import UTC, datetime

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from neocloud.books.usage import DIMENSIONS, UsageSummary, summarise_usage
from neocloud.ledger import Status, UsageEvent
from neocloud.units import HOUR_NS

from .metering import START_NS, event

_FIELDS = {name: name for name in DIMENSIONS} | {"key": "key_id"}
_SUMS = ("input_tokens", "cached_tokens", "output_tokens", "reasoning_tokens")

_events = st.builds(
    lambda n, hours, tenant, status, tokens, marks: event(
        n, tenant=tenant, key_id=f"k{n % 3}", model=f"m{n % 2}", site=("", "ashburn")[n % 2],
        api=("chat", "messages")[n % 2], status=status, admitted_ns=START_NS + hours * HOUR_NS,
        input_tokens=tokens, cached_tokens=tokens // 2, output_tokens=n, reasoning_tokens=n // 2,
        emulated=marks[0], estimated=marks[1],
    ),
    st.integers(0, 9), st.integers(-30, 30), st.sampled_from(["acme", "rhein"]),
    st.sampled_from(Status), st.integers(0, 2**60), st.tuples(st.booleans(), st.booleans()),
)  # fmt: skip


def shown(e: UsageEvent, name: str) -> str:
    """What a dimension of an event is called, by another way."""
    moment = datetime.fromtimestamp(e.admitted_ns // 10**9, UTC)
    if name == "day":
        return moment.date().isoformat()
    if name == "hour":
        return moment.strftime("%Y-%m-%dT%H:00:00Z")
    return str(getattr(e, _FIELDS[name]))


@given(
    events=st.lists(_events, max_size=30),
    by=st.lists(st.sampled_from(DIMENSIONS), unique=True, max_size=4),
)
def test_sums_of_any_grouping_are_the_obvious_ones(events, by):
    found = summarise_usage("p", iter(events), iter(()), by)
    groups: dict[tuple[str, ...], list[UsageEvent]] = {}
    for e in events:
        groups.setdefault(tuple(shown(e, name) for name in by), []).append(e)
    assert [tuple(str(getattr(line, name)) for name in by) for line in found.lines] == sorted(
        groups
    )
    for line in found.lines:
        part = groups[tuple(str(getattr(line, name)) for name in by)]
        assert line.requests == len(part)
        assert (line.emulated, line.estimated) == (
            sum(e.emulated for e in part), sum(e.estimated for e in part),
        )  # fmt: skip
        for name in _SUMS:
            assert getattr(line, name) == sum(getattr(e, name) for e in part)
        assert set(msgspec.to_builtins(line)) & set(DIMENSIONS) == set(by), "only what was asked"
    assert found.requests == len(events)
    for name in _SUMS:
        assert getattr(found, name) == sum(getattr(e, name) for e in events)
    assert found.by_status == Counter(e.status.value for e in events)


def test_memory_is_for_lines_not_for_events():
    def peak(count: int) -> int:
        tracemalloc.start()
        summary = summarise_usage("p", (event(n) for n in range(count)), ())
        high = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert isinstance(summary, UsageSummary)
        assert summary.requests == count
        return high

    peak(10)
    assert peak(4000) < 2 * peak(1000)
