"""Files of a ledger on this machine: a folder a worker, in it segments in the order of their names.

`worker-0/0000000001.log` and so on. A worker writes to the newest alone, and begins a new one when
it starts and when one is full. Each begins with what is open at that moment, so that the newest
tells all that is open; the others only wait to be shipped.
"""

from __future__ import annotations

import fcntl
import os
import re
from pathlib import Path

from neocloud.ledger.errors import LedgerError
from neocloud.ledger.frames import HEAD_BYTES

_WORKER = re.compile(r"worker-(\d{1,6})")
_SEGMENT = re.compile(r"(\d{10})\.log")


def worker_folder(segments: Path, worker: int) -> Path:
    """Folder of one worker's segments."""
    return segments / f"worker-{worker}"


def worker_folders(segments: Path) -> tuple[Path, ...]:
    """Folders that exist, by number of the worker."""
    try:
        names = os.listdir(segments)  # noqa: PTH208 - its answer is a list of names
    except (FileNotFoundError, NotADirectoryError):
        return ()
    found = sorted((int(match[1]), name) for name in names if (match := _WORKER.fullmatch(name)))
    return tuple(segments / name for _, name in found)


def segment_file(folder: Path, sequence: int) -> Path:
    """File of one segment."""
    return folder / f"{sequence:010d}.log"


def segment_files(folder: Path) -> tuple[Path, ...]:
    """Segments that exist, oldest first."""
    try:
        names = os.listdir(folder)  # noqa: PTH208 - its answer is a list of names
    except FileNotFoundError:
        return ()
    return tuple(folder / name for name in sorted(filter(_SEGMENT.fullmatch, names)))


def sequence_of(path: Path) -> int:
    """Number of a segment within its folder."""
    return int(path.stem)


class Lock:
    """Holds a file for one process; the kernel lets go of it when the process ends.

    Args:
        path: the file; made if it is not there.

    Raises:
        LockedError: another process holds it.
        LedgerError: the file cannot be made.
    """

    def __init__(self, path: Path) -> None:
        try:
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise LedgerError(f"{path}: {error.strerror}; is its folder there and ours?") from None
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._descriptor)
            raise LockedError(f"{path} is held by another process") from None

    def release(self) -> None:
        """Let go. Idempotent."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor = -1


class LockedError(LedgerError):
    """Another process holds what only one may hold."""


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def position_of(sequence: int, offset: int) -> int:
    """How far a stream is shipped, as one number that only rises: segment, and byte in it."""
    return sequence << 32 | offset


def offset_within(position: int, sequence: int) -> int | None:
    """Where what is not shipped begins in a segment of the stream; None if all of it is."""
    shipped, offset = divmod(position, 1 << 32)
    if sequence < shipped:
        return None
    return offset if sequence == shipped else HEAD_BYTES
