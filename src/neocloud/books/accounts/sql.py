"""What the books need of a database: statements that SQLite and PostgreSQL both understand."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Protocol


class Rows(Protocol):
    """What a statement found."""

    def fetchone(self) -> Any:
        """The next row; None after the last."""
        ...

    def fetchall(self) -> list[Any]:
        """The rest of the rows."""
        ...

    def __iter__(self) -> Iterator[Any]:
        """Row by row."""
        ...


class Sql(Protocol):
    """A connection within a transaction. Values stand as `?` in a statement."""

    def execute(self, sql: str, parameters: Any = ..., /) -> Rows:
        """One statement."""
        ...

    def executemany(self, sql: str, parameters: Iterable[Any], /) -> object:
        """One statement for each of several rows."""
        ...
