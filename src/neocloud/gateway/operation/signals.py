"""What the operator says by signals: end, end at once, reload."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable


class Signals:
    """SIGTERM and SIGINT end, a second one at once; SIGHUP reloads, once there is what reloads.

    While it starts, the first already cancels the task that made this.

    Attributes:
        stop: set once it is to end.
        at_once: set once nothing shall be waited for.
    """

    def __init__(self) -> None:
        self.stop = asyncio.Event()
        self.at_once = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._starting = asyncio.current_task()
        self._reload: Callable[[], Awaitable[None]] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        for number in (signal.SIGTERM, signal.SIGINT):
            self._loop.add_signal_handler(number, self._end)
        self._loop.add_signal_handler(signal.SIGHUP, self._hang_up)

    def started(self, reload: Callable[[], Awaitable[None]]) -> None:
        """From now on there is something to end well, and to reload."""
        self._starting = None
        self._reload = reload

    def _end(self) -> None:
        if self._starting is not None:
            self._starting.cancel()
            self._starting = None
        elif self.stop.is_set():
            self.at_once.set()
        self.stop.set()

    def _hang_up(self) -> None:
        if self._reload is not None and not self.stop.is_set():
            task: asyncio.Task[None] = self._loop.create_task(self._reloaded(self._reload))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    @staticmethod
    async def _reloaded(reload: Callable[[], Awaitable[None]]) -> None:
        await reload()
