"""A Redis or Valkey of the tests' own: started, killed, frozen and started again. Never a stand-in.

Where no server is installed it is installed if we may (root, apt); otherwise the tests fail.
"""

from __future__ import annotations

import ctypes
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis

WAIT_S = 60.0
"""How long a test waits for a server that must come; only a failing test waits so long."""

_NAMES = ("redis-server", "valkey-server")


def _found() -> str | None:
    return next((path for name in _NAMES if (path := shutil.which(name))), None)


def _binary() -> str:
    """The server's program, after installing it if need be."""
    for package in ("redis-server", "valkey-server"):
        if _found() is None and os.geteuid() == 0 and shutil.which("apt-get"):
            subprocess.run(
                ["apt-get", "install", "-y", "--no-install-recommends", package],
                capture_output=True, env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
            )  # fmt: skip
    found = _found()
    if found is None:
        pytest.fail(
            "these tests need a Redis or Valkey: redis-server and valkey-server are missing"
        )
    return found


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _end_with_the_tests() -> None:
    """In the child: Linux ends the server when the tests are killed."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG


class RedisServer:
    """One server with a folder, a port and a password of its own; it keeps an append-only file."""

    def __init__(self, folder: Path, password: str) -> None:
        self.folder = folder
        self.password = password
        self.port = _free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Without the password, as the cloud file has it."""
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start it and wait until it answers."""
        command = [
            _binary(), "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.folder),
            "--appendonly", "yes", "--appendfsync", "everysec", "--save", "",
            "--requirepass", self.password,
        ]  # fmt: skip
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                command, stdout=log, stderr=log, preexec_fn=_end_with_the_tests,  # noqa: PLW1509
            )  # fmt: skip
        end = time.monotonic() + WAIT_S
        while not self._answers():
            told = (self.folder / "log").read_text()
            assert self._process.poll() is None, told
            assert time.monotonic() < end, told
            time.sleep(0.02)

    def _answers(self) -> bool:
        try:
            with self.client() as client:
                return bool(client.ping())
        except redis.RedisError:
            return False

    def client(self) -> redis.Redis:
        """A client for looking inside."""
        return redis.Redis(port=self.port, password=self.password, decode_responses=True)

    def kill(self) -> None:
        """As a crash would."""
        self._signal(signal.SIGKILL)
        assert self._process is not None
        self._process.wait(WAIT_S)
        self._process = None

    def freeze(self) -> None:
        """Stop answering; connections stay open."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Answer again."""
        self._signal(signal.SIGCONT)

    def close(self) -> None:
        """End it for good."""
        if self._process is not None:
            self.thaw()
            self.kill()

    def _signal(self, number: int) -> None:
        assert self._process is not None, "it does not run"
        self._process.send_signal(number)


@contextmanager
def redis_server(folder: Path) -> Iterator[RedisServer]:
    """A server that runs, in an empty folder."""
    server = RedisServer(folder, secrets.token_hex(8))
    server.start()
    try:
        yield server
    finally:
        server.close()
