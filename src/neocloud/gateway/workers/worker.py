"""`python -m neocloud.gateway.workers.worker FD`: one of several processes that serve.

FD is the socket that it listens on, its parent's. Its parent speaks on standard input, which it
alone holds: at its end the worker ends too, at once, and its successor closes what it left open.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Coroutine

import uvloop

from neocloud.gateway.observability.logs import configure
from neocloud.gateway.settings import SettingsError
from neocloud.gateway.workers.allowances import retire
from neocloud.gateway.workers.channel import (
    LENGTH,
    Answered,
    Ask,
    Change,
    Drain,
    End,
    Leaving,
    Measure,
    Message,
    NotStarted,
    Order,
    Serving,
    Shipping,
    Stop,
    Told,
    View,
    packed,
    unpacked,
)
from neocloud.gateway.workers.service import Service
from neocloud.ledger import Ledger, LedgerError
from neocloud.quotas import BankError

log = logging.getLogger(__name__)

_COUNTS_S = 1.0
WRONG = 2


class Worker:
    """The worker's side of the channel.

    Args:
        order: what it is to serve.
        told: messages of its parent, as they come.
        transport: to its parent.
    """

    def __init__(
        self, order: Order, told: asyncio.Queue[Message], transport: asyncio.WriteTransport
    ) -> None:
        self._order = order
        self._told = told
        self._transport = transport
        self._stop = asyncio.Event()
        self._at_once = asyncio.Event()
        self._all_done = asyncio.Event()
        self._going = False
        self._hearing: asyncio.Task[None] | None = None
        self._answering: set[asyncio.Task[None]] = set()

    async def run(self, bound: socket.socket) -> None:
        """Serve until told to end.

        Raises:
            LedgerError, BankError, SettingsError: it cannot start.
        """
        order = self._order
        loop = asyncio.get_running_loop()
        ledger = Ledger(
            order.settings.ledger, worker=order.post.number, now_ns=time.time_ns(),
            deliver=loop.call_soon_threadsafe,
        )  # fmt: skip
        async with contextlib.AsyncExitStack() as stack:
            stack.push_async_callback(asyncio.to_thread, ledger.close)
            if order.shipping is not None:
                ledger.note_shipping(order.shipping)
            service = await Service.start(
                order.settings, order.endpoints, order.post, ledger, holdings=order.holdings
            )
            stack.callback(self._hear_no_more)
            stack.push_async_callback(service.close, self._at_once)
            await retire(order.settings, order.post, order.retired)
            for replica in order.drained:
                service.drain_replica(replica, drained=True)
            await service.listen(bound)
            loop.add_signal_handler(signal.SIGTERM, self._leave, service)
            keys = len(service.gateway.callers.keys)
            self._say(Serving(ledger.recovered, keys))
            self._hearing = asyncio.create_task(self._hear(service))
            counting = asyncio.create_task(self._count(service))
            await self._stop.wait()
            if not self._going:
                await self._end_together(service)
            counting.cancel()
            self._tell_counts(service)

    async def _end_together(self, service: Service) -> None:
        """Let requests end; then go on telling clients and probes, until no worker has any left.

        Connections are dealt out to the sockets of all workers as long as the gateway lives: behind
        one that nobody serves they would wait in vain.
        """
        left_s = await service.finish(self._at_once)
        self._say(Leaving())
        waits = [asyncio.create_task(e.wait()) for e in (self._all_done, self._at_once)]
        await asyncio.wait(waits, timeout=left_s, return_when=asyncio.FIRST_COMPLETED)
        for each in waits:
            each.cancel()

    def _hear_no_more(self) -> None:
        if self._hearing is not None:
            self._hearing.cancel()

    def _say(self, message: Message) -> None:
        self._transport.write(packed(message))

    def _leave(self, service: Service) -> None:
        """Told to end by a signal: a successor takes over the socket."""

        async def leave() -> None:
            await service.leave()
            self._say(Leaving())
            self._stop.set()

        if not self._going:
            self._going = True
            self._later(leave())

    async def _hear(self, service: Service) -> None:
        while True:
            message = await self._told.get()
            if isinstance(message, Shipping):
                service.ledger.note_shipping(message.report)
            elif isinstance(message, Answered):
                service.add_answered(message.counts)
            elif isinstance(message, Stop):
                if message.at_once:
                    self._at_once.set()
                self._stop.set()
            elif isinstance(message, End):
                self._all_done.set()
            elif isinstance(message, Ask):
                self._later(self._answer(service, message))

    async def _answer(self, service: Service, ask: Ask) -> None:
        question = ask.question
        answer: View | bytes | bool | None = None
        try:
            if isinstance(question, Change):
                await service.change(question.settings, question.endpoints)
            elif isinstance(question, Drain):
                answer = service.drain_replica(question.replica, drained=question.drained)
            elif isinstance(question, Measure):
                answer = service.metrics()
            else:
                answer = View(service.replicas(), service.tenants())
        except (SettingsError, LedgerError, BankError) as error:
            self._say(Told(ask.number, failure=str(error)))
        else:
            self._say(Told(ask.number, answer))

    async def _count(self, service: Service) -> None:
        while True:
            await asyncio.sleep(_COUNTS_S)
            self._tell_counts(service)

    def _tell_counts(self, service: Service) -> None:
        if not self._order.holdings and (counts := service.take_answered()):
            self._say(Answered(counts))

    def _later(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._answering.add(task)
        task.add_done_callback(self._answering.discard)


def read_message() -> Message | None:
    """The next message of the parent; None if it is gone."""
    head = _exactly(LENGTH.size)
    data = _exactly(LENGTH.unpack(head)[0]) if head else b""
    return unpacked(data) if data else None


def _exactly(count: int) -> bytes:
    """So many bytes of standard input; none at its end."""
    pieces = b""
    while len(pieces) < count:
        piece = os.read(0, count - len(pieces))
        if not piece:
            return b""
        pieces += piece
    return pieces


def _listen_to_parent(loop: asyncio.AbstractEventLoop, told: asyncio.Queue[Message]) -> None:
    """In a thread of its own, so that the end of the parent is the end whatever the loop does."""
    while (message := read_message()) is not None:
        loop.call_soon_threadsafe(told.put_nowait, message)
    os._exit(1)


async def _run(order: Order, bound: socket.socket, out: int) -> int:
    loop = asyncio.get_running_loop()
    told: asyncio.Queue[Message] = asyncio.Queue()
    transport, _ = await loop.connect_write_pipe(asyncio.Protocol, os.fdopen(out, "wb"))
    threading.Thread(target=_listen_to_parent, args=(loop, told), daemon=True).start()
    try:
        await Worker(order, told, transport).run(bound)
    except (LedgerError, BankError, SettingsError) as error:
        transport.write(packed(NotStarted(str(error))))
        status = WRONG
    else:
        status = 0
    transport.close()
    await asyncio.sleep(0)
    return status


def main() -> int:
    """Serve; the exit status."""
    out = os.dup(1)
    os.dup2(2, 1)  # whatever prints shall not get between the messages
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    order = read_message()
    if not isinstance(order, Order):
        return 1  # the parent is gone already
    configure(order.log_level, order.log_format)
    bound = socket.socket(fileno=int(sys.argv[1]))
    status: int = uvloop.run(_run(order, bound, out))
    return status


if __name__ == "__main__":
    sys.exit(main())
