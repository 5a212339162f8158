"""What every store does, whichever database it is: once each, all or nothing, as of one moment."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from neocloud.ledger.errors import LedgerError, StoreError
from neocloud.ledger.records import Status
from neocloud.ledger.sqlite import SqliteStore
from neocloud.ledger.store import Batch, Store
from neocloud.units import Period

from .events import START_NS, WAIT_S, allocation, attempt, correction, energy, usage
from .stores import STORES, Connect

HOUR_NS = 3_600_000_000_000


@pytest.fixture(params=STORES)
def connect(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Connect]:
    with request.param(tmp_path) as connect:
        yield connect


@pytest.fixture
def store(connect: Connect) -> Store:
    made = connect()
    made.create()
    return made


FULL = Batch(
    usage=[usage(1), usage(2, api="messages", reasoning_tokens=7, status=Status.INTERRUPTED)],
    attempts=[attempt(1), attempt(1, tried=2, fault="503")],
    allocation=[
        allocation(START_NS, START_NS + HOUR_NS),
        allocation(START_NS, START_NS + HOUR_NS, holder="r1", busy_s=None),
    ],
    energy=[energy(START_NS, START_NS + HOUR_NS)],
    corrections=[correction(1), correction(1, 2, status=Status.FAILED), correction(2)],
)


def everything(store: Store) -> Batch:
    with store.view() as view:
        return Batch(
            usage=list(view.usage()),
            attempts=list(view.attempts()),
            allocation=list(view.allocation()),
            energy=list(view.energy()),
            corrections=list(view.corrections()),
        )


def test_what_is_shipped_is_read_back_field_by_field(store):
    store.apply("a", 5, FULL)
    assert everything(store) == FULL
    with store.view() as view:
        assert view.span() == Period(START_NS, START_NS + HOUR_NS + 1)
        assert (view.position("a"), view.position("b")) == (5, 0)


def test_a_new_store_is_empty_and_making_it_again_changes_nothing(connect, store):
    assert everything(store) == Batch(
        usage=[], attempts=[], allocation=[], energy=[], corrections=[]
    )
    with store.view() as view:
        assert view.span() is None
    store.apply("a", 1, FULL)
    again = connect()
    again.create()
    assert (everything(again), again.position("a")) == (FULL, 1)


def test_several_may_make_it_at_once(connect):
    """As the workers of a gateway do that starts on an empty folder."""
    together = threading.Barrier(6)
    failed: list[LedgerError] = []

    def make() -> None:
        made = connect()
        together.wait(WAIT_S)
        try:
            made.create()
            made.apply("a", 1, Batch(usage=[usage(1)]))
        except LedgerError as error:
            failed.append(error)

    threads = [threading.Thread(target=make) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT_S)
    assert not failed
    assert list(everything(connect()).usage) == [usage(1)]


def test_a_batch_delivered_again_changes_nothing_whoever_delivers_it(connect, store):
    store.apply("a", 9, FULL)
    changed = Batch(
        usage=[usage(1, output_tokens=999), usage(3)],
        attempts=[attempt(1, fault="other")],
        allocation=[allocation(START_NS, START_NS + 1)],
        energy=[energy(START_NS, START_NS + HOUR_NS, kwh=9.0)],
        corrections=[correction(1, output_tokens=9), correction(3)],
    )
    store.apply("a", 7, FULL)
    connect().apply("b", 1, changed)
    assert everything(store) == Batch(
        usage=[*FULL.usage, usage(3)],
        attempts=FULL.attempts,
        allocation=FULL.allocation,
        energy=FULL.energy,
        corrections=[*FULL.corrections, correction(3)],
    ), "the first stays, whatever a second says"
    assert (store.position("a"), store.position("b")) == (9, 1), "and no position goes back"


@pytest.mark.parametrize("kind", STORES)
def test_a_ledger_made_before_corrections_were_kept_takes_them(kind, tmp_path):
    """As a gateway finds it that was stopped, brought up to date, and started again."""
    with kind(tmp_path) as connect:
        old = connect()
        old.create()
        old.apply("a", 1, Batch(usage=[usage(1)]))
        drop = ["DROP TABLE {}corrections", "ALTER TABLE {}usage DROP COLUMN correction"]
        if isinstance(old, SqliteStore):
            old.close()
            with sqlite3.connect(old.path) as other:
                for statement in drop:
                    other.execute(statement.format(""))
            other.close()
        else:
            with psycopg.connect(old._url) as server:
                for statement in drop:
                    server.execute(statement.format("neocloud."))
        store = connect()
        store.create()
        store.apply("a", 2, Batch(usage=[usage(2)], corrections=[correction(1)]))
        found = everything(store)
        assert (found.usage, found.corrections) == ([usage(1), usage(2)], [correction(1)])
        store.create()
        assert everything(store) == found


def test_within_one_batch_the_first_of_two_with_one_id_stays(store):
    store.apply("a", 1, Batch(usage=[usage(1), usage(2), usage(1, output_tokens=9)]))
    assert list(everything(store).usage) == [usage(1), usage(2)]


def test_an_empty_batch_moves_the_position(store):
    store.apply("a", 12, Batch())
    assert store.position("a") == 12


@pytest.mark.parametrize(
    "text",
    ["", "nul\0nul", "‘ß漢\U0001f600’", "a\tb\nc\\N\\.", "'; DROP TABLE usage; --", "\x7f\x01"],
)
def test_text_may_hold_any_character(store, text):
    store.apply("a", 1, Batch(usage=[usage(1, user_metro=text, model=text)]))
    (found,) = everything(store).usage
    assert found == usage(1, user_metro=text, model=text)


def test_numbers_of_64_bits_are_kept(store):
    most = 2**63 - 1
    store.apply("a", most, Batch(usage=[usage(1, output_tokens=most, finished_ns=most)]))
    assert everything(store).usage[0].output_tokens == most
    assert store.position("a") == most


def test_a_view_sees_nothing_that_comes_later(connect, store):
    store.apply("a", 1, Batch(usage=[usage(1)]))
    with store.view() as view:
        before = view.position("a")
        connect().apply("a", 2, Batch(usage=[usage(2), usage(0)]))
        assert (before, view.position("a")) == (1, 1)
        assert list(view.usage()) == [usage(1)]
        assert view.span() == Period(START_NS, START_NS + 10)
    assert [e.request_id for e in everything(store).usage] == [
        usage(n).request_id for n in range(3)
    ]


def test_a_stream_that_is_read_half_way_holds_up_no_writer(connect, store):
    store.apply("a", 1, Batch(usage=[usage(n) for n in range(3000)]))
    with store.view() as view:
        events = view.usage()
        first = [next(events) for _ in range(10)]
        connect().apply("a", 2, Batch(usage=[usage(n) for n in range(3000, 6000)]))
        assert [*first, *events] == [usage(n) for n in range(3000)]


_times = st.builds(
    lambda ms, ns: START_NS + ms * 1_000_000 + ns,
    st.integers(0, 4),
    st.sampled_from([0, 1, 499_999, 999_999]),
)
_periods = st.tuples(_times, _times).filter(lambda p: p[0] < p[1]).map(lambda p: Period(*p))


@pytest.mark.parametrize("kind", STORES)
@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(
    times=st.lists(_times, max_size=8),
    spans=st.lists(_periods, max_size=6),
    period=_periods,
)
def test_a_period_gives_what_lies_in_it(tmp_path_factory, kind, times, spans, period):
    with kind(tmp_path_factory.mktemp("period")) as connect:
        store = connect()
        store.create()
        events = [usage(n, time_ns) for n, time_ns in enumerate(times)]
        tried = [attempt(n, started_ns=time_ns) for n, time_ns in enumerate(times)]
        held = [allocation(s.start_ns, s.end_ns, f"r{n}") for n, s in enumerate(spans)]
        used = [energy(s.start_ns, s.end_ns, f"r{n}") for n, s in enumerate(spans)]
        made = [correction(n, request_id=e.request_id) for n, e in enumerate(events)]
        store.apply(
            "a", 1,
            Batch(usage=events, attempts=tried, allocation=held, energy=used, corrections=made),
        )  # fmt: skip

        def overlaps(span: object) -> bool:
            low = max(span.start_ns, period.start_ns)  # type: ignore[attr-defined]
            return low < min(span.end_ns, period.end_ns)  # type: ignore[attr-defined]

        with store.view() as view:
            assert list(view.usage(period)) == sorted(
                (e for e in events if e.admitted_ns in period), key=lambda e: e.request_id
            )
            assert list(view.attempts(period)) == sorted(
                (t for t in tried if t.started_ns in period), key=lambda t: t.request_id
            )
            inside = {e.request_id for e in events if e.admitted_ns in period}
            found = list(view.corrections(period))
            assert inside <= {c.request_id for c in found} <= {e.request_id for e in events}
            assert found == sorted(found, key=lambda c: c.request_id)
            assert list(view.allocation(period)) == sorted(
                filter(overlaps, held), key=lambda s: (s.start_ns, s.event_id)
            )
            assert list(view.energy(period)) == sorted(
                filter(overlaps, used), key=lambda s: (s.start_ns, s.event_id)
            )


def test_report_02_ten_thousand_combinations_in_one_batch_are_kept_and_summed_right(store):
    """Only the first hundred rows of a flush were written, the rest dropped (litellm #29292)."""
    day_ns = 24 * HOUR_NS
    events = [
        usage(
            n,
            START_NS + (n % 10) * day_ns,
            tenant=f"t{n // 10 % 10}",
            key_id=f"k{n // 100 % 10}",
            model=f"m{n // 1000}",
            output_tokens=n,
        )
        for n in range(10_000)
    ]
    combinations = {(e.tenant, e.key_id, e.model, e.admitted_ns // day_ns) for e in events}
    assert len(combinations) == 10_000
    store.apply("a", 1, Batch(usage=events))
    store.apply("a", 1, Batch(usage=events[5000:]))
    found = list(everything(store).usage)
    assert sum(e.output_tokens for e in found) == 10_000 * 9_999 // 2
    assert {(e.tenant, e.key_id, e.model, e.admitted_ns // day_ns) for e in found} == combinations
    assert len(found) == 10_000


def test_two_writers_at_once_lose_and_double_nothing(connect, store):
    def write(stream: str, first: int) -> None:
        mine = connect()
        for step in range(20):
            batch = Batch(usage=[usage(first + step * 10 + n) for n in range(15)])
            until = time.monotonic() + WAIT_S
            while time.monotonic() < until:
                with suppress(StoreError):
                    mine.apply(stream, step + 1, batch)
                    break

    threads = [threading.Thread(target=write, args=(name, n * 100)) for n, name in enumerate("abc")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT_S)
    found = [e.request_id for e in everything(store).usage]
    assert found == [usage(n).request_id for n in range(405)]
    assert [store.position(name) for name in "abc"] == [20] * 3


# Of SQLite alone: what can go wrong with a file.


@pytest.fixture
def file_store(tmp_path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore(tmp_path / "ledger.db")
    store.create()
    yield store
    store.close()


def test_a_batch_that_fails_half_way_leaves_nothing_and_no_position(file_store):
    with sqlite3.connect(file_store.path) as other:
        other.execute(
            "CREATE TRIGGER no BEFORE INSERT ON usage WHEN NEW.output_tokens = 3 "
            "BEGIN SELECT RAISE(ABORT, 'no space'); END"
        )
    with pytest.raises(StoreError, match=r"ledger\.db: no space"):
        file_store.apply("a", 9, Batch(usage=[usage(n) for n in range(6)]))
    assert (file_store.position("a"), list(everything(file_store).usage)) == (0, [])
    with sqlite3.connect(file_store.path) as other:
        other.execute("DROP TRIGGER no")
    other.close()
    file_store.apply("a", 9, Batch(usage=[usage(n) for n in range(6)]))
    assert (file_store.position("a"), len(everything(file_store).usage)) == (9, 6)


def test_a_store_that_is_locked_is_told_and_written_later(file_store, monkeypatch):
    monkeypatch.setattr("neocloud.ledger.sqlite._BUSY_S", 0.05)
    file_store.close()
    other = sqlite3.connect(file_store.path)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(StoreError, match="locked"):
        file_store.apply("a", 1, Batch(usage=[usage(1)]))
    other.rollback()
    other.close()
    file_store.apply("a", 1, Batch(usage=[usage(1)]))
    assert list(everything(file_store).usage) == [usage(1)]
