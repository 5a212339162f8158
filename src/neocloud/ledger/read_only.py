"""Reading a SQLite file without writing: neither to it, nor, where that is not allowed, beside it.

A file in WAL mode has two companions while it is in use: `-wal`, what was written last, and `-shm`,
by which processes agree on it. Who may not write can read all three, but not make the latter two.
Where there is no `-wal` the file alone holds everything; it is then read as one that does not
change (`immutable=1`), and afterwards it is made sure that nobody wrote to it meanwhile. Sources:
the pages "Write-Ahead Logging", section "Read-Only Databases", and "Uniform Resource Identifiers"
of SQLite's documentation.
"""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from neocloud.ledger.errors import StoreError


class ReadOnlyFile:
    """A connection that only reads. Temporary tables and views of it are in memory.

    Args:
        path: the file; it must be there.
        busy_s: how long to wait for another process.

    Attributes:
        connection: to it, without a transaction.
        unchanging: read as a file that does not change: open it anew to see what is written later.

    Raises:
        StoreError: it cannot be read without writing; the text says what to do.
        sqlite3.Error: it cannot be opened.
    """

    def __init__(self, path: Path, busy_s: float) -> None:
        self.path = path
        self._mark: tuple[int, int, int] | None = None
        if not _is_writable(path):
            self._mark = self._alone()
        self.unchanging = self._mark is not None
        self.connection = sqlite3.connect(
            f"{path.resolve().as_uri()}?mode=ro{'&immutable=1' if self.unchanging else ''}",
            uri=True, timeout=busy_s, isolation_level=None, check_same_thread=False,
        )  # fmt: skip
        self.connection.execute("PRAGMA temp_store = MEMORY")

    def check(self) -> None:
        """After reading: make sure that what was read is what was there at one moment.

        Raises:
            StoreError: someone wrote to a file that was read as one that does not change.
        """
        # A `-wal` that came meanwhile does no harm: the file itself is what was read.
        if self._mark is not None and _mark_of(self.path) != self._mark:
            raise StoreError(f"{self.path} was written while it was read; run it again")

    def close(self) -> None:
        """Let go of the file. Idempotent."""
        self.connection.close()

    def _alone(self) -> tuple[int, int, int] | None:
        """The mark of a file that holds everything; None if its `-wal` and `-shm` are readable."""
        log, shared = (self.path.with_name(self.path.name + end) for end in ("-wal", "-shm"))
        if log.exists():
            if shared.exists():
                unreadable = [p for p in (log, shared) if not os.access(p, os.R_OK)]
                if not unreadable:
                    return None
                raise StoreError(
                    f"{self.path} is in use, and {unreadable[0]} cannot be read: let whoever may "
                    "write the ledger give you permission to read it too"
                )
            if log.stat().st_size:
                raise StoreError(
                    f"{self.path} cannot be read without writing to its folder: {log} holds what "
                    f"was written last, and {shared.name} is not there. Copy the file with its "
                    "-wal to a folder where you may write and read it there, or let whoever may "
                    "write it run `neocloud reconcile`, and read it after that"
                )
        return _mark_of(self.path)


def _mark_of(path: Path) -> tuple[int, int, int]:
    """What tells a file from one that was written later."""
    found = path.stat()
    return found.st_ino, found.st_size, found.st_mtime_ns


def _is_writable(path: Path) -> bool:
    return os.access(path, os.W_OK) and os.access(path.resolve().parent, os.W_OK)
