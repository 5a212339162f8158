"""Running `neocloud`'s verbs, and its service, so that nothing outlives the caller."""

from __future__ import annotations

import atexit
import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType

_NEOCLOUD = (sys.executable, "-m", "neocloud.cli.main")
_VERB_TIMEOUT_S = 120.0
_START_TIMEOUT_S = 60.0
_STOP_TIMEOUT_S = 20.0
_POLL_S = 0.05
_READY = re.compile(r"^listening on (http://(\S+):(\d+))\s*$", re.MULTILINE)

# A process of its own that reads from a pipe which only we hold: when we are gone, even by SIGKILL,
# the pipe ends, and it ends the service's process group, kindly first.
_GUARD = """
import os, signal, sys, time
group = int(sys.argv[1])
sys.stdin.read()
try:
    os.killpg(group, signal.SIGTERM)
    for _ in range(100):
        time.sleep(0.1)
        os.killpg(group, 0)
    os.killpg(group, signal.SIGKILL)
except ProcessLookupError:
    pass
"""


class StepFailedError(Exception):
    """A step did not do what it should; the message shows what it said.

    Attributes:
        step: which one.
    """

    def __init__(self, step: str, message: str) -> None:
        super().__init__(message)
        self.step = step


def neocloud(folder: Path, verb: str, *arguments: str) -> str:
    """Run a verb in a folder; what it printed on standard output.

    Raises:
        StepFailedError: it ended with another status than 0, or not in time.
    """
    try:
        done = subprocess.run(
            [*_NEOCLOUD, verb, *arguments], cwd=folder, env=_environment(), check=False,
            stdin=subprocess.DEVNULL, capture_output=True, encoding="utf-8",
            timeout=_VERB_TIMEOUT_S,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise StepFailedError(verb, f"not done after {_VERB_TIMEOUT_S:g} s") from None
    if done.returncode:
        said = f"{done.stdout}{done.stderr}".strip()
        raise StepFailedError(verb, f"exit status {done.returncode}\n{said}")
    return done.stdout


def shown(folder: Path, verb: str, *arguments: str, saved: str | None = None) -> None:
    """Run a verb, show the command and what it printed, and keep the latter in a file."""
    print("$ " + " ".join(("neocloud", verb, *arguments)), flush=True)
    printed = neocloud(folder, verb, *arguments)
    print(printed, end="", flush=True)
    if saved is not None:
        (folder / saved).write_text(printed, encoding="utf-8")


class Service:
    """`neocloud up` as a child in a process group of its own, up between `with` and `stop`.

    Attributes:
        command: as a user would type it.
        ready: the line by which it said that it takes requests.
        url: where it listens.

    Raises:
        StepFailedError: it did not come up; the message holds what it said.
    """

    def __init__(self, folder: Path, *arguments: str, log: str = "up.log") -> None:
        self.command = " ".join(("neocloud", *arguments))
        self.ready = ""
        self.url = ""
        self._arguments = arguments
        self._folder = folder
        self._log = folder / log
        self._address = ("", 0)
        self._process: subprocess.Popen[bytes] | None = None
        self._guard: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Service:
        atexit.register(self._kill)
        try:
            with self._log.open("wb") as log:
                self._process = subprocess.Popen(
                    [*_NEOCLOUD, *self._arguments], cwd=self._folder, env=_environment(),
                    stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                    start_new_session=True,
                )  # fmt: skip
            self._guard = subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", _GUARD, str(self._process.pid)],
                stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip
            self._await_ready(self._process)
        except BaseException:
            self._kill()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._kill()

    def stop(self) -> None:
        """Ask it to end, and make sure that it did.

        Raises:
            StepFailedError: it did not end in time, not with status 0, or its port is still open.
        """
        process = self._process
        if process is None:
            raise StepFailedError("stop", "it was never started")
        process.terminate()
        try:
            status = process.wait(_STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            problem = f"still running {_STOP_TIMEOUT_S:g} s after SIGTERM; killed"
            raise StepFailedError("stop", f"{problem}\n{self._said()}") from None
        if status:
            raise StepFailedError("stop", f"exit status {status}\n{self._said()}")
        with contextlib.suppress(OSError), socket.create_connection(self._address, timeout=2.0):
            host, port = self._address
            raise StepFailedError("stop", f"{host}:{port} is still open")

    def _await_ready(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + _START_TIMEOUT_S
        while True:
            ended = process.poll()
            found = _READY.search(self._said())
            if ended is not None:
                raise StepFailedError("up", f"exit status {ended}\n{self._said()}")
            if found:
                self.ready, self.url = found[0].strip(), found[1]
                self._address = (found[2], int(found[3]))
                return
            if time.monotonic() > deadline:
                problem = f"not listening after {_START_TIMEOUT_S:g} s"
                raise StepFailedError("up", f"{problem}\n{self._said()}")
            time.sleep(_POLL_S)

    def _said(self) -> str:
        return self._log.read_text(encoding="utf-8", errors="replace")

    def _kill(self) -> None:
        """End what is left of it, whatever happened. Idempotent."""
        process, guard = self._process, self._guard
        if process is not None and process.poll() is None:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_STOP_TIMEOUT_S / 2)
            if process.poll() is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        if guard is not None and guard.poll() is None:
            guard.kill()
            guard.wait()
        if guard is not None and guard.stdin is not None:
            guard.stdin.close()
        atexit.unregister(self._kill)


def _environment() -> dict[str, str]:
    """Ours, with output that is UTF-8 and not held back."""
    return {**os.environ, "PYTHONIOENCODING": "utf-8", "PYTHONUNBUFFERED": "1"}
