"""A PostgreSQL of the tests' own: started, killed, frozen and started again. Never a stand-in.

Where no server is installed it is installed if we may (root, apt); otherwise the tests fail.
"""

from __future__ import annotations

import atexit
import ctypes
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

import psycopg
import pytest

WAIT_S = 60.0
"""How long a test waits for a server that must come; only a failing test waits so long."""


def _folder_of_binaries() -> Path | None:
    found = [p.parent for p in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    if found:
        return max(found, key=lambda p: int(p.parent.name))
    on_path = shutil.which("initdb")
    return None if on_path is None else Path(on_path).resolve().parent


def _binaries() -> Path:
    """The folder with `initdb` and `postgres`, after installing them if need be."""
    if _folder_of_binaries() is None and os.geteuid() == 0 and shutil.which("apt-get"):
        subprocess.run(
            ["apt-get", "install", "-y", "--no-install-recommends", "postgresql"],
            capture_output=True, env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
        )  # fmt: skip
    found = _folder_of_binaries()
    if found is None:
        pytest.fail("these tests need a PostgreSQL server: initdb and postgres are not here")
    return found


def _user() -> str | None:
    """Whom the server runs as: ourselves, but never root, which PostgreSQL refuses."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return next(name for name in ("postgres", "nobody") if name in names)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _end_with_the_tests() -> None:
    """In the child: Linux ends the server in order when the tests are killed."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGINT)  # PR_SET_PDEATHSIG


class Postgresql:
    """One server with a data folder, a port and a password of its own.

    Args:
        folder: an empty folder; removed by whoever made it.
        durable: write to the disk as a real server does. Off, a crash of the server (not of the
            machine) still loses nothing: what it wrote stays in the system's cache.
    """

    def __init__(self, folder: Path, *, durable: bool = False) -> None:
        self._bin = _binaries()
        self._user = _user()
        self._folder = folder
        self._data = folder / "data"
        self._durable = durable
        self._process: subprocess.Popen[bytes] | None = None
        self.password = secrets.token_urlsafe(12)
        self.port = _free_port()
        self._initialise()

    def url(self, database: str = "postgres") -> str:
        """Of one of its databases, with name and password."""
        return f"postgresql://owner:{self.password}@127.0.0.1:{self.port}/{database}"

    def connect(self, database: str = "postgres") -> psycopg.Connection[Any]:
        """A connection of the test's own, each statement by itself."""
        return psycopg.connect(self.url(database), autocommit=True)

    def database(self, name: str | None = None) -> str:
        """Make an empty database; its URL."""
        name = name or f"d{secrets.token_hex(6)}"
        with self.connect() as connection:
            connection.execute(f'CREATE DATABASE "{name}"')
        return self.url(name)

    def start(self) -> None:
        """Start, and wait until it answers."""
        assert self._process is None
        safe = "on" if self._durable else "off"
        with (self._folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    self._bin / "postgres", "-D", self._data, "-p", str(self.port),
                    "-c", "listen_addresses=127.0.0.1", "-k", self._folder,
                    "-c", f"fsync={safe}", "-c", f"synchronous_commit={safe}",
                    "-c", f"full_page_writes={safe}", "-c", "shared_buffers=64MB",
                ],
                user=self._user, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                cwd=self._folder, start_new_session=True, preexec_fn=_end_with_the_tests,  # noqa: PLW1509
            )  # fmt: skip
        until = time.monotonic() + WAIT_S
        while True:
            with suppress(psycopg.OperationalError), self.connect():
                return
            if self._process.poll() is not None or time.monotonic() > until:
                pytest.fail((self._folder / "server.log").read_text()[-2000:])
            time.sleep(0.05)

    def kill(self) -> None:
        """SIGKILL to it and all of its processes, as when memory runs out."""
        assert self._process is not None
        family = self._family()
        for process in family:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        self._process.wait()
        self._process = None
        until = time.monotonic() + WAIT_S
        while any(Path(f"/proc/{p}").exists() for p in family) and time.monotonic() < until:
            time.sleep(0.01)

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """SIGSTOP to all of its processes: it takes connections and answers nothing."""
        family = self._family()
        for process in family:
            os.kill(process, signal.SIGSTOP)
        try:
            yield
        finally:
            for process in family:
                with suppress(ProcessLookupError):
                    os.kill(process, signal.SIGCONT)

    def stop(self) -> None:
        """SIGINT: ends in order, at once. Idempotent."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(WAIT_S)
            self._process = None

    def _family(self) -> list[int]:
        """Process ids of the server and its children; each child has a session of its own."""
        assert self._process is not None
        found = subprocess.run(
            ["ps", "-o", "pid=", "--ppid", str(self._process.pid)], capture_output=True, text=True
        )
        return [self._process.pid, *(int(pid) for pid in found.stdout.split())]

    def _initialise(self) -> None:
        word = self._folder / "password"
        word.write_text(self.password)
        self._data.mkdir(mode=0o700)
        if self._user is not None:
            for path in (self._folder, self._data, word):
                shutil.chown(path, self._user)
        made = subprocess.run(
            [
                self._bin / "initdb", "-D", self._data, "-U", "owner", "--pwfile", word,
                "--auth=scram-sha-256", "--no-sync", "--locale=C", "--encoding=UTF8",
            ],
            user=self._user, capture_output=True, text=True, cwd=self._folder,
        )  # fmt: skip
        word.unlink()
        if made.returncode:
            pytest.fail(f"initdb: {made.stderr}")


@contextmanager
def running(*, durable: bool = False) -> Iterator[Postgresql]:
    """A server in a folder that any user may enter, gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="neocloud-pg-", dir="/tmp"))  # sockets need short paths
    try:
        server = Postgresql(folder, durable=durable)
        server.start()
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@cache
def shared() -> Postgresql:
    """One server for all tests of a process that do not harm it; each makes its own database."""
    stack = ExitStack()
    atexit.register(stack.close)
    return stack.enter_context(running())
