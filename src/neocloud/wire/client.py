"""Requests to upstreams: kept-alive connections by address, answers by callback."""

from __future__ import annotations

import asyncio
import ssl
from typing import Protocol

from neocloud.wire.errors import UpstreamError, UpstreamFault
from neocloud.wire.heads import NO_LINES, Headers, Lines, prepared_head, request_head
from neocloud.wire.records import Address, ClientLimits, ResponseHead
from neocloud.wire.upstream import ClientConnection

_SWEEP_S = 0.5
_CLOSED = "shutting down"


class Receiver(Protocol):
    """Takes an answer: `on_head`, any number of `on_data`, then `on_end`; or `on_error` any time.

    An answer that came whole, in one piece, may be handed over by `on_whole` alone. Nothing more
    comes after `on_end`, `on_whole`, `on_error` or an abort. The connection is free again when
    `on_end` or `on_whole` is called.
    """

    def on_whole(self, head: ResponseHead, body: bytes) -> None:
        """All of the answer has come."""
        ...

    def on_head(self, head: ResponseHead) -> None:
        """Status and fields have come."""
        ...

    def on_data(self, data: bytes) -> None:
        """Some of the body has come."""
        ...

    def on_end(self) -> None:
        """The answer was whole."""
        ...

    def on_error(self, error: UpstreamError) -> None:
        """There will be no whole answer."""
        ...


class InPieces:
    """A `Receiver` that takes a whole answer like any other."""

    def on_whole(self: Receiver, head: ResponseHead, body: bytes) -> None:
        """All of the answer has come."""
        self.on_head(head)
        if body:
            self.on_data(body)
        self.on_end()


class Call:
    """A request under way."""

    __slots__ = ("_pool", "body", "connection", "done", "head", "receiver", "retried")

    def __init__(self, pool: Pool, head: bytes, body: bytes, receiver: Receiver) -> None:
        self._pool = pool
        self.head = head
        self.body = body
        self.receiver = receiver
        self.connection: ClientConnection | None = None
        self.retried = False
        self.done = False

    def abort(self) -> None:
        """Give up: close the connection, so that the upstream stops working. Idempotent."""
        if not self.done:
            self.done = True
            if self.connection is not None:
                self.connection.drop()

    def pause(self) -> None:
        """Stop reading, until `resume`: who takes the answer is slower than who gives it."""
        if self.connection is not None and not self.done:
            self.connection.pause()

    def resume(self) -> None:
        """Read on."""
        if self.connection is not None and not self.done:
            self.connection.resume()

    def fail(self, error: UpstreamError) -> None:
        """End with an error, once."""
        if not self.done:
            self.done = True
            self.receiver.on_error(error)

    def retry(self) -> None:
        """Send again, on a fresh connection."""
        self.retried = True
        self.connection = None
        self._pool.dial(self)


class Pool:
    """Connections to one address. Made by `Client.pool`.

    Attributes:
        address: whom it connects to.
        limits: shared by all pools of the client.
        clock: `loop.time()`, renewed twice a second.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        address: Address,
        limits: ClientLimits,
        context: ssl.SSLContext | None,
    ) -> None:
        self.loop = loop
        self.address = address
        self.limits = limits
        self.clock = loop.time()
        self._context = context
        self._host = address.authority.encode(
            "idna" if not address.authority.isascii() else "ascii"
        )
        self._idle: list[ClientConnection] = []
        self._connections: set[ClientConnection] = set()
        self._dialing: dict[asyncio.Task[None], Call] = {}
        self._emptied: asyncio.Event | None = None
        self._closed = False

    def request(
        self,
        method: bytes,
        target: bytes,
        receiver: Receiver,
        headers: Headers = NO_LINES,
        body: bytes = b"",
    ) -> Call:
        """Send a request; the answer goes to `receiver`, never before this call returns.

        A kept-alive connection that turns out to be closed before any byte of the answer came is
        replaced by a fresh one, once. Whoever must not send a request twice cannot use it. HEAD is
        not for this client: its answers look as if a body followed.

        Raises:
            ValueError: a header holds a line break, or the target a space.
        """
        return self._sent(
            Call(self, request_head(method, target, self._host, headers, len(body)), body, receiver)
        )

    def prepared(self, method: bytes, target: bytes, headers: Headers = NO_LINES) -> Lines:
        """Head of requests with a body, but for their length: made once, used by `send`.

        Raises:
            ValueError: as `request`.
        """
        return prepared_head(method, target, self._host, headers)

    def send(self, head: Lines, body: bytes, receiver: Receiver) -> Call:
        """As `request`, with a head that `prepared` made."""
        return self._sent(
            Call(self, b"%bcontent-length: %d\r\n\r\n" % (head, len(body)), body, receiver)
        )

    def _sent(self, call: Call) -> Call:
        idle = self._idle
        while idle:
            connection = idle.pop()
            if connection.usable:
                connection.send(call)
                return call
        self.dial(call)
        return call

    def dial(self, call: Call) -> None:
        """Connect, then send `call`; fail it if there are as many connections as there may be."""
        if self._closed:
            self.loop.call_soon(call.fail, UpstreamError(UpstreamFault.CONNECT, _CLOSED))
            return
        if len(self._connections) + len(self._dialing) >= self.limits.max_connections:
            error = UpstreamError(
                UpstreamFault.FULL, f"{self.limits.max_connections} connections to {self.address}"
            )
            self.loop.call_soon(call.fail, error)
            return
        task = self.loop.create_task(self._connect(call))
        self._dialing[task] = call
        task.add_done_callback(self._dialing.pop)

    @property
    def connections(self) -> int:
        """Open connections, idle ones included."""
        return len(self._connections)

    # for connections

    def opened(self, connection: ClientConnection) -> None:
        """Count a connection."""
        self._connections.add(connection)

    def free(self, connection: ClientConnection) -> None:
        """Keep a connection for the next request."""
        self._idle.append(connection)

    def forget(self, connection: ClientConnection) -> None:
        """A connection is gone."""
        self._connections.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)
        if self._emptied is not None and not self._connections:
            self._emptied.set()

    # for the client

    def sweep(self, now: float) -> None:
        """Enforce the time limits."""
        self.clock = now
        for connection in list(self._connections):
            connection.check(now)

    async def close(self) -> None:
        """Close every connection; calls under way fail, and so does whatever comes after."""
        self._closed = True
        dialing = dict(self._dialing)
        for task in dialing:
            task.cancel()
        for connection in list(self._connections):
            connection.drop()
        await asyncio.gather(*dialing, return_exceptions=True)
        for call in dialing.values():  # a task that had not begun could not tell its call
            call.fail(UpstreamError(UpstreamFault.CONNECT, _CLOSED))
        if self._connections:
            self._emptied = asyncio.Event()
            await self._emptied.wait()

    async def _connect(self, call: Call) -> None:
        limits, address = self.limits, self.address
        connection = ClientConnection(self)
        try:
            async with asyncio.timeout(limits.connect_timeout_s):
                await self.loop.create_connection(
                    lambda: connection,
                    address.host,
                    address.port,
                    ssl=self._context if address.tls else None,
                )
        except TimeoutError:
            call.fail(
                UpstreamError(
                    UpstreamFault.CONNECT,
                    f"no connection to {address} within {limits.connect_timeout_s} s",
                )
            )
        except OSError as error:  # ssl.SSLError is one
            call.fail(UpstreamError(UpstreamFault.CONNECT, f"cannot connect to {address}: {error}"))
        except asyncio.CancelledError:
            self.forget(connection)
            call.fail(UpstreamError(UpstreamFault.CONNECT, _CLOSED))
            raise
        else:
            if call.done:  # aborted meanwhile
                connection.release()
            else:
                connection.send(call)
            return
        # The loop may close a connection that was made but not handed over without telling it.
        self.forget(connection)


class Client:
    """All pools of a process, and the clock they share.

    Args:
        limits: for all upstreams.
        context: for https; the system's certificate authorities by default.
    """

    def __init__(
        self, limits: ClientLimits | None = None, context: ssl.SSLContext | None = None
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._limits = limits or ClientLimits()
        self._context = context
        self._pools: dict[Address, Pool] = {}
        self._timer = self._loop.call_later(_SWEEP_S, self._sweep)

    def pool(self, address: Address) -> Pool:
        """Return the pool of an address; whoever has the same address shares it."""
        pool = self._pools.get(address)
        if pool is None:
            if address.tls and self._context is None:
                self._context = ssl.create_default_context()
            pool = Pool(self._loop, address, self._limits, self._context)
            self._pools[address] = pool
        return pool

    async def close(self) -> None:
        """Close every connection."""
        self._timer.cancel()
        for pool in self._pools.values():
            await pool.close()

    def _sweep(self) -> None:
        now = self._loop.time()
        for pool in self._pools.values():
            pool.sweep(now)
        self._timer = self._loop.call_later(_SWEEP_S, self._sweep)
