"""The database is killed, frozen or locked under load: nothing is lost; it goes on by itself."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.fakes.upstream import process
from tests.gateway.crash.front import Front
from tests.gateway.crash.stalls import then, through_stalls
from tests.gateway.world import run
from tests.servers.postgresql import running

from neocloud.ledger import ledger_place

_LOCK = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], timeout=60, isolation_level=None)
connection.execute("BEGIN EXCLUSIVE")
print("locked", flush=True)
sys.stdin.read()
"""


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Another process holds the store, as a backup that hangs would."""
    with subprocess.Popen(
        [sys.executable, "-c", _LOCK, str(path)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as holder:  # fmt: skip
        assert holder.stdout is not None
        assert holder.stdout.readline() == "locked\n"
        yield
        assert holder.stdin is not None
        holder.stdin.close()


@pytest.mark.slow
def test_postgresql_is_killed_and_frozen_and_nothing_is_lost(tmp_path: Path) -> None:
    with running() as server, process() as upstream:
        url = server.database()
        front = Front(tmp_path, upstream, url)
        place = ledger_place(url, tmp_path)

        async def test() -> None:
            stalls = [lambda: then(server.kill, server.start), server.frozen]
            await through_stalls(front, upstream, place, stalls, seed=1)

        run(test, within_s=120)
        assert server.password not in front.stderr.read_text()


@pytest.mark.slow
def test_a_store_that_is_locked_by_another_is_waited_for(tmp_path: Path) -> None:
    with process() as upstream:
        front = Front(tmp_path, upstream, "sqlite:///usage.db")
        place = ledger_place("sqlite:///usage.db", tmp_path)

        async def test() -> None:
            stalls = [lambda: locked(tmp_path / "usage.db")]
            await through_stalls(front, upstream, place, stalls, seed=2)

        run(test, within_s=90)
