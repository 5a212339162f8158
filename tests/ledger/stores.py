"""Every kind of store, for the tests that all of them must pass."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from neocloud.ledger.postgresql import PostgresqlStore
from neocloud.ledger.sqlite import SqliteStore
from neocloud.ledger.store import Store

from ..servers.postgresql import shared  # noqa: TID252  (a real server)

Connect = Callable[[], Store]
"""Another connection to the same store, closed at the end of the test."""


@contextmanager
def sqlite(folder: Path) -> Iterator[Connect]:
    """A database in a folder of the test; nothing is created yet."""
    with ExitStack() as stack:

        def connect() -> Store:
            store = SqliteStore(folder / "ledger.db")
            stack.callback(store.close)
            return store

        yield connect


@contextmanager
def postgresql(folder: Path) -> Iterator[Connect]:
    """A database of a real server; nothing is created yet."""
    del folder
    url = shared().database()
    with ExitStack() as stack:

        def connect() -> Store:
            store = PostgresqlStore(url)
            stack.callback(store.close)
            return store

        yield connect


STORES = [pytest.param(sqlite, id="sqlite"), pytest.param(postgresql, id="postgresql")]
"""Context managers that take a folder and give a `Connect`; one line a kind of database."""
