"""Documents, periods and versions of the books; what is written stays, damage is told."""

from __future__ import annotations

import sqlite3
import stat
import threading
from pathlib import Path

import msgspec
import psycopg
import pytest
from tests.books.metering import event
from tests.books.priced import PLAIN, book
from tests.servers.postgresql import shared

from neocloud.books.accounts import (
    AccountKind,
    BooksError,
    ClosedPeriod,
    ConflictError,
    Draft,
    PostgresqlBooks,
    Posting,
    Seal,
    SqliteBooks,
    account,
    books_path,
    keep_version,
    open_books,
)
from neocloud.books.rating import rate
from neocloud.ledger import ledger_place
from neocloud.units import Period

from .stores import KINDS, Opened, store

CASH = account(AccountKind.CASH, "", "USD")
REVENUE = account(AccountKind.REVENUE, "llama", "USD")
LINES = rate(book(), [event(0, cached_tokens=3)]).lines


@pytest.fixture(params=KINDS)
def connect(request):
    """Of each store: connects to an empty place."""
    with store(request.param) as made:
        yield made


@pytest.fixture
def books(connect):
    return connect()


@pytest.fixture
def in_file(tmp_path: Path):
    made = SqliteBooks(tmp_path / "ledger.db.books")
    yield made
    made.close()


def draft(id_: str = "a", series: str = "INV", **changes) -> Draft:
    values = {
        "id": id_, "kind": "invoice", "series": series, "tenant": "acme", "start_ns": 0,
        "end_ns": 10, "body": msgspec.Raw(b'{"total": "1.00"}'), "lines": LINES,
    }  # fmt: skip
    return Draft(**{**values, **changes})


def moved(id_: str = "p", pico: int = 5) -> Posting:
    return Posting(id=id_, debit=CASH.id, credit=REVENUE.id, pico=pico, day="2026-10-31")


def fill(books: Opened) -> None:
    """Books with something of everything."""
    with books.change(7) as change:
        change.open_account(CASH)
        change.open_account(REVENUE)
        change.post(moved("p"), moved("q"))
        change.issue(draft("a"))
        change.issue(draft("b"))
        change.close_period(ClosedPeriod(tenant="acme", start_ns=0, end_ns=10, document="a"))
        change.keep_version(book().current)


def test_numbers_have_no_gaps_where_changes_are_undone(books: Opened):
    with books.change(1) as change:
        assert change.issue(draft("a")).name == "INV-000001"
    with pytest.raises(ZeroDivisionError), books.change(2) as change:
        assert change.issue(draft("b")).number == 2
        raise ZeroDivisionError
    with books.change(3) as change:
        assert change.issue(draft("c")).number == 2
        assert change.issue(draft("n", "CN")).name == "CN-000001"
        assert (change.issue(draft("s", "")).number, change.issue(draft("s", "")).name) == (
            None,
            "",
        )
    with books.change(4) as change:
        again = change.issue(draft("a"))
        assert (again.number, again.issued_ns) == (1, 1)
        for other in (draft("a", lines=()), draft("a", end_ns=11), draft("a", "CN")):
            with pytest.raises(ConflictError):
                change.issue(other)
        assert change.issue(draft("d")).number == 3, "what was refused undid nothing else"
    assert [d.number for d in books.documents("acme")] == [1, 2, 1, None, 3]
    assert list(books.documents("rhein")) == []
    assert books.check() == ()
    found = books.document("a")
    assert found is not None
    assert found.draft == draft("a")
    assert bytes(found.draft.body) == b'{"total": "1.00"}'


def test_lines_are_billed_by_what_has_a_number_and_lies_within(books: Opened):
    with books.change(1) as change:
        change.issue(draft("a"))
        change.issue(draft("s", ""))
        change.issue(draft("r", tenant="rhein", start_ns=5, end_ns=15))
    assert tuple(books.billed(Period(0, 10))) == LINES
    assert tuple(books.billed(Period(0, 20))) == LINES + LINES
    assert tuple(books.billed(Period(0, 20), "rhein")) == LINES
    assert tuple(books.billed(Period(1, 20), "acme")) == ()


def test_a_period_is_closed_once_and_overlaps_none(books: Opened):
    first = ClosedPeriod(tenant="acme", start_ns=0, end_ns=10, document="")
    with books.change(1) as change:
        change.close_period(first)
        change.close_period(first)
        change.close_period(ClosedPeriod(tenant="acme", start_ns=10, end_ns=20, document=""))
        change.close_period(ClosedPeriod(tenant="rhein", start_ns=5, end_ns=15, document=""))
        for start, end in ((9, 11), (0, 10), (0, 9), (-5, 50), (19, 20)):
            with pytest.raises(ConflictError):
                change.close_period(
                    ClosedPeriod(tenant="acme", start_ns=start, end_ns=end, document="x")
                )
    assert [(p.tenant, p.start_ns) for p in books.closed()] == [
        ("acme", 0), ("acme", 10), ("rhein", 5),
    ]  # fmt: skip
    assert list(books.closed("rhein")) == [
        ClosedPeriod(tenant="rhein", start_ns=5, end_ns=15, document="")
    ]


def test_versions_are_kept_as_they_were(books: Opened):
    one, two = book().current, book(PLAIN.replace("0.26", "0.27")).current
    with books.change(1) as change:
        for version in (one, two, one):
            change.keep_version(version)
    assert books.versions() == {one.id: one, two.id: two}


def test_a_version_is_kept_beside_its_ledger(tmp_path: Path):
    place, version = ledger_place("sqlite:///usage.db", tmp_path), book().current
    for now_ns in (1, 2):
        keep_version(place, version, now_ns)
    books = SqliteBooks(books_path(place))
    assert books.versions() == {version.id: version}
    books.close()


def test_accounts_are_opened_once(books: Opened):
    with books.change(1) as change:
        change.open_account(CASH)
        change.open_account(CASH)
        with pytest.raises(ConflictError):
            change.open_account(msgspec.structs.replace(CASH, owner="else"))
    assert list(books.accounts()) == [CASH]
    assert (books.account(CASH.id), books.account("none")) == (CASH, None)


def test_a_change_sees_itself_and_others_see_it_when_it_ends(connect):
    books, other = connect(), connect()
    fill(books)
    with books.change(9) as change:
        change.post(moved("r", 10**30))
        assert books.balance(CASH.id, 9).debits == 10**30 + 10
        assert other.balance(CASH.id, 9).debits == 10
    assert other.balance(CASH.id, 9).debits == 10**30 + 10, "more than 64 bits"
    assert [r.posting.id for r in other.postings()] == ["p", "q", "r"]


@pytest.mark.parametrize(
    "table", ["accounts", "postings", "documents", "billed", "closed", "versions"]
)
def test_the_database_itself_refuses_to_change_what_is_written(in_file: SqliteBooks, table: str):
    fill(in_file)
    connection = sqlite3.connect(in_file.path)
    column = connection.execute(f"SELECT * FROM {table}").description[0][0]  # noqa: S608
    for statement in (f"DELETE FROM {table}", f"UPDATE {table} SET {column} = {column}"):  # noqa: S608
        with pytest.raises(sqlite3.IntegrityError, match=f"{table} are immutable"):
            connection.execute(statement)
    connection.close()


@pytest.mark.parametrize(
    ("table", "statement", "told"),
    [
        ("postings", "DELETE FROM postings WHERE id = 'p'", "posting q: it is number 2, and 1"),
        ("postings", "DELETE FROM postings WHERE id = 'q'", "cash::USD: its balance is not"),
        ("postings", "UPDATE postings SET pico = '6' WHERE id = 'p'", "revenue:llama:USD: its bal"),
        ("balances", "UPDATE balances SET debits = '9' WHERE account LIKE 'c%'", "cash::USD: its"),
        ("documents", "DELETE FROM documents WHERE id = 'b'", "INV: number 2 is not there"),
        ("documents", "DELETE FROM documents WHERE id = 'a'", "INV: number 1 is not there"),
        ("documents", "UPDATE documents SET id = 'x' WHERE id = 'a'", "document a, which is not"),
        (
            "versions",
            "UPDATE versions SET content = CAST(replace(content, '26', '27') AS BLOB)",
            "another hash",
        ),
        ("closed", "INSERT INTO closed VALUES ('acme', 9, 12, '')", "two closed periods overlap"),
        ("series", "UPDATE series SET last = 1", "number 2 was never given, 1 is the last"),
        ("holds", "INSERT INTO holds VALUES ('p', NULL, 'settled')", "hold p is called settled"),
    ],
)
def test_what_is_changed_by_other_means_is_told(
    in_file: SqliteBooks, table: str, statement: str, told: str
):
    fill(in_file)
    assert in_file.check() == ()
    contents = in_file.contents()
    in_file.close()
    connection = sqlite3.connect(in_file.path)
    connection.execute(f"DROP TRIGGER IF EXISTS {table}_update")
    connection.execute(f"DROP TRIGGER IF EXISTS {table}_delete")
    assert connection.execute(statement).rowcount > 0
    connection.commit()
    connection.close()
    found = in_file.check()
    assert any(told in line for line in found), found
    if table not in ("balances", "holds", "series"):  # those follow from the others
        assert in_file.contents().sha256 != contents.sha256


def test_what_is_no_books_is_refused(tmp_path: Path):
    missing = SqliteBooks(tmp_path / "none.books")
    with pytest.raises(BooksError, match="the first invoice makes them"):
        missing.versions()
    (tmp_path / "text.books").write_text("not a database at all, and long enough to be read as one")
    with pytest.raises(BooksError, match="not a database"):
        SqliteBooks(tmp_path / "text.books").versions()
    sqlite3.connect(tmp_path / "other.books").execute("CREATE TABLE meta (schema TEXT)")
    with pytest.raises(BooksError, match="is no books of neocloud"):
        SqliteBooks(tmp_path / "other.books").versions()
    made = SqliteBooks(tmp_path / "later.books")
    fill(made)
    made.close()
    connection = sqlite3.connect(tmp_path / "later.books")
    connection.execute("UPDATE meta SET schema = 'neocloud.books/9'")
    connection.commit()
    connection.close()
    with pytest.raises(BooksError, match=r"has schema neocloud\.books/9"):
        SqliteBooks(tmp_path / "later.books").versions()


def test_only_their_owner_reads_them(in_file: SqliteBooks):
    fill(in_file)
    assert stat.S_IMODE(in_file.path.stat().st_mode) == 0o600


def test_where_they_lie(tmp_path: Path):
    beside = ledger_place("sqlite:///usage.db", tmp_path)
    assert books_path(beside) == tmp_path / "usage.db.books"


def test_several_make_and_write_them_at_once(connect):
    numbers, failed = [], []
    each = {name: connect() for name in "abcd"}

    def write(name: str) -> None:
        made = each[name]
        try:
            for n in range(5):
                with made.change(n) as change:
                    change.open_account(CASH)
                    change.open_account(REVENUE)
                    change.post(moved(f"{name}{n}"), moved(f"both{n}"))
                    numbers.append(change.issue(draft(f"{name}{n}")).number)
        except Exception as error:  # noqa: BLE001 - shown by the test
            failed.append(error)

    threads = [threading.Thread(target=write, args=(name,)) for name in each]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    assert sorted(numbers) == list(range(1, 21))
    made = connect()
    assert made.contents().postings == 25
    assert made.balance(CASH.id, 0).debits == 125
    assert made.check() == ()


def test_there_are_none_before_the_first_change(connect):
    books = connect()
    assert not books.begun()
    with pytest.raises(BooksError, match="the first invoice makes them"):
        books.versions()
    fill(books)
    assert books.begun()


def test_both_stores_hold_the_same_by_the_same_hash():
    found = []
    for kind in KINDS:
        with store(kind) as connect:
            books = connect()
            fill(books)
            found.append((books.contents(), list(books.accounts()), list(books.documents())))
    assert found[0] == found[1]


@pytest.mark.parametrize(
    "table", ["accounts", "postings", "documents", "billed", "seals", "closed", "versions"]
)
def test_postgresql_itself_refuses_to_change_what_is_written(table: str):
    url = shared().database()
    books = PostgresqlBooks(url)
    fill(books)
    with books.change(8) as change:
        change.issue(draft("sealed", seals=(Seal(month="2026-10"),)))
    books.close()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SET search_path = neocloud_books")
        column = connection.execute(f"SELECT * FROM {table}").description[0].name  # noqa: S608
        for statement in (
            f"DELETE FROM {table}",  # noqa: S608
            f"UPDATE {table} SET {column} = {column}",  # noqa: S608
            f"TRUNCATE {table}",
        ):
            with pytest.raises(psycopg.errors.RaiseException, match=f"{table} are immutable"):
                connection.execute(statement)


def test_a_server_that_is_away_is_told_without_its_password():
    server = shared()
    url = server.url("nowhere")
    with pytest.raises(BooksError) as told:
        PostgresqlBooks(url).versions()
    assert server.password not in str(told.value)
    assert "nowhere" in str(told.value)


def test_a_connection_that_is_cut_within_a_change_leaves_nothing_of_it():
    url = shared().database()
    books, other = PostgresqlBooks(url), PostgresqlBooks(url)
    fill(books)
    before = books.contents()
    with pytest.raises(BooksError), books.change(9) as change:
        change.post(moved("cut"))
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        change.post(moved("too late"))
    assert other.contents() == before
    with books.change(10) as change:
        change.post(moved("again"))
    assert other.contents().postings == before.postings + 1
    assert other.check() == ()
    books.close()
    other.close()


def test_books_of_another_schema_in_a_server_are_refused():
    url = shared().database()
    books = PostgresqlBooks(url)
    fill(books)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("UPDATE neocloud_books.meta SET schema = 'neocloud.books/9'")
    for _ in range(2):
        with pytest.raises(BooksError, match=r"books of schema neocloud\.books/9"):
            books.versions()
    with pytest.raises(BooksError, match=r"schema neocloud\.books/9"), books.change(1):
        pass
    books.close()


def test_a_ledger_in_a_server_has_its_books_there(tmp_path: Path):
    url = shared().database()
    place, version = ledger_place(url, tmp_path), book().current
    keep_version(place, version, 1)
    books = open_books(place)
    assert isinstance(books, PostgresqlBooks)
    assert books.versions() == {version.id: version}
    assert list(tmp_path.iterdir()) == []
    books.close()
    beside = open_books(ledger_place("sqlite:///usage.db", tmp_path))
    assert isinstance(beside, SqliteBooks)
