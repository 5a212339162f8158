"""`bean-check`, run as a program from an environment of its own.

It is made once in the checkout and kept; made anew when the pinned versions change.
"""

from __future__ import annotations

import fcntl
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[3]
PINNED = ROOT / "requirements" / "beancount.txt"
FOLDER = ROOT / ".venv-beancount"


@cache
def program() -> Path:
    """Where it is, after making it if need be. Of several processes one makes it."""
    found, mark = FOLDER / "bin" / "bean-check", FOLDER / "made-from"
    with (ROOT / ".venv-beancount.lock.pid").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not mark.exists() or mark.read_bytes() != PINNED.read_bytes():
            shutil.rmtree(FOLDER, ignore_errors=True)
            base = getattr(sys, "_base_executable", sys.executable)
            run([base, "-m", "venv", "--without-pip", FOLDER])
            run([base, "-m", "pip", "--python", FOLDER / "bin" / "python", "install", "-q",
                 "--disable-pip-version-check", "-c", PINNED, "beancount"])  # fmt: skip
            mark.write_bytes(PINNED.read_bytes())
    return found


def run(command: list[object]) -> None:
    done = subprocess.run([*map(str, command)], capture_output=True, text=True)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"


def bean_check(path: Path) -> str:
    """What it says: nothing of a journal that it accepts."""
    done = subprocess.run([program(), path], capture_output=True, text=True)
    told = done.stdout + done.stderr
    assert (done.returncode == 0) == (not told.strip()), told
    return told
