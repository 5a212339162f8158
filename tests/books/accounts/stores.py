"""The stores that the books may lie in: what is promised is tested on each of them."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.servers.postgresql import shared

from neocloud.books.accounts import PostgresqlBooks, SqliteBooks

KINDS = ("sqlite", "postgresql")
Opened = SqliteBooks | PostgresqlBooks
# Here the disk is not what is tested.
MEMORY = Path("/dev/shm") if Path("/dev/shm").is_dir() else None


@contextmanager
def store(kind: str) -> Iterator[Callable[[], Opened]]:
    """An empty place: each call connects to it anew; all are closed at the end."""
    made: list[Opened] = []
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        url = shared().database() if kind == "postgresql" else ""

        def connect() -> Opened:
            made.append(
                PostgresqlBooks(url) if url else SqliteBooks(Path(folder) / "ledger.db.books")
            )
            return made[-1]

        yield connect
        for each in made:
            each.close()
