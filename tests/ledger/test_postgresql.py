"""The store in PostgreSQL beyond what every store does: a real server that dies, stalls and shares.

What every store does is tested by `test_store.py`, for this one too.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest

from neocloud.ledger.errors import LedgerError, StoreError
from neocloud.ledger.postgresql import PostgresqlStore, shown
from neocloud.ledger.postgresql.tables import PostgresqlTable, hide, show
from neocloud.ledger.store import Batch
from neocloud.units import Period

from ..servers.postgresql import WAIT_S, Postgresql, running, shared  # noqa: TID252  (a real server)
from .events import START_NS, allocation, energy, usage


@pytest.fixture
def url() -> str:
    return shared().database()


@pytest.fixture
def store(url: str) -> Iterator[PostgresqlStore]:
    made = PostgresqlStore(url)
    made.create()
    yield made
    made.close()


def batch(first: int, count: int) -> Batch:
    return Batch(usage=[usage(n) for n in range(first, first + count)])


def ids(store: PostgresqlStore) -> list[str]:
    with store.view() as view:
        return [event.request_id for event in view.usage()]


def insist(store: PostgresqlStore, stream: str, position: int, what: Batch) -> int:
    """Apply until it is applied, as the shipper does; how often it failed."""
    until = time.monotonic() + WAIT_S
    failures = 0
    while True:
        try:
            store.apply(stream, position, what)
        except StoreError:
            failures += 1
            assert time.monotonic() < until
            time.sleep(0.02)
        else:
            return failures


def test_report_04_a_server_killed_while_it_commits_loses_nothing_and_doubles_nothing():
    with running(durable=True) as server:
        url = server.database()
        store = PostgresqlStore(url)
        store.create()
        acknowledged: list[int] = []
        stop = threading.Event()
        failures = []

        def ship() -> None:
            position = 0
            while not stop.is_set():
                failures.append(insist(store, "a", position + 1, batch(position * 50, 50)))
                position += 1
                acknowledged.append(position)
            store.close()

        shipper = threading.Thread(target=ship)
        shipper.start()
        for deaths in range(4):
            reached = len(acknowledged) + 3 + deaths
            until = time.monotonic() + WAIT_S
            while len(acknowledged) < reached and time.monotonic() < until:
                time.sleep(0.001)
            server.kill()
            known = len(acknowledged)
            server.start()
            with PostgresqlStore(url).view() as view:
                # What was acknowledged before it died is there after it: its commit was on disk.
                assert view.position("a") >= known
        stop.set()
        shipper.join(WAIT_S)
        assert sum(failures) > 0, "the server was gone, and it was told"
        expected = sorted(usage(n).request_id for n in range(50 * len(acknowledged)))
        assert ids(store) == expected
        with store.view() as view:
            assert view.position("a") == len(acknowledged)


def test_report_04_a_stalled_server_is_a_failure_in_bounded_time_and_resumes_by_itself():
    with running() as server:
        store = PostgresqlStore(server.database(), answer_s=1.0)
        store.create()
        store.apply("a", 1, batch(0, 10))
        with server.frozen():
            with pytest.raises(StoreError, match="no answer within 1 s"):
                store.apply("a", 2, batch(10, 10))
            # The second try has no connection: the server takes it and says nothing.
            with pytest.raises(StoreError, match=r"@127\.0\.0\.1:\d+/d\w+: "):
                store.apply("a", 2, batch(10, 10))
        assert insist(store, "a", 2, batch(10, 10)) >= 0
        assert ids(store) == sorted(usage(n).request_id for n in range(20))
        store.close()


def test_report_04_a_server_stalled_within_the_commit_neither_loses_nor_doubles(monkeypatch):
    with running() as server:
        store = PostgresqlStore(server.database(), answer_s=1.0)
        store.create()
        freezing: list[object] = []
        insert = PostgresqlTable.insert

        def then_freeze(self, connection, records):
            insert(self, connection, records)  # the last before the commit
            if not freezing:
                frozen = server.frozen()
                frozen.__enter__()
                freezing.append(frozen)

        monkeypatch.setattr(PostgresqlTable, "insert", then_freeze)
        with pytest.raises(StoreError, match="no answer"):
            store.apply("a", 1, batch(0, 100))
        freezing[0].__exit__(None, None, None)
        insist(store, "a", 1, batch(0, 100))
        assert len(ids(store)) == len(set(ids(store))) == 100
        store.close()


def test_two_writers_of_the_same_rows_at_once_leave_each_row_once(url, store):
    start = threading.Barrier(4)
    failed: list[BaseException] = []

    def write(writer: int) -> None:
        mine = PostgresqlStore(url)
        rows = [usage(n) for n in range(2000)]
        try:
            start.wait(WAIT_S)
            for part in range(0, 2000, 200):
                # Each in another order: without one order in the store they would lock each other.
                some = rows[part : part + 200][:: -1 if writer % 2 else 1]
                mine.apply(f"w{writer}", part + 200, Batch(usage=some))
        except Exception as error:  # noqa: BLE001  (whatever it is, the test tells)
            failed.append(error)
        finally:
            mine.close()

    writers = [threading.Thread(target=write, args=(n,)) for n in range(4)]
    for each in writers:
        each.start()
    for each in writers:
        each.join(WAIT_S)
    assert failed == []
    assert ids(store) == sorted(usage(n).request_id for n in range(2000))
    assert [store.position(f"w{n}") for n in range(4)] == [2000] * 4


def test_a_commit_is_durable_whatever_the_server_s_default(store):
    with shared().connect() as connection:
        assert connection.execute("SHOW synchronous_commit").fetchone() == ("off",)
    with store._link.writing() as connection:
        assert connection.execute("SHOW synchronous_commit").fetchone() == ("on",)


def test_gateways_that_start_at_once_make_the_tables_once(url):
    start = threading.Barrier(6)
    failed: list[BaseException] = []

    def make() -> None:
        mine = PostgresqlStore(url)
        start.wait(WAIT_S)
        try:
            mine.create()
        except Exception as error:  # noqa: BLE001  (whatever it is, the test tells)
            failed.append(error)
        finally:
            mine.close()

    makers = [threading.Thread(target=make) for _ in range(6)]
    for each in makers:
        each.start()
    for each in makers:
        each.join(WAIT_S)
    assert failed == []


def test_what_others_have_in_the_database_is_left_alone(url):
    database = url.rpartition("/")[2]
    with shared().connect(database) as connection:
        connection.execute("CREATE TABLE usage (mine text)")
    store = PostgresqlStore(url)
    store.create()
    store.apply("a", 1, batch(0, 3))
    assert len(ids(store)) == 3
    store.close()
    with shared().connect(database) as connection:
        assert connection.execute("SELECT count(*) FROM public.usage").fetchone() == (0,)


@pytest.mark.parametrize(
    ("statements", "said"),
    [
        (("CREATE SCHEMA neocloud", "CREATE TABLE neocloud.usage (a int)"), "no ledger's"),
        (
            (
                "CREATE SCHEMA neocloud",
                "CREATE TABLE neocloud.meta (name text, value text)",
                "INSERT INTO neocloud.meta VALUES ('schema', 'neocloud.ledger/9')",
            ),
            "has ledger schema neocloud.ledger/9",
        ),
    ],
    ids=["foreign", "another version"],
)
def test_a_foreign_schema_is_refused(url, statements, said):
    with shared().connect(url.rpartition("/")[2]) as connection:
        for statement in statements:
            connection.execute(statement)
    store = PostgresqlStore(url)
    with pytest.raises(LedgerError, match=said) as caught:
        store.create()
    assert not isinstance(caught.value, StoreError), "to try again does not help"
    store.close()


def test_a_database_without_a_ledger_is_told(url):
    store = PostgresqlStore(url)
    with pytest.raises(LedgerError, match="is not a ledger; `neocloud up` makes one"):
        store.position("a")
    with pytest.raises(LedgerError, match="is not a ledger"), store.view():
        pass
    store.close()


def test_a_period_and_a_span(store):
    store.apply("a", 1, Batch(
        usage=[usage(n, START_NS + n * 400_000) for n in range(10)],
        allocation=[allocation(START_NS - 5, START_NS + 5), allocation(START_NS + 5, START_NS + 9)],
        energy=[energy(START_NS - 5, START_NS + 5)],
    ))  # fmt: skip
    period = Period(START_NS + 400_000, START_NS + 2_000_000)
    with store.view() as view:
        assert [e.output_tokens for e in view.usage(period)] == [1, 2, 3, 4]
        assert [e.start_ns for e in view.allocation(Period(START_NS, START_NS + 5))] == [
            START_NS - 5
        ]
        assert view.span() == Period(START_NS - 5, START_NS + 9 * 400_000 + 10)


def test_streams_are_read_side_by_side_and_a_server_lost_meanwhile_is_told():
    with running() as server:
        store = PostgresqlStore(server.database())
        store.create()
        store.apply("a", 1, Batch(
            usage=[usage(n) for n in range(12_000)],
            energy=[energy(START_NS + n, START_NS + n + 1, f"r{n}") for n in range(12_000)],
        ))  # fmt: skip
        with store.view() as view:
            pairs = zip(view.usage(), view.energy(), strict=True)
            assert sum(1 for _ in pairs) == 12_000
        with store.view() as view:
            rows = view.usage()
            next(rows)
            server.kill()
            with pytest.raises(StoreError):
                list(rows)
        store.close()


@pytest.mark.parametrize(
    "text", ["", "\0", "\1", "\1\1", "\0\1\2", "a\0b", "ü\U0001f600", "\\N\t\n"]
)
def test_any_text_comes_back_and_keeps_its_order(store, text):
    assert show(hide(text)) == text
    store.apply(text, 7, Batch(usage=[usage(1, tenant=text, model=text)]))
    assert store.position(text) == 7
    with store.view() as view:
        (event,) = view.usage()
    assert event == usage(1, tenant=text, model=text)
    others = ["", "\0", "\0\0", "\0a", "\1", "\1\0", "\1\1", "\1\2", "\2", "a", "a\0", "a\1", "b"]
    assert sorted(others, key=hide) == sorted(others)


def test_no_password_in_any_message_or_log(server_messages: list[str]):
    assert len(server_messages) > 4
    for message in server_messages:
        assert "s3cr" not in message, message


@pytest.fixture
def server_messages(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What is said of stores that cannot be used, each with a password in its URL."""
    caplog.set_level(logging.DEBUG)
    port = shared().port
    said = []
    for url in (
        f"postgresql://owner:s3cret@127.0.0.1:{port}/postgres",  # the wrong one
        "postgresql://owner:s3cret@127.0.0.1:1/postgres",
        "postgresql://owner:s3cret@no-such-host.invalid/postgres",
        "postgresql://owner:s3cr/et@127.0.0.1/postgres",
        "postgresql://owner:s3cr?et@127.0.0.1/postgres",
        "postgresql://owner:s3cr#et@127.0.0.1/postgres",
        "postgresql://owner:s3cr@et@127.0.0.1/postgres",
        "postgresql://owner:s3cret%@127.0.0.1/postgres",
        "postgresql://owner@127.0.0.1:1/postgres?password=s3cret",
        "postgresql://owner:s3cret@127.0.0.1/postgres?no_such_option=s3cret",
    ):
        with pytest.raises(LedgerError) as caught:
            PostgresqlStore(url).create()
        said.append(repr(caught.value))
        with suppress(LedgerError):
            said.append(shown(url))
    return [*said, caplog.text]


WITHOUT_DRIVER = """\
import sys
sys.modules["psycopg"] = None
from neocloud.ledger.postgresql import PostgresqlStore
PostgresqlStore("postgresql://owner@localhost/x")
"""


def test_without_the_driver_it_is_told_what_to_install():
    done = subprocess.run(
        [
            sys.executable, "-c", WITHOUT_DRIVER],
        capture_output=True, text=True, env=os.environ,
    )  # fmt: skip
    assert "pip install 'neocloud[postgresql]'" in done.stderr


def test_the_tests_server_is_a_real_one(url: str):
    server: Postgresql = shared()
    with server.connect(url.rpartition("/")[2]) as connection:
        (version,) = connection.execute("SELECT version()").fetchone()
    assert version.startswith("PostgreSQL ")
