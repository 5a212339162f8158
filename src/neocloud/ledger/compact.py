"""Making a ledger small while no gateway uses it. No event is ever removed."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import msgspec

from neocloud.ledger.carrier import Carrier
from neocloud.ledger.contents import Contents, contents_of
from neocloud.ledger.errors import LedgerError
from neocloud.ledger.place import LedgerPlace
from neocloud.ledger.reader import RecordReader
from neocloud.ledger.recovery import open_in
from neocloud.ledger.segments import Lock, LockedError, segment_files, worker_folders


class Compaction(msgspec.Struct, frozen=True, kw_only=True):
    """What was done.

    Attributes:
        contents: what the ledger holds, before as after.
        shipped: events that were in segments only.
        segments: files that were deleted.
        open_requests: requests that a dead gateway left open; their segments stay until it, or any
            gateway of this ledger, starts and closes them.
        bytes_before, bytes_after: of store and segments on this machine.
    """

    contents: Contents
    shipped: int
    segments: int
    open_requests: int
    bytes_before: int
    bytes_after: int


def compact(place: LedgerPlace) -> Compaction:
    """Ship what is not shipped, delete the segments, and give the store's free room back.

    A store in PostgreSQL is left to its own autovacuum.

    Raises:
        LedgerError: a gateway is running; or something cannot be read or written.
    """
    reader = RecordReader(place)
    with _alone(place):
        before, size = contents_of(reader), _bytes(place)
        files = _files(place)
        with closing(place.connect()) as store:
            carrier = Carrier(store, place.segments)
            while carrier.round():
                pass
        if carrier.state.damage:
            raise LedgerError(carrier.state.damage)
        left = [_drop_newest(folder) for folder in worker_folders(place.segments)]
        if place.path is not None:
            _vacuum(place.path)
        after = contents_of(reader)
        if after != before:
            raise LedgerError(
                f"{place.name} holds something else than before: {before} was {after}; "
                "go back to a backup, and report this"
            )
        return Compaction(
            contents=after,
            shipped=carrier.state.shipped,
            segments=files - _files(place),
            open_requests=sum(left),
            bytes_before=size,
            bytes_after=_bytes(place),
        )


@contextmanager
def _alone(place: LedgerPlace) -> Iterator[None]:
    """Hold what gateways hold."""
    with ExitStack() as stack:
        paths = [folder / "lock" for folder in worker_folders(place.segments)]
        if place.segments.is_dir():
            paths.insert(0, place.segments / "shipper.lock")
        for path in paths:
            try:
                stack.callback(Lock(path).release)
            except LockedError:
                raise LedgerError(
                    f"a gateway is using {place.name}: it ships by itself and deletes what is "
                    "shipped; stop it to compact the rest"
                ) from None
        yield


def _drop_newest(folder: Path) -> int:
    """Delete a worker's last segment if nothing in it is open; how many requests are."""
    files = segment_files(folder)
    if not files:
        return 0
    descriptor = os.open(files[-1], os.O_RDONLY | os.O_CLOEXEC)
    try:
        still_open, _ = open_in(descriptor)
    finally:
        os.close(descriptor)
    if not still_open:
        files[-1].unlink()
    return len(still_open)


def _vacuum(path: Path) -> None:
    try:
        with closing(sqlite3.connect(path, timeout=5.0, isolation_level=None)) as connection:
            connection.execute("VACUUM")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    except sqlite3.Error as error:
        raise LedgerError(f"{path}: {error}") from None


def _files(place: LedgerPlace) -> int:
    return sum(len(segment_files(folder)) for folder in worker_folders(place.segments))


def _bytes(place: LedgerPlace) -> int:
    names = [file for folder in worker_folders(place.segments) for file in segment_files(folder)]
    if place.path is not None:
        names += [place.path.with_name(place.path.name + end) for end in ("", "-wal")]
    return sum(name.stat().st_size for name in names if name.exists())
