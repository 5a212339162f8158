"""Where a ledger lies: one SQLite file a worker process, `ledger.db`, `ledger.1.db` and so on."""

from __future__ import annotations

import fcntl
import os
import re
from pathlib import Path

from neocloud.ledger.errors import LedgerError

_URL = "sqlite:///"


def ledger_path(url: str, folder: Path) -> Path:
    """Path of the first segment of `sqlite:///ledger.db`; a relative one starts from `folder`."""
    if not url.startswith(_URL) or url == _URL:
        raise LedgerError(f"{url!r} is not a ledger; write sqlite:///ledger.db")
    return folder / url.removeprefix(_URL)


def segment_path(path: Path, worker: int) -> Path:
    """File of one worker's segment."""
    return path if worker == 0 else path.with_name(f"{path.stem}.{worker}{path.suffix}")


def segments(path: Path) -> tuple[Path, ...]:
    """Segments that exist, by worker."""
    pattern = re.compile(rf"{re.escape(path.stem)}\.(\d+){re.escape(path.suffix)}")
    others = sorted(
        (int(found[1]), each)
        for each in (path.parent.iterdir() if path.parent.is_dir() else ())
        if (found := pattern.fullmatch(each.name))
    )
    first = (path,) if path.exists() else ()
    return (*first, *(each for _, each in others))


class SegmentLock:
    """Holds a segment for one process; the kernel lets go of it when the process ends.

    The lock lies on a file of its own: SQLite keeps locks of another kind on the database.

    Raises:
        LedgerError: another process holds it, or the folder cannot be written.
    """

    def __init__(self, segment: Path) -> None:
        path = segment.with_name(segment.name + ".lock")
        try:
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise LedgerError(f"{path}: {error.strerror}; is its folder there and ours?") from None
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._descriptor)
            raise LedgerError(
                f"{segment} is in use by another gateway; stop that one, or name another ledger"
            ) from None

    def release(self) -> None:
        """Let go. Idempotent."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor = -1
