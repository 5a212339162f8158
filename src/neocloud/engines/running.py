"""An engine that we started: up, watched, restarted when it dies, drained and ended."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Self

import msgspec

from neocloud.engines.child import Child, Command
from neocloud.engines.endpoint import Endpoint
from neocloud.engines.errors import EngineStartError
from neocloud.engines.probe import Readiness, readiness
from neocloud.wire import Client, Pool

log = logging.getLogger(__name__)

_POLL_S = 0.05
_SLOW_POLL_S = 1.0
_FAST_POLLS = 100
"""So often it is asked at the quick pace whether it is up: five seconds, what small models take."""
_LONGEST_BACKOFF_S = 60.0
_STEADY_S = 60.0
"""A run that served for so long was no failed start: the next restart comes quickly again."""
_KILL_AFTER_S = 10.0
"""How long past its grace an engine may take to close down: it frees the accelerator's memory."""


class EngineStart(msgspec.Struct, frozen=True, kw_only=True):
    """What is started, and where it then answers.

    Attributes:
        endpoint: where it will answer; its port stands in the command.
        command: what is started.
        ready_within_s: how long it may take until it serves. Large weights take many minutes.
        grace_s: how long running answers may take once it is told to end; the command itself
            holds as much, where the engine has a flag for it.
        backoff_s: before the first restart; doubled for each further one, to a minute.
    """

    endpoint: Endpoint
    command: Command
    ready_within_s: float = 1800.0
    grace_s: float = 30.0
    backoff_s: float = 1.0


class StartedEngine:
    """An engine's process and who looks after it. `async with` starts and ends it.

    If it ends before it ever served, that is a wrong start, told by `up` and not tried again. Once
    it has served it is restarted whenever it ends, each time after a longer pause.

    Whoever routes to it stops that before the end of the `async with`: it then gets SIGTERM,
    `grace_s` for the answers under way, and is killed with all that it started.
    """

    def __init__(self, start: EngineStart) -> None:
        self._start = start
        self._child: Child | None = None
        self._client: Client | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._served: asyncio.Future[None] | None = None
        self._ending = False
        self._restarts = 0

    @property
    def endpoint(self) -> Endpoint:
        """Where it answers, the same after each restart."""
        return self._start.endpoint

    @property
    def running(self) -> bool:
        """True while its process runs, whether it serves or not."""
        return self._child is not None and self._child.running

    @property
    def draining(self) -> bool:
        """True once it is told to end."""
        return self._ending

    @property
    def restarts(self) -> int:
        """How often it was started again."""
        return self._restarts

    @property
    def tail(self) -> str:
        """The last lines of its output; of an engine they may hold what clients sent."""
        return self._child.tail if self._child is not None else ""

    async def readiness(self, pool: Pool, *, timeout_s: float = 5.0) -> Readiness:
        """Whether it takes requests."""
        return await readiness(
            pool, self.endpoint, running=self.running, draining=self._ending, timeout_s=timeout_s
        )

    async def up(self) -> None:
        """Wait until it serves for the first time.

        Raises:
            EngineStartError: it ended before, or took too long; the message holds its last words.
        """
        assert self._served is not None
        await asyncio.shield(self._served)

    async def __aenter__(self) -> Self:
        self._client = Client()
        self._served = asyncio.get_running_loop().create_future()
        # Whoever never asks `up` shall hear of it from the log, not from the event loop.
        self._served.add_done_callback(lambda served: served.cancelled() or served.exception())
        try:
            self._child = await Child.spawn(self._start.command)
        except OSError as error:
            await self._client.close()
            raise EngineStartError(f"{self._name} cannot be started: {error}") from None
        self._keeper = asyncio.create_task(self._keep(self._child))
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()

    async def stop(self) -> None:
        """Drain it and end it. Idempotent."""
        self._ending = True
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
        if self._child is not None:
            await self._child.end(self._start.grace_s + _KILL_AFTER_S)
        if self._served is not None and not self._served.done():
            self._served.set_exception(EngineStartError(f"{self._name} was stopped"))
        if self._client is not None:
            await self._client.close()

    @property
    def _name(self) -> str:
        return f"{self.endpoint.kind} of {self.endpoint.replica}"

    async def _keep(self, child: Child) -> None:
        """Watch run after run."""
        assert self._served is not None
        pause_s = self._start.backoff_s
        while True:
            served_s = await self._watch(child)
            if not self._served.done():
                self._served.set_exception(EngineStartError(await self._failed_start(child)))
                return
            if served_s >= _STEADY_S:
                pause_s = self._start.backoff_s
            status = await child.kill()
            log.error("%s ended with status %d; again in %g s", self._name, status, pause_s)
            await asyncio.sleep(pause_s)
            pause_s = min(2.0 * pause_s, _LONGEST_BACKOFF_S)
            self._restarts += 1
            try:
                child = self._child = await Child.spawn(self._start.command)
            except OSError as error:  # no processes, no memory: perhaps later
                log.error("%s cannot be started: %s", self._name, error)  # noqa: TRY400

    async def _watch(self, child: Child) -> float:
        """Wait for the end of a run; how long it had served."""
        loop = asyncio.get_running_loop()
        ended = asyncio.create_task(child.wait())
        asked = asyncio.create_task(self._wait_ready())
        since = loop.time()
        try:
            await asyncio.wait(
                (ended, asked),
                timeout=self._start.ready_within_s,
                return_when=asyncio.FIRST_COMPLETED,
            )
            if not asked.done() or ended.done():
                return 0.0
            since = loop.time()
            if self._served is not None and not self._served.done():
                self._served.set_result(None)
            log.info("%s serves at %s", self._name, self.endpoint.address)
            await ended
            return loop.time() - since
        finally:
            for task in (ended, asked):
                task.cancel()
            await asyncio.gather(ended, asked, return_exceptions=True)

    async def _wait_ready(self) -> None:
        assert self._client is not None
        pool = self._client.pool(self.endpoint.address)
        polls = 0
        while not (await readiness(pool, self.endpoint)).ready:
            polls += 1
            await asyncio.sleep(_POLL_S if polls < _FAST_POLLS else _SLOW_POLL_S)

    async def _failed_start(self, child: Child) -> str:
        late = child.running
        status = await child.kill()
        said = child.tail or "it said nothing"
        if late:
            return f"{self._name} was not up within {self._start.ready_within_s:g} s: {said}"
        return f"{self._name} ended with status {status} before it served: {said}"


@asynccontextmanager
async def started(start: EngineStart) -> AsyncIterator[StartedEngine]:
    """Start an engine, wait until it serves, and end it when the caller is done.

    Raises:
        EngineStartError: it did not come up; the message holds its last words.
    """
    async with StartedEngine(start) as engine:
        await engine.up()
        yield engine


def free_port(host: str = "127.0.0.1") -> int:
    """A port that nobody listens on now."""
    with contextlib.closing(socket.socket()) as probe:
        probe.bind((host, 0))
        port: int = probe.getsockname()[1]
        return port
