"""The process of the emulated engines, from its parent's side."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
from collections import deque
from collections.abc import Callable
from pathlib import Path

import msgspec

from neocloud.engines.endpoint import Endpoint
from neocloud.engines.errors import EngineStartError
from neocloud.engines.kinds import EMULATED, KINDS
from neocloud.wire import Address

log = logging.getLogger(__name__)

_START_TIMEOUT_S = 60.0
_KILL_AFTER_S = 5.0
"""How long after its grace the process may take to end."""
_TAIL_LINES = 20
_LINE_BYTES = 1024 * 1024
"""Longest line that is read from the process; its first names all replicas."""


class _Listening(msgspec.Struct):
    """The process's first line; what it leaves out of its manners is that of its kind."""

    listen: str
    replicas: list[str]
    speaks: frozenset[str] = KINDS[EMULATED].speaks
    continuous: bool = KINDS[EMULATED].continuous
    salt_field: str = KINDS[EMULATED].salt_field


class EmulatedEngines:
    """All emulated replicas of a plan, in one child process. Made by `start`.

    The child's standard input is a pipe that only this process holds, so that the child ends with
    it, even if it is killed.
    """

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        grace_s: float,
        on_exit: Callable[[int], None] | None,
    ) -> None:
        self._process = process
        self._grace_s = grace_s
        self._on_exit = on_exit
        self._tail: deque[str] = deque(maxlen=_TAIL_LINES)
        self._errors = asyncio.create_task(self._read_errors())
        self._watch: asyncio.Task[None] | None = None
        self._stopping = False
        self._endpoints: tuple[Endpoint, ...] = ()

    @classmethod
    async def start(
        cls,
        cloud_path: Path,
        plan_path: Path,
        *,
        on_exit: Callable[[int], None] | None = None,
        grace_s: float = 30.0,
    ) -> EmulatedEngines:
        """Start the process and wait until its replicas take requests.

        Args:
            cloud_path: the cloud file.
            plan_path: the plan made from it.
            on_exit: called with the exit status if the process ends without `stop`.
            grace_s: how long running answers may take to finish once `stop` is called.

        Raises:
            EngineStartError: it did not come up; the message holds the last it said.
        """
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "neocloud.engines.emulated",
                "--cloud", str(cloud_path), "--plan", str(plan_path),
                "--listen", "127.0.0.1:0", "--grace", f"{grace_s:g}",
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                limit=_LINE_BYTES,
                # Ctrl-C goes to all processes of a session: this one must outlive it, so that the
                # answers under way end before the engines do.
                start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            raise EngineStartError(f"the emulated engines cannot be started: {error}") from None
        engines = cls(process, grace_s, on_exit)
        try:
            await engines._listen()
        except BaseException:
            await engines._end()
            raise
        return engines

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """Its replicas, in the plan's order."""
        return self._endpoints

    @property
    def running(self) -> bool:
        """True until the process has ended."""
        return self._process.returncode is None

    async def stop(self) -> None:
        """Let running answers finish within the grace, then end the process. Idempotent."""
        self._stopping = True
        if self.running:
            with contextlib.suppress(ProcessLookupError):
                self._process.terminate()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._grace_s + _KILL_AFTER_S):
                    await self._process.wait()
        await self._end()

    async def _listen(self) -> None:
        stdout = self._process.stdout
        assert stdout is not None
        try:
            async with asyncio.timeout(_START_TIMEOUT_S):
                line = await stdout.readline()
        except (TimeoutError, ValueError):
            raise EngineStartError(
                f"the emulated engines were not up within {_START_TIMEOUT_S:g} s"
            ) from None
        try:
            told = msgspec.json.decode(line, type=_Listening)
            address = Address.of_url(f"http://{told.listen}")
        except (msgspec.MsgspecError, ValueError):
            with contextlib.suppress(TimeoutError):  # it is about to end by itself
                async with asyncio.timeout(_KILL_AFTER_S):
                    await self._process.wait()
            await self._end()
            said = "\n".join(self._tail) or "it said nothing"
            raise EngineStartError(
                f"the emulated engines ended with status {self._process.returncode}: {said}"
            ) from None
        self._endpoints = tuple(
            Endpoint(
                replica=replica,
                address=address,
                prefix=b"/replicas/" + replica.encode("ascii"),
                kind=EMULATED,
                model=replica.split("/")[2],
                speaks=told.speaks,
                continuous=told.continuous,
                salt_field=told.salt_field,
            )
            for replica in told.replicas
        )
        self._watch = asyncio.create_task(self._wait())

    async def _wait(self) -> None:
        status = await self._process.wait()
        if not self._stopping:
            await self._errors
            said = "\n".join(self._tail)
            log.error("the emulated engines ended with status %d: %s", status, said)
            if self._on_exit is not None:
                self._on_exit(status)

    async def _end(self) -> None:
        """Make sure that the process and the tasks around it are gone."""
        self._stopping = True
        if self.running:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()
        if self._process.stdin is not None:
            self._process.stdin.close()
        await self._errors
        if self._watch is not None and self._watch is not asyncio.current_task():
            await self._watch

    async def _read_errors(self) -> None:
        stderr = self._process.stderr
        assert stderr is not None
        while True:
            try:
                line = await stderr.readline()
            except ValueError:  # longer than any line of ours
                continue
            if not line:
                return
            text = line.decode("utf-8", "replace").rstrip()
            self._tail.append(text)
            log.info("emulated engines: %s", text)
