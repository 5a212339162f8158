"""Engines that the gateway starts itself, once for all its workers, and changes at a reload."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable

from neocloud.engines import (
    EmulatedEngines,
    Endpoint,
    EngineStart,
    EngineStartError,
    StartedEngine,
)
from neocloud.gateway.settings import Settings

log = logging.getLogger(__name__)


class _Kept:
    """A real engine from its start to its end."""

    def __init__(self, start: EngineStart) -> None:
        self.start = start
        self.serves = asyncio.get_running_loop().create_future()
        self.go = asyncio.Event()
        self.task: asyncio.Task[None] | None = None

    async def run(
        self, after: Iterable[asyncio.Task[None]], on_up: Callable[[], Awaitable[None]]
    ) -> None:
        """Start it once its predecessors have freed their accelerators; end it when told to go."""
        await asyncio.gather(*after, return_exceptions=True)
        if self.go.is_set():
            return
        try:
            async with StartedEngine(self.start) as engine:
                up, go = asyncio.create_task(engine.up()), asyncio.create_task(self.go.wait())
                await asyncio.wait((up, go), return_when=asyncio.FIRST_COMPLETED)
                if up.done():
                    up.result()
                    self.serves.set_result(None)
                    await on_up()
                    await go
                up.cancel()
                go.cancel()
        except EngineStartError as error:
            if not self.serves.done():
                self.serves.set_exception(error)
            log.error("%s", error)  # noqa: TRY400  (its message says it all)

    @property
    def up(self) -> bool:
        """True once it has served, until it is told to go."""
        return self.serves.done() and not self.go.is_set() and not self.serves.exception()


class EngineRoom:
    """All engines that a gateway has started."""

    def __init__(self) -> None:
        self._emulated: EmulatedEngines | None = None
        self._kept: dict[str, _Kept] = {}
        self._leaving: set[asyncio.Task[None]] = set()

    async def start(self, settings: Settings) -> None:
        """Start what the settings name, and wait until all of it serves.

        Raises:
            EngineStartError: something did not come up; what did is ended.
        """
        try:
            self._emulated = await _emulated(settings)
            for start in settings.starts:
                self._begin(start, (), _nothing)
            await asyncio.gather(*(kept.serves for kept in self._kept.values()))
        except BaseException:
            await self.stop()
            raise

    def endpoints(self, settings: Settings) -> tuple[Endpoint, ...]:
        """Where the cloud's own engines answer now, those that run already included."""
        found: dict[str, Endpoint] = {}
        if self._emulated is not None:
            found |= {endpoint.replica: endpoint for endpoint in self._emulated.endpoints}
        wanted = _wanted(settings)
        for replica, kept in self._kept.items():
            if kept.up and wanted.get(replica) == kept.start:
                found[replica] = kept.start.endpoint
        found |= {endpoint.replica: endpoint for endpoint in settings.endpoints}
        return tuple(found.values())

    async def prepare(self, before: Settings, settings: Settings) -> EmulatedEngines | None:
        """Start emulated engines of another plan beside those of the one before.

        Returns:
            The process that they take the place of, for `settle` or `undo`.

        Raises:
            EngineStartError: they did not come up; nothing has changed.
        """
        if settings.emulation == before.emulation and settings.plan == before.plan:
            return None
        old = self._emulated
        self._emulated = await _emulated(settings)
        return old

    async def undo(self, before: Settings, settings: Settings, old: EmulatedEngines | None) -> None:
        """Go back to what was before `prepare`."""
        if settings.emulation == before.emulation and settings.plan == before.plan:
            return
        made, self._emulated = self._emulated, old
        if made is not None:
            await made.stop()

    def settle(
        self,
        settings: Settings,
        old: EmulatedEngines | None,
        on_up: Callable[[], Awaitable[None]],
    ) -> tuple[str, ...]:
        """End what nobody sends requests to any more, and start what is new.

        Args:
            settings: that hold now.
            old: what `prepare` gave.
            on_up: called when one of the new ones begins to serve.

        Returns:
            Replicas that are being started.
        """
        if old is not None:
            self._leaves(asyncio.create_task(old.stop()))
        wanted = _wanted(settings)
        gone = [kept for replica, kept in self._kept.items() if wanted.get(replica) != kept.start]
        for kept in gone:
            del self._kept[kept.start.endpoint.replica]
            kept.go.set()
            assert kept.task is not None, "it was begun"
            self._leaves(kept.task)
        new = [start for replica, start in wanted.items() if replica not in self._kept]
        for start in new:
            self._begin(start, tuple(self._leaving), on_up)
        return tuple(start.endpoint.replica for start in new)

    async def stop(self) -> None:
        """End all of them, each within its own grace."""
        for kept in self._kept.values():
            kept.go.set()
        tasks = [kept.task for kept in self._kept.values() if kept.task is not None]
        await asyncio.gather(*tasks, *self._leaving, return_exceptions=True)
        self._kept.clear()
        if self._emulated is not None:
            await self._emulated.stop()

    def _leaves(self, task: asyncio.Task[None]) -> None:
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)

    def _begin(
        self,
        start: EngineStart,
        after: Iterable[asyncio.Task[None]],
        on_up: Callable[[], Awaitable[None]],
    ) -> None:
        kept = self._kept[start.endpoint.replica] = _Kept(start)
        kept.serves.add_done_callback(lambda served: served.cancelled() or served.exception())
        kept.task = asyncio.create_task(kept.run(tuple(after), on_up))


async def _emulated(settings: Settings) -> EmulatedEngines | None:
    if settings.emulation is None:
        return None
    return await EmulatedEngines.start(
        settings.emulation.cloud_path, settings.emulation.plan_path, grace_s=settings.grace_s
    )


def _wanted(settings: Settings) -> dict[str, EngineStart]:
    return {start.endpoint.replica: start for start in settings.starts}


async def _nothing() -> None:
    """At the start everybody waits for all of them anyway."""
