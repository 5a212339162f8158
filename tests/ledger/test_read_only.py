"""A file that is read as one that does not change is refused where it did."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing

import pytest

from neocloud.ledger import StoreError
from neocloud.ledger.read_only import ReadOnlyFile


@pytest.fixture
def path(tmp_path, monkeypatch):
    path = tmp_path / "a.db"
    with closing(sqlite3.connect(path)) as writer:
        writer.execute("PRAGMA journal_mode = WAL")
        writer.execute("CREATE TABLE t (a)")
        writer.commit()
    may = os.access
    monkeypatch.setattr(os, "access", lambda p, mode: mode != os.W_OK and may(p, mode))
    return path


def test_what_was_written_meanwhile_is_refused(path):
    with closing(ReadOnlyFile(path, 1)) as file:
        assert file.unchanging
        assert file.connection.execute("SELECT * FROM t").fetchall() == []
        file.check()
        with closing(sqlite3.connect(path)) as writer:
            writer.execute("INSERT INTO t VALUES (1)")
            writer.commit()
            file.check()  # it is in the log alone, and what was read is whole
        with pytest.raises(StoreError, match="was written while it was read; run it again"):
            file.check()


def test_a_log_without_its_shared_memory_is_refused(path):
    path.with_name("a.db-wal").write_bytes(b"x")
    with pytest.raises(StoreError, match="cannot be read without writing"):
        ReadOnlyFile(path, 1)
    path.with_name("a.db-wal").write_bytes(b"")
    with closing(ReadOnlyFile(path, 1)) as file:
        assert file.unchanging
