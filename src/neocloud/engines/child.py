"""One run of an engine's command: its process group, its last words, its end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sys
from collections import deque
from logging.handlers import RotatingFileHandler
from pathlib import Path

import msgspec

from neocloud.engines import guard

_OWN = "NEOCLOUD_"
"""Variables of ours, keys among them: no engine gets them."""
_TAIL_LINES = 40
_LINE_CHARACTERS = 500
_READ_BYTES = 64 * 1024
_LOG_BYTES = 4 * 1024 * 1024
_GONE_S = 5.0
"""How long the guard may take to report what it killed."""


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """What is started.

    Attributes:
        arguments: the program and what it is told.
        environment: variables to set, by name, beside those of this process; none that begins with
            `NEOCLOUD_` is passed on.
        log_path: file that its output goes to, of 4 MiB with one older one beside it. None keeps
            the last lines in memory and nothing on disk.
    """

    arguments: tuple[str, ...]
    environment: tuple[tuple[str, str], ...] = ()
    log_path: Path | None = None


class Child:
    """A process with all that it started. Made by `spawn`; ends at the latest with this process."""

    def __init__(self, process: asyncio.subprocess.Process, log_path: Path | None) -> None:
        self._process = process
        self._tail: deque[str] = deque(maxlen=_TAIL_LINES)
        self._log = _log_file(log_path)
        self._reader = asyncio.create_task(self._read())

    @classmethod
    async def spawn(cls, command: Command) -> Child:
        """Start it.

        Raises:
            OSError: not even its guard could be started, or the log file cannot be written.
        """
        inherited = {name: text for name, text in os.environ.items() if not name.startswith(_OWN)}
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-I", "-S", guard.__file__, *command.arguments,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=inherited | dict(command.environment),
            # Ctrl-C goes to all processes of a session; the gateway decides when this one ends.
            start_new_session=True,
        )  # fmt: skip
        return cls(process, command.log_path)

    @property
    def running(self) -> bool:
        """True until it has ended."""
        return self._process.returncode is None

    @property
    def tail(self) -> str:
        """The last lines that it said, those that are too long cut."""
        return "\n".join(self._tail)

    async def wait(self) -> int:
        """Wait for its end and for the last of its output; its exit status."""
        status = await self._process.wait()
        # What left the process group could hold the pipe open for ever.
        await asyncio.wait((self._reader,), timeout=_GONE_S)
        self._reader.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._reader
        return status

    async def end(self, grace_s: float) -> int:
        """Tell it to end, kill it with all that it started after `grace_s`; its exit status."""
        if self.running:
            with contextlib.suppress(ProcessLookupError):
                self._process.terminate()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(grace_s):
                    await self._process.wait()
        return await self.kill()

    async def kill(self) -> int:
        """Kill it with all that it started; its exit status."""
        stdin = self._process.stdin
        assert stdin is not None
        if self.running:
            with contextlib.suppress(ConnectionError, RuntimeError):
                stdin.write(b"k")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_GONE_S):
                    await self._process.wait()
        if self.running:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
        stdin.close()
        return await self.wait()

    async def _read(self) -> None:
        stdout = self._process.stdout
        assert stdout is not None
        rest = b""
        try:
            while piece := await stdout.read(_READ_BYTES):
                *lines, rest = (rest + piece).split(b"\n")
                for line in lines:
                    self._keep(line)
                rest = rest[: 4 * _LINE_CHARACTERS]  # a line without end keeps no more memory
            if rest:
                self._keep(rest)
        finally:
            if self._log is not None:
                self._log.close()

    def _keep(self, line: bytes) -> None:
        text = line.decode("utf-8", "replace").rstrip()
        self._tail.append(text[:_LINE_CHARACTERS])
        if self._log is not None:
            self._log.emit(
                logging.LogRecord("engine", logging.INFO, "", 0, "%s", (text,), exc_info=None)
            )


def _log_file(path: Path | None) -> RotatingFileHandler | None:
    if path is None:
        return None
    return RotatingFileHandler(path, maxBytes=_LOG_BYTES, backupCount=1, encoding="utf-8")
