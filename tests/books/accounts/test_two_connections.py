"""Two connections of one process beside another process: none gives up the other's locks."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from neocloud.books.accounts import AccountKind, SqliteBooks, account

WRITER = """
import sys
from pathlib import Path
from neocloud.books.accounts import AccountKind, SqliteBooks, account

books = SqliteBooks(Path(sys.argv[1]))
for number in range(100):
    with books.change(number) as change:
        change.open_account(account(AccountKind.CASH, f"{sys.argv[2]}-{number}", "USD"))
books.close()
"""


def other_process(path: Path, name: str) -> None:
    subprocess.run([sys.executable, "-c", WRITER, str(path), name], check=True, timeout=60)


def test_books_stay_whole_between_connections_and_processes(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db.books"
    other_process(path, "first")
    reading = SqliteBooks(path)
    assert len(list(reading.accounts())) == 100
    for number in range(1, 5):
        writing = SqliteBooks(path)
        with writing.change(1) as change:
            change.open_account(account(AccountKind.CASH, f"here-{number}", "USD"))
        writing.close()
        other_process(path, f"there-{number}")
        assert len(list(reading.accounts())) == 100 + 101 * number
    reading.close()
