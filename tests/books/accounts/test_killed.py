"""A process that writes is killed at any moment: each change is there whole, or not at all."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
from pathlib import Path

from neocloud.books.accounts import SqliteBooks

from .writing import CASH, PREPAID, REVENUE, write

ROOT = Path(__file__).parents[3]
PARTS = {"paid", "held", "used"}


def killed(path: Path, run: str, after: int, chance: random.Random) -> list[str]:
    """Start a writer, kill it a moment after so many changes; what it said was done."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.books.accounts.writing", str(path), run],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert process.stdout is not None
    done = []
    # The moment lies somewhere within a change, which takes a few milliseconds.
    timer = threading.Timer(chance.uniform(0, 0.02), process.send_signal, (signal.SIGKILL,))
    for line in process.stdout:
        done.append(line.strip())
        if len(done) == after:
            timer.start()
    timer.cancel()
    assert process.wait() == -signal.SIGKILL, process.stderr.read() if process.stderr else ""
    process.stderr.close() if process.stderr else None
    process.stdout.close()
    return done


def test_a_writer_that_is_killed_leaves_whole_changes(tmp_path: Path):
    path, chance, said = tmp_path / "ledger.db.books", random.Random(7), set()
    for run in range(8):
        # Every other run begins where the one before was killed, and does all of it again.
        name = f"run{run // 2}"
        said |= set(killed(path, name, chance.randrange(1, 25), chance))
        books = SqliteBooks(path)
        assert books.check() == ()
        whole: dict[str, set[str]] = {}
        for recorded in books.postings():
            change, _, part = recorded.posting.id.rpartition("/")
            whole.setdefault(change, set()).add(part)
        assert set(map(frozenset, whole.values())) == {frozenset(PARTS)}
        assert said <= whole.keys(), "what was said to be done is there"
        assert {document.draft.id for document in books.documents()} == whole.keys()
        assert {p.tenant for p in books.closed()} == {
            c for c in whole if int(c.rpartition("-")[2]) % 3 == 0
        }
        prepaid = books.balance(PREPAID.id, 0)
        assert prepaid.debits == prepaid.credits
        assert prepaid.pending_debits == 0
        assert books.balance(CASH.id, 0).debits == books.balance(REVENUE.id, 0).credits
        books.close()
    books, again = SqliteBooks(path), SqliteBooks(tmp_path / "again.books")
    names = [document.draft.id for document in books.documents()]
    for name in names:
        write(again, name, int(name.rpartition("-")[2]), random.Random(name))
    assert books.contents() == again.contents(), "as if nobody had been killed"
    for each in (books, again):
        each.close()
