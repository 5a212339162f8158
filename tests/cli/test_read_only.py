"""Who may read and not write gets answers, and reading leaves every file as it was."""

from __future__ import annotations

import ctypes
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from ..books.invoices.shop import PRICES, TEXT, usage  # noqa: TID252
from ..books.metering import write_ledger  # noqa: TID252
from .test_ledger_verbs import TERMINAL, neocloud, told

_DROP = 24  # PR_CAPBSET_DROP of Linux
_OVERRIDE, _SEARCH = 1, 2  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
VERBS = (
    ("usage",),
    ("reconcile",),
    ("invoice", "--tenant", "acme", "--period", "2026-02"),
    ("invoice", "--tenant", "acme", "--period", "2026-01"),
    ("credit",),
    ("payment", "list"),
    ("export", "books", "--format", "csv", "--out", "OUT"),
    ("export", "csv", "--out", "OUT/events"),
    ("export", "beancount", "--out", "OUT/journal.beancount"),
    ("ledger", "verify"),
)


@pytest.fixture
def folder() -> Iterator[Path]:
    """A cloud with a ledger in which one month is closed; a place that anyone may look into."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        folder.chmod(0o755)
        (folder / "cloud.yaml").write_text(TEXT.replace("ACME", "").replace("PRICES", PRICES))
        events = [usage(f"2026-0{1 + n % 2}-05", n) for n in range(9)]
        write_ledger(folder / "ledger.db", events)
        told(folder, "ledger", "compact", "cloud.yaml")
        told(folder, "invoice", "cloud.yaml", "--tenant", "acme", "--period", "2026-01", "--close")
        yield folder
        for path in (folder, *folder.rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)


def locked(folder: Path) -> None:
    """All may read it, and nobody but root may write."""
    for path in (*folder.rglob("*"), folder):
        path.chmod(0o555 if path.is_dir() else 0o444)


def tidied(folder: Path) -> None:
    """Without what SQLite's readers who may write share among them, which holds nothing."""
    for path in (*folder.glob("*-wal"), *folder.glob("*-shm")):
        path.unlink()


def states(folder: Path) -> dict[str, tuple[int, bytes]]:
    return {
        str(path.relative_to(folder)): (path.stat().st_mtime_ns, path.read_bytes())
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture
def out() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as made:
        yield Path(made)


def arguments(verb: tuple[str, ...], out: Path) -> list[str]:
    words = [part.replace("OUT", str(out)) for part in verb]
    at = 2 if words[0] in ("export", "payment", "ledger") else 1
    return [*words[:at], "cloud.yaml", *words[at:]]


def _bound() -> None:
    for capability in (_OVERRIDE, _SEARCH):
        if ctypes.CDLL(None).prctl(_DROP, capability, 0, 0, 0):
            os._exit(99)


def as_reader(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """A verb, run by one whom the permissions of files bind, as they do not bind root."""
    done = subprocess.run(
        [sys.executable, "-m", "neocloud.cli.main", *words], cwd=folder, capture_output=True,
        text=True, timeout=120, env=TERMINAL,
        preexec_fn=_bound if os.geteuid() == 0 else None,
    )  # fmt: skip
    assert "Traceback" not in done.stderr, done.stderr
    return done


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
def test_reading_verbs_answer_who_may_not_write_as_who_may(folder, out, verb):
    words = arguments(verb, out)
    expected = told(folder, *words)
    tidied(folder)
    shutil.rmtree(out / "events", ignore_errors=True)
    for path in out.glob("*.*"):
        path.unlink()
    locked(folder)
    before = states(folder)
    done = as_reader(folder, *words)
    assert (done.returncode, done.stderr) == (0, "")
    if verb[0] != "credit":  # it shows the time
        assert done.stdout == expected
    assert states(folder) == before


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
def test_reading_verbs_leave_what_is_there_to_who_may_write_too(folder, out, verb):
    tidied(folder)
    before = states(folder)
    told(folder, *arguments(verb, out))
    after = states(folder)
    tidied(folder)
    assert states(folder) == before
    assert all(after[name][1] == b"" for name in after if name.endswith("-wal"))


def test_while_it_is_written_it_can_be_read_without_writing(folder, out):
    with (
        closing(sqlite3.connect(folder / "ledger.db")) as ledger,
        closing(sqlite3.connect(folder / "ledger.db.books")) as books,
    ):
        for writer in (ledger, books):
            writer.execute("CREATE TABLE of_a_writer (x)")
            writer.commit()
        assert (folder / "ledger.db-wal").stat().st_size
        locked(folder)
        before = states(folder)
        done = as_reader(folder, "reconcile", "cloud.yaml")
        assert (done.returncode, done.stderr) == (0, "")
        assert "agree" in done.stdout
        assert states(folder) == before


def test_what_cannot_be_read_without_writing_says_what_to_do(folder, tmp_path):
    copy = tmp_path / "crashed"
    with closing(sqlite3.connect(folder / "ledger.db.books")) as books:
        books.execute("CREATE TABLE of_a_writer (x)")
        books.commit()
        shutil.copytree(folder, copy)  # as a machine that went down leaves it
    for name in ("ledger.db.books", "ledger.db.books-wal"):
        shutil.copy(copy / name, folder / name)
    (folder / "ledger.db.books-shm").unlink(missing_ok=True)
    locked(folder)
    before = states(folder)
    done = as_reader(folder, "payment", "list", "cloud.yaml")
    assert done.returncode == 2
    assert "ledger.db.books cannot be read without writing to its folder" in done.stderr
    assert "Copy the file with its -wal to a folder where you may write" in done.stderr
    assert states(folder) == before
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    assert neocloud(folder, "reconcile", "cloud.yaml").returncode == 0
    locked(folder)
    assert as_reader(folder, "payment", "list", "cloud.yaml").returncode == 0


def test_reading_brings_no_earlier_schema_up_to_this_one(folder):
    expected = told(folder, "usage", "cloud.yaml"), told(folder, "payment", "list", "cloud.yaml")
    with closing(sqlite3.connect(folder / "ledger.db")) as ledger:
        ledger.execute("DROP TABLE corrections")
        ledger.execute("ALTER TABLE usage DROP COLUMN service_tier")
        ledger.commit()
    with closing(sqlite3.connect(folder / "ledger.db.books")) as books:
        books.execute("DROP TABLE seals")
        books.execute("UPDATE meta SET schema = 'neocloud.books/1'")
        books.commit()
    tidied(folder)
    before = states(folder)
    found = told(folder, "usage", "cloud.yaml"), told(folder, "payment", "list", "cloud.yaml")
    assert found == expected
    assert neocloud(folder, "reconcile", "cloud.yaml").returncode == 0
    tidied(folder)
    assert states(folder) == before
