"""`ledger migrate` takes the books along: what was billed is not billed again from number one."""

from __future__ import annotations

from pathlib import Path

import pytest

from neocloud.books.accounts import AccountKind, PostgresqlBooks, SqliteBooks, account

from ..books.invoices.shop import PRICES, TEXT, usage  # noqa: TID252
from ..books.metering import write_ledger  # noqa: TID252
from ..servers.postgresql import shared  # noqa: TID252  (a real server)
from .test_ledger_verbs import neocloud, told

CLOSE = ("invoice", "cloud.yaml", "--tenant", "acme", "--close", "--period")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    text = TEXT.replace("ACME", "").replace("PRICES", PRICES)
    (tmp_path / "cloud.yaml").write_text(text)
    events = [usage(f"2026-0{1 + n % 2}-05", n) for n in range(9)]
    write_ledger(tmp_path / "ledger.db", events)
    told(tmp_path, *CLOSE, "2026-01")
    return tmp_path


def test_the_next_invoice_takes_the_next_number(folder):
    database = shared().database()
    first = told(folder, *CLOSE, "2026-01")
    shown = told(folder, "ledger", "migrate", "cloud.yaml", "--to", database)
    kept = SqliteBooks(folder / "ledger.db.books")
    assert "Books: 1 document, 1 closed periods, 1 posting, 1 price version. Both hold" in shown
    assert f"sha256 {kept.contents().sha256}" in shown
    kept.close()
    text = (folder / "cloud.yaml").read_text()
    moved = text + f"gateway: {{ledger: '{database}'}}\n"
    assert "\ngateway:" not in text
    (folder / "cloud.yaml").write_text(moved)
    for name in ("ledger.db", "ledger.db.books"):
        (folder / name).unlink()
    assert told(folder, *CLOSE, "2026-01") == first
    assert "000001" in first
    assert "000002" in told(folder, *CLOSE, "2026-02")
    assert told(folder, "reconcile", "cloud.yaml").startswith("Events, rated lines, documents")


def test_books_of_something_else_are_refused(folder):
    database = shared().database()
    other = PostgresqlBooks(database)
    with other.change(1) as change:
        change.open_account(account(AccountKind.CASH, "somebody", "EUR"))
    before = other.contents()
    done = neocloud(folder, "ledger", "migrate", "cloud.yaml", "--to", database)
    assert done.returncode == 2
    assert "let no gateway use it yet: the books to copy into hold other documents" in done.stderr
    assert other.contents() == before
    other.close()
