"""Documents, periods and versions of the books; what is written stays, damage is told."""

from __future__ import annotations

import sqlite3
import stat
import threading
from pathlib import Path

import msgspec
import pytest
from tests.books.metering import event
from tests.books.priced import PLAIN, book

from neocloud.books.accounts import (
    AccountKind,
    BooksError,
    ClosedPeriod,
    ConflictError,
    Draft,
    Posting,
    SqliteBooks,
    account,
    books_path,
    keep_version,
)
from neocloud.books.rating import rate
from neocloud.ledger import ledger_place
from neocloud.units import Period

CASH = account(AccountKind.CASH, "", "USD")
REVENUE = account(AccountKind.REVENUE, "llama", "USD")
LINES = rate(book(), [event(0, cached_tokens=3)]).lines


@pytest.fixture
def books(tmp_path: Path):
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


def fill(books: SqliteBooks) -> None:
    """Books with something of everything."""
    with books.change(7) as change:
        change.open_account(CASH)
        change.open_account(REVENUE)
        change.post(moved("p"), moved("q"))
        change.issue(draft("a"))
        change.issue(draft("b"))
        change.close_period(ClosedPeriod(tenant="acme", start_ns=0, end_ns=10, document="a"))
        change.keep_version(book().current)


def test_numbers_have_no_gaps_where_changes_are_undone(books: SqliteBooks):
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


def test_lines_are_billed_by_what_has_a_number_and_lies_within(books: SqliteBooks):
    with books.change(1) as change:
        change.issue(draft("a"))
        change.issue(draft("s", ""))
        change.issue(draft("r", tenant="rhein", start_ns=5, end_ns=15))
    assert tuple(books.billed(Period(0, 10))) == LINES
    assert tuple(books.billed(Period(0, 20))) == LINES + LINES
    assert tuple(books.billed(Period(0, 20), "rhein")) == LINES
    assert tuple(books.billed(Period(1, 20), "acme")) == ()


def test_a_period_is_closed_once_and_overlaps_none(books: SqliteBooks):
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


def test_versions_are_kept_as_they_were(books: SqliteBooks):
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


def test_accounts_are_opened_once(books: SqliteBooks):
    with books.change(1) as change:
        change.open_account(CASH)
        change.open_account(CASH)
        with pytest.raises(ConflictError):
            change.open_account(msgspec.structs.replace(CASH, owner="else"))
    assert list(books.accounts()) == [CASH]
    assert (books.account(CASH.id), books.account("none")) == (CASH, None)


def test_a_change_sees_itself_and_others_see_it_when_it_ends(books: SqliteBooks):
    fill(books)
    other = SqliteBooks(books.path)
    with books.change(9) as change:
        change.post(moved("r", 10**30))
        assert books.balance(CASH.id, 9).debits == 10**30 + 10
        assert other.balance(CASH.id, 9).debits == 10
    assert other.balance(CASH.id, 9).debits == 10**30 + 10, "more than 64 bits"
    assert [r.posting.id for r in other.postings()] == ["p", "q", "r"]
    other.close()


@pytest.mark.parametrize(
    "table", ["accounts", "postings", "documents", "billed", "closed", "versions"]
)
def test_the_database_itself_refuses_to_change_what_is_written(books: SqliteBooks, table: str):
    fill(books)
    connection = sqlite3.connect(books.path)
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
    books: SqliteBooks, table: str, statement: str, told: str
):
    fill(books)
    assert books.check() == ()
    contents = books.contents()
    books.close()
    connection = sqlite3.connect(books.path)
    connection.execute(f"DROP TRIGGER IF EXISTS {table}_update")
    connection.execute(f"DROP TRIGGER IF EXISTS {table}_delete")
    assert connection.execute(statement).rowcount > 0
    connection.commit()
    connection.close()
    found = books.check()
    assert any(told in line for line in found), found
    if table not in ("balances", "holds", "series"):  # those follow from the others
        assert books.contents().sha256 != contents.sha256


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


def test_only_their_owner_reads_them(books: SqliteBooks):
    fill(books)
    assert stat.S_IMODE(books.path.stat().st_mode) == 0o600


def test_where_they_lie(tmp_path: Path):
    beside = ledger_place("sqlite:///usage.db", tmp_path)
    assert books_path(beside) == tmp_path / "usage.db.books"
    server = ledger_place("postgresql://user@host/name", tmp_path)
    assert books_path(server) == tmp_path / "ledger-segments.books"


def test_several_make_and_write_them_at_once(tmp_path: Path):
    path, numbers, failed = tmp_path / "ledger.db.books", [], []

    def write(name: str) -> None:
        made = SqliteBooks(path)
        try:
            for n in range(5):
                with made.change(n) as change:
                    change.open_account(CASH)
                    change.open_account(REVENUE)
                    change.post(moved(f"{name}{n}"), moved(f"both{n}"))
                    numbers.append(change.issue(draft(f"{name}{n}")).number)
        except Exception as error:  # noqa: BLE001 - shown by the test
            failed.append(error)
        made.close()

    threads = [threading.Thread(target=write, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    assert sorted(numbers) == list(range(1, 21))
    made = SqliteBooks(path)
    assert made.contents().postings == 25
    assert made.balance(CASH.id, 0).debits == 125
    assert made.check() == ()
    made.close()
