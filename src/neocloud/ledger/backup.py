"""A copy of a ledger that is a file, taken while gateways write, from which they can go on.

It is a folder with the same parts: the database, the segments as far as they are written, the keys
and what else SQLite keeps beside the database under its name. Whoever reads it sees each request
that had ended when the copy was begun; what was open is open in it too, and the first gateway that
starts on it closes that as interrupted.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

from neocloud.ledger.contents import Contents, contents_of
from neocloud.ledger.errors import LedgerError
from neocloud.ledger.frames import HEAD_BYTES, read_frames
from neocloud.ledger.place import LedgerPlace, place_of_file
from neocloud.ledger.read_only import ReadOnlyFile
from neocloud.ledger.reader import RecordReader
from neocloud.ledger.recovery import PROGRESS
from neocloud.ledger.segments import segment_files, sync_folder, worker_folders

_PAGES = 4096
"""Of the database, copied at a time: 16 MiB, between which writers have their turn."""
_TRIES = 5
_BUSY_S = 5.0
_SQLITE = b"SQLite format 3\0"


def backup(place: LedgerPlace, folder: Path) -> tuple[LedgerPlace, Contents]:
    """Copy a ledger into a new folder; where the copy is, and what it holds.

    Under its name the folder is whole at once.

    Args:
        place: the ledger.
        folder: where to; it must not be there yet.

    Raises:
        LedgerError: not a file of this machine, not readable, or the folder cannot be written.
    """
    path = place.path
    if path is None:
        raise LedgerError(
            f"{place.name} has tools of its own for this: pg_dump --schema=neocloud "
            "--schema=neocloud_books has events, keys and books; what this machine has not shipped "
            f"to it lies in {place.segments}"
        )
    RecordReader(place)
    if folder.exists():
        raise LedgerError(f"{folder} is there already; name a new folder")
    fresh = folder.with_name(f".{folder.name}.{os.getpid()}")
    try:
        try:
            fresh.mkdir(mode=0o700, parents=True)
            copy = place_of_file(fresh / path.name)
            _copy_all(place, path, copy)
            held = contents_of(RecordReader(copy))
            _sync_tree(fresh)
            fresh.rename(folder)
            sync_folder(folder.parent)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
    except OSError as error:
        raise LedgerError(f"{error.filename or folder}: {error.strerror}") from None
    return place_of_file(folder / path.name), held


def _copy_all(place: LedgerPlace, path: Path, copy: LedgerPlace) -> None:
    assert copy.path is not None, "a copy is a file"
    for _ in range(_TRIES):
        shutil.rmtree(copy.segments, ignore_errors=True)
        # Segments are opened first: what is shipped and deleted from now on is in the database by
        # the time that it is copied, and can still be read here as well.
        with _opened(place.segments) as opened:
            _copy_database(path, copy.path)
            for descriptor, file in opened:
                _copy_segment(descriptor, copy.segments / file.parent.name / file.name)
            for worker in worker_folders(place.segments):
                target = copy.segments / worker.name / PROGRESS
                if (worker / PROGRESS).exists() and target.parent.is_dir():
                    shutil.copyfile(worker / PROGRESS, target)
            # Had a worker begun another segment, what was open in the last one could have ended in
            # that: once in ever so many megabytes.
            known = {file for _, file in opened}
            if all(files[-1] in known for files in _newest(place.segments)):
                break
    else:
        raise LedgerError(f"{place.segments} grows faster than it can be copied; try again later")
    for beside in sorted(path.parent.glob(path.name + ".*")):
        if beside.is_file() and beside.open("rb").read(len(_SQLITE)) == _SQLITE:
            _copy_database(beside, copy.path.with_name(beside.name))


def _newest(segments: Path) -> Iterator[tuple[Path, ...]]:
    return filter(None, (segment_files(folder) for folder in worker_folders(segments)))


@contextmanager
def _opened(segments: Path) -> Iterator[list[tuple[int, Path]]]:
    with ExitStack() as stack:
        opened = []
        for folder in worker_folders(segments):
            for file in segment_files(folder):
                try:
                    descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
                except FileNotFoundError:
                    continue  # shipped and deleted meanwhile
                stack.callback(os.close, descriptor)
                opened.append((descriptor, file))
        yield opened


def _copy_database(path: Path, to: Path) -> None:
    try:
        with (
            closing(ReadOnlyFile(path, _BUSY_S)) as file,
            closing(sqlite3.connect(to)) as target,
        ):
            # One transaction all along: else each write of a gateway would begin the copy anew.
            file.connection.execute("BEGIN")
            file.connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
            file.connection.backup(target, pages=_PAGES)
            file.check()
        to.chmod(0o600)
    except sqlite3.Error as error:
        raise LedgerError(f"{path}: {error}") from None


def _copy_segment(descriptor: int, to: Path) -> None:
    """Copy up to the end of the last whole frame."""
    end = HEAD_BYTES
    for end, _ in read_frames(descriptor, HEAD_BYTES):  # noqa: B007 - the last is used
        pass
    to.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with to.open("wb") as file:
        os.fchmod(file.fileno(), 0o600)
        at = 0
        while at < end:
            piece = os.pread(descriptor, min(1 << 20, end - at), at)
            file.write(piece)
            at += len(piece)


def _sync_tree(folder: Path) -> None:
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())
    for path in (*(p for p in folder.rglob("*") if p.is_dir()), folder):
        sync_folder(path)
