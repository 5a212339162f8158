"""Reading: all segments as one, and a period against the obvious selection."""

from __future__ import annotations

import threading
import tracemalloc
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neocloud.ledger import LedgerError, Reader
from neocloud.ledger.carrier import Carrier
from neocloud.ledger.sqlite import SqliteStore
from neocloud.units import Period

from .events import START_NS, WAIT_S, Desk, admission, allocation, energy, opened, usage


def test_two_segments_are_read_as_one(tmp_path):
    path = tmp_path / "ledger.db"
    desk = Desk()
    with opened(path, desk) as first, opened(path, desk, worker=1) as second:
        for number in range(6):
            ledger = first if number % 2 else second
            ledger.admit(admission(number))
            if number < 4:
                ledger.settle(usage(number), desk.noted("x"))
        first.record_allocation(allocation(START_NS, START_NS + 10))
        second.record_allocation(allocation(START_NS, START_NS + 20, holder="r1"))
        second.record_energy(energy(START_NS, START_NS + 20))
    reader = Reader(path)
    assert sorted(e.output_tokens for e in reader.usage()) == [0, 1, 2, 3]
    assert {a.request_id for a in reader.open_requests()} == {
        admission(4).request_id, admission(5).request_id,
    }  # fmt: skip
    assert {a.holder for a in reader.allocation()} == {"r0", "r1"}
    assert len(list(reader.energy())) == 1
    assert reader.span() == Period(START_NS, START_NS + 21)


def test_a_ledger_is_whole_without_its_first_segment_and_in_a_folder_of_any_name(tmp_path):
    path = tmp_path / "a [b]?#%20" / "ledger [1].db"
    path.parent.mkdir()
    with opened(path, worker=3) as ledger:
        ledger.admit(admission(1))
    assert [a.request_id for a in Reader(path).open_requests()] == [admission(1).request_id]


def test_no_ledger_is_told_and_none_is_made(tmp_path):
    for path in (tmp_path / "ledger.db", tmp_path / "no" / "ledger.db"):
        with pytest.raises(LedgerError, match=r"no ledger at .*; `neocloud up` makes one"):
            Reader(path)
    assert list(tmp_path.iterdir()) == []


def test_an_empty_ledger_spans_nothing(tmp_path):
    path = tmp_path / "ledger.db"
    with opened(path):
        reader = Reader(path)
        assert reader.span() is None
        assert list(reader.usage()) == []


# Times close to the bounds of milliseconds, where identifiers are coarser than times.
_times = st.builds(
    lambda ms, ns: START_NS + ms * 1_000_000 + ns,
    st.integers(0, 4),
    st.sampled_from([0, 1, 499_999, 999_999]),
)
_periods = st.tuples(_times, _times).filter(lambda p: p[0] < p[1]).map(lambda p: Period(*p))


@given(times=st.lists(_times, max_size=12), period=_periods)
def test_usage_of_a_period_is_what_was_admitted_in_it(tmp_path_factory, times, period):
    path = tmp_path_factory.mktemp("usage") / "ledger.db"
    with opened(path) as ledger:
        for number, time_ns in enumerate(times):
            ledger.admit(admission(number, time_ns))
            ledger.settle(usage(number, time_ns), lambda: None)
    found = list(Reader(path).usage(period))
    expected = [
        usage(number, time_ns)
        for number, time_ns in enumerate(times)
        if period.start_ns <= time_ns < period.end_ns
    ]
    assert sorted(found, key=lambda e: e.output_tokens) == expected
    assert [e.request_id for e in found] == sorted(e.request_id for e in found)


@given(spans=st.lists(_periods, max_size=8), period=_periods)
def test_spans_of_a_period_are_those_that_overlap_it(tmp_path_factory, spans, period):
    path = tmp_path_factory.mktemp("spans") / "ledger.db"
    events = [
        (allocation(s.start_ns, s.end_ns, f"r{n}"), energy(s.start_ns, s.end_ns, f"r{n}"))
        for n, s in enumerate(spans)
    ]
    with opened(path) as ledger:
        for held, used in events:
            ledger.record_allocation(held)
            ledger.record_energy(used)
    inside = [
        pair
        for pair in events
        # They share a moment: the later of the starts is before the earlier of the ends.
        if max(pair[0].start_ns, period.start_ns) < min(pair[0].end_ns, period.end_ns)
    ]
    reader = Reader(path)
    found = list(reader.allocation(period))
    assert sorted(e.holder for e in found) == sorted(held.holder for held, _ in inside)
    assert [e.start_ns for e in found] == sorted(e.start_ns for e in found)
    assert sorted(e.holder for e in reader.energy(period)) == sorted(u.holder for _, u in inside)


def test_a_reader_disturbs_no_writer_and_sees_whole_commits(tmp_path: Path):
    path = tmp_path / "ledger.db"
    desk = Desk()
    stop = threading.Event()
    wrong: list[str] = []

    def watch() -> None:
        while not stop.is_set():
            known_before = {admission(n).request_id for n in range(admitted)}
            open_ids = {a.request_id for a in Reader(path).open_requests()}
            ended_ids = {e.request_id for e in Reader(path).usage()}
            # Looked at in this order, one that is in neither was dropped on the way.
            wrong.extend(known_before - open_ids - ended_ids)

    admitted = 0
    watcher = threading.Thread(target=watch)
    with opened(path, desk) as ledger:
        watcher.start()
        for number in range(40):
            ledger.admit(admission(number), desk.noted("in"))
            desk.run_until(2 * number + 1)
            admitted = number + 1
            ledger.settle(usage(number), desk.noted("out"))
            desk.run_until(2 * number + 2)
        stop.set()
        watcher.join(WAIT_S)
        assert ledger.failure is None
    assert wrong == []


def peak_of_reading(path: Path, count: int) -> int:
    """Bytes of memory at most, half of the events shipped."""
    with opened(path) as ledger:
        for number in range(count):
            ledger.admit(admission(number))
            ledger.settle(usage(number), None)
    with closing(SqliteStore(path)) as store:
        Carrier(store, path.with_name(path.name + ".segments"), rows=count // 2).round()
    tracemalloc.start()
    found = sum(1 for _ in Reader(path).usage())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found == count
    return peak


def test_memory_does_not_grow_with_what_is_in_store_and_segments(tmp_path: Path):
    few = peak_of_reading(tmp_path / "few.db", 20_000)
    assert peak_of_reading(tmp_path / "many.db", 60_000) < 1.5 * few
