"""One worker's process, from the supervisor's side."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import socket
import sys
from collections.abc import Callable
from typing import Self

from neocloud.gateway.settings import SettingsError
from neocloud.gateway.workers.channel import (
    LENGTH,
    Answered,
    Ask,
    Change,
    Drain,
    Leaving,
    Look,
    Measure,
    Message,
    NotStarted,
    Order,
    Serving,
    Stop,
    Told,
    View,
    packed,
    unpacked,
)

log = logging.getLogger(__name__)

_ANSWER_S = 120.0
"""A worker that has not done by then what it was asked is stuck."""
_KILL_AFTER_S = 15.0
"""How long past its grace a worker may take to end."""


class WorkerError(RuntimeError):
    """A worker could not start, or is gone; the message says why."""


class Hand:
    """A worker's process. Made by `start`.

    Attributes:
        order: that it was started with.
        serves: done once it serves; fails with `WorkerError` if it ends before.
        left: set once it takes no new connections, or has ended.
    """

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        order: Order,
        on_answered: Callable[[Answered], None],
    ) -> None:
        self.order = order
        self.serves: asyncio.Future[Serving] = asyncio.get_running_loop().create_future()
        self.serves.add_done_callback(lambda served: served.cancelled() or served.exception())
        self.left = asyncio.Event()
        self._process = process
        self._on_answered = on_answered
        self._numbers = itertools.count()
        self._asked: dict[int, asyncio.Future[View | bytes | bool | None]] = {}
        self._hearing = asyncio.create_task(self._hear())

    @classmethod
    async def start(
        cls, order: Order, bound: socket.socket, on_answered: Callable[[Answered], None]
    ) -> Self:
        """Start a process; `serves` tells when it serves.

        Raises:
            WorkerError: not even the process could be started.
        """
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "neocloud.gateway.workers.worker", str(bound.fileno()),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                pass_fds=(bound.fileno(),),
                # Ctrl-C goes to all processes of a session: the supervisor says when it is to end.
                start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            raise WorkerError(f"a worker cannot be started: {error}") from None
        hand = cls(process, order, on_answered)
        hand.tell(order)
        return hand

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """True until it has ended."""
        return self._process.returncode is None

    def tell(self, message: Message) -> None:
        """Say something that needs no answer; a worker that is gone does not hear it."""
        stdin = self._process.stdin
        assert stdin is not None
        if self.running:
            with contextlib.suppress(ConnectionError, RuntimeError):
                stdin.write(packed(message))

    async def ask(self, question: Change | Drain | Look | Measure) -> View | bytes | bool | None:
        """Ask something.

        Raises:
            SettingsError: what was asked for cannot be.
            WorkerError: it is gone, or does not answer.
        """
        number = next(self._numbers)
        answer: asyncio.Future[View | bytes | bool | None] = (
            asyncio.get_running_loop().create_future()
        )
        self._asked[number] = answer
        self.tell(Ask(number, question))
        try:
            if self._hearing.done():
                raise WorkerError("the worker is gone")
            async with asyncio.timeout(_ANSWER_S):
                return await answer
        except TimeoutError:
            raise WorkerError(f"worker {self.pid} does not answer") from None
        finally:
            del self._asked[number]

    async def wait(self) -> int:
        """Wait for its end; its exit status."""
        status = await self._process.wait()
        await asyncio.wait((self._hearing,))
        return status

    async def stop(self, at_once: asyncio.Event) -> None:
        """Let it end within its grace, or at once; kill it if it does not."""
        self.tell(Stop(at_once.is_set()))
        ended = asyncio.create_task(self.wait())
        hurry = asyncio.create_task(at_once.wait())
        patience_s = self.order.settings.grace_s + _KILL_AFTER_S
        await asyncio.wait((ended, hurry), timeout=patience_s, return_when=asyncio.FIRST_COMPLETED)
        if not ended.done():
            self.tell(Stop(at_once=True))
            await asyncio.wait((ended,), timeout=_KILL_AFTER_S)
        hurry.cancel()
        self.kill()
        await ended

    def kill(self) -> None:
        """End it now."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()

    async def _hear(self) -> None:
        stdout = self._process.stdout
        assert stdout is not None
        reason = ""
        try:
            while True:
                head = await stdout.readexactly(LENGTH.size)
                message = unpacked(await stdout.readexactly(LENGTH.unpack(head)[0]))
                if isinstance(message, NotStarted):
                    reason = message.reason
                else:
                    self._take(message)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self._gone(reason)

    def _take(self, message: Message) -> None:
        if isinstance(message, Serving) and not self.serves.done():
            self.serves.set_result(message)
        elif isinstance(message, Leaving):
            self.left.set()
        elif isinstance(message, Answered):
            self._on_answered(message)
        elif isinstance(message, Told):
            answer = self._asked.get(message.number)
            if answer is not None and not answer.done():
                if message.failure:
                    answer.set_exception(SettingsError(message.failure))
                else:
                    answer.set_result(message.answer)

    def _gone(self, reason: str) -> None:
        self.left.set()
        if not self.serves.done():
            self.serves.set_exception(WorkerError(reason or "a worker ended before it served"))
        for answer in self._asked.values():
            if not answer.done():
                answer.set_exception(WorkerError("the worker is gone"))
