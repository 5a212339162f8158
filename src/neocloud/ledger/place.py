"""Where a ledger lies: the store, the folder of segments on this machine, the file of keys."""

from __future__ import annotations

from pathlib import Path

import msgspec

from neocloud.ledger.errors import LedgerError
from neocloud.ledger.sqlite import SqliteStore
from neocloud.ledger.store import Store

_SQLITE = "sqlite:///"
_POSTGRESQL = ("postgresql://", "postgres://")
_FOLDER = "ledger-segments"
"""Of segments, beside the cloud file, where the store is not a file of this machine."""


class LedgerPlace(msgspec.Struct, frozen=True, kw_only=True):
    """Where a ledger lies. Made by `ledger_place`.

    Attributes:
        url: of the store, as SQLAlchemy and libpq write them; may hold a password.
        path: the database file; None of a store that is a server.
        segments: folder of the segments that gateways of this machine write.
        keys: file of the API keys.
    """

    url: str
    path: Path | None
    segments: Path
    keys: Path

    def __repr__(self) -> str:
        return f"LedgerPlace({self.name})"

    @property
    def name(self) -> str:
        """How it is called in messages: the file, or the URL without its password."""
        if self.path is not None:
            return str(self.path)
        from neocloud.ledger.postgresql import shown

        return shown(self.url)

    def connect(self) -> Store:
        """A new connection to the store; nothing is opened or made before its first use."""
        if self.path is not None:
            return SqliteStore(self.path)
        from neocloud.ledger.postgresql import PostgresqlStore

        return PostgresqlStore(self.url)


def ledger_place(url: str, folder: Path, segments: Path | None = None) -> LedgerPlace:
    """Place of `sqlite:///ledger.db` or `postgresql://user@host/name`.

    Args:
        url: of the store.
        folder: where relative paths start, and where the segments of a server's store lie.
        segments: folder of the segments, if it is to be another.

    Raises:
        LedgerError: no such kind of ledger.
    """
    given = None if segments is None else folder / segments
    if url.startswith(_SQLITE) and url != _SQLITE:
        return place_of_file(folder / url.removeprefix(_SQLITE), given)
    if url.startswith(_POSTGRESQL):
        here = given or folder / _FOLDER
        return LedgerPlace(
            url=url, path=None, segments=here, keys=here.with_name(here.name + ".keys")
        )
    raise LedgerError(
        f"{url!r} is not a ledger; write sqlite:///ledger.db or postgresql://user@host/name"
    )


def place_of_file(path: Path, segments: Path | None = None) -> LedgerPlace:
    """Place of a SQLite file; the rest stands beside it."""
    return LedgerPlace(
        url=f"{_SQLITE}{path}",
        path=path,
        segments=segments or path.with_name(path.name + ".segments"),
        keys=path.with_name(path.name + ".keys"),
    )


def place_of(where: LedgerPlace | Path) -> LedgerPlace:
    """A place; the path of a SQLite file stands for one."""
    return where if isinstance(where, LedgerPlace) else place_of_file(where)


def ledger_path(url: str, folder: Path) -> Path:
    """Path of a ledger that is a file.

    Raises:
        LedgerError: it is none.
    """
    place = ledger_place(url, folder)
    if place.path is None:
        raise LedgerError(f"{place.name} is not a file; write sqlite:///ledger.db")
    return place.path
