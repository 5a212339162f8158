"""Listening, the connections that are open, and the clock they share."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable
from email.utils import formatdate
from typing import Any

from neocloud.wire.connection import ServerConnection
from neocloud.wire.exchange import Exchange
from neocloud.wire.heads import Headers
from neocloud.wire.records import Limits

Handler = Callable[[Exchange], None]
"""Takes a request. It answers at once, or keeps the exchange and answers later."""

Refusal = Callable[[int, str, str], tuple[Headers, bytes]]
"""Headers and body of the answer to a request that no handler sees (malformed, too large).

Takes status, reason, and the path that was asked for: empty where it was not read.
"""

_SWEEP_S = 0.5
"""How often time limits are checked; they are kept to this precision."""
_FIRST_S = 1.0
"""Time for a first request on a connection, once the server drains."""
_BACKLOG = 4096
_HANDSHAKE_S = 10.0
_TLS_END_S = 2.0
"""How long a client may take to agree to the end of a TLS connection."""


def plain_refusal(status: int, reason: str, path: str) -> tuple[Headers, bytes]:
    """A refusal as one line of text."""
    del path
    return ((b"content-type", b"text/plain; charset=utf-8"),), f"{status} {reason}\n".encode()


class Server:
    """A listening server. Made by `serve`.

    Attributes:
        loop: the event loop that all of it runs in.
        handler: takes the requests.
        refusal: words the answer to what is refused before a handler sees it.
        limits: what clients may do.
        clock: `loop.time()`, renewed twice a second.
        date_line: the Date field of now.
        closing: True once it shuts down: each connection ends with the answer at hand.
        draining: True once connections end with the answer at hand, and new ones still come.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        handler: Handler,
        limits: Limits,
        refusal: Refusal,
    ) -> None:
        self.loop = loop
        self.handler = handler
        self.limits = limits
        self.refusal = refusal
        self.clock = loop.time()
        self.date_line = b""
        self._connections: set[ServerConnection] = set()
        self._listener: asyncio.Server | None = None
        self.closing = False
        self.draining = False
        self._empty = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._sweep()

    @property
    def address(self) -> tuple[str, int]:
        """Host and port that it listens on; the port is the real one where 0 was asked for."""
        assert self._listener is not None
        host, port = self._listener.sockets[0].getsockname()[:2]
        return host, port

    @property
    def connections(self) -> int:
        """Open connections."""
        return len(self._connections)

    def listen(self, listener: asyncio.Server) -> None:
        """Note the socket."""
        self._listener = listener

    def admit(self, connection: ServerConnection) -> bool:
        """Count a new connection; False if it is one too many."""
        self._connections.add(connection)
        self._empty.clear()
        if self.draining:
            self.loop.call_later(_FIRST_S, _close_if_idle, connection)
        return not self.closing and len(self._connections) <= self.limits.max_connections

    def forget(self, connection: ServerConnection) -> None:
        """A connection is gone."""
        self._connections.discard(connection)
        if not self._connections:
            self._empty.set()

    def drain(self) -> None:
        """Go on listening, but end each connection with the answer at hand, idle ones now.

        One on which nothing was asked yet has a moment to ask: its request may be on the way.
        """
        self.draining = True
        for connection in list(self._connections):
            if connection.begun:
                _close_if_idle(connection)
            else:
                self.loop.call_later(_FIRST_S, _close_if_idle, connection)

    def stop_listening(self) -> None:
        """Take no new connections from now on, and drain those that there are."""
        if self._listener is not None:
            self._listener.close()
        self.drain()

    async def close_gracefully(self, timeout_s: float) -> int:
        """Stop listening, let running exchanges end, then close everything.

        Args:
            timeout_s: how long running exchanges may take.

        Returns:
            Connections that were cut off because time was up.
        """
        self.closing = self.draining = True
        if self._listener is not None:
            self._listener.close()
        self._close_idle()
        cut = 0
        if self._connections:
            try:
                await asyncio.wait_for(self._empty.wait(), timeout_s)
            except TimeoutError:
                cut = len(self._connections)
                for connection in list(self._connections):
                    connection.kill()
                await self._empty.wait()
        if self._timer is not None:
            self._timer.cancel()
        if self._listener is not None:
            await self._listener.wait_closed()
        return cut

    def _close_idle(self) -> None:
        for connection in list(self._connections):
            _close_if_idle(connection)

    def _sweep(self) -> None:
        self.clock = now = self.loop.time()
        self.date_line = f"date: {formatdate(usegmt=True)}\r\n".encode()
        for connection in list(self._connections):
            connection.check(now)
        self._timer = self.loop.call_later(_SWEEP_S, self._sweep)


def _close_if_idle(connection: ServerConnection) -> None:
    if connection.idle:
        connection.close()


async def serve(
    handler: Handler,
    host: str,
    port: int,
    limits: Limits | None = None,
    refusal: Refusal = plain_refusal,
    *,
    tls: ssl.SSLContext | None = None,
) -> Server:
    """Listen on an address and hand each complete request to `handler`.

    Args:
        handler: takes the requests.
        host: to listen on.
        port: to listen on; 0 takes a free one.
        limits: what clients may do.
        refusal: words what is refused before a handler sees it.
        tls: a server's context; None speaks plain HTTP.

    Raises:
        OSError: the address cannot be listened on.
    """
    server = Server(asyncio.get_running_loop(), handler, limits or Limits(), refusal)
    try:
        listener = await server.loop.create_server(
            lambda: ServerConnection(server), host, port, backlog=_BACKLOG, **_tls(tls)
        )
    except BaseException:
        await server.close_gracefully(0)
        raise
    server.listen(listener)
    return server


async def serve_on(
    handler: Handler,
    bound: socket.socket,
    limits: Limits | None = None,
    refusal: Refusal = plain_refusal,
    *,
    tls: ssl.SSLContext | None = None,
) -> Server:
    """As `serve`, on a socket that `bound_socket` made, perhaps in another process."""
    server = Server(asyncio.get_running_loop(), handler, limits or Limits(), refusal)
    try:
        listener = await server.loop.create_server(
            lambda: ServerConnection(server), sock=bound, backlog=_BACKLOG, **_tls(tls)
        )
    except BaseException:
        await server.close_gracefully(0)
        raise
    server.listen(listener)
    return server


def bound_socket(host: str, port: int, *, shared: bool = False) -> socket.socket:
    """A socket with an address, for `serve_on`; nobody can connect to it before.

    Once it listens, connections wait in it until somebody accepts them, whichever process that is.

    Args:
        host: name or address; of several that it stands for, one of IPv4 is taken.
        port: to listen on; 0 takes a free one.
        shared: further sockets may listen on the same address (`SO_REUSEPORT`): the system deals
            new connections out among them.

    Raises:
        OSError: the address cannot be listened on.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    found.sort(key=lambda each: each[0] != socket.AF_INET)  # a name's clients try both kinds
    family, kind, protocol, _, place = found[0]
    made = socket.socket(family, kind, protocol)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        made.bind(place)
        made.setblocking(False)
    except BaseException:
        made.close()
        raise
    return made


def _tls(context: ssl.SSLContext | None) -> dict[str, Any]:
    if context is None:
        return {}
    return {
        "ssl": context,
        "ssl_handshake_timeout": _HANDSHAKE_S,
        "ssl_shutdown_timeout": _TLS_END_S,
    }
