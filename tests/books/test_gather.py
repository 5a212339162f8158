"""From events to what is compared: hours, the objective, sums; nothing lost and nothing twice."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neocloud.activity import total
from neocloud.books import gather, objective_rule, summarise_usage
from neocloud.ledger import (
    AllocationEvent,
    EnergyEvent,
    Reader,
    Status,
    UsageEvent,
    metered_activity,
)
from neocloud.units import HOUR_NS, Period, hour_floor

from .metering import CATALOG, START_NS, Metering, event, small_cloud, write_ledger

WITHIN = objective_rule(small_cloud(), CATALOG)
LAST_MILE_MS = small_cloud().network.last_mile_ms
RTT_NS = round((CATALOG.round_trip("new-york", "washington").ms + LAST_MILE_MS) * 1e6)
MS = 1_000_000
starts = st.integers(START_NS - 3 * HOUR_NS, START_NS + 3 * HOUR_NS)
lengths = st.integers(1, 5 * HOUR_NS)


def held(start_ns: int, length_ns: int, busy: float | None = 0.5) -> AllocationEvent:
    return AllocationEvent(
        event_id=f"r@{start_ns}", start_ns=start_ns, end_ns=start_ns + length_ns, site="ashburn",
        pool="h100-sxm", model="llama", tenant="", holder="r", accelerator="h100-sxm",
        accelerators=2, purpose="inference",
        busy_s=None if busy is None else busy * length_ns / 1e9 * 2, emulated=True,
    )  # fmt: skip


def drawn(start_ns: int, length_ns: int, kwh: float) -> EnergyEvent:
    return EnergyEvent(
        event_id=f"r@{start_ns}", start_ns=start_ns, end_ns=start_ns + length_ns, site="ashburn",
        pool="h100-sxm", model="llama", holder="r", kwh=kwh, modelled=True, emulated=True,
    )  # fmt: skip


@given(
    st.lists(st.tuples(starts, lengths, st.floats(0, 100)), max_size=6),
    st.lists(st.integers(-10_000_000, 10_000_000), max_size=6),
)
def test_hours_of_a_day_sum_to_the_whole(spans, admissions):
    """A period that holds everything keeps everything, cut at the hours."""
    whole = Period(START_NS - 10 * HOUR_NS, START_NS + 10 * HOUR_NS)
    usage = [event(n) for n in admissions]
    allocation = [held(s, n) for s, n, _ in spans]
    energy = [drawn(s, n, kwh) for s, n, kwh in spans]
    rows = metered_activity(usage, allocation, energy, whole, WITHIN)
    sums = total(rows)
    assert all(row.hour_utc == hour_floor(row.hour_utc) for row in rows)
    assert len({(r.hour_utc, r.tenant) for r in rows}) == len(rows)
    assert (sums.requests, sums.input_tokens, sums.output_tokens) == (
        len(usage), 1000 * len(usage), 200 * len(usage),
    )  # fmt: skip
    seconds = math.fsum(n / 1e9 for _, n, _ in spans)
    assert sums.allocated_accelerator_s == pytest.approx(2 * seconds)
    assert sums.busy_accelerator_s == pytest.approx(seconds)
    assert sums.energy_kwh == pytest.approx(math.fsum(kwh for _, _, kwh in spans))
    by_hour = {r.hour_utc: r.allocated_accelerator_s for r in rows if not r.tenant}
    assert all(s <= 2 * 3600.0 * len(spans) + 1e-6 for s in by_hour.values())


@given(starts, lengths, starts)
def test_two_periods_share_a_span_without_rest(start_ns, length_ns, cut_ns):
    first = Period(START_NS - 10 * HOUR_NS, cut_ns)
    second = Period(cut_ns, START_NS + 10 * HOUR_NS)
    parts = [
        total(metered_activity([], [held(start_ns, length_ns)], [], period, WITHIN))
        for period in (first, second)
    ]
    assert sum(p.allocated_accelerator_s for p in parts) == pytest.approx(2 * length_ns / 1e9)
    assert sum(p.busy_accelerator_s for p in parts) == pytest.approx(length_ns / 1e9)


def test_a_span_is_cut_at_the_hour_in_proportion():
    rows = metered_activity(
        [],
        [held(START_NS + HOUR_NS // 2, 2 * HOUR_NS)],
        [drawn(START_NS + HOUR_NS // 2, 2 * HOUR_NS, 8.0)],
        Period(START_NS, START_NS + 3 * HOUR_NS),
        WITHIN,
    )
    assert [r.hour_utc for r in rows] == [START_NS + h * HOUR_NS for h in range(3)]
    assert [r.allocated_accelerator_s for r in rows] == [3600.0, 7200.0, 3600.0]
    assert [r.energy_kwh for r in rows] == [2.0, 4.0, 2.0]


def test_an_engine_that_does_not_tell_its_steps_is_held_all_the_same():
    (row,) = metered_activity(
        [], [held(START_NS, HOUR_NS, None)], [], Period(START_NS, START_NS + HOUR_NS), WITHIN
    )
    assert (row.allocated_accelerator_s, row.busy_accelerator_s) == (7200.0, 0.0)


def timed(first_ms: float, rest_ms: float, **changes: object) -> UsageEvent:
    """An answer with these times, so much before the limit of 1000 ms that the network is."""
    admitted_ns = START_NS
    first_ns = admitted_ns + round(first_ms * MS) - RTT_NS
    return event(
        admitted_ns=admitted_ns, first_token_ns=first_ns,
        finished_ns=first_ns + round(rest_ms * MS), **changes,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("answer", "kept"),
    [
        # Objective: 1000 ms to the first token at the user, 40 ms a token after it.
        (timed(999, 199 * 39), True),
        (timed(1001, 199 * 39), False),
        (timed(999, 199 * 41), False),
        (timed(500, 199 * 41), False),
        (timed(999, 0, output_tokens=1), True),
        (timed(1001, 0, output_tokens=1), False),
        (timed(999, 199 * 39, status=Status.ABORTED), False),
        (timed(999, 199 * 39, model="other"), False),
        # Nobody saw the first token of what was not streamed: the whole counts.
        (timed(1001, 199 * 39, streamed=False), True),
        (timed(1000, 199 * 40 + 1, streamed=False), False),
        (timed(999, 199 * 40, streamed=False), True),
        # A user whose place is not known is taken to be at the site.
        (timed(1001, 199 * 39, user_metro=""), True),
        (timed(1001, 199 * 39, user_metro="atlantis"), True),
        (event(first_token_ns=0), False),
    ],
)
def test_who_keeps_the_objective(answer, kept):
    assert WITHIN(answer) is kept


def test_gather_reads_what_was_written(tmp_path: Path):
    made = Metering(1.0, seconds=10)
    path = tmp_path / "ledger.db"
    made.write(path)
    found = gather(Reader(path), small_cloud(), CATALOG, made.period)
    wanted = made.metered()
    assert sorted(found.events, key=lambda e: e.request_id) == sorted(
        wanted.events, key=lambda e: e.request_id
    )
    assert total(found.rows) == total(wanted.rows)
    assert found.energy_modelled
    later = Period(made.period.end_ns, made.period.end_ns + HOUR_NS)
    assert gather(Reader(path), small_cloud(), CATALOG, later).events == ()


def test_usage_is_summed_by_tenant_model_and_end(tmp_path: Path):
    events = [
        event(0), event(1, emulated=False, cached_tokens=400), event(2, status=Status.ABORTED),
        event(3, tenant="rhein", estimated=True),
    ]  # fmt: skip
    path = tmp_path / "ledger.db"
    write_ledger(path, events, still_open=[event(9)])
    reader = Reader(path)
    summary = summarise_usage("p", reader.usage(), reader.open_requests())
    assert [
        (u.tenant, u.status, u.requests, u.input_tokens, u.cached_tokens, u.output_tokens,
         u.emulated, u.estimated)
        for u in summary.lines
    ] == [
        ("acme", "aborted", 1, 1000, 0, 200, 1, 0),
        ("acme", "completed", 2, 2000, 400, 400, 1, 0),
        ("rhein", "completed", 1, 1000, 0, 200, 1, 1),
    ]  # fmt: skip
    assert summary.open_requests == 1
