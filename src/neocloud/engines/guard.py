"""Stands between the gateway and an engine that it started, so that neither outlives the other.

Run by path and without this package: `python -I -S guard.py COMMAND ...`. It starts the command in
a process group of its own and ends with its status.

- SIGTERM and SIGINT go on to the command's first process alone: it drains, and its workers with it.
- The end of standard input, which only the gateway holds, means that the gateway is gone, killed
  perhaps. Then the command is told to end, and its group killed a little later.
- A byte on standard input means that its time is over: the group is killed at once.
- Whatever is left of the group when its first process has ended is killed, so that no worker keeps
  an accelerator's memory.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from types import FrameType

ORPHANED_S = 5.0
"""Seconds that the command gets once the gateway is gone: nobody reads its answers any more."""
NOT_STARTED = 127
"""Exit status if the command cannot be started, as in a shell."""


def main(command: list[str]) -> int:
    """Run the command; its exit status, or 128 and the number of the signal that ended it."""
    told: list[int] = []
    child: subprocess.Popen[bytes] | None = None

    def tell(number: int, frame: FrameType | None) -> None:
        del frame
        told.append(number)
        if child is not None:
            _signal(child.pid, signal.SIGTERM)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, tell)
    try:
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)
    except OSError as error:
        sys.stderr.write(f"cannot start {command[0]}: {error.strerror}\n")
        return NOT_STARTED
    if told:  # before there was anybody to tell
        _signal(child.pid, signal.SIGTERM)
    threading.Thread(target=_watch, args=(child.pid,), daemon=True).start()
    status = child.wait()
    _kill(child.pid)
    return status if status >= 0 else 128 - status


def _watch(group: int) -> None:
    """Wait for a word of the gateway, or for its end."""
    if not os.read(0, 1):
        _signal(group, signal.SIGTERM)
        time.sleep(ORPHANED_S)
    _kill(group)


def _signal(process: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(process, number)


def _kill(group: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
